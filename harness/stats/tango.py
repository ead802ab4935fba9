"""Two pass rates over the same cases, one repeat: Tango's score interval and McNemar's test."""

from __future__ import annotations

import math

from harness.stats.intervals import Interval, normal_quantile, turning_point


def tango_score(fixed: int, broken: int, cases: int, delta: float) -> float:
    """Score statistic for a true difference of `delta` between paired proportions (Tango 1998, eq. 5 to 8).

    Args:
        fixed: cases that only arm B passes.
        broken: cases that only arm A passes.
        cases: all cases.
        delta: hypothesised pass rate of B minus that of A, -1..1.
    """
    linear = (2 * cases - fixed + broken) * delta - fixed - broken
    constant = -broken * delta * (1 - delta)
    root = math.sqrt(max(linear * linear - 8 * cases * constant, 0.0))
    nuisance = (root - linear) / (4 * cases)
    variance = cases * (2 * nuisance + delta * (1 - delta))
    distance = fixed - broken - cases * delta
    if variance > 1e-12:
        return distance / math.sqrt(variance)
    return 0.0 if abs(distance) < 1e-9 else math.copysign(math.inf, distance)


def tango_interval(fixed: int, broken: int, cases: int, level: float = 0.95) -> Interval:
    """Score interval for the difference of paired proportions (Tango 1998); arguments as in `tango_score`."""
    critical = normal_quantile((1 + level) / 2)
    estimate = (fixed - broken) / cases
    low = turning_point(-1.0, estimate, lambda delta: tango_score(fixed, broken, cases, delta) > critical)
    high = turning_point(estimate, 1.0, lambda delta: tango_score(fixed, broken, cases, delta) > -critical)
    return Interval(low=low, high=high, method="Tango", level=level)


def mcnemar_mid_p(fixed: int, broken: int) -> float:
    """Two-sided mid-p value of McNemar's test on `fixed` and `broken` cases (Fagerland et al. 2013)."""
    discordant, smaller = fixed + broken, min(fixed, broken)
    if discordant == 0:
        return 1.0
    whole = 1 << discordant
    point = math.comb(discordant, smaller)
    if fixed == broken:
        return (whole - point) / whole
    tail = sum(math.comb(discordant, k) for k in range(smaller + 1))
    return min((2 * tail - point) / whole, 1.0)
