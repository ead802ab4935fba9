"""Chat Completions of the simulator, through the SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import openai
import pytest

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, End, Failure, Reasoning, Refusal, Usage
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from tests.simulator.sdk import awaited, client_for, client_of

HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def brain(*said: Any, **settings: Any) -> FunctionBrain:
    return FunctionBrain(lambda ask: list(said), **settings)


@awaited
async def test_an_answer_comes_whole_with_its_real_tokens() -> None:
    async with client_of(brain("one two ", "three")) as client:
        answer = await client.chat.completions.create(model="any", messages=HELLO)
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    # "Hello there" is 2 tokens, "user" is 1, a message costs 3 and the whole 3 more.
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 3, 12)


@awaited
async def test_usage_that_the_brain_knows_is_told() -> None:
    known = End(usage=Usage(input=40, output=20, cached=8, reasoning=5))
    async with client_of(brain("hm", known)) as client:
        usage = (await client.chat.completions.create(model="any", messages=HELLO)).usage
    assert usage is not None and usage.prompt_tokens_details and usage.completion_tokens_details
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (40, 20, 60)
    assert (usage.prompt_tokens_details.cached_tokens, usage.completion_tokens_details.reasoning_tokens) == (8, 5)


@awaited
async def test_reasoning_counts_as_output_and_tools_as_input() -> None:
    async with client_of(brain(Reasoning("one two three"), "yes")) as client:
        plain = (await client.chat.completions.create(model="any", messages=HELLO)).usage
        tools = (await client.chat.completions.create(model="any", messages=HELLO, tools=[WEATHER])).usage
    assert plain is not None and tools is not None and plain.completion_tokens_details
    assert (plain.completion_tokens, plain.completion_tokens_details.reasoning_tokens) == (4, 3)
    assert tools.prompt_tokens > plain.prompt_tokens


@awaited
async def test_a_stream_has_the_text_in_pieces_then_the_reason_then_the_usage() -> None:
    async with client_of(brain("one ", "two")) as client:
        stream = await client.chat.completions.create(
            model="any", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert said == ["", "one ", "two", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 2
    assert len({chunk.id for chunk in chunks}) == 1


@awaited
async def test_a_stream_without_the_option_has_no_usage() -> None:
    async with client_of(brain("one")) as client:
        stream = await client.chat.completions.create(model="any", messages=HELLO, stream=True)
        assert [chunk.usage async for chunk in stream] == [None, None, None]


@awaited
async def test_each_piece_of_a_stream_arrives_before_the_next_is_made() -> None:
    go_on = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        yield "first"
        await go_on.wait()
        yield "second"

    async with client_of(FunctionBrain(answer)) as client:
        seen = []
        async for chunk in await client.chat.completions.create(model="any", messages=HELLO, stream=True):
            seen.append((chunk.choices[0].delta.content, go_on.is_set()))
            if seen[-1][0] == "first":
                go_on.set()
    assert seen == [("", False), ("first", False), ("second", True), (None, True)]


@awaited
async def test_a_brain_notices_that_the_client_left() -> None:
    left = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            left.set()

    async with client_of(FunctionBrain(answer)) as client:
        stream = await client.chat.completions.create(model="any", messages=HELLO, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content == "first":
                break
        await stream.close()
        await asyncio.wait_for(left.wait(), 10)


@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_a_client_waits_only_as_long_as_it_says_and_then_the_brain_ends(stream: bool) -> None:
    ended = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        try:
            if stream:
                yield "first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with client_of(FunctionBrain(answer)) as client:
        request = client.chat.completions.create(model="any", messages=HELLO, stream=stream, timeout=0.05)
        with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
            await _all(await request)
        await asyncio.wait_for(ended.wait(), 10)


async def _all(stream: Any) -> None:
    async for _ in stream:
        pass


@awaited
async def test_calls_have_ids_and_come_in_pieces_with_their_index() -> None:
    calls = [Call(name="weather", arguments='{"city": "Reykjavik, Iceland"}'), Call(name="weather", arguments="{}")]
    async with client_of(brain(*calls)) as client:
        whole = await client.chat.completions.create(model="any", messages=HELLO, tools=[WEATHER])
        stream = await client.chat.completions.create(model="any", messages=HELLO, tools=[WEATHER], stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == "tool_calls"
    found = whole.choices[0].message.tool_calls or []
    assert [call.function.arguments for call in found if call.type == "function"] == [call.arguments for call in calls]
    assert len({call.id for call in found}) == 2
    assert whole.choices[0].message.content is None
    parts = [part for chunk in chunks for part in chunk.choices[0].delta.tool_calls or []]
    for index, call in enumerate(calls):
        texts = [part.function.arguments or "" for part in parts if part.index == index and part.function]
        assert "".join(texts) == call.arguments
    assert len([part for part in parts if part.index == 0]) > 2


@pytest.mark.parametrize(
    ("settings", "calls"), [({}, 2), ({"parallel_tool_calls": False}, 1), ({"tool_choice": "none"}, 0)]
)
@awaited
async def test_only_so_many_calls_are_made_as_the_request_allows(settings: dict[str, Any], calls: int) -> None:
    said = brain("well", Call(name="weather", arguments="{}"), Call(name="weather", arguments="{}"))
    async with client_of(said) as client:
        answer = await client.chat.completions.create(model="any", messages=HELLO, tools=[WEATHER], **settings)
    assert len(answer.choices[0].message.tool_calls or []) == calls
    assert answer.choices[0].finish_reason == ("tool_calls" if calls else "stop")


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_an_answer_is_cut_at_its_limit_of_real_tokens(limit: str, stream: bool) -> None:
    async with client_of(brain("one two", " three four")) as client:
        answer: Any = await client.chat.completions.create(model="any", messages=HELLO, stream=stream, **{limit: 3})
        if stream:
            chunks = [chunk async for chunk in answer]
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            finish = chunks[-1].choices[0].finish_reason
        else:
            said, finish = answer.choices[0].message.content, answer.choices[0].finish_reason
            assert answer.usage.completion_tokens == 3
    assert (said, finish) == ("one two three", "length")


@awaited
async def test_an_answer_of_exactly_the_limit_is_not_cut() -> None:
    async with client_of(brain("one two three")) as client:
        answer = await client.chat.completions.create(model="any", messages=HELLO, max_tokens=3)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two three", "stop")


@awaited
async def test_arguments_are_cut_at_the_limit_too() -> None:
    said = brain(Call(name="weather", arguments='{"city": "Reykjavik, Iceland"}'))
    async with client_of(said) as client:
        answer = await client.chat.completions.create(model="any", messages=HELLO, tools=[WEATHER], max_tokens=5)
    (call,) = answer.choices[0].message.tool_calls or []
    assert answer.choices[0].finish_reason == "length"
    assert call.type == "function" and '{"city": "Reykjavik, Iceland"}'.startswith(call.function.arguments)
    assert 0 < len(call.function.arguments) < 30


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "said"), [("four", "one two three "), (["ee fo", "x"], "one two thr"), ("zz", "one two three four")]
)
@awaited
async def test_a_text_ends_before_a_stop_text_even_across_pieces(stop: Any, said: str, stream: bool) -> None:
    async with client_of(brain("one tw", "o thre", "e f", "our")) as client:
        answer: Any = await client.chat.completions.create(model="any", messages=HELLO, stop=stop, stream=stream)
        found = (
            "".join([chunk.choices[0].delta.content or "" async for chunk in answer])
            if stream
            else answer.choices[0].message.content
        )
    assert found == said


@awaited
async def test_a_refusal_is_no_content() -> None:
    async with client_of(brain(Refusal("I will "), Refusal("not."))) as client:
        message = (await client.chat.completions.create(model="any", messages=HELLO)).choices[0].message
        stream = await client.chat.completions.create(model="any", messages=HELLO, stream=True)
        parts = [chunk.choices[0].delta.refusal async for chunk in stream]
    assert (message.content, message.refusal) == (None, "I will not.")
    assert [part for part in parts if part] == ["I will ", "not."]


@awaited
async def test_log_probabilities_are_those_of_the_brain_or_one_for_each_token() -> None:
    given = [{"token": "yes", "logprob": -0.5, "bytes": None, "top_logprobs": []}]
    async with client_of(brain("yes", End(logprobs=given))) as client:
        known = await client.chat.completions.create(model="any", messages=HELLO, logprobs=True)
        plain = await client.chat.completions.create(model="any", messages=HELLO)
    async with client_of(brain("one two three")) as client:
        made = await client.chat.completions.create(model="any", messages=HELLO, logprobs=True, top_logprobs=1)
    assert known.choices[0].logprobs and known.choices[0].logprobs.content
    assert known.choices[0].logprobs.content[0].logprob == -0.5
    assert plain.choices[0].logprobs is None
    assert made.choices[0].logprobs and made.choices[0].logprobs.content
    assert [token.token for token in made.choices[0].logprobs.content] == ["one", " two", " three"]


@awaited
async def test_the_brain_is_asked_with_what_the_request_says() -> None:
    asked: list[Ask] = []
    format: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "{}")) as client:
        await client.chat.completions.create(
            model="m", messages=HELLO, tools=[WEATHER], response_format=format, temperature=0.5, seed=7, user="u"
        )
    (ask,) = asked
    assert (ask.api, ask.model, list(ask.messages), list(ask.tools)) == ("chat", "m", HELLO, [WEATHER])
    assert ask.response_format == format
    assert ask.settings == {"temperature": 0.5, "seed": 7}


@pytest.mark.parametrize("stream", [False, True])
@awaited
async def test_a_failing_brain_is_an_error_with_its_status_and_headers(stream: bool) -> None:
    def fail(ask: Ask) -> str:
        raise Failure(429, "rate_limit_exceeded", "Slow down.", headers={"retry-after": "7"})

    async with client_of(FunctionBrain(fail)) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="any", messages=HELLO, stream=stream)
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.code == "rate_limit_exceeded"


@awaited
async def test_a_stream_that_fails_in_the_middle_tells_so_after_what_was_said() -> None:
    rules = [{"reply": "half of", "fail": {"status": 500, "message": "broken", "partial": True}}]
    async with client_of(ScriptBrain(rules)) as client:
        said = []
        stream = aiter(await client.chat.completions.create(model="any", messages=HELLO, stream=True))
        for _ in range(3):
            said.append((await anext(stream)).choices[0].delta.content)
        with pytest.raises(openai.APIError, match="broken"):
            await anext(stream)
    assert said == ["", "half", " of"]


@awaited
async def test_the_models_are_those_of_the_brain() -> None:
    async with client_of(brain("yes", models=["small", "org/large"])) as client:
        assert [model.id for model in (await client.models.list()).data] == ["small", "org/large"]
        assert (await client.models.retrieve("org/large")).id == "org/large"
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="other", messages=HELLO)
    assert raised.value.code == "model_not_found"


@awaited
async def test_what_is_not_simulated_is_told() -> None:
    async with client_of(brain("yes")) as client:
        with pytest.raises(
            openai.NotFoundError, match=r"Not simulated: POST /v1/images/generations.* /chat,.*/responses"
        ):
            await client.images.generate(prompt="a fish")


@awaited
async def test_the_same_requests_get_the_same_ids_from_the_same_seed() -> None:
    async def ids(seed: int) -> list[str]:
        async with client_of(brain("yes"), seed=seed) as client:
            raw = client.chat.completions.with_raw_response
            answers = [await raw.create(model="any", messages=HELLO) for _ in range(2)]
            return [id for one in answers for id in (one.parse().id, one.headers["x-request-id"])]

    first = await ids(1)
    assert len(set(first)) == 4
    assert await ids(1) == first
    assert not set(await ids(2)) & set(first)


@awaited
async def test_answers_of_a_script_are_marked_and_requests_noted() -> None:
    simulator = Simulator(brain("yes"))
    async with client_for(simulator) as client:
        answer = await client.chat.completions.with_raw_response.create(model="any", messages=HELLO)
    assert answer.headers["x-simulated"] == "true"
    assert "x-harness-simulated" in answer.headers
    assert int(answer.headers["openai-processing-ms"]) > 0
    assert simulator.requests == [("POST", "/v1/chat/completions", {"model": "any", "messages": HELLO})]
