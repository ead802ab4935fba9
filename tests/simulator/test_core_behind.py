"""A server behind the simulator that streams in ways of its own, stops, hangs, or sends what nobody can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from harness.simulator.app import Simulator
from harness.simulator.upstream import UpstreamBrain
from tests.simulator.sdk import URL, awaited, client_for

HELLO: Any = [{"role": "user", "content": "hi"}]
LOGPROBS = {"content": [{"token": "No", "logprob": -3.0, "bytes": [78, 111], "top_logprobs": []}]}
FUNCTION: Any = {"type": "function", "function": {"name": "f"}}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish, **more}]}


def streamed(*chunks: Any, done: bool = True) -> bytes:
    told = "".join(f"data: {json.dumps(one, ensure_ascii=False)}\n\n" for one in chunks)
    return (told + ("data: [DONE]\n\n" if done else "")).encode()


def called(index: int, id: str | None, arguments: str) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": index, "id": id, "function": {"name": "f", "arguments": arguments}}]})


@asynccontextmanager
async def before(
    answer: bytes | Callable[[httpx2.Request], Any], kind: str = "text/event-stream", url: str = URL
) -> AsyncIterator[AsyncOpenAI]:
    """A client of a simulator before a server that always answers so."""

    def fixed(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=answer, headers={"content-type": kind})

    transport = httpx2.MockTransport(fixed if isinstance(answer, bytes) else answer)
    async with client_for(Simulator(UpstreamBrain(url, transport=transport))) as client:
        yield client


@awaited
async def test_log_probabilities_are_those_of_the_model_and_come_once() -> None:
    answer = streamed(chunk({"content": "No"}, logprobs=LOGPROBS), chunk(finish="stop"))
    async with before(answer) as client:
        whole = await client.chat.completions.create(model="m", messages=HELLO, logprobs=True)
        stream = await client.chat.completions.create(model="m", messages=HELLO, logprobs=True, stream=True)
        chunks = [choice.logprobs async for one in stream for choice in one.choices]
        response = await client.responses.create(
            model="m", input="hi", include=["message.output_text.logprobs"], top_logprobs=1
        )
    assert whole.choices[0].logprobs is not None and whole.choices[0].logprobs.content is not None
    assert [one.logprob for one in whole.choices[0].logprobs.content] == [-3.0]
    assert [token.logprob for told in chunks if told for token in told.content or ()] == [-3.0]
    assert [token["logprob"] for token in _chances(response)] == [-3.0]


def _chances(response: Any) -> list[Any]:
    return [
        token.model_dump()
        for item in response.output
        if item.type == "message"
        for part in item.content
        for token in part.logprobs
    ]


@awaited
async def test_log_probabilities_stay_where_calls_follow_the_text() -> None:
    answer = streamed(chunk({"content": "No"}, logprobs=LOGPROBS), called(0, "c", "{}"), chunk(finish="tool_calls"))
    tool: Any = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    async with before(answer) as client:
        response = await client.responses.create(
            model="m", input="hi", include=["message.output_text.logprobs"], tools=[tool]
        )
    assert [token["logprob"] for token in _chances(response)] == [-3.0]


@awaited
async def test_no_log_probabilities_are_made_up_for_a_model() -> None:
    async with before(streamed(chunk({"content": "No"}), chunk(finish="stop"))) as client:
        whole = await client.chat.completions.create(model="m", messages=HELLO, logprobs=True)
        stream = await client.chat.completions.create(model="m", messages=HELLO, logprobs=True, stream=True)
        chunks = [choice.logprobs async for one in stream for choice in one.choices]
        response = await client.responses.create(model="m", input="hi", include=["message.output_text.logprobs"])
    assert whole.choices[0].message.content == "No" and whole.choices[0].logprobs is None
    assert not any(chunks)
    assert response.output_text == "No" and _chances(response) == []


@awaited
async def test_marks_that_break_lines_elsewhere_break_no_stream() -> None:
    said = "one\u2028two\u2029three\u0085four"
    async with before(streamed(chunk({"content": said}), chunk(finish="stop"))) as client:
        whole = await client.chat.completions.create(model="m", messages=HELLO)
        raw = await client.chat.completions.with_raw_response.create(model="m", messages=HELLO, stream=True)
        lines = "".join([text async for text in raw.http_response.aiter_text()]).splitlines()
    assert whole.choices[0].message.content == said
    # Whatever a client takes for the end of a line, each line is a whole event.
    events = [json.loads(line[6:]) for line in lines if line and line != "data: [DONE]"]
    deltas = [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]
    assert "".join(deltas) == said


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"choices": 5}, "'choices' is of type int"),
        ({"choices": ["x"]}, "in its 'choices' there is a str"),
        (chunk({"content": [{"type": "text", "text": "x"}]}), "'content' is of type list"),
        (chunk({"tool_calls": [{"index": 0, "function": {"arguments": {"a": 1}}}]}), "'arguments' is of type dict"),
        ({"choices": [], "usage": {"prompt_tokens": "7"}}, "'prompt_tokens' is of type str"),
        (chunk(finish=["stop"]), "'finish_reason' is of type list"),  # type: ignore[arg-type]
        (chunk({"content": "x"}, logprobs={"content": [{"token": 3}]}), "no 'token' with a 'logprob'"),
    ],
)
@awaited
async def test_chunks_that_are_none_fail_and_say_why(sent: Any, told: str) -> None:
    async with before(streamed(chunk({"content": "half"}), sent)) as client:
        with pytest.raises(openai.InternalServerError, match=told) as raised:
            await client.chat.completions.create(model="m", messages=HELLO)
        response = await client.responses.create(model="m", input="hi")
        background = await client.responses.create(model="m", input="hi", background=True)
        for _ in range(100):
            background = await client.responses.retrieve(background.id)
            if background.status not in ("queued", "in_progress"):
                break
    assert raised.value.status_code == 502
    assert (response.status, response.output_text, background.status) == ("failed", "half", "failed")
    assert response.error is not None and told in response.error.message


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8"])
@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_an_answer_that_is_no_stream_is_named_as_such(kind: str, stream: bool) -> None:
    async with before(b'{"choices": []}', kind) as client:
        with pytest.raises(openai.InternalServerError, match=rf"answered with {kind.partition(';')[0]} and not with a"):
            await client.chat.completions.create(model="m", messages=HELLO, stream=stream)


@awaited
async def test_calls_that_all_come_as_the_first_are_told_apart_by_their_ids() -> None:
    answer = streamed(
        called(0, "c1", '{"a"'), called(0, "c1", ": 1}"), called(0, "c2", '{"a": 2}'), chunk(finish="tool_calls")
    )
    async with before(answer) as client:
        whole = await client.chat.completions.create(model="m", messages=HELLO, tools=[FUNCTION])
    found = [(call.id, call.function.arguments) for call in whole.choices[0].message.tool_calls or ()]
    assert found == [("c1", '{"a": 1}'), ("c2", '{"a": 2}')]


@awaited
async def test_an_id_that_was_used_already_is_replaced() -> None:
    answer = streamed(called(0, "c", "{}"), called(1, "c", "{}"), chunk(finish="tool_calls"))
    before_it: Any = {"role": "assistant", "tool_calls": [{**FUNCTION, "id": "c"}]}
    before_it["tool_calls"][0]["function"] = {"name": "f", "arguments": "{}"}
    history: Any = [*HELLO, before_it, {"role": "tool", "tool_call_id": "c", "content": "1"}]
    async with before(answer) as client:
        first = await client.chat.completions.create(model="m", messages=HELLO, tools=[FUNCTION])
        second = await client.chat.completions.create(model="m", messages=history, tools=[FUNCTION])
    ids = [call.id for one in (first, second) for call in one.choices[0].message.tool_calls or ()]
    assert len(ids) == 4 and len(set(ids)) == 4 and ids[0] == "c"


class Hanging:
    """A server that sends something, and then neither more nor an end."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        hanging = self

        class Body(httpx2.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                hanging.begun.set()
                try:
                    if hanging._sent:
                        yield hanging._sent
                    await asyncio.Event().wait()
                finally:
                    hanging.left.set()

        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())


