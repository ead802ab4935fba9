"""The difference of two arms over the same cases.

Binary outcomes, one repeat: Tango's score interval, which excludes 0 exactly when McNemar's test rejects. Several
repeats: Student's t over the case means with one pseudo-case at +1/sqrt(R) and one at -1/sqrt(R), which is Bonett and
Price's adjustment (2012) carried over to repeats. Never the single trials as if they were independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.stats.intervals import (
    Interval,
    normal_cdf,
    normal_quantile,
    student_cdf,
    student_quantile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """What an interval by Student's t is made of."""

    centre: float
    error: float
    degrees: int

    def interval(self, level: float, method: str) -> Interval:
        """Return centre -+ t * standard error."""
        half = student_quantile((1 + level) / 2, self.degrees) * self.error
        return Interval(low=self.centre - half, high=self.centre + half, method=method, level=level)


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
    #: Cases in which B does better than A; with one repeat: A failed, B passed.
    fixed: int
    #: Cases in which B does worse than A.
    broken: int
    method: str
    #: Variance of the per-case differences that more repeats cannot remove; None with one repeat.
    between: float | None = None
    #: What the interval is made of where it is Student's; None: Tango's, or too few cases for any.
    student: Student | None = None

    @property
    def repeats(self) -> float:
        """Pairs of trials per case, on average."""
        return self.pairs / self.cases

    @property
    def mcnemar(self) -> float | None:
        """McNemar's mid-p value; None where cases have repeats or scores are graded."""
        return mcnemar_mid_p(self.fixed, self.broken) if self.method == "Tango" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """Mean over cases of B's value minus A's, in the unit of the values; the interval is 95 percent."""

    estimate: float
    interval: Interval
    cases: int


def difference(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], binary: bool = True) -> Difference:
    """Mean difference B - A over paired cases, with its 95 and 90 percent intervals.

    Args:
        a: for each case the outcomes of arm A: 1 passed, 0 failed, or scores in 0..1 where `binary` is false.
        b: the same cases in the same order, with as many trials each as in `a`; cases may differ in that number.
        binary: whether outcomes are pass or fail; graded scores get a plain paired t.

    Raises:
        ValueError: no cases, or the arms differ in shape.
    """
    if not a or len(a) != len(b) or any(not x or len(x) != len(y) for x, y in zip(a, b, strict=False)):
        raise ValueError("both arms need the same cases, and in each case the same number of trials")
    cases, pairs = len(a), sum(len(x) for x in a)
    # Trial by trial, then divided: the same outcomes in another order must not differ by a rounding error.
    changes = [(math.fsum(y) - math.fsum(x)) / len(x) for x, y in zip(a, b, strict=True)]
    estimate = math.fsum(changes) / cases
    fixed, broken = sum(d > 0 for d in changes), sum(d < 0 for d in changes)
    single = pairs == cases
    pseudo = math.sqrt(cases / pairs) if binary else 0.0
    student, sd = _student(changes, pseudo)
    if binary and single:
        method, student = "Tango", None
        wide, narrow = (tango_interval(fixed, broken, cases, level) for level in (0.95, 0.90))
    elif student is None:
        method = "none: one case"
        wide, narrow = (Interval(low=-1.0, high=1.0, method=method, level=level) for level in (0.95, 0.90))
    else:
        method = "paired t with two pseudo-cases" if binary else "paired t"
        wide, narrow = (_clipped(student.interval(level, method)) for level in (0.95, 0.90))
    return Difference(
        estimate=estimate,
        interval=wide,
        interval90=narrow,
        sd=sd,
        cases=cases,
        pairs=pairs,
        fixed=fixed,
        broken=broken,
        method=method,
        between=None if single else _between(a, b, changes),
        student=student,
    )


def mean_difference(a: Sequence[float], b: Sequence[float]) -> MeanDifference | None:
    """Mean of b - a over paired cases by a plain paired t; None for fewer than two cases.

    Args:
        a, b: one value per case (mean over its repeats), in any one unit, the same cases in the same order.
    """
    changes = [y - x for x, y in zip(a, b, strict=True)]
    student = _student(changes, 0.0)[0] if changes else None
    if student is None:
        return None
    return MeanDifference(
        estimate=math.fsum(changes) / len(changes), interval=student.interval(0.95, "paired t"), cases=len(changes)
    )


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
    low = _bisect(-1.0, estimate, lambda delta: tango_score(fixed, broken, cases, delta) > critical)
    high = _bisect(estimate, 1.0, lambda delta: tango_score(fixed, broken, cases, delta) > -critical)
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


def equivalence_p(found: Difference, margin: float) -> float:
    """Larger of the two one-sided p values against differences of -margin and +margin (TOST, Schuirmann 1987)."""
    if found.student is not None:
        error = found.student.error
        if error == 0:
            return 0.0 if abs(found.student.centre) < margin else 1.0
        below, above = ((found.student.centre + side) / error for side in (margin, -margin))
        return max(student_cdf(-below, found.student.degrees), student_cdf(above, found.student.degrees))
    if found.method != "Tango":
        return 1.0
    below, above = (tango_score(found.fixed, found.broken, found.cases, side) for side in (-margin, margin))
    return max(normal_cdf(-below), normal_cdf(above))


def _student(changes: Sequence[float], pseudo: float) -> tuple[Student | None, float]:
    """Student's pieces and the standard deviation, with pseudo-cases at -+`pseudo` unless that is 0."""
    cases = len(changes)
    size = cases + (2 if pseudo else 0)
    centre = math.fsum(changes) / size
    squares = math.fsum((change - centre) ** 2 for change in changes)
    if pseudo:
        squares += (pseudo - centre) ** 2 + (pseudo + centre) ** 2
    divisor = size if pseudo else cases - 1
    sd = math.sqrt(squares / divisor) if divisor else 0.0
    if cases < 2:
        return None, sd
    return Student(centre=centre, error=sd / math.sqrt(size), degrees=cases - 1), sd


def _between(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], changes: Sequence[float]) -> float | None:
    """Variance of the case differences less what the repeats inside cases explain of it; None if that is not known."""
    repeated = [(x, y) for x, y in zip(a, b, strict=True) if len(x) > 1]
    if not repeated or len(changes) < 2:
        return None
    within = math.fsum(_variance(x) + _variance(y) for x, y in repeated) / len(repeated)
    per_case = math.fsum(within / len(x) for x in a) / len(a)
    return max(_variance(changes) - per_case, 0.0)


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _clipped(interval: Interval) -> Interval:
    return Interval(
        low=max(interval.low, -1.0), high=min(interval.high, 1.0), method=interval.method, level=interval.level
    )


def _bisect(low: float, high: float, beyond: Callable[[float], bool]) -> float:
    """The point of [low, high] where `beyond` turns from true to false."""
    for _ in range(60):
        middle = (low + high) / 2
        if beyond(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
