"""A cassette's text: what is written is what is read, whatever it holds, and stock vcrpy reads it too."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import vcr
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import CassetteDamaged, CassetteMiss
from harness.recording import Cassette, Facts, Interaction, ReplayTape, Request, emit, read_cassette, sse
from harness.recording.emit import pretty

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LINES = st.lists(
    st.one_of(
        TEXT,
        st.sampled_from(
            [
                "",
                " ",
                "  x",
                "\t",
                "\tx",
                "- a",
                "# b",
                "a: b",
                "---",
                "...",
                "%",
                "\r",
                "\x85",
                "\u2028",
                "\ufeff",
                "é😀",
            ]
        ),
    ),
    max_size=6,
).map("\n".join)
SECONDS = st.floats(0, 1e5, allow_nan=False).map(lambda value: round(value, 6))


def facts(count: int) -> Facts:
    return Facts(
        count=count,
        end=1.25,
        recorded_at="2026-11-21T14:32:05Z",
        source={"host": "127.0.0.1:8089", "model": "m"},
        harness="0.1.0",
        openai="3.52.0",
        cost=Decimal("0.000012"),
    )


def interaction(
    *, body: bytes, answer: bytes = b"{}", content_type: str = "application/json", events: tuple[float, ...] = ()
) -> Interaction:
    return Interaction(
        request=Request(
            method="POST",
            uri="http://127.0.0.1:8089/v1/chat/completions",
            headers={"content-type": "application/json"},
            body=body,
        ),
        status=200,
        reason="OK",
        headers={"content-type": content_type},
        body=answer,
        slot=1,
        attempt=1,
        start=0.0,
        first_byte=0.5,
        end=1.25,
        events=events,
    )


def written(tmp_path: Path, cassette: Cassette) -> Path:
    path = tmp_path / "case.1.yaml"
    path.write_bytes(emit(cassette).encode())
    return path


#: Examples of one test may share its folder: each writes its file anew.
SHARED = [HealthCheck.function_scoped_fixture]


@settings(max_examples=150, deadline=None, suppress_health_check=SHARED)
@given(answer=LINES, second=SECONDS)
def test_any_text_reads_back_to_the_letter(tmp_path: Path, answer: str, second: float) -> None:
    events = [second for _ in sse.Splitter().feed(answer.encode())]
    one = interaction(body=b"plain", answer=answer.encode(), content_type="text/event-stream", events=tuple(events))
    cassette = Cassette(interactions=(one,), facts=facts(1))
    path = written(tmp_path, cassette)
    assert read_cassette(path, shown="c") == cassette
    # The pure Python loader is what stock tools without libyaml use.
    stock = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert stock["interactions"][0]["response"]["body"]["string"] == answer


@settings(max_examples=100, deadline=None, suppress_health_check=SHARED)
@given(answer=st.binary(max_size=80))
def test_any_bytes_read_back(tmp_path: Path, answer: bytes) -> None:
    one = interaction(body=b"x", answer=answer, content_type="application/octet-stream")
    cassette = Cassette(interactions=(one,), facts=facts(1))
    assert read_cassette(written(tmp_path, cassette), shown="c") == cassette


def test_half_a_surrogate_pair_does_not_make_a_file_unreadable(tmp_path: Path) -> None:
    call = {"id": "c", "name": "look", "arguments": {"word": "a\ud83d"}}
    cassette = Cassette(interactions=(interaction(body=b"{}"),), facts=replace(facts(1), tools=(call,)))
    (kept,) = read_cassette(written(tmp_path, cassette), shown="c").facts.tools
    assert kept == {"id": "c", "name": "look", "arguments": {"word": "a\ufffd"}}


def test_a_body_that_is_nested_too_deeply_is_compared_as_it_is() -> None:
    deep = interaction(body=b"[" * 5000 + b"]" * 5000)
    cassette = Cassette(interactions=(deep,), facts=facts(1))
    assert ReplayTape(cassette, shown="c").play(deep.request)[0] == deep
    with pytest.raises(CassetteMiss, match=r"body \(10000 -> 9998 bytes\)"):
        ReplayTape(cassette, shown="c").play(replace(deep.request, body=b"[" * 4999 + b"]" * 4999))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(value=JSON_VALUES, compact=st.booleans())
def test_indenting_json_changes_white_space_only(value: object, compact: bool) -> None:
    text = json.dumps(value, separators=(",", ":") if compact else None, ensure_ascii=compact)
    shown = pretty(text)
    assert json.loads(shown) == value
    assert shown.replace(" ", "").replace("\n", "") == text.replace(" ", "").replace("\n", "")


def test_indenting_keeps_numbers_and_escapes_as_they_were_sent() -> None:
    assert pretty('{"a":1.10,"b":1e5,"c":"\\u00e9\\/","a":2,"d":[],"e":{}}') == (
        '{\n  "a": 1.10,\n  "b": 1e5,\n  "c": "\\u00e9\\/",\n  "a": 2,\n  "d": [],\n  "e": {}\n}'
    )


def test_a_json_body_stands_in_the_file_as_readable_lines(tmp_path: Path) -> None:
    one = interaction(body=b'{"messages":[{"role":"user","content":"Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x98\x80"}]}')
    text = emit(Cassette(interactions=(one,), facts=facts(1)))
    assert '            "content": "Grüße 😀"\n' in text


def test_stock_vcrpy_replays_the_file(tmp_path: Path) -> None:
    import httpx2

    one = interaction(body=b'{"q":1}', answer=b'{"answer": 42}')
    path = written(tmp_path, Cassette(interactions=(one,), facts=facts(1)))
    with vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "body"]):
        with httpx2.Client() as client:
            response = client.post("http://127.0.0.1:8089/v1/chat/completions", json={"q": 1})
    assert response.json() == {"answer": 42}


@pytest.mark.parametrize("cut", range(1, 100, 7))
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    events = interaction(body=b'{"q":1}', answer=b"data: 1\n\ndata: [DONE]\n\n", content_type="text/event-stream")
    text = emit(Cassette(interactions=(events, events, events), facts=facts(3)))
    path = tmp_path / "cut.yaml"
    path.write_text(text[: len(text) * cut // 100])
    with pytest.raises(CassetteDamaged, match="damaged"):
        read_cassette(path, shown="cassettes/cut.yaml")


def test_a_file_with_an_interaction_removed_is_refused(tmp_path: Path) -> None:
    one = interaction(body=b'{"q":1}')
    text = emit(Cassette(interactions=(one, one), facts=facts(3)))
    path = tmp_path / "edited.yaml"
    path.write_text(text)
    with pytest.raises(CassetteDamaged, match="should hold 3 interactions and holds 2"):
        read_cassette(path, shown="cassettes/edited.yaml")


@pytest.mark.parametrize("change", [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b"\xef\xbb\xbf" + b])
def test_line_ends_and_byte_order_marks_of_editors_do_no_harm(tmp_path: Path, change: object) -> None:
    one = interaction(body=b'{"q":"a\\nb"}', answer=b"data: 1\n\ndata: [DONE]\n\n", content_type="text/event-stream")
    cassette = Cassette(interactions=(one,), facts=facts(1))
    path = written(tmp_path, cassette)
    expected = read_cassette(path, shown="c")
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    assert read_cassette(path, shown="c") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "interactions: []\nversion: 1\n",
        "[1, 2",
        "a: &a [*a]",
        "!!python/object/apply:os.system [ls]",
        "- 1",
        "version: 1",
    ],
)
def test_what_is_no_cassette_is_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(CassetteDamaged, match=r"cassettes/odd\.yaml is damaged: "):
        read_cassette(path, shown="cassettes/odd.yaml")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    one = interaction(body=b"{}")
    path = tmp_path / "new.yaml"
    path.write_text(emit(Cassette(interactions=(one,), facts=facts(1))).replace("{format: 1,", "{format: 2,"))
    with pytest.raises(CassetteDamaged, match="newer"):
        read_cassette(path, shown="c")
