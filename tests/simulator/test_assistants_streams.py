"""Runs of the simulator that are listened to, through the SDK and byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, CodeRun, End, Failure, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.simulator.described import events
from tests.simulator.sdk import URL, awaited, client_for, client_of
from tests.simulator.test_assistants_runs import FUNCTION, begun, brain, caller

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

BETA = {"openai-beta": "assistants=v2"}
#: How a message comes about.
MESSAGE = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
]
BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]


def kinds(told: list[tuple[str | None, str]]) -> list[str | None]:
    """The events' names; many deltas in a row are one."""
    names = [name for name, _ in told]
    return [name for number, name in enumerate(names) if not (number and name == names[number - 1])]


async def heard(simulator: Simulator, path: str, body: dict[str, Any]) -> list[tuple[str | None, str]]:
    """The events of a stream."""
    async with httpx2.AsyncClient(transport=simulator.transport(), base_url=URL, headers=BETA) as http:
        answer = await http.post(path, json={**body, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(events(answer.content))


@awaited
async def test_a_stream_tells_everything_from_the_thread_to_done() -> None:
    simulator = Simulator(brain("Good ", "day"))
    async with client_for(simulator) as client:
        assistant = await client.beta.assistants.create(model="any")
        thread = {"messages": [{"role": "user", "content": "Hello"}]}
        told = await heard(simulator, "/threads/runs", {"assistant_id": assistant.id, "thread": thread})
    assert kinds(told) == ["thread.created", *BEGUN, *MESSAGE, "thread.run.completed", "done"]
    assert told[-1] == ("done", "[DONE]")
    pieces = [
        json.loads(data)["delta"]["content"][0]["text"]["value"]
        for name, data in told
        if name == "thread.message.delta"
    ]
    assert pieces == ["Good ", "day"]
    message = next(json.loads(data) for name, data in told if name == "thread.message.completed")
    assert message["content"][0]["text"]["value"] == "Good day"
    run = json.loads(told[-2][1])
    assert run["usage"]["completion_tokens"] == 2 and run["status"] == "completed"


@awaited
async def test_the_sdk_puts_calls_together_and_goes_on_after_outputs() -> None:
    async with client_of(FunctionBrain(caller)) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        async with client.beta.threads.runs.stream(thread_id=thread, assistant_id=assistant) as stream:
            names = [event.event async for event in stream]
            run = await stream.get_final_run()
            (_, step) = await stream.get_final_run_steps()
        assert names[-1] == "thread.run.requires_action"
        assert run.status == "requires_action" and run.required_action is not None
        calls = run.required_action.submit_tool_outputs.tool_calls
        # What the SDK collected from the pieces is what the run waits for.
        collected = [(one.id, one.function.arguments) for one in step.step_details.tool_calls]  # type: ignore[union-attr]
        assert collected == [(one.id, one.function.arguments) for one in calls]

        async with client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=thread, tool_outputs=[{"tool_call_id": one.id, "output": "x"} for one in calls]
        ) as stream:
            names = [event.event async for event in stream]
            (message,) = await stream.get_final_messages()
            assert (await stream.get_final_run()).status == "completed"
    assert names[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    assert message.content[0].text.value == "x and x"  # type: ignore[union-attr]


@awaited
async def test_the_service_s_own_tools_have_steps_before_the_message() -> None:
    said = [CodeRun(code="print(2)", logs="2\n", files=[("plot.png", b"png")]), "Two."]
    simulator = Simulator(brain(*said))
    async with client_for(simulator) as client:
        thread, assistant = await begun(client, tools=[{"type": "code_interpreter"}])
        told = await heard(simulator, f"/threads/{thread}/runs", {"assistant_id": assistant})
    ran = [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
    ]
    assert kinds(told) == [*BEGUN, *ran, *MESSAGE, "thread.run.completed", "done"]
    parts = [json.loads(data)["delta"]["content"][0] for name, data in told if name == "thread.message.delta"]
    assert [(part["index"], part["type"]) for part in parts] == [(0, "image_file"), (1, "text")]


@awaited
async def test_text_arrives_while_the_brain_still_speaks() -> None:
    go_on = asyncio.Event()

    async def slow(ask: Ask) -> AsyncIterator[Piece]:
        yield Text("first")
        await go_on.wait()
        yield Text(" second")

    async with client_of(FunctionBrain(slow)) as client:
        thread, assistant = await begun(client)
        text = ""
        async with client.beta.threads.runs.stream(thread_id=thread, assistant_id=assistant) as stream:
            async for piece in stream.text_deltas:
                text += piece
                if text == "first":
                    go_on.set()
    assert text == "first second"


@awaited
async def test_a_run_goes_on_when_its_listener_has_left() -> None:
    go_on = asyncio.Event()

    async def slow(ask: Ask) -> AsyncIterator[Piece]:
        yield Text("first")
        await go_on.wait()
        yield Text(" second")

    async with client_of(FunctionBrain(slow)) as client:
        thread, assistant = await begun(client)
        stream = await client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True)
        async for event in stream:
            if event.event == "thread.message.delta":
                break
        await stream.close()
        (run,) = (await client.beta.threads.runs.list(thread)).data
        assert run.status == "in_progress"
        go_on.set()
        run = await client.beta.threads.runs.poll(run.id, thread_id=thread, poll_interval_ms=1)
        assert run.status == "completed"


@pytest.mark.parametrize(
    "failure, tail",
    [
        (
            Failure(500, "server_error", "Broken.", partial=True),
            ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "done"],
        ),
        # A fault of the service itself is told of, too.
        (
            ZeroDivisionError("by zero"),
            ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "error", "done"],
        ),
    ],
)
@awaited
async def test_a_failure_ends_the_stream_in_order(failure: Exception, tail: list[str]) -> None:
    async def failing(ask: Ask) -> AsyncIterator[Piece]:
        yield Text("Well, ")
        raise failure

    simulator = Simulator(FunctionBrain(failing))
    async with client_for(simulator) as client:
        thread, assistant = await begun(client)
        told = await heard(simulator, f"/threads/{thread}/runs", {"assistant_id": assistant})
    assert kinds(told)[-len(tail) - 1 :] == ["thread.message.delta", *tail]


