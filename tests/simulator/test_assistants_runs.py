"""Runs of the simulator that are looked at from time to time, through the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, End, Failure, Piece, Refusal, Text, Usage
from harness.simulator.function import FunctionBrain
from tests.simulator.sdk import awaited, client_for, client_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FUNCTION: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def brain(*said: Any) -> FunctionBrain:
    return FunctionBrain(lambda ask: list(said))


def caller(ask: Ask) -> Any:
    """Asks two tools first, then says what they returned."""
    results = [str(message["content"]) for message in ask.messages if message["role"] == "tool"]
    if results:
        return [" and ".join(results)]
    return [
        "Let me look. ",
        Call(name="weather", arguments='{"city":"Rome"}'),
        Call(name="weather", arguments='{"city":"Oslo"}'),
    ]


async def begun(client: AsyncOpenAI, text: str = "Hello", tools: Any = (), **settings: Any) -> tuple[str, str]:
    """A thread with one message, and an assistant."""
    assistant = await client.beta.assistants.create(model="any", tools=list(tools), **settings)
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": text}])
    return thread.id, assistant.id


async def finished(client: AsyncOpenAI, thread: str, assistant: str, **settings: Any) -> Any:
    """A run, as it is when it stops."""
    return await client.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=assistant, **settings)


async def texts(client: AsyncOpenAI, thread: str, **query: Any) -> list[str]:
    """What the messages of a thread say, newest first."""
    found = await client.beta.threads.messages.list(thread, **query)
    return ["".join(part.text.value for part in one.content if part.type == "text") for one in found.data]


@awaited
async def test_a_run_is_queued_then_in_progress_then_completed() -> None:
    async with client_of(brain("Good ", "day")) as client:
        thread, assistant = await begun(client, instructions="Be kind.")
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        seen = [run]
        for _ in range(2):
            raw = await client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=thread)
            assert int(raw.headers["openai-poll-after-ms"]) > 0
            seen.append(raw.parse())
        assert [one.status for one in seen] == ["queued", "in_progress", "completed"]
        assert [one.usage is None for one in seen] == [True, True, False]
        assert await texts(client, thread) == ["Good day", "Hello"]
        assert await texts(client, thread, run_id=run.id) == ["Good day"]


@awaited
async def test_a_brain_that_takes_its_time_leaves_the_run_in_progress() -> None:
    go_on = asyncio.Event()

    async def slow(ask: Ask) -> str:
        await go_on.wait()
        return "done"

    async with client_of(FunctionBrain(slow)) as client:
        thread, assistant = await begun(client)
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        looks = [await client.beta.threads.runs.retrieve(run.id, thread_id=thread) for _ in range(3)]
        assert [one.status for one in looks] == ["in_progress"] * 3
        go_on.set()
        assert (await client.beta.threads.runs.poll(run.id, thread_id=thread, poll_interval_ms=1)).status == "completed"


@awaited
async def test_reading_the_messages_lets_a_run_begin_too() -> None:
    async with client_of(brain("here")) as client:
        thread, assistant = await begun(client)
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        await texts(client, thread)
        assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "completed"


@awaited
async def test_the_brain_is_asked_with_instructions_thread_and_settings() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "fine")) as client:
        thread, assistant = await begun(
            client, "Hello", [FUNCTION, {"type": "code_interpreter"}], instructions="Be kind."
        )
        await finished(
            client,
            thread,
            assistant,
            additional_instructions="And brief.",
            additional_messages=[{"role": "user", "content": "Are you there?"}],
            temperature=0.5,
            parallel_tool_calls=False,
            max_completion_tokens=300,
        )
        await finished(client, thread, assistant, instructions="Be rude.", model="other", tools=[])
    first, second = asked
    assert (first.api, first.model, first.max_tokens, first.parallel_tool_calls) == ("threads", "any", 300, False)
    assert list(first.messages) == [
        {"role": "system", "content": "Be kind.\nAnd brief."},
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "Are you there?"},
    ]
    assert list(first.tools) == [FUNCTION] and first.builtin == {"code_interpreter"}
    assert first.settings["temperature"] == 0.5
    assert (second.model, second.tools, second.builtin) == ("other", [], frozenset())
    assert second.messages[0]["content"] == "Be rude."
    assert second.messages[-1] == {"role": "assistant", "content": "fine"}


@awaited
async def test_calls_in_parallel_wait_for_their_outputs() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or caller(ask))) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await finished(client, thread, assistant)
        assert run.status == "requires_action" and run.usage is None
        calls = run.required_action.submit_tool_outputs.tool_calls
        assert [(one.function.name, one.function.arguments) for one in calls] == [
            ("weather", '{"city":"Rome"}'),
            ("weather", '{"city":"Oslo"}'),
        ]
        (step, *_) = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread)).data
        assert [call.function.output for call in step.step_details.tool_calls] == [None, None]  # type: ignore[union-attr]

        run = await client.beta.threads.runs.submit_tool_outputs(
            run.id,
            thread_id=thread,
            tool_outputs=[
                {"tool_call_id": one.id, "output": out} for one, out in zip(calls, ("warm", "cold"), strict=True)
            ],
        )
        assert (run.status, run.required_action) == ("queued", None)
        run = await client.beta.threads.runs.poll(run.id, thread_id=thread, poll_interval_ms=1)
        assert run.status == "completed"
        assert await texts(client, thread) == ["warm and cold", "Let me look. ", "Hello"]

        steps = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread, order="asc")).data
        assert [(one.type, one.status) for one in steps] == [
            ("message_creation", "completed"),
            ("tool_calls", "completed"),
            ("message_creation", "completed"),
        ]
        assert [call.function.output for call in steps[1].step_details.tool_calls] == ["warm", "cold"]  # type: ignore[union-attr]
        again = await client.beta.threads.runs.steps.retrieve(steps[1].id, run_id=run.id, thread_id=thread)
        assert again == steps[1]
    # What was called is told to the brain as Chat Completions would.
    assert [message["role"] for message in asked[1].messages] == ["user", "assistant", "tool", "tool"]
    assert asked[1].messages[2]["tool_call_id"] == calls[0].id


@awaited
async def test_usage_is_that_of_all_steps() -> None:
    def counted(ask: Ask) -> Any:
        return [*caller(ask), End(usage=Usage(input=100, output=20))]

    async with client_of(FunctionBrain(counted)) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await finished(client, thread, assistant)
        calls = run.required_action.submit_tool_outputs.tool_calls
        run = await client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread, tool_outputs=[{"tool_call_id": one.id, "output": "x"} for one in calls]
        )
        assert (run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens) == (200, 40, 240)
        steps = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread)).data
        assert sum(step.usage.total_tokens for step in steps if step.usage) == 240


@awaited
async def test_tokens_are_counted_where_the_brain_does_not_know() -> None:
    async with client_of(brain("one two three")) as client:
        thread, assistant = await begun(client, "Hello there")
        run = await finished(client, thread, assistant)
    # "Hello there" is 2 tokens, "user" is 1, a message costs 3 and the whole 3 more.
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (9, 3)


@awaited
async def test_outputs_must_answer_every_call_once() -> None:
    async with client_of(FunctionBrain(caller)) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await finished(client, thread, assistant)
        one, two = (call.id for call in run.required_action.submit_tool_outputs.tool_calls)
        for ids in ([], [one], [one, one], [one, two, two], [one, "call_other"]):
            with pytest.raises(openai.BadRequestError):
                await client.beta.threads.runs.submit_tool_outputs(
                    run.id, thread_id=thread, tool_outputs=[{"tool_call_id": id, "output": "x"} for id in ids]
                )
        right: Any = [{"tool_call_id": id, "output": "x"} for id in (two, one)]
        await client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread, tool_outputs=right)
        # The run has gone on: it waits for nothing.
        with pytest.raises(openai.BadRequestError, match="takes no tool outputs"):
            await client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread, tool_outputs=right)


@awaited
async def test_an_active_run_holds_its_thread() -> None:
    async with client_of(FunctionBrain(caller)) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await finished(client, thread, assistant)
        (message,) = (await client.beta.threads.messages.list(thread, order="asc", limit=1)).data
        for refused in (
            client.beta.threads.messages.create(thread, role="user", content="more"),
            client.beta.threads.messages.delete(message.id, thread_id=thread),
            client.beta.threads.runs.create(thread, assistant_id=assistant),
        ):
            with pytest.raises(openai.BadRequestError, match=run.id):
                await refused
        await client.beta.threads.runs.cancel(run.id, thread_id=thread)
        await client.beta.threads.messages.create(thread, role="user", content="more")
        assert (await finished(client, thread, assistant)).status == "requires_action"
        assert len((await client.beta.threads.runs.list(thread)).data) == 2


@pytest.mark.parametrize(
    "failure, code",
    [
        (Failure(429, "rate_limit_exceeded", "Slow down."), "rate_limit_exceeded"),
        (Failure(500, "server_error", "Broken."), "server_error"),
        (Failure(503, "overloaded", "Too much."), "server_error"),
        (Failure(400, "invalid_prompt", "Not this."), "invalid_prompt"),
    ],
)
@awaited
async def test_a_failure_fails_the_run_and_not_the_request(failure: Failure, code: str) -> None:
    async def failing(ask: Ask) -> AsyncIterator[Piece]:
        yield Text("Well, ")
        raise failure

    async with client_of(FunctionBrain(failing)) as client:
        thread, assistant = await begun(client)
        run = await finished(client, thread, assistant)
        assert run.status == "failed"
        assert (run.last_error.code, run.last_error.message) == (code, str(failure))
        (step,) = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread)).data
        assert step.status == "failed" and step.last_error is not None
        message = (await client.beta.threads.messages.list(thread)).data[0]
        assert message.status == "incomplete" and message.incomplete_details is not None
        assert message.incomplete_details.reason == "run_failed"


@awaited
async def test_a_brain_that_breaks_fails_the_run_with_what_it_said() -> None:
    def broken(ask: Ask) -> str:
        raise ZeroDivisionError("by zero")

    async with client_of(FunctionBrain(broken)) as client:
        run = await finished(client, *await begun(client))
    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert "by zero" in run.last_error.message


@awaited
async def test_an_answer_that_is_too_long_is_cut_and_the_run_incomplete() -> None:
    async with client_of(brain("word " * 400)) as client:
        thread, assistant = await begun(client)
        run = await finished(client, thread, assistant, max_completion_tokens=256)
        assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
        assert run.usage.completion_tokens == 256
        message = (await client.beta.threads.messages.list(thread)).data[0]
        assert message.incomplete_details is not None and message.incomplete_details.reason == "max_tokens"


@awaited
async def test_filtered_content_makes_a_run_incomplete() -> None:
    async with client_of(brain("I must ", End(finish="content_filter"))) as client:
        run = await finished(client, *await begun(client))
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "content_filter")


@awaited
async def test_older_messages_are_left_out_where_asked() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "fine")) as client:
        assistant = await client.beta.assistants.create(model="any")
        said: Any = [{"role": "user", "content": f"{number} " + "word " * 100} for number in range(5)]
        thread = await client.beta.threads.create(messages=said)
        last: Any = {"type": "last_messages", "last_messages": 2}
        await finished(client, thread.id, assistant.id, truncation_strategy=last)
        assert [message["content"][0] for message in asked[0].messages] == ["3", "4"]
        # Four messages and the answer are more than 256 tokens.
        await finished(client, thread.id, assistant.id, max_prompt_tokens=256)
        assert asked[1].messages[0]["content"][0] == "3"

        long = await client.beta.threads.create(messages=[{"role": "user", "content": "word " * 300}])
        run = await finished(client, long.id, assistant.id, max_prompt_tokens=256)
        assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_prompt_tokens")


@awaited
async def test_a_refusal_is_a_part_of_its_own() -> None:
    async with client_of(brain(Refusal("I will "), Refusal("not."))) as client:
        thread, assistant = await begun(client)
        await finished(client, thread, assistant)
        (part,) = (await client.beta.threads.messages.list(thread)).data[0].content
    assert (part.type, part.refusal) == ("refusal", "I will not.")  # type: ignore[union-attr]


@pytest.mark.parametrize("looks", [0, 1])
@awaited
async def test_a_run_is_cancelled_before_or_while_it_works(looks: int) -> None:
    stopped = asyncio.Event()

    async def endless(ask: Ask) -> AsyncIterator[Piece]:
        try:
            yield Text("Well, ")
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with client_of(FunctionBrain(endless)) as client:
        thread, assistant = await begun(client)
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        for _ in range(looks * 2):
            await client.beta.threads.runs.retrieve(run.id, thread_id=thread)
        assert (await client.beta.threads.runs.cancel(run.id, thread_id=thread)).status == "cancelling"
        run = await client.beta.threads.runs.retrieve(run.id, thread_id=thread)
        assert run.status == "cancelled" and run.cancelled_at is not None
        with pytest.raises(openai.BadRequestError, match="cannot be cancelled"):
            await client.beta.threads.runs.cancel(run.id, thread_id=thread)
        if looks:
            await asyncio.wait_for(stopped.wait(), 5)
            message = (await client.beta.threads.messages.list(thread)).data[0]
            assert message.incomplete_details is not None and message.incomplete_details.reason == "run_cancelled"


@awaited
async def test_a_run_that_waits_for_outputs_is_cancelled_or_expires() -> None:
    simulator = Simulator(FunctionBrain(caller))
    async with client_for(simulator) as client:
        for end in ("cancelled", "expired"):
            thread, assistant = await begun(client, tools=[FUNCTION])
            run = await finished(client, thread, assistant)
            if end == "expired":
                assert simulator.expire_runs() == 1
            else:
                await client.beta.threads.runs.cancel(run.id, thread_id=thread)
            run = await client.beta.threads.runs.retrieve(run.id, thread_id=thread)
            assert (run.status, run.required_action) == (end, None)
            step = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread)).data[0]
            assert step.status == end
    assert simulator.expire_runs() == 0


@awaited
async def test_thread_and_run_are_made_at_once_or_not_at_all() -> None:
    simulator = Simulator(brain("Good day"))
    async with client_for(simulator) as client:
        assistant = await client.beta.assistants.create(model="any")
        thread: Any = {"messages": [{"role": "user", "content": "Hello"}], "metadata": {"a": "b"}}
        run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
        assert run.status == "completed"
        assert await texts(client, run.thread_id) == ["Good day", "Hello"]
        assert (await client.beta.threads.retrieve(run.thread_id)).metadata == {"a": "b"}
        with pytest.raises(openai.NotFoundError):
            await client.beta.threads.create_and_run(assistant_id="asst_none", thread=thread)
    assert len(simulator.state.of("thread")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_completion_tokens": 10},
        {"max_prompt_tokens": 255},
        {"tools": [{"type": "code_interpreter"}] * 21},
        {"tool_choice": "sometimes"},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"truncation_strategy": {"type": "last_messages"}},
        {"additional_messages": [{"role": "tool", "content": "x"}]},
        {"extra_body": {"max_tokens": 5}},
        {"metadata": {"k" * 65: "x"}},
    ],
)
@awaited
async def test_a_run_that_the_service_would_refuse_is_refused_and_leaves_the_thread_free(wrong: Any) -> None:
    async with client_of(brain("yes")) as client:
        thread, assistant = await begun(client)
        with pytest.raises(openai.BadRequestError):
            await client.beta.threads.runs.create(thread, assistant_id=assistant, **wrong)
        assert (await finished(client, thread, assistant)).status == "completed"
        assert await texts(client, thread) == ["yes", "Hello"]


@awaited
async def test_a_tool_that_must_be_called_is_asked_for_once() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or caller(ask))) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await finished(client, thread, assistant, tool_choice="required")
        calls = run.required_action.submit_tool_outputs.tool_calls
        await client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread, tool_outputs=[{"tool_call_id": one.id, "output": "x"} for one in calls]
        )
    assert [ask.tool_choice for ask in asked] == ["required", "auto"]


@awaited
async def test_a_run_can_be_noted_on() -> None:
    async with client_of(brain("yes")) as client:
        thread, assistant = await begun(client)
        run = await finished(client, thread, assistant)
        noted = await client.beta.threads.runs.update(run.id, thread_id=thread, metadata={"kept": "yes"})
        assert noted.metadata == {"kept": "yes"}
        with pytest.raises(openai.BadRequestError):
            await client.beta.threads.runs.update(run.id, thread_id=thread, extra_body={"status": "failed"})
