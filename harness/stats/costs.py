"""Money: the ratio of two bills, and the cases that run away with one.

The difference of two bills is `paired.mean_difference` of the costs per case; the ratio of a typical case is
`latency.geometric_ratio`. A few cases that run away hide a change of the typical case in the bill, so both are needed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from harness.stats.intervals import Interval
from harness.stats.latency import LARGEST_LOG, Ratio, quantile
from harness.stats.paired import mean_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Runaway:
    """A case that costs many times what the typical case does."""

    #: Place of the case in what was given.
    index: int
    #: Its mean cost, in the unit given.
    mean: float
    #: The same, divided by the median case's.
    times: float
    #: The same, divided by the cost of all cases.
    share: float


def mean_ratio(a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Ratio | None:
    """B's mean divided by A's: delta method on its logarithm, Student's t.

    Args:
        a: one value per case (mean over its repeats), >= 0.
        b: the same cases in the same order.
        clusters: for each case what it belongs to; None: every case stands for itself.

    Returns:
        None: fewer than two cases or clusters, a mean <= 0, or an interval whose ends are no numbers.
    """
    if not a or min(sum(a), sum(b)) <= 0:
        return None
    below, above = math.fsum(a) / len(a), math.fsum(b) / len(b)
    found = mean_difference([value / below for value in a], [value / above for value in b], clusters)
    if found is None:
        return None
    half = (found.interval.high - found.interval.low) / 2
    centre = math.log(above) - math.log(below)
    if abs(centre) + half > LARGEST_LOG:
        return None
    return Ratio(
        estimate=above / below,
        interval=Interval(low=math.exp(centre - half), high=math.exp(centre + half), method="log-ratio of means"),
        cases=len(a),
    )


def runaways(values_by_case: Sequence[Sequence[float]], *, top: int = 5, times: float = 5.0) -> list[Runaway]:
    """The dearest cases, the dearest first, of those that cost at least `times` the median case's mean.

    Args:
        values_by_case: for each case its costs, at least one, >= 0.
        top: how many at most.
        times: from how many times the median on a case counts as running away.
    """
    means = [math.fsum(values) / len(values) for values in values_by_case]
    if not means:
        return []
    typical, whole = quantile(means, 0.5), math.fsum(means)
    if typical <= 0:
        return []
    order = sorted(range(len(means)), key=lambda index: (-means[index], index))[:top]
    return [
        Runaway(index=index, mean=means[index], times=means[index] / typical, share=means[index] / whole)
        for index in order
        if means[index] >= times * typical
    ]
