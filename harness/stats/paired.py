"""The difference of two arms over the same cases."""

from __future__ import annotations

from dataclasses import dataclass

from harness.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Arm B minus arm A, averaged over cases. Differences of pass rates are fractions: 0.11 is +11 percentage points."""

    #: Mean over cases of (mean of B's repeats - mean of A's repeats).
    estimate: float
    #: 95 percent.
    interval: Interval
    #: 90 percent: what equivalence asks of.
    interval90: Interval
    #: Standard deviation of the per-case differences; binary outcomes: with the two pseudo-cases.
    sd: float
    #: Paired cases.
    cases: int
    #: Pairs of trials, over all cases.
    pairs: int
    #: Cases in which B passes more often than A; with one repeat: A failed, B passed.
    fixed: int
    #: Cases in which B passes less often than A.
    broken: int
    method: str
    #: Part of `sd` squared that more repeats cannot remove; None with one repeat.
    between: float | None = None
    #: Centre, standard error and degrees of freedom where the interval is Student's; None for Tango's.
    student: tuple[float, float, int] | None = None

    @property
    def repeats(self) -> float:
        """Pairs of trials per case, on average."""
        return self.pairs / self.cases
