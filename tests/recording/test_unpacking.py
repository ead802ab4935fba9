"""Compressed answers, honest and hostile."""

from __future__ import annotations

import gzip
import json
import resource
import zlib
from functools import cache
from pathlib import Path

import httpx2
import openai
import pytest

from harness.recording import RecordingTape, ReplayTape
from tests.loopback import ChatServer, Reply, completion
from tests.projects import faq, harness, write
from tests.recorded_twice import rows
from tests.recording.test_transport import (
    Events,
    Service,
    async_client,
    recorded,
    say,
    streaming,
    unreachable,
    within,
)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
        ("identity", lambda data: data),
    ],
)
def test_a_compressed_answer_is_kept_and_replayed_as_text(encoding: str, pack) -> None:
    body = json.dumps(completion("Grüße " * 500, 1, {"model": "m"})).encode()

    class Slow(httpx2.AsyncByteStream):
        async def __aiter__(self):
            packed = pack(body)
            for start in range(0, len(packed), 7):
                yield packed[start : start + 7]

    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        headers = {"content-type": "application/json", "content-encoding": encoding}
        return httpx2.Response(200, headers=headers, stream=Slow())

    tape = RecordingTape()
    live = within(tape, say(async_client(Service(handler)), "x"))
    assert live == "Grüße " * 500
    (one,) = tape.interactions
    assert one.body == body
    assert within(ReplayTape(recorded(tape), shown="c"), say(async_client(Service(unreachable)), "x")) == live


def test_a_compressed_stream_keeps_its_events() -> None:
    def handler(request: httpx2.Request, number: int) -> httpx2.Response:
        plain = b"".join(streaming(["a", "b"])(request, number).iter_raw())
        headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
        return httpx2.Response(200, headers=headers, stream=Events([gzip.compress(plain)]))

    async def ask(client: openai.AsyncOpenAI) -> str:
        messages = [{"role": "user", "content": "x"}]
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    tape = RecordingTape()
    assert within(tape, ask(async_client(Service(handler)))) == "ab"
    assert len(tape.interactions[0].events) == 3


@cache
def _bomb() -> bytes:
    # One block again and again, as it decodes on its own; nobody gets as far as the check sum at the end.
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    head = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\0" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 299 + packer.flush()


@pytest.mark.parametrize(
    ("headers", "packed", "kind", "said"),
    [
        ({"content-encoding": "gzip"}, _bomb, "too_large", "the answer is too large"),
        ({"content-encoding": "gzip, gzip"}, lambda: gzip.compress(_bomb()), "too_large", "the answer is too large"),
        ({"content-encoding": "gzip", "content-type": "text/event-stream"}, _bomb, "too_large", "too large"),
        ({}, lambda: b"[" + b"0," * (17 << 20) + b"0]", "too_large", "more than 32 MB"),
        ({"content-encoding": "gzip"}, lambda: b'{"a": 1}', "protocol", "says that it is gzip and is not"),
        ({"content-encoding": "gzip"}, lambda: gzip.compress(b'{"a": 1}' * 99)[:-20], "protocol", "ends too early"),
        (
            {"content-encoding": "zstd"},
            lambda: b"(\xb5/\xfd",
            "protocol",
            "compressed as 'zstd', which was not asked for",
        ),
    ],
    ids=["bomb", "bomb in a bomb", "streamed bomb", "plain", "no gzip", "cut", "unknown"],
)
def test_a_hostile_body_is_an_error_of_its_trial_after_one_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], packed, kind: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    body = packed()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ChatServer(faults=lambda number, request: Reply(body=body, headers=headers)) as server:
        write(
            tmp_path, faq(server.url, extra="api: chat\nstream: true", cases="  - {id: one, input: x, expected: x}\n")
        )
        done = harness("record", "--yes", "--variant", "v1")
        assert len(server.requests) == 1
    assert done.exit_code == 3
    (row,) = rows(tmp_path)
    assert row["error"]["kind"] == kind
    assert said in row["error"]["message"]
    assert not list(tmp_path.glob("cassettes/**/*.yaml"))
    if kind == "too_large":
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100_000 + len(body) // 500
