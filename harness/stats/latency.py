"""Times: quantiles of one arm, ratio and difference of two."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from harness.stats.clusters import cluster_error, grouping, together
from harness.stats.intervals import Interval, clopper_pearson
from harness.stats.paired import MeanDifference, mean_difference
from harness.stats.resampling import quantile_changes

#: Logarithms beyond this are not carried back: the numbers would have no meaning, and soon no representation.
LARGEST_LOG = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Geometric mean over cases of B's value divided by A's; the interval is 95 percent."""

    estimate: float
    interval: Interval
    cases: int
    #: Two-sided p value of a ratio of 1; None: the method gives none.
    p: float | None = None


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
    return _interpolated(sorted(values), (len(values) - 1) * q)


def fewest_calls(q: float, level: float = 0.95) -> int:
    """Calls below which no two of them enclose the q-quantile with this certainty: 6 for p50, 36 for p90, 72 for p95."""
    tail = (1 - level) / 2
    return max(math.ceil(math.log(tail) / math.log(max(q, 1 - q)) - 1e-9), 1)


def quantile_interval(
    values_by_case: Sequence[Sequence[float]],
    q: float,
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Interval of the q-quantile over all calls (Woodruff 1952; Clopper-Pearson at the effective number of calls).

    The share of calls below the quantile gets its interval first, with the spread between cases, so that repeats of a
    case do not count as if they were independent; its two ends are then read off the ordered values.

    Args:
        values_by_case: for each case its values, at least one, in any unit.
        q: above 0, below 1.
        level: coverage, 0..1.
        clusters: for each case what it belongs to; None: every case stands for itself.

    Returns:
        None: fewer calls than `fewest_calls`, or fewer than two cases or clusters.
    """
    values_by_case = together(values_by_case, clusters)
    ordered = sorted(value for values in values_by_case for value in values)
    calls, cases = len(ordered), len(values_by_case)
    if cases < 2 or calls < fewest_calls(q, level):
        return None
    effective = _effective_calls(values_by_case, ordered, q)
    shares = clopper_pearson(q * effective, effective, level)
    low, high = (_interpolated(ordered, share * calls - 0.5) for share in shares)
    return Interval(low=low, high=high, method="Woodruff", level=level)


def quantile_difference(
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    q: float,
    *,
    seed: int,
    resamples: int = 2000,
    clusters: Sequence[Hashable] | None = None,
) -> MeanDifference | None:
    """B's q-quantile minus A's, each over all calls: percentile interval of a paired bootstrap of cases, 95 percent.

    Where cases form clusters, clusters are drawn, with all the calls of their cases.

    Args:
        a: for each case its values, at least one, in any unit.
        b: the same cases in the same order; they may differ in their number of values.
        q: above 0, below 1.
        seed: of the resampling; the same seed and values give the same interval.
        resamples: how many.
        clusters: for each case what it belongs to; None: every case stands for itself.

    Returns:
        None: either arm has fewer calls than `fewest_calls`, or fewer than two cases or clusters.
    """
    if len(a) != len(b) or any(not x or not y for x, y in zip(a, b, strict=True)):
        raise ValueError("both arms need the same cases, and at least one value in each")
    cases, labels = len(a), grouping(clusters, len(a))
    a, b = together(a, labels), together(b, labels)
    if len(a) < 2 or min(sum(map(len, a)), sum(map(len, b))) < fewest_calls(q):
        return None
    before, after = ([value for values in arm for value in values] for arm in (a, b))
    low, high = quantile_changes(a, b, q, seed=seed, resamples=resamples, shares=(0.025, 0.975))
    return MeanDifference(
        estimate=quantile(after, q) - quantile(before, q),
        interval=Interval(
            low=low, high=high, method=f"paired bootstrap of {'cases' if labels is None else 'clusters'}"
        ),
        cases=cases,
        clusters=None if labels is None else len(a),
    )


def geometric_ratio(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], clusters: Sequence[Hashable] | None = None
) -> Ratio | None:
    """Typical ratio B / A: paired t on the case means of logarithms, carried back.

    Args:
        a: for each case its values, all > 0, at least one.
        b: the same cases in the same order.
        clusters: for each case what it belongs to; None: every case stands for itself.

    Returns:
        None: fewer than two cases or clusters, or ratios so far apart that the interval's ends are no numbers.
    """
    found = mean_difference([_mean_log(values) for values in a], [_mean_log(values) for values in b], clusters)
    if found is None or max(abs(found.interval.low), abs(found.interval.high)) > LARGEST_LOG:
        return None
    interval = Interval(
        low=math.exp(found.interval.low),
        high=math.exp(found.interval.high),
        method=f"{found.interval.method} on logarithms",
    )
    return Ratio(estimate=math.exp(found.estimate), interval=interval, cases=found.cases, p=found.p)


def _effective_calls(values_by_case: Sequence[Sequence[float]], ordered: Sequence[float], q: float) -> float:
    """Independent calls that would know the share below the quantile as well, between the cases and the calls."""
    calls, cases = len(ordered), len(values_by_case)
    if calls == cases:
        return float(calls)
    point = _interpolated(ordered, (calls - 1) * q)
    below = [float(value <= point) for values in values_by_case for value in values]
    labels = [case for case, values in enumerate(values_by_case) for _ in values]
    error = cluster_error(below, labels)[0]
    effective = q * (1 - q) / error**2 if error > 0 else float(cases)
    return min(max(effective, float(cases)), float(calls))


def _interpolated(ordered: Sequence[float], position: float) -> float:
    """Value at a fractional place of the ordered values, the first being 0; beyond either end it is that end."""
    position = min(max(position, 0.0), len(ordered) - 1.0)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _mean_log(values: Sequence[float]) -> float:
    return math.fsum(math.log(value) for value in values) / len(values)
