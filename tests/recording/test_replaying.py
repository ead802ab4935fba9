"""Which recorded answer a request gets where it is not plain: ids that change, conversations side by side, streams left early."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CassetteDamaged, CassetteMiss
from harness.recording import (
    Cassette,
    Interaction,
    Normaliser,
    RecordingTape,
    Redactor,
    ReplayTape,
    Request,
    emit,
    read_cassette,
    sse,
    use_conversation,
)
from tests.loopback import ChatServer
from tests.projects import harness, write
from tests.recorded_twice import rows
from tests.recording.test_cassette_text import facts, interaction
from tests.recording.test_transport import (
    Service,
    answering,
    async_client,
    recorded,
    say,
    streaming,
    unreachable,
    within,
)

_NORMALISE = "[tool.harness.normalise]\nid = '[0-9a-f]{32}'\n"
_WITH_ID = """\
import uuid


async def answer(input: str, session):
    client, new = session.client, uuid.uuid4().hex
    said = ""
    for question in (f"{input} for {new}", f"again for {new}: {input}"):
        messages = [{"role": "user", "content": question}]
        said += (await client.chat.completions.create(model="m", messages=messages)).choices[0].message.content
    return said
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_request_with_a_new_id_finds_its_recording_where_the_id_is_declared(here: Path) -> None:
    files = {"pyproject.toml": f"[tool.harness]\n{_NORMALISE}"}
    recorded, replayed = _twice(here, _WITH_ID, files)
    assert replayed["extra"] == {**recorded["extra"], "normalised": 2}
    assert replayed["output"] == recorded["output"]
    assert replayed["latency"] == recorded["latency"]
    assert "matched after normalising in 1 trial" in " ".join(harness("run").output.split())
    (here / "pyproject.toml").write_text("[tool.harness]\n")
    missed = harness("run")
    assert missed.exit_code == 3
    assert "has no recording of this POST" in missed.output


