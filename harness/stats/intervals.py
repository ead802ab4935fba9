"""One pass rate or mean score and its interval; quantiles that the other modules share."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.stats.clusters import cluster_error, grouping


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval; `level` is its coverage in 0..1, `method` the name of the formula."""

    low: float
    high: float
    method: str
    level: float = 0.95


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def normal_cdf(z: float) -> float:
    """Probability that a standard normal value is at most `z`; 0 and 1 at the infinities."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t with `degrees` >= 1 degrees of freedom."""
    from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]  # it has no types

    return float(stdtrit(degrees, probability))


def student_cdf(t: float, degrees: int) -> float:
    """Probability that a value of Student's t with `degrees` >= 1 degrees of freedom is at most `t`."""
    from scipy.special import stdtr

    return float(stdtr(degrees, t))


def wilson(rate: float, trials: float, critical: float) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927; Newcombe 1998a, method 3).

    Args:
        rate: share of passes, 0..1.
        trials: number of independent trials, > 0; need not be whole.
        critical: quantile that sets the level, 1.96 for 95 percent.
    """
    square = critical * critical / trials
    centre = (rate + square / 2) / (1 + square)
    half = math.sqrt(max(rate * (1 - rate) * square + square * square / 4, 0.0)) / (1 + square)
    low = 0.0 if rate <= 0 else max(centre - half, 0.0)
    high = 1.0 if rate >= 1 else min(centre + half, 1.0)
    return low, high


def clopper_pearson(passes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion that never covers less than it says (Clopper and Pearson 1934): beta quantiles.

    Args:
        passes: 0..trials; need not be whole.
        trials: > 0; need not be whole.
        level: coverage, 0..1.
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if passes <= 0 else float(betaincinv(passes, trials - passes + 1, tail))
    high = 1.0 if passes >= trials else float(betaincinv(passes + 1, trials - passes, 1 - tail))
    return low, high


def pass_rate(
    outcomes_by_case: Sequence[Sequence[float]],
    level: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
    exact: bool = False,
) -> tuple[float, Interval]:
    """Pass rate, averaged over cases, and its interval.

    One trial a case: Wilson's interval. Repeats or clusters: Wilson's interval at the effective number of trials
    p(1-p)/SE^2 (Korn and Graubard 1998), clipped to [units, trials], with Student's t(units - 1); units are cases, or
    clusters where cases form some. Means that do not vary say nothing about SE: then every unit counts once.

    Args:
        outcomes_by_case: for each case its trials, 1 passed and 0 failed; cases may differ in their number of trials.
        level: coverage, 0..1.
        clusters: for each case what it belongs to; None: every case stands for itself.
        exact: Clopper and Pearson's interval in the place of Wilson's: wider, for what must hold (safety gates).

    Raises:
        ValueError: no cases, a case without trials, or not one label of clusters per case.
    """
    if not outcomes_by_case or any(not outcomes for outcomes in outcomes_by_case):
        raise ValueError("a pass rate needs at least one case, and at least one trial in each")
    means = [math.fsum(outcomes) / len(outcomes) for outcomes in outcomes_by_case]
    cases, trials = len(means), sum(len(outcomes) for outcomes in outcomes_by_case)
    rate = math.fsum(means) / cases
    labels = grouping(clusters, cases)
    name = "Clopper-Pearson" if exact else "Wilson"
    effective, upper = float(cases), (1 + level) / 2
    if labels is not None or trials > cases:
        name += " at the effective number of trials"
        error, units = _standard_error(means, rate, labels)
        if units < 2:
            return rate, Interval(low=0.0, high=1.0, method=name, level=level)
        effective = rate * (1 - rate) / error**2 if error > 1e-9 and 0 < rate < 1 else float(units)
        effective = min(max(effective, float(units)), float(trials))
        critical = student_quantile(upper, units - 1)
    else:
        critical = normal_quantile(upper)
    if exact:
        low, high = clopper_pearson(rate * effective, effective, level)
    else:
        low, high = wilson(rate, effective, critical)
    return rate, Interval(low=low, high=high, method=name, level=level)


def mean(
    values_by_case: Sequence[Sequence[float]], level: float = 0.95, clusters: Sequence[Hashable] | None = None
) -> tuple[float, Interval]:
    """Mean of graded scores, averaged over cases, and its interval: Student's t over the case means.

    Scores that never differ say nothing about their spread: then Wilson's interval, the widest that scores in 0..1 need.

    Args:
        values_by_case: for each case the scores of its trials, 0..1, at least one.
        level: coverage, 0..1.
        clusters: for each case what it belongs to; None: every case stands for itself.

    Raises:
        ValueError: no cases, a case without scores, or not one label of clusters per case.
    """
    if not values_by_case or any(not values for values in values_by_case):
        raise ValueError("a mean needs at least one case, and at least one score in each")
    means = [math.fsum(values) / len(values) for values in values_by_case]
    average = math.fsum(means) / len(means)
    labels = grouping(clusters, len(means))
    error, units = _standard_error(means, average, labels)
    if units < 2:
        return average, Interval(low=0.0, high=1.0, method="none: one case or cluster", level=level)
    critical = student_quantile((1 + level) / 2, units - 1)
    if error < 1e-12:
        low, high = wilson(average, units, critical)
        return average, Interval(low=low, high=high, method="Wilson", level=level)
    method = "t over cases" if labels is None else "cluster-robust t"
    low, high = max(average - critical * error, 0.0), min(average + critical * error, 1.0)
    return average, Interval(low=low, high=high, method=method, level=level)


def _standard_error(means: Sequence[float], average: float, labels: Sequence[Hashable] | None) -> tuple[float, int]:
    """Standard error of the mean of `means`, and how many independent units it rests on."""
    if labels is not None:
        return cluster_error(means, labels)
    cases = len(means)
    if cases < 2:
        return math.inf, cases
    return math.sqrt(math.fsum((value - average) ** 2 for value in means) / (cases - 1) / cases), cases


def turning_point(low: float, high: float, before: Callable[[float], bool]) -> float:
    """Return the point of [low, high] where `before` turns from true to false."""
    for _ in range(60):
        middle = (low + high) / 2
        if before(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
