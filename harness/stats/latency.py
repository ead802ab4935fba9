"""Times: quantiles of one arm, ratio of two."""

from __future__ import annotations

from dataclasses import dataclass

from harness.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Geometric mean over cases of B's value divided by A's."""

    estimate: float
    interval: Interval
    cases: int
