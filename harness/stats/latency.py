"""Times: quantiles of one arm, ratio of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.stats.intervals import Interval
from harness.stats.paired import mean_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Geometric mean over cases of B's value divided by A's; the interval is 95 percent."""

    estimate: float
    interval: Interval
    cases: int


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile with linear interpolation between order statistics (Hyndman and Fan 1996, definition 7).

    Args:
        values: at least one number, in any order and unit.
        q: 0..1.

    Raises:
        ValueError: no values, or q outside 0..1.
    """
    if not values or not 0 <= q <= 1:
        raise ValueError("a quantile needs values, and q in 0..1")
    ordered = sorted(values)
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def geometric_ratio(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> Ratio | None:
    """Typical ratio B / A: paired t on the case means of logarithms, carried back; None for fewer than two cases.

    Args:
        a: for each case its values, all > 0, at least one.
        b: the same cases in the same order.
    """
    found = mean_difference([_mean_log(values) for values in a], [_mean_log(values) for values in b])
    if found is None:
        return None
    interval = Interval(
        low=math.exp(found.interval.low), high=math.exp(found.interval.high), method="paired t on logarithms"
    )
    return Ratio(estimate=math.exp(found.estimate), interval=interval, cases=found.cases)


def _mean_log(values: Sequence[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)