@awaited
async def test_a_stream_of_what_is_refused_is_no_stream() -> None:
    async with client_of(brain("yes")) as client:
        thread, _ = await begun(client)
        with pytest.raises(openai.NotFoundError):
            await client.beta.threads.runs.create(thread, assistant_id="asst_none", stream=True)


@awaited
async def test_an_incomplete_run_says_so_at_the_end_of_its_stream() -> None:
    simulator = Simulator(brain("word " * 300))
    async with client_for(simulator) as client:
        thread, assistant = await begun(client)
        settings = {"assistant_id": assistant, "max_completion_tokens": 256}
        told = await heard(simulator, f"/threads/{thread}/runs", settings)
    assert kinds(told)[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
        "done",
    ]


@awaited
async def test_a_run_that_is_cancelled_ends_its_stream() -> None:
    async def endless(ask: Ask) -> AsyncIterator[Piece]:
        yield Text("Well, ")
        await asyncio.Event().wait()

    async with client_of(FunctionBrain(endless)) as client:
        thread, assistant = await begun(client)
        stream = await client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True)
        told: list[str] = []
        run = ""
        async for event in stream:
            told.append(event.event)
            if event.event == "thread.run.created":
                run = event.data.id
            if event.event == "thread.message.delta":
                await client.beta.threads.runs.cancel(run, thread_id=thread)
    assert told[-4:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]


@awaited
async def test_calls_that_are_cut_are_never_asked_for() -> None:
    simulator = Simulator(brain(Call(name="weather", arguments='{"city":"' + "x " * 400 + '"}'), End()))
    async with client_for(simulator) as client:
        thread, assistant = await begun(client, tools=[FUNCTION])
        run = await client.beta.threads.runs.create_and_poll(
            thread_id=thread, assistant_id=assistant, max_completion_tokens=256
        )
    assert (run.status, run.required_action) == ("incomplete", None)


@awaited
async def test_many_runs_at_once_do_not_mix() -> None:
    async def echo(ask: Ask) -> str:
        await asyncio.sleep(0)
        return f"You said {ask.messages[-1]['content']}"

    async with client_of(FunctionBrain(echo)) as client:
        assistant = await client.beta.assistants.create(model="any")

        async def asked(number: int) -> str:
            thread: Any = {"messages": [{"role": "user", "content": f"number {number}"}]}
            async with client.beta.threads.create_and_run_stream(assistant_id=assistant.id, thread=thread) as stream:
                (message,) = await stream.get_final_messages()
            return message.content[0].text.value  # type: ignore[union-attr]

        answers = await asyncio.gather(*(asked(number) for number in range(20)))
    assert answers == [f"You said number {number}" for number in range(20)]
