"""Redaction: no form of a secret is left, doing it twice changes nothing, and what is no secret stays as it was."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.jsonpath import JSONPath
from harness.patterns import Pattern
from harness.recording import Redactor
from harness.recording.redact import ALLOWED_HEADERS
from tests.carried import texts
from tests.loopback import ChatServer, Reply
from tests.projects import faq, harness, write

SECRET = 'p"ss/wörd+with=st<ff&\\more'
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "JSON": json.dumps,
    "JSON in other scripts": lambda s: json.dumps(s, ensure_ascii=False),
    "JSON in JSON": lambda s: json.dumps(json.dumps({"k": s})),
    "JSON with escaped slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "JSON for HTML": lambda s: json.dumps(s).replace("<", "\\u003c").replace("&", "\\u0026"),
    "JSON with everything escaped": lambda s: '"' + "".join(f"\\u{ord(one):04x}" for one in s) + '"',
    "a path": quote,
    "a query": lambda s: quote(s, safe=""),
    "a form": quote_plus,
    "a query in lower case": lambda s: quote(s, safe="").replace("%22", "%22").replace("%3C", "%3c").lower(),
    "HTML": html.escape,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "Basic auth": lambda s: base64.b64encode(f"u:{s}".encode()).decode(),
    "Basic auth of a longer name": lambda s: base64.b64encode(f"us:{s}".encode()).decode(),
    "repr": repr,
}
#: Enough letters for a secret that no text has by chance.
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=12, max_size=40)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_taken_out_in_whatever_form_it_stands(form: Callable[[str], str]) -> None:
    text = f"before {form(SECRET)} after"
    clean = (
        Redactor([SECRET.lower() if form is FORMS["a query in lower case"] else SECRET]).body(text.encode()).decode()
    )
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert "REDACTED" in clean
    assert len(clean) < len("before REDACTED after") + 20


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "geheim\\u00DCber\\u0022x"}',
        json.dumps({"a": '{"b": "geheim\\u00DCber\\u0022x"}'}).encode(),
        b'\x89PNG\xff geheim\xc3\x9cber"x',
    ],
    ids=["capital escapes", "capital escapes in JSON in JSON", "no UTF-8"],
)
def test_a_secret_is_taken_out_of_what_other_languages_write(body: bytes) -> None:
    clean = Redactor(['geheimÜber"x\n']).body(body)
    assert b"geheim" not in clean
    assert b"REDACTED" in clean


#: Bodies, what is taken out of them, and what is left.
TAKEN: dict[str, tuple[Redactor, object, object]] = {
    "a number": (Redactor(["17000000"]), {"created": 1700000001, "n": [-1.5]}, {"created": "REDACTED01", "n": [-1.5]}),
    "all of a line": (
        Redactor(patterns=[Pattern("Name: .*")]),
        {"a": 'Name: "X"\nBye', "b": 1},
        {"a": "REDACTED\nBye", "b": 1},
    ),
    "a letter": (Redactor(patterns=[Pattern("Straße \\d+")]), {"a": ["Straße 12", True]}, {"a": ["REDACTED", True]}),
    "a field beside half an emoji": (
        Redactor(fields=[JSONPath("$.a")]),
        {"a": 1, "b": "\ud83d"},
        {"a": "REDACTED", "b": "\ud83d"},
    ),
}


@pytest.mark.parametrize(("redactor", "value", "left"), TAKEN.values(), ids=TAKEN)
def test_what_is_taken_out_of_json_leaves_json(redactor: Redactor, value: object, left: object) -> None:
    body = json.dumps(value).encode()
    assert json.loads(redactor.body(body)) == left
    assert redactor.body(redactor.body(body)) == redactor.body(body)
    event = redactor.stream(b"event: one\ndata: " + body + b"\n\ndata: [DONE]\n\n")
    first, last, rest = event.decode().split("\n\n")
    assert first.startswith("event: one\ndata: ")
    assert json.loads(first.partition("data: ")[2]) == left
    assert (last, rest) == ("data: [DONE]", "")


def test_a_key_at_the_end_of_an_event_leaves_the_event_its_end() -> None:
    body = b"data: -----BEGIN PRIVATE KEY-----\r\n\r\ndata: (more)\n\n"
    assert Redactor().stream(body) == b"data: REDACTED\r\n\r\ndata: (more)\n\n"


def test_half_an_emoji_beside_a_split_secret_stays_what_it_is() -> None:
    words = ["\ud83d hunter2-", "hunter2", "."]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in _chat(words)).encode()
    clean = Redactor(["hunter2-hunter2"]).joined(body)
    texts = [text for line in clean.decode().split("\n\n")[:3] for text in _texts(line.removeprefix("data: "))]
    assert texts == ["\ud83d REDACTED", "", "."]


@settings(max_examples=60, deadline=None)
@given(secret=SECRETS, before=st.text(max_size=10), after=st.text(max_size=10), form=st.sampled_from(sorted(FORMS)))
def test_redacting_twice_is_redacting_once(secret: str, before: str, after: str, form: str) -> None:
    redactor = Redactor([secret])
    once = redactor.text(before + FORMS[form](secret) + after)
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdefghijklmnop1234",
        "sk-proj-abc_DEF-0123456789",
        "Bearer abcdefghijklmnop.0123",
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1_" * 20,
        "AKIAABCDEFGHIJ234567",
        "AIza" + "a1-_x" * 7,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl-_x",
        "xoxb-1234567890-abcdef",
        "glpat-abcdefghij0123456789",
        "hf_" + "aB1" * 11,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc+/==\n-----END RSA PRIVATE KEY-----",
    ],
)
@pytest.mark.parametrize("around", ["{}", "see {}!", '{{"a": "x {}"}}', "a\\n{}", "key%20{}"])
def test_what_looks_like_a_key_is_taken_out_whole(key: str, around: str) -> None:
    assert Redactor().text(around.format(key)) == around.format("REDACTED")
    in_json = json.dumps({"a": around.format(key)})
    assert json.loads(Redactor().body(in_json.encode())) == {"a": around.format("REDACTED")}


@pytest.mark.parametrize(
    "text",
    ["a task-based-approach-to-everything", "the risk-assessment-of-2026-and-more", "Bearer of news", "hf_x", "eyJ"],
)
def test_words_are_no_keys(text: str) -> None:
    assert Redactor(["short"]).text(text) == text


def _chat(words: list[str]) -> list[dict[str, object]]:
    return [{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": one}}]} for one in words]


def _tool(words: list[str]) -> list[dict[str, object]]:
    def call(index: int, text: str) -> dict[str, object]:
        return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}]}

    # Two calls written at the same time.
    return [event for word in words for event in (call(0, word), call(1, "x"))]


def _responses(words: list[str]) -> list[dict[str, object]]:
    return [
        {"type": "response.output_text.delta", "item_id": "m", "output_index": index, "content_index": 0, "delta": text}
        for word in words
        for index, text in ((0, word), (1, "noise"))
    ]


def _threads(words: list[str]) -> list[dict[str, object]]:
    return [
        {"object": "thread.message.delta", "delta": {"content": [{"index": 0, "text": {"value": w}}]}} for w in words
    ]


@settings(max_examples=40, deadline=None)
@given(cuts=st.sets(st.integers(1, 42), max_size=8), stream=st.sampled_from([_chat, _tool, _responses, _threads, list]))
def test_a_secret_split_over_the_events_of_a_stream_is_taken_out(cuts: set[int], stream: Callable[..., list]) -> None:
    secret = "correct-horse-battery-staple"
    text = f"It is: {secret}. Bye!!"
    marks = [0, *sorted(cuts), len(text)]
    words = [text[start:end] for start, end in itertools.pairwise(marks)]
    events = [json.dumps(one) if not isinstance(one, str) else one for one in stream(words)]
    body = "".join(f"data: {one}\n\n" for one in [*events, "[DONE]"]).encode()
    redactor = Redactor([secret])
    clean = redactor.joined(redactor.stream(body))
    assert clean.count(b"\n\n") == body.count(b"\n\n")
    assert clean.count(b"REDACTED") == 1
    left = [line.removeprefix("data: ") for line in clean.decode().split("\n\n")[: len(events)]]
    strings = [_texts(line) for line in left]
    assert (
        "".join(text for texts in strings for text in texts if text not in ("x", "noise")) == "It is: REDACTED. Bye!!"
    )
    assert redactor.joined(clean) == clean


@pytest.mark.parametrize("said", ["Send Bearer tokenABCDEF0123456789 to it", "cust-1 sk-tokenABCDEF0123456789"])
def test_a_stream_loses_what_the_next_request_loses(said: str) -> None:
    redactor = Redactor(["tokenABCDEF0123456789"], patterns=[Pattern("cust-[0-9]"), Pattern("REDACTED sk")])
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in _chat([said[:15], said[15:30], said[30:]])).encode()
    lines = redactor.joined(redactor.stream(body)).decode().split("\n\n")[:3]
    spoken = "".join(text for line in lines for text in _texts(line.removeprefix("data: ")))
    assert spoken == redactor.text(said) != said


def test_a_key_that_begins_in_one_event_and_goes_on_in_the_next_leaves_nothing() -> None:
    words = ["It is sk-proj-abcdefghij0123456789", "klmnopqrst-9876543210", ". Bye"]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in _chat(words)).encode()
    assert b"9876" not in Redactor().stream(body)


PARTS = [
    "cust-12",
    " sk-",
    " Bearer ",
    "tokenABCDEF0123456789",
    "abcdefgh",
    "efghijkl",
    " ",
    "\n",
    '"',
    "\\",
    "x" * 9,
    "Ü",
]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from(PARTS), max_size=9).map("".join), cuts=st.sets(st.integers(1, 60), max_size=5))
def test_a_stream_a_request_and_a_text_lose_the_same(text: str, cuts: set[int]) -> None:
    redactor = Redactor(["tokenABCDEF0123456789", "abcdefgh", "efghijkl"], patterns=[Pattern("cust-[0-9]+")])
    marks = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    # What every event repeats is no text that goes on.
    words = [*(text[start:end] for start, end in itertools.pairwise(marks)), "\n."]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in _chat(words)).encode()
    lines = redactor.joined(redactor.stream(body)).decode().split("\n\n")[: len(words)]
    spoken = "".join(said for line in lines for said in _texts(line.removeprefix("data: ")))
    assert spoken == redactor.text(text + "\n.")
    assert json.loads(redactor.body(json.dumps([text]).encode())) == [redactor.text(text)]
    assert redactor.text(redactor.text(text)) == redactor.text(text)


def _texts(line: str) -> list[str]:
    try:
        value = json.loads(line)
    except ValueError:
        return [line]
    found: list[str] = []

    def walk(value: object, name: str = "") -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                walk(one, key)
        elif isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, str) and name not in ("object", "type", "item_id"):
            found.append(value)

    walk(value)
    return found


def test_ids_that_stand_in_every_event_are_not_taken_for_one_text() -> None:
    body = b"".join(b'data: {"id": "disk-a", "x_id": "sk-aaa", "delta": "word "}\n\n' for _ in range(20))
    redactor = Redactor()
    assert redactor.joined(redactor.stream(body)) == body


def test_declared_patterns_and_fields_are_taken_out() -> None:
    redactor = Redactor(patterns=[Pattern(r"\b\d{4}-\d{4}\b")], fields=[JSONPath("$.user.email"), JSONPath("$..iban")])
    body = b'{"user": {"email": "a@b.c"}, "rows": [{"iban": 17}], "text": "card 1234-5678"}'
    assert json.loads(redactor.body(body)) == {
        "user": {"email": "REDACTED"},
        "rows": [{"iban": "REDACTED"}],
        "text": "card REDACTED",
    }
    untouched = b'{"text":  "nothing", "number": 1.50}'
    assert redactor.body(untouched) == untouched
    event = b'event: done\r\ndata: {"iban": "DE1"}\r\n\r\ndata: [DONE]\n\n'
    assert redactor.stream(event) == b'event: done\ndata: {"iban":"REDACTED"}\n\ndata: [DONE]\n\n'


def test_headers_pass_by_an_allow_list_and_what_passes_is_looked_at() -> None:
    given = [("Authorization", "Basic x"), ("X-Secret", "y"), ("Content-Type", "text/plain; boundary=hunter2-hunter2")]
    location = ("Location", "https://u:p@example.com/a?code=abc&limit=2#frag")
    kept = Redactor(["hunter2-hunter2"]).headers([*given, location])
    assert kept == {
        "content-type": "text/plain; boundary=REDACTED",
        "location": "https://example.com/a?limit=2",
    }
    assert Redactor().headers([("Location", "http://[no-address")]) == {"location": "REDACTED"}
    assert not {"authorization", "cookie", "set-cookie", "openai-organization", "x-request-id"} & ALLOWED_HEADERS


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            'patterns = ["("]',
            "pyproject.toml:2:1: tool.harness.redact.patterns.0: the regular expression '(' cannot be used",
        ),
        ('patterns = ["a*"]', "matches the empty text"),
        ('patterns = ["ACT"]', "matches a part of the word REDACTED"),
        ('fields = ["user.email"]', "pyproject.toml:2:1: tool.harness.redact.fields.0: 'user.email' is no JSONPath"),
        ('pattern = "x"', "unknown setting 'tool.harness.redact.pattern'. Did you mean 'patterns'?"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    write(tmp_path, {"pyproject.toml": f"[tool.harness.redact]\n{written}\n"})
    monkeypatch.chdir(tmp_path)
    result = harness("run")
    assert result.exit_code == 2
    assert said in result.output


def test_a_rule_holds_for_recordings_and_reports_and_the_replay_still_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = "[tool.harness.redact]\npatterns = ['cust-[0-9]+']\nfields = ['$.choices[*].message.refusal']\n"
    cases = "  - {id: one, input: Who is cust-4711?, expected: cust-4711}\n"
    with ChatServer(lambda number, body: "It is cust-4711.") as server:
        files = faq(server.url, cases=cases, extra="api: chat")
        write(tmp_path, {**files, "pyproject.toml": rules})
        assert harness("record", "--yes").exit_code == 0
    for path in [*tmp_path.glob("cassettes/**/*"), *tmp_path.glob("reports/**/*")]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "cust-4711" not in "\n".join([text, *texts(text)])
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    replayed = harness("run")
    assert replayed.exit_code in (0, 1)
    assert "cassette_miss" not in replayed.output


def test_a_recording_whose_name_would_show_a_secret_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-hunter2")
    cases = "  - {id: hunter2-hunter2, input: Hello?, expected: Hello}\n"
    with ChatServer() as server:
        write(tmp_path, faq(server.url, cases=cases, extra="api: chat"))
        result = harness("record", "--yes")
    assert result.exit_code == 3
    assert "secret" in result.output
    assert "the name of its file" in result.output
    assert "hunter2" not in result.output
    assert not list(tmp_path.glob("cassettes/**/*.yaml"))


def test_an_answer_that_shows_the_secret_of_who_recorded_it_replays_without_that_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-hunter2")

    def echo(number: int, body: dict[str, object]) -> Reply | None:
        error = {"error": {"message": "bad token hunter2-hunter2", "type": "invalid_request_error"}}
        return Reply(status=400, body=json.dumps(error).encode(), headers={"content-type": "application/json"})

    with ChatServer(faults=echo) as server:
        write(tmp_path, faq(server.url, extra="api: chat"))
        recorded = harness("record", "--yes")
    monkeypatch.delenv("SHOP_TOKEN")
    replayed = harness("run")
    for result in (recorded, replayed):
        assert result.exit_code == 3
        assert "bad token REDACTED" in result.output
        assert "hunter2" not in result.output


def test_a_conversation_about_a_key_replays_where_the_key_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "tokenABCDEF0123456789")
    cases = "  - {id: one, expected: along, turns: [{input: How?}, {input: And then?}]}\n"
    events = _chat(["Send Bear", "er tokenABC", "DEF0123456789", " along."])
    lines = [json.dumps({"id": "c", "created": 1, "model": "m", **one}) for one in events]
    body = "".join(
        f"data: {line}\n\n"
        for line in [*lines[:-1], lines[-1].replace("}}]}", '}, "finish_reason": "stop"}]}'), "[DONE]"]
    )
    reply = Reply(body=body.encode(), headers={"content-type": "text/event-stream"})
    with ChatServer(faults=lambda number, request: reply) as server:
        write(tmp_path, faq(server.url, cases=cases, extra="api: chat\nstream: true"))
        recorded = harness("record", "--yes")
    monkeypatch.delenv("SHOP_TOKEN")
    replayed = harness("run")
    assert recorded.exit_code == replayed.exit_code == 0, replayed.output


def test_a_rule_about_the_layout_of_json_keeps_nothing_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = """[tool.harness.redact]\npatterns = ['"content": "Hush [a-z]+"']\n"""
    with ChatServer(lambda number, body: "Fine.") as server:
        files = faq(server.url, cases="  - {id: one, input: Hush now, expected: Fine}\n", extra="api: chat")
        write(tmp_path, {**files, "pyproject.toml": rules})
        result = harness("record", "--yes")
    assert result.exit_code == 3
    assert "the request's body of interaction 1" in " ".join(result.output.split())
    assert not list(tmp_path.glob("cassettes/**/*.yaml"))


def test_a_rule_that_would_find_anything_in_packed_data_leaves_the_page_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rules = "[tool.harness.redact]\npatterns = ['[A-Z][0-9A-Za-z]{5,}']\n"
    cases = "  - {id: one, input: Who is ABCDEF123?, expected: 'Yes'}\n"
    with ChatServer(lambda number, body: "Yes, ABCDEF123.") as server:
        write(tmp_path, {**faq(server.url, cases=cases, extra="api: chat"), "pyproject.toml": rules})
        harness("record", "--yes")
    page = next(tmp_path.glob("reports/*/report.html")).read_text(encoding="utf-8")
    assert any("Who is" in text for text in texts(page))
    assert "ABCDEF123" not in "\n".join([page, *texts(page)])
    script = page[page.index("<script>") + 8 : page.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert digest in html.unescape(page[: page.index("<style>")])
