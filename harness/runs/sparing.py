"""Trials that need not run any more: what has come in decides the comparisons of their suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from harness.errors import TrialError
from harness.plan import Trial
from harness.records import Result
from harness.summary.sparing import STOPPED, always_runs
from harness.summary.stopping import Watch, watched


class Sparing:
    """Watches the suites of one run that may stop early.

    Args:
        trials: What is to run, in order.
        waits: Says of a trial whether it costs nothing to hold it back until the next look. Then a run stops at the same
            trial whatever its concurrency; others are started at once, and what is under way at a look ends normally.
    """

    def __init__(self, trials: Sequence[Trial], waits: Callable[[Trial], bool]) -> None:
        self._waits = waits
        self._watches = dict(_watches(trials))
        self._looked = asyncio.Event()

    def add(self, result: Result) -> None:
        """Take in a result; they come in the order of the trials."""
        watch = self._watches.get(result.suite)
        if watch is not None:
            watch.add(result)
            self.wake()

    def wake(self) -> None:
        """Let go on whatever waits for a look, to see whether it still should."""
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def turn(self, trial: Trial, over: Callable[[], bool]) -> TrialError | None:
        """Wait for the look that comes before a trial, and return why it need not run; None: it has to.

        Args:
            trial: The one that would start now.
            over: Whether nothing is started any more, whatever the looks say.
        """
        watch = self._watches.get(trial.suite.name)
        if watch is None or always_runs(trial.case):
            return None
        while self._waits(trial) and not (over() or watch.stopped or watch.before_next_look(trial.case.id)):
            await self._looked.wait()
        return TrialError(STOPPED, _why(watch)) if watch.stopped and not over() else None


def _watches(trials: Sequence[Trial]) -> Iterable[tuple[str, Watch]]:
    for suite in dict.fromkeys(trial.suite for trial in trials):
        own = ((trial.case.id, trial.variant.name) for trial in trials if trial.suite is suite)
        watch = watched(suite, own) if suite.stop_early else None
        if watch is not None:
            yield suite.name, watch


def _why(watch: Watch) -> str:
    return f"not started: the comparison was decided after {watch.used} of {watch.planned} cases (--stop-early)"
