"""Runs planned trials: bounded concurrency in one event loop, results in plan order.

A trial is: open its tape, hold the conversation, put the recording on disk, score, hand on the result. What goes wrong
with one trial is that trial's result; only a refused key, a full disk or a bug of ours ends the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.clock import use_clock
from harness.errors import CassetteDamaged, ConfigError, HarnessError, TrialError
from harness.events import RunFinished, RunStarted
from harness.limits.budget import Account, use_account
from harness.limits.deadlines import Overran, RunDeadline, within
from harness.plan import Trial
from harness.recording import (
    RecordingTape,
    ReplayTape,
    Tape,
    time_parts,
    use_tape,
)
from harness.records import (
    JSON,
    Result,
    Transcript,
    Usage,
)
from harness.runs.equipped import Equipped
from harness.runs.estimates import live_trials
from harness.runs.facts import circumstances, provenance
from harness.runs.held import Held
from harness.runs.pricing import Cost, cost_today, recorded_cost
from harness.runs.recordings import Recordings, left_over
from harness.runs.results import Results
from harness.runs.schedule import Course
from harness.runs.sparing import Sparing
from harness.runs.stop import Stop
from harness.runs.workshop import Workshop
from harness.suites.rendering import Dialogue
from harness.suites.suite import AssistantSpec

#: Seconds that a trial's code has to stop when its time is over, and those that also tell a service about it.
GRACE, FAREWELL = 1.0, 6.0


class Runner:
    """Runs trials with one workshop."""

    def __init__(self, run: str, workshop: Workshop) -> None:
        self._run = run
        self._workshop = workshop
        self._equipped = Equipped(workshop)
        self._recordings = Recordings(workshop)
        self._results = Results(run, workshop)
        self._deadline = RunDeadline(None)

    @property
    def elsewhere(self) -> Mapping[str, Path]:
        """Where trials that have no recording are recorded under another name, by the trials' ids."""
        return self._recordings.elsewhere

    async def run(
        self,
        trials: Sequence[Trial],
        *,
        concurrency: int,
        stop: Stop,
        on_result: Callable[[Result], None],
        exit_first: Callable[[Result], bool] = lambda result: False,
    ) -> bool:
        """Run trials and hand every result to `on_result` in the order of `trials`.

        Args:
            trials: What to run.
            concurrency: Trials at the same time.
            stop: Checked before each start; what was not started is handed on as skipped.
            on_result: Gets the results, the first as soon as it is there.
            exit_first: Says of a finished result whether it is a reason to start nothing new.

        Returns:
            Whether all trials were started.

        Raises:
            CredentialsError: The service refused the key.
            StorageError: A recording or result could not be written.
        """
        emit = self._workshop.emit
        self._deadline = RunDeadline(self._workshop.run_timeout)
        emit(RunStarted(run=self._run, trials=len(trials)))
        course = Course(
            self,
            self._results,
            on_result,
            stop=stop,
            emit=emit,
            exit_first=exit_first,
            most=4 * concurrency,
            sparing=Sparing(trials, self._only_replays),
        )
        waiting = iter(enumerate(trials))
        gathered = False
        try:
            await asyncio.gather(*(course.work(waiting) for _ in range(min(concurrency, len(trials)))))
            gathered = True
        finally:
            await course.finish(trials)
            await self._equipped.aclose()
            ended = stop.requested or bool(course.failures) or not gathered
            emit(RunFinished(run=self._run, interrupted=ended))
        if course.failures:
            raise course.failures[0]
        return course.all_started

    def _only_replays(self, trial: Trial) -> bool:
        return not live_trials((trial,), self._workshop.mode, rewrite=self._workshop.rewrite)

    def may_start(self, stop: Stop) -> bool:
        """Whether another trial may begin."""
        if self._deadline.over:
            stop.halt("timeout", self._out_of_time())
        return not stop.requested

    async def hold(self, trial: Trial) -> Held:
        """Hold the conversation of a trial; whatever goes wrong with it alone is in what comes back.

        Raises:
            CredentialsError: The service refused the key.
        """
        recordings = self._recordings
        try:
            if self._workshop.mode == "verify":
                return await self._verified(trial)
            tape = recordings.tape(trial)
        except CassetteDamaged as error:
            return Held(trial=trial, failure=error)
        if not recordings.rehearsed(trial):
            return self._strict(await self._held(Held(trial=trial, tape=tape)))
        held = await self._held(Held(trial=trial, tape=tape, told=[]))
        if recordings.asks_anew(held):
            return await self._held(Held(trial=trial, tape=recordings.live(trial)))
        for event in held.told or ():
            self._workshop.emit(event)
        return self._strict(held)

    def _strict(self, held: Held) -> Held:
        """Make what was recorded and not asked for the trial's error, where that was asked for."""
        if self._workshop.strict and held.unused:
            held.failure, held.transcript = left_over(held), None
        return held

    async def _verified(self, trial: Trial) -> Held:
        """Ask anew, beside what the recording says.

        Raises:
            CassetteDamaged: The recording cannot be used, and so nothing is asked.
        """
        tape = self._recordings.replay(trial)
        if trial.variant.assistant.api == "outputs":
            return await self._held(Held(trial=trial, tape=tape))
        before = await self._held(Held(trial=trial, tape=tape, told=[]))
        if isinstance(before.failure, CassetteDamaged):
            # What tools gave is only read when a trial begins.
            raise before.failure
        held = await self._held(Held(trial=trial, tape=self._recordings.live(trial)))
        held.before = before
        return held

    async def _held(self, held: Held) -> Held:
        """Hold a conversation on the tape that `held` has.

        Raises:
            CredentialsError: The service refused the key.
        """
        trial, tape = held.trial, held.tape
        assert tape is not None
        account = held.account = self._account(trial, tape)
        if account is not None and account.closed is not None:
            held.failure, held.refused = account.closed, True
            return held
        try:
            if isinstance(tape, RecordingTape) and await self._equipped.prepare(trial):
                # A trial's time begins when what it needs is there.
                held.tape = tape = self._recordings.live(trial)
            held.dialogue = self._workshop.renderer.dialogue(trial.suite, trial.case, trial.variant)
            held.transcript = await self._talk(held, tape, held.dialogue)
        except TrialError as error:
            held.failure = error
        except ConfigError as error:
            # Only what a trial saved can make a template fail that was rendered before the run.
            held.failure = TrialError("template", error.problems[0].message, where=str(error.problems[0].location))
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 (one trial must never end a run)
            held.failure = TrialError("internal", f"{type(error).__name__}: {error}")
        if isinstance(tape, ReplayTape) and tape.missed is not None:
            held.failure, held.transcript = tape.missed, None
        refused = self._workshop.sending.refused(trial)
        if refused is not None:
            # Whatever the code under test made of it: there is no answer.
            held.failure, held.transcript, held.refused = refused, None, True
        if account is not None and account.refused is not None:
            held.failure, held.transcript = _refused(account), None
            held.refused = held.failure.kind == "budget"
        return held

    def _account(self, trial: Trial, tape: Tape) -> Account | None:
        """Return what pays for a trial; None where nothing is sent, or nobody counts."""
        if tape.replays:
            return None
        workshop = self._workshop
        return workshop.ledger.account(trial.suite.name, trial.suite.budget, stopped=workshop.sending.stopped)

    async def keep(self, held: Held) -> None:
        """Put the recording on disk.

        Raises:
            StorageError: It could not be written.
        """
        tape = held.tape
        if tape is None:
            return
        if held.before is not None:
            await self.keep(held.before)
        held.cost = recorded_cost(tape)
        basis = None
        if held.cost is None and (found := self._cost_today(held, tape)) is not None:
            held.cost = found.amount
            basis = "estimated" if found.estimated else "today's prices" if tape.replays else None
        if basis is not None and isinstance(tape, RecordingTape):
            tape.noted["cost_basis"] = basis
        held.facts = provenance(tape) | ({} if basis is None else {"cost_basis": basis})
        held.facts |= self._times(held, tape)
        if held.unused:
            held.facts["unused"] = len(held.unused)
        if changed := self._recordings.changes(held):
            held.facts["stale"] = list(changed)
        held.cassette = await self._recordings.keep(held, tape, held.cost)

    def _times(self, held: Held, tape: Tape) -> dict[str, JSON]:
        """Say where the time of a trial went, and what else than the assistant may have had a part in it."""
        latency = held.transcript.latency if held.transcript is not None else None
        if latency is None or not tape.interactions:
            return {}
        said = circumstances(tape, concurrency=self._workshop.concurrency)
        return {"time": time_parts(tape.interactions, latency), "recorded": said}

    def _cost_today(self, held: Held, tape: Tape) -> Cost | None:
        spec, prices = held.trial.variant.assistant, self._workshop.prices
        if spec.api != "http":
            return cost_today(tape, model=spec.model, prices=prices)
        # Only what the suite points at in a service's answers is known to be its token counts.
        usage = held.transcript.usage if held.transcript is not None else Usage()
        found = prices.cost(spec.model, usage) if spec.model and usage.total is not None else None
        return None if found is None else Cost(found)

    async def _talk(self, held: Held, tape: Tape, dialogue: Dialogue) -> Transcript:
        trial = held.trial
        spec = trial.variant.assistant
        seconds = spec.timeout or self._workshop.timeout
        limit = seconds if _may_hang(tape, spec) else None

        def over() -> None:
            if isinstance(tape, RecordingTape):
                tape.over = f"timeout: {self._too_long(seconds)}"

        try:
            with use_tape(tape), use_clock(tape.clock), use_account(held.account):
                talk = self._equipped.talk(held, tape, dialogue)
                if limit is None and self._deadline.seconds is None:
                    return await talk
                # Live, the trial's own clock counts, which stands still while our own limits hold the trial back.
                clock = None if tape.replays else tape.clock
                grace = FAREWELL if spec.api == "threads" else GRACE
                return await within(talk, seconds=limit, clock=clock, run=self._deadline, grace=grace, over=over)
        except Overran as error:
            left = "; its code went on when it was told to stop, and was left behind" if error.abandoned else ""
            raise TrialError("timeout", self._too_long(seconds) + left) from None
        finally:
            tape.close()
            if held.account is not None:
                held.account.close()

    def _too_long(self, seconds: float) -> str:
        return self._out_of_time() if self._deadline.over else f"the trial took longer than {seconds:g} s"

    def _out_of_time(self) -> str:
        return f"the run took longer than {self._deadline.seconds or 0.0:g} s"


def _refused(account: Account) -> TrialError:
    """Return why an account paid for no more, and what it had paid for by then."""
    error = account.refused
    assert error is not None
    if not account.spent:
        return error
    return TrialError(error.kind, f"{error.message} The trial had spent ${account.spent:f}, and nothing of it is kept.")


def _may_hang(tape: Tape, spec: AssistantSpec) -> bool:
    """Whether a trial needs a timer.

    A replayed model answers at once; only somebody's own function, or what was given up when it was recorded, can hang
    then. (A timer that is never waited for would also keep its trial in memory until the loop next looks at its timers.)
    """
    return isinstance(tape, RecordingTape) or tape.waits or spec.api == "python" or bool(spec.tools)
