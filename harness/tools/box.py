"""The tools of one trial: each call of a model is answered exactly once, with a result or with what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from harness.clock import Clock, use_clock
from harness.errors import HarnessError, TrialError, UsageError
from harness.records import JSON, ToolCall, ToolFailure, ToolSource
from harness.tools.arguments import InvalidArguments, read_arguments
from harness.tools.endrun import EndRun
from harness.tools.mocks import Mock, MockPlayer, Mocks, Render
from harness.tools.recorded import RecordedCall, Recording, drift
from harness.tools.results import Given, read_result, told_to_model
from harness.tools.tool import Definition, Tool, ToolError
from harness.tools.world import snapshot

#: Seconds that cancelled code gets to clean up after itself, before it is left to itself.
_GRACE = 1.0
#: Who gave a result, by the kind of the tool, where it was no function.
_SOURCES: dict[str, ToolSource] = {"mcp": "mcp", "assistant": "assistant"}


@dataclass(slots=True, kw_only=True)
class _Job:
    """A call that is to be answered."""

    call: ToolCall
    tool: Tool | None = None
    arguments: JSON = None
    values: dict[str, Any] | None = None
    #: The answer, as soon as there is one.
    answer: ToolCall | None = None
    ended: EndRun | None = None
    #: What the recording has of a call that runs all the same.
    compared: RecordedCall | None = None
    #: It ran, and its result goes into the recording.
    kept: bool = False


class Toolbox:
    """The tools of one trial, and what became of the calls."""

    def __init__(
        self,
        tools: Sequence[Tool] = (),
        *,
        clock: Clock,
        mocks: Mocks | None = None,
        world: object | None = None,
        session: object | None = None,
        timeout: float = 30.0,
        parallel: int = 8,
        recorded: Sequence[RecordedCall] | None = None,
        render: Render | None = None,
    ) -> None:
        """
        Args:
            tools: What the assistant can call.
            clock: The trial's; it is the current one for the tools.
            mocks: Results that the case writes down; they come first.
            world: What methods of the world, and functions that take `env`, act on.
            session: What functions that take `session` get.
            timeout: Seconds that one call may take.
            parallel: Calls of one step that run at the same time, from 1.
            recorded: The calls of the recording that is replayed; None: the trial is live.
            render: Fills in the templates in mocks, at the time of the call.

        Raises:
            UsageError: Two tools have one name, or one acts on a world and there is none.
        """
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            twice = next(tool.name for tool in tools if self._tools[tool.name] is not tool)
            raise UsageError(f"two tools are called '{twice}'; give one of them a `name:` of its own")
        for tool in tools:
            if tool.uses_world and world is None:
                raise UsageError(f"the tool '{tool.name}' acts on a world, and the suite names none under `env:`")
        self._mocks = MockPlayer(mocks, render=render)
        self._world = world
        self._session = session
        self._clock = clock
        self._timeout = timeout
        self._parallel = max(parallel, 1)
        self._recording = None if recorded is None else Recording(recorded)
        self._kept: list[RecordedCall] = []
        #: What a tool said when it ended the run; None while it goes on.
        self.ended: EndRun | None = None
        #: Steps in a row in which no call had arguments that its tool takes.
        self.invalid_rounds = 0

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The tools as the model is told of them."""
        return tuple(tool.definition for tool in self._tools.values())

    def serve(self, session: object) -> None:
        """Hand `session` to functions that take one, where it was made after this box."""
        self._session = session

    async def run(self, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        """Answer the calls of one model step, in their order.

        Calls run side by side, but those that act on the world one after the other, so that it comes out the same every
        time. Whatever goes wrong in a tool is told to the model: as `error` and `failure` of its call. Where two calls
        have the same id, the second one's gets a number.

        Raises:
            TrialError: A replayed trial calls a tool that it did not call when it was recorded, or a tool without code
                has no mock. Errors of this package that a tool raises, as an assistant does whose service fails, come
                out too.
        """
        jobs = [self._planned(call) for call in _distinct(calls)]
        with use_clock(self._clock):
            await self._work([job for job in jobs if job.answer is None])
        for job in jobs:
            self._note(job)
        answers = tuple(cast("ToolCall", job.answer) for job in jobs)
        if answers:
            wrong = all(answer.failure == "arguments" for answer in answers)
            self.invalid_rounds = self.invalid_rounds + 1 if wrong else 0
        return answers

    def state(self) -> JSON:
        """Return what the world looks like now, as plain JSON; None where there is none.

        Raises:
            TrialError: Of kind `env`: the world's own `snapshot()` failed.
        """
        return None if self._world is None else snapshot(self._world)

    def kept(self) -> tuple[RecordedCall, ...]:
        """Return the calls that a recording of this trial needs to be replayed, in their order."""
        return tuple(self._kept)

    def _planned(self, call: ToolCall) -> _Job:
        """Decide where a call's result comes from. What the order of calls decides is decided here, one by one."""
        job = _Job(call=call, tool=self._tools.get(call.name))
        if job.tool is None:
            known = f"there are: {', '.join(self._tools)}" if self._tools else "there are none"
            job.answer = _failed(call, f"unknown tool '{call.name}'; {known}", "unknown")
            return job
        try:
            job.arguments = read_arguments(call.arguments)
            job.values = job.tool.validate(call.arguments)
        except InvalidArguments as error:
            job.answer = _failed(call, f"invalid arguments for {call.name}: {error}", "arguments")
            return job
        if call.name in self._mocks:
            self._mock(job, self._mocks.play(call.name, job.arguments))
        elif self._recording is not None and job.tool.replay != "execute" and job.tool.kind != "assistant":
            self._recorded(job, job.tool, self._recording.take(call, job.arguments))
        elif not job.tool.runs:
            raise _without_result(job.tool)
        return job

    def _mock(self, job: _Job, mock: Mock | None) -> None:
        if mock is None:
            error: str | None = "no mock matches these arguments"
        else:
            error = mock.error
        if error is not None or mock is None:
            job.answer = _failed(job.call, error or "", "mock", source="mock")
        else:
            self._settle(job, read_result(mock.result), "mock")

    def _recorded(self, job: _Job, tool: Tool, found: RecordedCall | None) -> None:
        if found is None and tool.kind == "declared":
            raise _without_result(tool)
        if found is None:
            raise TrialError(
                "tool_not_recorded",
                f"the recording has no result of the tool '{tool.name}' for this call ({job.call.id}). Record the "
                "trial anew with `harness record --rewrite`, or let the tool run on replay: `pure: true`, or "
                "`replay: execute`",
            )
        if tool.replay == "verify" and tool.runs:
            job.compared = found
        else:
            self._play(job, found)

    def _play(self, job: _Job, found: RecordedCall, *, drifted: str | None = None) -> None:
        job.answer = replace(
            job.call,
            output=found.output,
            error=found.error,
            failure=found.failure,
            attachments=found.attachments,
            # The same as when it was recorded: a replayed transcript is the recorded one.
            source=found.source,
            drift=drifted,
        )
        job.ended = EndRun(found.output) if found.ended else None

    async def _work(self, jobs: Sequence[_Job]) -> None:
        places = asyncio.Semaphore(self._parallel)
        worldly: list[_Job] = []
        others: list[_Job] = []
        for job in jobs:
            (worldly if job.tool is not None and job.tool.uses_world else others).append(job)

        async def one_by_one() -> None:
            for job in worldly:
                async with places:
                    await self._execute(job)

        async def alone(job: _Job) -> None:
            async with places:
                await self._execute(job)

        await _all([*([one_by_one()] if worldly else []), *map(alone, others)])

    async def _execute(self, job: _Job) -> None:
        assert job.tool is not None
        assert job.values is not None
        source = _SOURCES.get(job.tool.kind, "function")
        try:
            value = await _within(self._timeout, job.tool.call(job.values, world=self._world, session=self._session))
            given = read_result(value)
        except _TooLate:
            job.answer = _failed(job.call, f"no result within {self._timeout:g} s", "timeout", source=source)
        except EndRun as end:
            self._settle(job, read_result(end), source)
        except ToolError as error:
            job.answer = _failed(job.call, str(error), "raised", source=source)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 (a tool may raise anything, and the model is told)
            job.answer = _failed(job.call, told_to_model(error), "raised", source=source)
        else:
            self._settle(job, given, source)
        if job.compared is not None:
            answer = cast("ToolCall", job.answer)
            said = drift(job.call, job.compared, output=answer.output, error=answer.error)
            self._play(job, job.compared, drifted=said)
        else:
            job.kept = job.tool.replay != "execute" and job.tool.kind != "assistant"

    def _settle(self, job: _Job, given: Given, source: ToolSource) -> None:
        job.answer = replace(job.call, output=given.output, attachments=given.attachments, source=source)
        job.ended = given.ended

    def _note(self, job: _Job) -> None:
        self.ended = self.ended or job.ended
        if job.kept and self._recording is None:
            answer = cast("ToolCall", job.answer)
            self._kept.append(RecordedCall.of(answer, arguments=job.arguments, ended=job.ended))


class _TooLate(Exception):
    """Code took longer than it may."""


async def _within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """Await work for so long and no longer, even if it takes no notice of being cancelled."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=_GRACE)
        raise
    if done:
        return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=_GRACE)
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    raise _TooLate


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Await all; where one raises, the others are cancelled first."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _distinct(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Give each call an id of its own, where a service gave one to several."""
    taken = {call.id for call in calls}
    seen: set[str] = set()
    found: list[ToolCall] = []
    for call in calls:
        name, number = call.id, 2
        while name in seen or (name != call.id and name in taken):
            name, number = f"{call.id}-{number}", number + 1
        seen.add(name)
        found.append(call if name == call.id else replace(call, id=name))
    return found


def _without_result(tool: Tool) -> TrialError:
    if tool.kind == "mcp":
        message = f"the tool '{tool.name}' of an MCP server is to run, and the server was not started"
    else:
        hint = f"write `mocks: {{{tool.name}: result}}`"
        message = f"the tool '{tool.name}' has no code, and the case has no mock of it; {hint}"
    return TrialError("tool_without_result", message)


def _failed(call: ToolCall, error: str, failure: ToolFailure, *, source: ToolSource | None = None) -> ToolCall:
    return replace(call, error=error, failure=failure, source=source)