@awaited
async def test_nobody_waits_for_a_server_that_is_done_and_goes_on_holding_the_line() -> None:
    async with before(Hanging(streamed(chunk({"content": "hi"}), chunk(finish="stop")))) as client:
        async with asyncio.timeout(20):
            answer = await client.chat.completions.create(model="m", messages=HELLO)
    assert answer.choices[0].message.content == "hi"


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_the_server_behind_is_left_when_the_client_leaves(path: str, stream: bool) -> None:
    server = Hanging(b"")
    simulator = Simulator(UpstreamBrain(URL, transport=httpx2.MockTransport(server)))
    gone = asyncio.Event()
    body = json.dumps(
        {"model": "m", "stream": stream, **({"input": "hi"} if path == "responses" else {"messages": HELLO})}
    )
    sent: list[Any] = []
    asked = iter([{"type": "http.request", "body": body.encode(), "more_body": False}])

    async def receive() -> Any:
        if (message := next(asked, None)) is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v1/{path}",
        "headers": [(b"content-type", b"application/json")],
    }
    scope |= {"query_string": b"", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1"}
    exchange = asyncio.create_task(simulator.app(scope, receive, send))
    async with asyncio.timeout(20):
        await server.begun.wait()
        gone.set()
        await server.left.wait()
        await exchange
    assert sent == []


@awaited
async def test_a_line_that_breaks_is_told_as_such() -> None:
    class Breaking(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield streamed(chunk({"content": "half"}), done=False)
            raise httpx2.RemoteProtocolError("peer closed connection")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Breaking())

    async with before(answer) as client:
        with pytest.raises(openai.InternalServerError, match="stopped in the middle: peer closed"):
            await client.chat.completions.create(model="m", messages=HELLO)
        response = await client.responses.create(model="m", input="hi")
    assert (response.status, response.output_text) == ("failed", "half")


@awaited
async def test_messages_tell_no_password_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "sk-\nsecret")
    for brain in (
        UpstreamBrain("http://me:secret@127.0.0.1:1/v1"),
        UpstreamBrain("http://127.0.0.1:1/v1", "MODEL_KEY"),
    ):
        async with client_for(Simulator(brain)) as client:
            with pytest.raises(openai.InternalServerError) as raised:
                await client.chat.completions.create(model="m", messages=HELLO)
        assert "secret" not in str(raised.value)