def _twice(root: Path, target: str, files: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of a Python target recorded, and of its replay without the service."""
    with ChatServer(lambda number, body: f"Answer {number} has a few words") as server:
        suite = (
            f'suite: s\nvariants: {{agent: {{api: python, target: "./agent.py:answer", base_url: "{server.url}"}}}}\n'
        )
        cases = "cases: [{id: one, input: Hello}]\n"
        write(root, {"suites/s.yaml": suite + cases, "suites/agent.py": target, **files})
        done = harness("record", "--yes")
    assert done.exit_code == 0, done.output
    (recorded,) = rows(root)
    done = harness("run")
    assert done.exit_code == 0, done.output
    (replayed,) = rows(root)
    return recorded, replayed


def _request(text: str, *, path: str = "/v1/responses") -> Request:
    body = json.dumps({"input": text}).encode()
    return Request(method="POST", uri=f"http://x{path}", headers={"content-type": "application/json"}, body=body)


def _tape(*texts: str, patterns: dict[str, str]) -> ReplayTape:
    calls = [
        Interaction(
            request=_request(text),
            status=200,
            reason="OK",
            headers={},
            body=text.encode(),
            slot=number,
            attempt=1,
            start=0.0,
            first_byte=0.0,
            end=0.0,
        )
        for number, text in enumerate(texts, start=1)
    ]
    cassette = Cassette(interactions=tuple(calls), facts=facts(len(calls)))
    return ReplayTape(cassette, shown="c", normaliser=Normaliser(patterns))


def test_the_exact_recording_is_played_before_one_that_is_alike() -> None:
    tape = _tape("a1", "a2", "a3", patterns={"n": "[0-9]+"})
    assert [tape.play(_request(text))[0].body for text in ("a2", "a9", "a3", "a8")[:2]] == [b"a2", b"a1"]
    assert tape.normalised == 1
    assert tape.play(_request("a7"))[0].body == b"a3"
    with pytest.raises(CassetteMiss):
        tape.play(_request("a6"))


def test_the_same_value_is_the_same_on_both_sides() -> None:
    tape = _tape("1 and 2 and 1", patterns={"n": "[0-9]+"})
    with pytest.raises(CassetteMiss):
        tape.play(_request("7 and 8 and 8"))
    assert tape.play(_request("7 and 8 and 7"))[0].body == b"1 and 2 and 1"


def test_what_is_not_declared_is_never_taken_for_the_same() -> None:
    tape = _tape("Hello 1!", patterns={"n": "[0-9]+"})
    with pytest.raises(CassetteMiss):
        tape.play(_request("Hello 2?"))


@pytest.mark.parametrize("wrong", ['"bad name" = "x"', "n = '('", "n = 'a*'", "n = 1"])
def test_a_wrong_normaliser_is_refused_with_its_place(here: Path, wrong: str) -> None:
    (here / "pyproject.toml").write_text(f"[tool.harness.normalise]\n{wrong}\n")
    result = harness("run")
    assert result.exit_code == 2
    assert "pyproject.toml:2:1: tool.harness.normalise" in result.output


def test_conversations_that_say_the_same_at_the_same_time_get_their_own_answers_again() -> None:
    async def side_by_side(client: openai.AsyncOpenAI, names: str) -> dict[str, str]:
        async def talk(name: str) -> str:
            with use_conversation(name):
                return await say(client, "Hello?") + await say(client, "And then?")

        return dict(zip(names, await asyncio.gather(*map(talk, names)), strict=True))

    tape = RecordingTape()
    live = within(tape, side_by_side(async_client(Service(answering())), "abc"))
    assert len(set(live.values())) == 3
    cassette = recorded(tape)
    for order in ("abc", "cba", "bca"):
        replay = ReplayTape(cassette, shown="c")
        assert within(replay, side_by_side(async_client(Service(unreachable)), order)) == live
        assert replay.whole


_LEAVES = """\
async def answer(input: str, session):
    messages = [{"role": "user", "content": input}]
    stream = await session.client.chat.completions.create(model="m", messages=messages, stream=True)
    said = ""
    async for chunk in stream:
        said += chunk.choices[0].delta.content or "" if chunk.choices else ""
        if len(said) > 8:
            break
    return said
"""


def test_a_target_that_leaves_a_stream_is_recorded_as_far_as_it_came(here: Path) -> None:
    live, replayed = _twice(here, _LEAVES, {})
    assert live["output"] == "Answer 1 "
    assert {name for name in live if live[name] != replayed[name]} == {"run", "cassette"}
    assert live["attempts"] == 1
    assert live["latency"] is not None
    (path,) = here.glob("cassettes/**/*.yaml")
    (kept,) = read_cassette(path, shown="c").interactions
    assert kept.truncated
    assert b"[DONE]" not in kept.body
    assert "truncated: true" in path.read_text()


def test_the_elapsed_time_of_a_replayed_answer_is_the_recorded_one() -> None:
    async def ask(client: openai.AsyncOpenAI) -> timedelta:
        messages = [{"role": "user", "content": "x"}]
        raw = await client.chat.completions.with_raw_response.create(model="m", messages=messages)
        return raw.elapsed

    tape = RecordingTape()
    within(tape, ask(async_client(Service(answering()))))
    (one,) = tape.interactions
    elapsed = within(ReplayTape(recorded(tape), shown="c"), ask(async_client(Service(unreachable))))
    assert elapsed == timedelta(seconds=one.end - one.start)


def test_a_stream_that_lost_an_event_is_damaged(tmp_path: Path) -> None:
    async def ask(client: openai.AsyncOpenAI) -> None:
        messages = [{"role": "user", "content": "x"}]
        async for _ in await client.chat.completions.create(model="m", messages=messages, stream=True):
            pass

    tape = RecordingTape()
    within(tape, ask(async_client(Service(streaming(["a", "b", "c"])))))
    path = tmp_path / "c.yaml"
    text = emit(recorded(tape))
    path.write_text(text)
    assert len(read_cassette(path, shown="c").interactions[0].events) == 4
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if '"content": "b"' in line)
    path.write_text("\n".join(lines[:start] + lines[start + 2 :]))
    with pytest.raises(CassetteDamaged, match="the stream of interaction 1 has 3 events and the times of 4"):
        read_cassette(path, shown="c")


@given(pieces=st.lists(st.sampled_from([b"data: x", b"\n", b"\r", b"\r\n", b": ping", b"\n\n"]), max_size=12))
def test_events_are_the_same_however_the_bytes_arrive(pieces: list[bytes]) -> None:
    splitter = sse.Splitter()
    found = [block for piece in pieces for byte in piece for block in splitter.feed(bytes([byte]))]
    assert found == sse.Splitter().feed(b"".join(pieces))


def test_the_conversation_is_in_the_file(tmp_path: Path) -> None:
    one = replace(interaction(body=b"{}"), conversation='call "1"/call_2')
    path = tmp_path / "c.yaml"
    path.write_text(emit(Cassette(interactions=(one,), facts=facts(1))))
    assert read_cassette(path, shown="c").interactions == (one,)


def test_a_large_recording_is_pointed_out_and_a_larger_one_refused(here: Path) -> None:
    with ChatServer(lambda number, body: "word " * (120_000 if number == 1 else 420_000)) as server:
        cases = "cases: [{id: one, input: a}]\n"
        write(here, {"suites/s.yaml": f"suite: s\nassistant: {{api: chat, model: m, base_url: {server.url}}}\n{cases}"})
        first = harness("record", "--yes")
        (row,) = rows(here)
        second = harness("record", "--yes", "--rewrite")
    assert first.exit_code == 0
    assert "recordings: more than 512 kB each in 1 trial" in " ".join(first.output.split())
    assert row["extra"]["cassette_bytes"] > 600_000
    assert second.exit_code == 3
    assert "cassette_too_large" in second.output
    # The old recording stands.
    assert harness("run").exit_code == 0


def test_a_word_that_is_a_secret_only_here_finds_the_recording_of_an_address() -> None:
    asked = _request("Hi", path="/v1/vector_stores/shop-archive-1/search")
    cassette = Cassette(interactions=(replace(interaction(body=asked.body or b""), request=asked),), facts=facts(1))
    redactor = Redactor(["shop-archive-1"])
    tape = ReplayTape(cassette, shown="c", redactor=redactor)
    assert tape.play(replace(asked, uri=redactor.uri(asked.uri)))[0].status == 200
