"""The tools of one trial: each call of a model is answered exactly once, with a result or with what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from harness.clock import Clock, use_clock
from harness.errors import HarnessError, TrialError, UsageError
from harness.functions import Function
from harness.records import JSON, ToolCall, ToolSource
from harness.tools.arguments import InvalidArguments, read_arguments
from harness.tools.calls import distinct, failed, without_result
from harness.tools.drift import drift
from harness.tools.endrun import EndRun
from harness.tools.mocks import Mock, MockPlayer, Mocks, Render
from harness.tools.recorded import RecordedCall, Recording, place_of
from harness.tools.results import Given, read_result, told_to_model
from harness.tools.timing import TooLate, side_by_side, within
from harness.tools.tool import Definition, Tool, ToolError, called_twice
from harness.tools.world import snapshot

#: Recordings hold microseconds.
_DIGITS = 6
#: Who gave a result, by the kind of the tool, where it was no function.
_SOURCES: dict[str, ToolSource] = {"mcp": "mcp", "assistant": "assistant"}


@dataclass(slots=True, kw_only=True)
class _Job:
    """A call that is to be answered."""

    call: ToolCall
    #: Which call of its conversation it is, from 1.
    number: int
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
    #: Which of the case's mocks it got, where the recording has to tell.
    mock: int | None = None
    #: Why the trial cannot go on.
    failure: TrialError | None = None
    #: How long its code ran, where that is time.
    seconds: float | None = None


class Toolbox:
    """The tools of one conversation, and what became of the calls."""

    def __init__(
        self,
        tools: Sequence[Tool] = (),
        *,
        clock: Clock,
        mocks: Mocks | MockPlayer | None = None,
        world: object | None = None,
        session: object | None = None,
        timeout: float = 30.0,
        parallel: int = 8,
        recorded: Sequence[RecordedCall] | Recording | None = None,
        render: Render | None = None,
        conversation: str = "",
        renames: bool = True,
        redact: Callable[[JSON], JSON] = lambda value: value,
        timed: bool = True,
    ) -> None:
        """
        Args:
            tools: What the assistant can call.
            clock: The trial's; it is the current one for the tools.
            mocks: Results that the case writes down; they come first. Conversations of one trial share a player.
            world: What methods of the world, and functions that take `env`, act on.
            session: What functions that take `session` get.
            timeout: Seconds that one call may take.
            parallel: Calls of one step that run at the same time, from 1.
            recorded: The calls of the recording that is replayed; None: the trial is live. Conversations of one trial share
                them.
            render: Fills in the templates in mocks, at the time of the call.
            conversation: Which of the trial's it is, as recordings have it; empty: that of the assistant under test.
            renames: Whether a call may be answered by another id than it came with.
            redact: Takes out of a result what recordings must not show, before it is compared with a recorded one.
            timed: Whether answers say how long they took; not where a recording that is made does not keep it.

        Raises:
            UsageError: Two tools have one name, or one acts on a world and there is none.
        """
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            twice = next(tool.name for tool in tools if self._tools[tool.name] is not tool)
            raise UsageError(called_twice(twice))
        for tool in tools:
            if tool.uses_world and world is None:
                raise UsageError(f"the tool '{tool.name}' acts on a world, and the suite names none under `env:`")
        self._mocks = mocks if isinstance(mocks, MockPlayer) else MockPlayer(mocks, render=render)
        self._world = world
        self._session = session
        self._clock = clock
        self._timeout = timeout
        self._parallel = max(parallel, 1)
        self._recording = recorded if recorded is None or isinstance(recorded, Recording) else Recording(recorded)
        self._conversation = conversation
        self._renames = renames
        self._redact = redact
        self._timed = timed
        self._asked = 0
        self._kept: list[RecordedCall] = []
        self._seconds: dict[str, float] = {}
        #: What a tool said when it ended the run; None while it goes on.
        self.ended: EndRun | None = None
        #: Steps in a row in which no call had arguments that its tool takes.
        self.invalid_rounds = 0

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The tools as the model is told of them."""
        return tuple(tool.definition for tool in self._tools.values())

    @property
    def replayed(self) -> Mapping[str, Function]:
        """The code of the tools whose results are taken from a recording, by their names."""
        return {
            name: tool.function
            for name, tool in self._tools.items()
            if tool.function is not None and not _runs_again(tool)
        }

    def serve(self, session: object) -> None:
        """Hand `session` to functions that take one, where it was made after this box."""
        self._session = session

    async def run(self, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        """Answer the calls of one model step, in their order.

        Calls run side by side, but those that act on the world one after the other, so that it comes out the same every
        time. Whatever goes wrong in a tool is told to the model: as `error` and `failure` of its call. Where two calls
        have the same id, the second one's gets a number, if the API takes that.

        Raises:
            TrialError: A replayed trial calls a tool that it did not call when it was recorded, a tool without code
                has no mock, or two calls have one id. Errors of this package that a tool raises, as an assistant does
                whose service fails, come out too: when the calls beside it have their results.
        """
        jobs = [self._planned(call) for call in distinct(calls, renames=self._renames)]
        with use_clock(self._clock):
            await self._work([job for job in jobs if job.answer is None])
        for job in jobs:
            self._note(job)
        failure = next((job.failure for job in jobs if job.failure is not None), None)
        if failure is not None:
            raise failure
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

    def seconds(self) -> Mapping[str, float]:
        """Return how long the code of calls ran, by their places; on replay nothing, since no time goes by there."""
        return self._seconds

    def _planned(self, call: ToolCall) -> _Job:
        """Decide where a call's result comes from. What the order of calls decides is decided here, one by one."""
        self._asked += 1
        job = _Job(call=call, number=self._asked, tool=self._tools.get(call.name))
        if job.tool is None:
            known = f"there are: {', '.join(self._tools)}" if self._tools else "there are none"
            job.answer = failed(call, f"unknown tool '{call.name}'; {known}", "unknown")
            return job
        try:
            job.arguments = read_arguments(call.arguments)
            job.values = job.tool.validate(call.arguments)
        except InvalidArguments as error:
            job.answer = failed(call, f"invalid arguments for {call.name}: {error}", "arguments")
            return job
        if job.tool.kind == "assistant":
            job.values["conversation"] = place_of(self._conversation, job.number)
        found = None
        if self._recording is not None:
            found = self._recording.at(call, conversation=self._conversation, number=job.number)
        if found is None and self._recording is not None and (call.name in self._mocks or _runs_again(job.tool)):
            # It is asked for, as it was when it was recorded, and something else answers: nothing of it is left over.
            self._recording.take(call, job.arguments, conversation=self._conversation)
        if call.name in self._mocks:
            turn = found.mock if found is not None else None
            self._mock(job, self._mocks.play(call.name, job.arguments, turn=turn))
        elif found is not None and found.mock is None:
            self._play(job, found)
        elif self._recording is not None and not _runs_again(job.tool):
            found = self._recording.take(call, job.arguments, conversation=self._conversation)
            self._recorded(job, job.tool, found)
        elif not job.tool.runs:
            raise without_result(job.tool)
        return job

    def _mock(self, job: _Job, mock: Mock | None) -> None:
        if mock is None:
            error: str | None = "no mock matches these arguments"
        else:
            error = mock.error
        if error is not None or mock is None:
            job.answer = failed(job.call, error or "", "mock", source="mock")
        else:
            self._settle(job, read_result(mock.result), "mock")
        if mock is not None and mock.turn is not None and self._conversation:
            # Assistants asked side by side take mocks in the order in which their services answer.
            job.mock, job.kept = mock.turn, True

    def _recorded(self, job: _Job, tool: Tool, found: RecordedCall | None) -> None:
        if found is None and tool.kind == "declared":
            raise without_result(tool)
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

        await side_by_side([*([one_by_one()] if worldly else []), *map(alone, others)])

    async def _execute(self, job: _Job) -> None:
        assert job.tool is not None
        assert job.values is not None
        source = _SOURCES.get(job.tool.kind, "function")
        begun = self._clock.now()
        try:
            value = await within(self._timeout, job.tool.call(job.values, world=self._world, session=self._session))
            given = read_result(value)
        except TooLate:
            job.answer = failed(job.call, f"no result within {self._timeout:g} s", "timeout", source=source)
        except EndRun as end:
            self._settle(job, read_result(end), source)
        except ToolError as error:
            job.answer = failed(job.call, str(error), "raised", source=source)
        except TrialError as error:
            # The calls beside it go on: on replay they need results, so that the trial ends there as it did.
            job.failure = error
            return
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 (a tool may raise anything, and the model is told)
            job.answer = failed(job.call, told_to_model(error), "raised", source=source)
        else:
            self._settle(job, given, source)
        job.seconds = round(self._clock.now() - begun, _DIGITS)
        if job.compared is not None:
            answer = cast("ToolCall", job.answer)
            self._play(job, job.compared, drifted=self._drift(job.compared, answer))
        else:
            # Time is not played again: what took too long once would run through, or be asked what it never answered.
            job.kept = not _runs_again(job.tool) or cast("ToolCall", job.answer).failure == "timeout"

    def _drift(self, before: RecordedCall, now: ToolCall) -> str | None:
        # What is a secret here may be a plain word where the recording was made.
        known = replace(before, output=self._redact(before.output), error=_text(self._redact(before.error)))
        return drift(now, known, output=self._redact(now.output), error=_text(self._redact(now.error)))

    def _settle(self, job: _Job, given: Given, source: ToolSource) -> None:
        job.answer = replace(job.call, output=given.output, attachments=given.attachments, source=source)
        job.ended = given.ended

    def _note(self, job: _Job) -> None:
        self.ended = self.ended or job.ended
        self._time(job)
        if job.kept and self._recording is None:
            exactly = job.mock is not None or (job.tool is not None and _runs_again(job.tool))
            self._kept.append(
                RecordedCall.of(
                    cast("ToolCall", job.answer),
                    arguments=job.arguments,
                    ended=job.ended,
                    conversation=self._conversation,
                    number=job.number if exactly else None,
                    mock=job.mock,
                )
            )

    def _time(self, job: _Job) -> None:
        """Say of an answer how long it took: as recorded where it is replayed, whether or not its code runs again."""
        place = place_of(self._conversation, job.number)
        if self._recording is not None:
            job.seconds = self._recording.seconds(place)
        elif not self._timed:
            job.seconds = None
        elif job.seconds is not None:
            self._seconds[place] = job.seconds
        if job.seconds is not None and job.answer is not None:
            job.answer = replace(job.answer, seconds=job.seconds)


def _runs_again(tool: Tool) -> bool:
    """Whether a tool's code runs on replay, rather than being replayed."""
    return tool.replay == "execute" or tool.kind == "assistant"


def _text(value: JSON) -> str | None:
    return None if value is None else str(value)
