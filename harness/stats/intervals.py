"""One pass rate and its interval; quantiles that the other modules share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist


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


def pass_rate(outcomes_by_case: Sequence[Sequence[float]], level: float = 0.95) -> tuple[float, Interval]:
    """Pass rate, averaged over cases, and its interval.

    One trial a case: Wilson's interval. Repeats: Wilson's interval at the effective number of trials p(1-p)/SE^2
    (Korn and Graubard 1998), clipped to [cases, trials], with Student's t(cases - 1). Case means that do not vary say
    nothing about SE: then every case counts once.

    Args:
        outcomes_by_case: for each case its trials, 1 passed and 0 failed; cases may differ in their number of trials.
        level: coverage, 0..1.

    Raises:
        ValueError: no cases, or a case without trials.
    """
    if not outcomes_by_case or any(not outcomes for outcomes in outcomes_by_case):
        raise ValueError("a pass rate needs at least one case, and at least one trial in each")
    cases = len(outcomes_by_case)
    trials = sum(len(outcomes) for outcomes in outcomes_by_case)
    means = [math.fsum(outcomes) / len(outcomes) for outcomes in outcomes_by_case]
    rate = math.fsum(means) / cases
    upper = (1 + level) / 2
    if trials == cases:
        low, high = wilson(rate, cases, normal_quantile(upper))
        return rate, Interval(low=low, high=high, method="Wilson", level=level)
    method = "Wilson at the effective number of trials"
    if cases == 1:
        return rate, Interval(low=0.0, high=1.0, method=method, level=level)
    squared_error = math.fsum((mean - rate) ** 2 for mean in means) / (cases - 1) / cases
    effective = rate * (1 - rate) / squared_error if squared_error > 1e-18 and 0 < rate < 1 else float(cases)
    clipped = min(max(effective, float(cases)), float(trials))
    low, high = wilson(rate, clipped, student_quantile(upper, cases - 1))
    return rate, Interval(low=low, high=high, method=method, level=level)
