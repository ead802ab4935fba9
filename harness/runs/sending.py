"""What stands before every request of a live run: whether it may be sent at all, and a note that it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import HarnessError, TrialError
from harness.limits.bounds import may_cost
from harness.limits.verdicts import maybe_paid
from harness.plan import Trial
from harness.recording import RecordingTape
from harness.runs.stop import Stop
from harness.store.journal import Journal


class Sending:
    """The requests of one run.

    Args:
        journal: Where they are noted; None: nothing goes live.
        stop: Says when nothing more may be sent.
    """

    def __init__(self, journal: Journal | None, stop: Stop) -> None:
        self._journal = journal
        self._stop = stop
        self._refused: dict[Path, TrialError] = {}
        #: Requests that may have been paid and are in no recording, by trial.
        self._lost: dict[Path, int] = {}

    def of(self, trial: Trial) -> Callable[[], None] | None:
        """Return what a trial's tape calls before it sends anything."""
        journal, stop, cassette = self._journal, self._stop, trial.cassette
        if journal is None:
            return None

        def sent() -> None:
            if stop.refusal is not None:
                raise self._refused.setdefault(cassette, stop.refusal)
            try:
                journal.sent(cassette)
            except HarnessError as error:
                # Code under test may swallow what is raised here.
                stop.halt("storage", str(error))
                raise

        return sent

    def stopped(self) -> bool:
        """Whether nothing more may be sent."""
        return self._stop.refusal is not None

    def refused(self, trial: Trial) -> TrialError | None:
        """Return why a request of a trial was not sent; None: all were."""
        return self._refused.get(trial.cassette)

    def settle(self, trial: Trial, tape: RecordingTape, *, kept: bool) -> None:
        """Count what a trial has sent that nobody answered, or whose answer is in no recording."""
        # Of somebody's own service nobody knows what is free there.
        lost = _lost(tape, kept=kept, free=trial.variant.assistant.api != "http")
        if lost:
            self._lost[trial.cassette] = lost
        if self._journal is not None and (kept or not lost):
            self._journal.settled(trial.cassette)

    @property
    def maybe_paid(self) -> tuple[int, int]:
        """Requests that may have been paid and are in no recording, and of how many trials they are."""
        # Those of trials that were cancelled were never counted otherwise.
        found = {**(self._journal.open if self._journal else {}), **self._lost}
        return sum(found.values()), len(found)


def _lost(tape: RecordingTape, *, kept: bool, free: bool) -> int:
    asked = [
        one
        for one in tape.interactions
        if one.request.method != "GET" and (not free or may_cost(one.request.method, urlsplit(one.request.uri).path))
    ]
    unanswered = sum(one.error is not None and maybe_paid(one.error) for one in asked)
    answered = 0 if kept else sum(one.error is None and one.status < 400 for one in asked)
    return tape.unheard + unanswered + answered