@awaited
async def test_embeddings_and_moderations_are_made_up_whatever_stands_behind() -> None:
    async with before(streamed(chunk(finish="stop"))) as client:
        one = await client.embeddings.with_raw_response.create(model="text-embedding-3-small", input="x")
        two = await client.moderations.with_raw_response.create(input="x")
        three = await client.chat.completions.with_raw_response.create(model="m", messages=HELLO)
    marks = [(raw.headers["x-simulated"], raw.headers.get("x-harness-simulated")) for raw in (one, two, three)]
    assert marks == [("true", "true"), ("true", "true"), ("upstream", None)]


@awaited
async def test_the_model_reads_the_files_of_a_message() -> None:
    seen: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, content=streamed(chunk({"content": "4711"}, finish="stop")))

    async with before(answer) as client:
        note = await client.files.create(file=("note.txt", b"The code is 4711."), purpose="user_data")
        image = await client.files.create(file=("dot.png", b"\x89PNG"), purpose="vision")
        parts: Any = [
            {"type": "input_file", "file_id": note.id},
            {"type": "input_image", "file_id": image.id},
            {"type": "input_text", "text": "What code?"},
        ]
        await client.responses.create(model="m", input=[{"role": "user", "content": parts}])
    content = seen[0]["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "[note.txt]\nThe code is 4711."}
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")
