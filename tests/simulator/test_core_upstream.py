"""A model behind another server answers: here, another simulator plays that server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
import openai
import pytest

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Brain, Call, End, Failure, Refusal, Usage
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from harness.simulator.upstream import UpstreamBrain
from tests.simulator.sdk import URL, awaited, client_for

WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


def behind(brain: Brain, **settings: Any) -> tuple[Simulator, Simulator]:
    """A simulator whose answers come from another one's brain, and that other one."""
    other = Simulator(brain)
    return Simulator(UpstreamBrain(URL, transport=other.transport(), **settings)), other


@awaited
async def test_a_model_behind_drives_responses_and_is_no_script() -> None:
    known = End(usage=Usage(input=40, output=20, cached=8))
    simulator, other = behind(FunctionBrain(lambda ask: ["one ", "two", known]))
    async with client_for(simulator) as client:
        raw = await client.responses.with_raw_response.create(
            model="m", input="hi", instructions="Be brief.", temperature=0
        )
        stream = await client.responses.create(model="m", input="hi", stream=True)
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
    response = raw.parse()
    assert response.output_text == "one two"
    assert deltas == ["one ", "two"]
    assert response.usage is not None and (response.usage.input_tokens, response.usage.output_tokens) == (40, 20)
    assert response.usage.input_tokens_details.cached_tokens == 8
    assert raw.headers["x-simulated"] == "upstream"
    assert "x-harness-simulated" not in raw.headers
    sent = other.requests[0][2]
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    assert (sent["model"], sent["temperature"], sent["stream"]) == ("m", 0, True)


@awaited
async def test_calls_and_refusals_of_the_model_come_through() -> None:
    calls = [Call(name="weather", arguments='{"city": "Reykjavik"}', id=f"call_{number}") for number in (1, 2)]
    simulator, other = behind(FunctionBrain(lambda ask: calls if ask.tools else [Refusal("No.")]))
    async with client_for(simulator) as client:
        called = await client.responses.create(model="m", input="hi", tools=[WEATHER], max_output_tokens=100)
        refused = await client.chat.completions.create(model="m", messages=[{"role": "developer", "content": "hi"}])
    found = [(item.name, item.arguments, item.call_id) for item in called.output if item.type == "function_call"]
    assert found == [("weather", call.arguments, call.id) for call in calls]
    assert refused.choices[0].message.refusal == "No."
    assert other.requests[0][2]["max_tokens"] == 100
    assert [message["role"] for message in other.requests[1][2]["messages"]] == ["system"]


@awaited
async def test_another_model_and_a_key_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "secret")
    seen: list[httpx2.Request] = []
    inner = Simulator(ScriptBrain()).transport()

    class Noting(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            return await inner.handle_async_request(request)

    brain = UpstreamBrain(URL, "MODEL_KEY", "real-model", transport=Noting())
    async with client_for(Simulator(brain)) as client:
        answer = await client.chat.completions.create(model="asked-for", messages=[{"role": "user", "content": "hi"}])
    assert answer.model == "asked-for"
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert b'"real-model"' in await seen[0].aread()


@awaited
async def test_the_model_is_shown_what_files_say_about_the_question() -> None:
    simulator, other = behind(ScriptBrain())
    async with client_for(simulator) as client:
        texts = {"refunds.txt": b"A refund takes five days.", "fish.txt": b"Herring swims in schools."}
        files = [await client.files.create(file=one, purpose="assistants") for one in texts.items()]
        store = await client.vector_stores.create(file_ids=[file.id for file in files])
        tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
        await client.responses.create(model="m", input="How long is a refund?", instructions="Be brief.", tools=[tool])
    roles = [(message["role"], message["content"]) for message in other.requests[-1][2]["messages"]]
    assert [role for role, _ in roles] == ["system", "system", "user"]
    assert "five days" in roles[1][1] and "Herring" not in roles[1][1]


@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_an_error_of_the_server_behind_is_an_error_with_its_status(stream: bool) -> None:
    rules = [{"fail": {"status": 429, "message": "Slow down.", "headers": {"retry-after": "7"}}}]
    simulator, _ = behind(ScriptBrain(rules))
    async with client_for(simulator) as client:
        with pytest.raises(openai.RateLimitError, match="Slow down") as raised:
            await client.responses.create(model="m", input="hi", stream=stream)  # type: ignore[call-overload]
    assert raised.value.response.headers["retry-after"] == "7"


@awaited
async def test_a_server_that_breaks_in_the_middle_fails_the_response() -> None:
    simulator, _ = behind(ScriptBrain([{"reply": "half of", "fail": {"status": 500, "partial": True}}]))
    async with client_for(simulator) as client:
        response = await client.responses.create(model="m", input="hi")
    assert response.status == "failed"
    assert response.output_text == "half of"


@pytest.mark.parametrize(
    "lines",
    [
        [b"data: {not json\n\n"],
        [b'data: {"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": null}]}\n\n'],
        [b"data: 3\n\n"],
        [b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n', b"data: [DONE]\n\n"],
    ],
)
@awaited
async def test_a_stream_that_nobody_can_read_is_a_failure(lines: Sequence[bytes]) -> None:
    brain = UpstreamBrain(URL, transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=b"".join(lines))))
    with pytest.raises(Failure) as raised:
        async for _ in brain.ask(Ask(api="chat", model="m", messages=[{"role": "user", "content": "hi"}])):
            pass
    assert raised.value.status == 502
    await brain.aclose()


@awaited
async def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    async with client_for(Simulator(UpstreamBrain("http://127.0.0.1:1/v1"))) as client:
        with pytest.raises(
            openai.InternalServerError, match=r"http://127.0.0.1:1/v1/chat/completions cannot be reached"
        ):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
