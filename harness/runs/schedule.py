"""One run under way: who takes the next trial, in which order results are handed on, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.errors import CredentialsError, StorageError, TrialError
from harness.events import Event, TrialFinished, TrialStarted
from harness.plan import Trial
from harness.records import Result
from harness.runs.held import Held
from harness.runs.sparing import Sparing
from harness.runs.stop import Stop

if TYPE_CHECKING:
    from harness.runs.results import Results
    from harness.runs.runner import Runner

#: Words in results for what ends a run.
_KINDS = {StorageError: "storage", CredentialsError: "credentials"}

#: Failures after which every other trial would fail in the same way.
_LAST = frozenset({"quota"})


class Course:
    """One run under way."""

    def __init__(
        self,
        runner: Runner,
        results: Results,
        on_result: Callable[[Result], None],
        *,
        stop: Stop,
        emit: Callable[[Event], None],
        exit_first: Callable[[Result], bool],
        most: int,
        sparing: Sparing,
    ) -> None:
        self._runner = runner
        self._results = results
        self._sparing = sparing
        self._ordered = _Ordered(on_result, sparing.add)
        self._stop = stop
        self._emit = emit
        self._exit_first = exit_first
        #: Trials that may wait for their scores.
        self._most = most
        self._finishing: set[asyncio.Task[None]] = set()
        #: What ends the run.
        self.failures: list[Exception] = []
        self.all_started = True

    async def work(self, waiting: Iterator[tuple[int, Trial]]) -> None:
        """Take trials, one after the other, until there are no more."""
        for position, trial in waiting:
            spared = await self._sparing.turn(trial, self._over)
            if self._over():
                self.all_started = False
                self._ordered.put(position, self._results.skipped(trial, self._stop.refusal))
                continue
            if spared is not None:
                self._ordered.put(position, self._results.skipped(trial, spared))
                continue
            self._emit(TrialStarted(trial=trial.id, api=trial.variant.assistant.api))
            try:
                held = await self._runner.hold(trial)
            except Exception as error:  # noqa: BLE001 (raised again when the others are done)
                self._fail(position, trial, error)
                continue
            if held.failure is not None and held.failure.kind in _LAST:
                self._stop.halt(held.failure.kind, held.failure.message)
            kept = asyncio.Event()
            if held.tape is None or held.tape.replays:
                await self._complete(position, held, kept)
                continue
            task = asyncio.create_task(self._complete(position, held, kept))
            self._finishing.add(task)
            task.add_done_callback(self._finishing.discard)
            # Until it is on disk a trial is in flight and keeps its place, so that a process that dies loses no more
            # than its concurrency. It is scored beside the next one.
            await kept.wait()
            while len(self._finishing) > self._most:
                await asyncio.wait(self._finishing, return_when=asyncio.FIRST_COMPLETED)

    def _over(self) -> bool:
        """Whether nothing more is started."""
        return bool(self.failures) or not self._runner.may_start(self._stop)

    async def finish(self, trials: Sequence[Trial]) -> None:
        """Wait for what is being kept and scored; what has no result by then is skipped."""
        # Not cancelled with the others: these hold whole answers.
        if self._finishing:
            await asyncio.wait(self._finishing)
        for position, trial in enumerate(trials):
            if not self._ordered.has(position):
                self._ordered.put(position, self._results.skipped(trial, self._stop.refusal))

    async def _complete(self, position: int, held: Held, kept: asyncio.Event) -> None:
        try:
            try:
                await self._runner.keep(held)
            finally:
                kept.set()
            # A trial that may send nothing more is as if it had never started.
            self.all_started = self.all_started and not held.refused
            result = await self._results.of(held)
            self._ordered.put(position, result)
        except Exception as error:  # noqa: BLE001 (raised again when the others are done)
            self._fail(position, held.trial, error)
            return
        self._emit(TrialFinished(result=result))
        if self._exit_first(result):
            self._stop.request()

    def _fail(self, position: int, trial: Trial, error: Exception) -> None:
        self.failures.append(error)
        self._sparing.wake()
        kind = next((word for known, word in _KINDS.items() if isinstance(error, known)), "internal")
        self._stop.halt(kind, str(error))
        if not self._ordered.has(position):
            self._ordered.put(position, self._results.ended(trial, TrialError(kind, str(error))))


class _Ordered:
    """Hands results on in plan order, whatever the order of their arrival."""

    def __init__(self, *listeners: Callable[[Result], None]) -> None:
        self._listeners = listeners
        self._waiting: dict[int, Result] = {}
        self._next = 0

    def put(self, position: int, result: Result) -> None:
        self._waiting[position] = result
        while self._next in self._waiting:
            result = self._waiting.pop(self._next)
            for hand_on in self._listeners:
                hand_on(result)
            self._next += 1

    def has(self, position: int) -> bool:
        """Whether there is a result for a position."""
        return position < self._next or position in self._waiting
