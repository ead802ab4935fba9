"""Runs: an assistant answers a thread, looked at from time to time or listened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import assistant_forms, assistants, messages, models, sse, steps, threads
from harness.simulator.assistants import beta
from harness.simulator.errors import ApiError, missing
from harness.simulator.http import answer, page, read
from harness.simulator.plain import JSON
from harness.simulator.running import Run
from harness.simulator.threads import Thread

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

#: Seconds after which a run that waits for outputs may expire; told, but the simulator's time stands still.
_PATIENCE = 600
#: Seconds that a look waits for a run at work, so that a brain that is quick is done at the second look.
_GRACE = 0.05
#: What callers are told to wait before they look again, milliseconds.
_POLL = {"openai-poll-after-ms": "100"}


def find(simulator: Simulator, request: Request) -> Run:
    """Return the run that a request names.

    Raises:
        ApiError: 404, there is none.
    """
    thread = threads.find(simulator, request)
    run = thread.runs.get(request.path_params["run"])
    if run is None:
        raise missing("run", request.path_params["run"])
    return run


def expire(simulator: Simulator) -> int:
    """Let all runs that wait for outputs expire, as if nobody had answered for ten minutes; return how many."""
    waiting = [
        run
        for thread in simulator.state.of("thread").values()
        for run in thread.runs.values()
        if run.status == "requires_action"
    ]
    for run in waiting:
        run.expire()
    return len(waiting)


def routes(simulator: Simulator) -> list[Route]:
    """Return where runs are made, found, changed, cancelled and given outputs."""

    async def create(request: Request) -> Response:
        thread = threads.find(simulator, request)
        body = await read(request)
        assistant_forms.check("run", body, strict=simulator.strict)
        more = body.get("additional_messages") or ()
        messages.check_all(simulator, more)
        passages = steps.wants_passages(request)
        thread.free()
        object, settings = _planned(simulator, thread.id, body)
        for one in more:
            threads.add(simulator, thread, one)
        return await _started(_made(simulator, thread, object, settings, passages=passages), body)

    async def create_both(request: Request) -> Response:
        body = await read(request)
        assistant_forms.check("thread and run", body, strict=simulator.strict)
        # The run is described before its thread exists: what is refused leaves no thread behind.
        _planned(simulator, "", body)
        wanted = {**(body.get("thread") or {})}
        if body.get("tool_resources") is not None:
            wanted["tool_resources"] = body["tool_resources"]
        thread = threads.make(simulator, wanted)
        object, settings = _planned(simulator, thread.id, body)
        run = _made(simulator, thread, object, settings)
        return await _started(run, body, before=[sse.event(thread.object, "thread.created")])

    async def listed(request: Request) -> Response:
        thread = threads.find(simulator, request)
        thread.begin()
        return answer(page([run.object for run in thread.runs.values()], request))

    async def one(request: Request) -> Response:
        return await _seen(find(simulator, request))

    async def change(request: Request) -> Response:
        run = find(simulator, request)
        body = await read(request, optional=True)
        assistant_forms.check("metadata", body, strict=simulator.strict)
        if "metadata" in body:
            run.object["metadata"] = body["metadata"] or {}
        return answer(run.object)

    async def cancel(request: Request) -> Response:
        run = find(simulator, request)
        if run.status not in ("queued", "in_progress", "requires_action"):
            raise ApiError(400, f"A run with status '{run.status}' cannot be cancelled.")
        return answer(run.cancel())

    async def submit(request: Request) -> Response:
        run = find(simulator, request)
        body = await read(request)
        assistant_forms.check("tool outputs", body, strict=simulator.strict)
        outputs = _outputs(run, body["tool_outputs"])
        return await _going_on(run, body, outputs)

    base = "/v1/threads/{thread}/runs"
    return [
        Route("/v1/threads/runs", beta(create_both), methods=["POST"]),
        Route(base, beta(create), methods=["POST"]),
        Route(base, beta(listed), methods=["GET"]),
        Route(base + "/{run}", beta(one), methods=["GET"]),
        Route(base + "/{run}", beta(change), methods=["POST"]),
        Route(base + "/{run}/cancel", beta(cancel), methods=["POST"]),
        Route(base + "/{run}/submit_tool_outputs", beta(submit), methods=["POST"]),
    ]


def _planned(simulator: Simulator, thread: str, body: Mapping[str, JSON]) -> tuple[dict[str, JSON], Mapping[str, JSON]]:
    """Return a run as it will be told of, without an id, and what else its brain is asked with.

    Raises:
        ApiError: Its assistant or its model does not exist, or a tool is chosen that it does not have.
    """
    assistant = assistants.find(simulator, body["assistant_id"])

    def own(name: str) -> JSON:
        return body[name] if body.get(name) is not None else assistant.get(name)

    model = own("model")
    models.check(simulator, model)
    tools = own("tools") or []
    assistant_forms.check_choice(body.get("tool_choice"), tools)
    instructions = [own("instructions"), body.get("additional_instructions")]
    now = simulator.state.identity.time()
    object = {
        "object": "thread.run",
        "created_at": now,
        "thread_id": thread,
        "assistant_id": assistant["id"],
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": now + _PATIENCE,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": model,
        "instructions": "\n".join(text for text in instructions if text),
        "tools": tools,
        "metadata": body.get("metadata") or {},
        "usage": None,
        "temperature": own("temperature"),
        "top_p": own("top_p"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "truncation_strategy": {"last_messages": None, **(body.get("truncation_strategy") or {"type": "auto"})},
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "response_format": own("response_format"),
    }
    effort = own("reasoning_effort")
    return object, {"reasoning_effort": effort} if effort is not None else {}


def _made(
    simulator: Simulator,
    thread: Thread,
    object: Mapping[str, JSON],
    settings: Mapping[str, JSON],
    *,
    passages: bool = False,
) -> Run:
    assistant = assistants.find(simulator, object["assistant_id"])
    id = simulator.state.identity.new("run_", thread.id, len(thread.messages), object)
    run = Run(
        simulator=simulator,
        thread=thread,
        object={"id": id, **object},
        settings=settings,
        resources=assistant.get("tool_resources") or {},
        before=list(thread.messages),
        passages=passages,
    )
    thread.runs[id] = run
    return run


async def _started(run: Run, body: Mapping[str, JSON], *, before: Sequence[bytes] = ()) -> Response:
    if not body.get("stream"):
        return answer(run.object, headers=_POLL)
    events = run.listen()
    run.tell("thread.run.created", run.object)
    run.tell("thread.run.queued", run.object)
    run.begin()
    return await sse.stream(_after(before, events))


async def _going_on(run: Run, body: Mapping[str, JSON], outputs: Mapping[str, str]) -> Response:
    if not body.get("stream"):
        run.submit(outputs)
        return answer(run.object, headers=_POLL)
    events = run.listen()
    run.submit(outputs)
    run.begin()
    return await sse.stream(events)


async def _after(before: Sequence[bytes], events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for event in before:
        yield event
    async for event in events:
        yield event


async def _seen(run: Run) -> Response:
    """A look: at a run in the queue it sees the run begin, later it sees what has become of it."""
    if run.status == "queued":
        run.begin()
    elif run.task is not None and not run.task.done() and run.task.get_loop() is asyncio.get_running_loop():
        await asyncio.wait([run.task], timeout=_GRACE)
    return answer(run.object, headers=_POLL)


def _outputs(run: Run, sent: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the outputs for a run's calls, by the calls' ids.

    Raises:
        ApiError: 400, the run waits for none, or not for these.
    """
    if run.waiting is None or run.status != "requires_action":
        raise ApiError(400, f"A run with status '{run.status}' takes no tool outputs.")
    wanted = [call["id"] for call in run.waiting[0]["step_details"]["tool_calls"]]
    ids = [one["tool_call_id"] for one in sent]
    for number, id in enumerate(ids):
        where = f"tool_outputs[{number}].tool_call_id"
        if id not in wanted:
            raise ApiError(400, f"'{id}' is none of the calls that wait: {', '.join(wanted)}.", param=where)
        if id in ids[:number]:
            raise ApiError(400, f"There are two outputs for the call '{id}'.", param=where)
    absent = [id for id in wanted if id not in ids]
    if absent:
        raise ApiError(
            400, f"Every call needs its output; there is none for: {', '.join(absent)}.", param="tool_outputs"
        )
    return {one["tool_call_id"]: one["output"] for one in sent}
