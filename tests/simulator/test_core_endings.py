"""Responses and requests that end otherwise than with an answer: the brain breaks, the client leaves."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from harness.simulator import tokens
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Piece, Text
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from tests.simulator.sdk import awaited, client_for, client_of

HELLO: Any = [{"role": "user", "content": "hi"}]


def _broken(ask: Ask) -> str:
    raise ZeroDivisionError("by zero")


async def _half(ask: Ask) -> AsyncIterator[str | Piece]:
    yield Text("half")
    raise ZeroDivisionError("by zero")


async def _endless(ask: Ask) -> AsyncIterator[str | Piece]:
    yield Text("half")
    await asyncio.Event().wait()


@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_a_brain_that_breaks_is_answered_with_500(stream: bool) -> None:
    async with client_of(FunctionBrain(_broken)) as client:
        with pytest.raises(openai.InternalServerError, match="ZeroDivisionError: by zero") as chat:
            await client.chat.completions.create(model="m", messages=HELLO, stream=stream)
        with pytest.raises(openai.InternalServerError, match="ZeroDivisionError: by zero"):
            await client.responses.create(model="m", input="hi", stream=stream)
    assert chat.value.status_code == 500
    assert "Traceback" not in chat.value.response.text


@awaited
async def test_a_response_fails_where_its_brain_breaks_in_the_middle() -> None:
    async with client_of(FunctionBrain(_half)) as client:
        stream = await client.responses.create(model="m", input="hi", stream=True)
        events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert (events[-1].response.status, events[-1].response.output_text) == ("failed", "half")


@awaited
async def test_a_response_in_the_background_ends_where_its_brain_breaks() -> None:
    async with client_of(FunctionBrain(_broken)) as client:
        response = await client.responses.create(model="m", input="hi", background=True)
        for _ in range(100):
            if response.status in ("queued", "in_progress"):
                response = await client.responses.retrieve(response.id)
    assert response.status == "failed"
    assert response.error is not None and "by zero" in response.error.message


@awaited
async def test_a_response_whose_client_left_is_cancelled_with_all_that_is_in_it() -> None:
    async with client_of(FunctionBrain(_endless)) as client:
        stream = await client.responses.create(model="m", input="hi", stream=True)
        async for event in stream:
            if event.type == "response.created":
                id = event.response.id
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        left = await client.responses.retrieve(id)
    assert (left.status, left.output_text) == ("cancelled", "half")
    assert [item.status for item in left.output if item.type == "message"] == ["incomplete"]


@awaited
async def test_cancelling_leaves_nothing_in_progress() -> None:
    async with client_of(FunctionBrain(_endless)) as client:
        response = await client.responses.create(model="m", input="hi", background=True)
        for _ in range(100):
            if not response.output_text:
                response = await client.responses.retrieve(response.id)
        cancelled = await client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    assert [item.status for item in cancelled.output if item.type == "message"] == ["incomplete"]


@pytest.mark.parametrize("text", ["ก" * 6000, "中" * 6000, "a" * 30_000, "=" * 30_000, " " * 30_000])
def test_a_text_without_a_break_is_counted_in_no_time(text: str) -> None:
    tokens.count("warm")
    begun = time.process_time()
    assert 0 < tokens.count(text) <= len(text) * 3
    # Counted as a whole it takes a minute and more.
    assert time.process_time() - begun < 3
    assert "".join(tokens.pieces(text[:1000])) == text[:1000]


@awaited
async def test_a_long_answer_is_cut_where_it_should_be_and_at_once() -> None:
    said = "lorem ipsum, dolor " * 3000
    # By the whole text, where by now nothing is cut into pieces.
    limit = len(tokens.encode(said)) - 7
    async with client_of(ScriptBrain([{"reply": said}])) as client:
        begun = time.process_time()
        answer = await client.chat.completions.create(model="m", messages=HELLO, max_tokens=limit)
    assert time.process_time() - begun < 10
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content == tokens.decode(tokens.encode(said)[:limit])
    assert answer.usage is not None and answer.usage.completion_tokens == limit


@awaited
async def test_requests_are_kept_unless_nobody_wants_them() -> None:
    kept, unkept = Simulator(ScriptBrain()), Simulator(ScriptBrain(), log=False)
    for simulator in (kept, unkept):
        async with client_for(simulator) as client:
            await client.files.create(file=("big.bin", b"x" * 1_000_000), purpose="user_data")
            await client.files.create(file=("small.txt", b"a few words"), purpose="user_data")
            await client.chat.completions.create(model="m", messages=HELLO)
    (big, small, chat) = [body for _, _, body in kept.requests]
    assert isinstance(big, int) and big > 1_000_000
    assert b"a few words" in small and chat["messages"] == HELLO
    assert unkept.requests == []


@awaited
async def test_a_request_that_is_cut_off_is_none() -> None:
    simulator = Simulator(ScriptBrain())

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/files", "headers": [], "query_string": b""}
    await simulator.app(scope, receive, send)
    assert simulator.requests == []


@awaited
async def test_what_requests_said_is_not_kept_for_ever() -> None:
    simulator = Simulator(ScriptBrain(), log=False)
    image = "data:image/png;base64," + "A" * 500_000
    async with client_for(simulator) as client:

        async def look(number: int) -> str:
            parts: Any = [{"type": "text", "text": f"{number % 5}"}, {"type": "image_url", "image_url": {"url": image}}]
            answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
            return answer.id

        ids = [await look(0)]
        tracemalloc.start()
        ids += [await look(number) for number in range(20)]
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert grown < 3_000_000
    # What is equal is still told apart.
    assert len(set(ids)) == 21
