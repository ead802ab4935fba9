"""The difference of two arms over the same cases.

Binary outcomes, one repeat: Tango's score interval, which excludes 0 exactly when McNemar's test rejects. Several
repeats: Student's t over the case means with one pseudo-case at +1/sqrt(R) and one at -1/sqrt(R), which is Bonett and
Price's adjustment (2012) carried over to repeats. Graded scores: Student's t over the case means. Clusters of cases:
the same with the cluster-robust error CR1 and clusters - 1 degrees of freedom. Never the single trials as if they were
independent.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from harness.stats.clusters import cluster_means, grouping
from harness.stats.intervals import Interval, normal_cdf
from harness.stats.sizing import Spread, variance_split
from harness.stats.student import Student, of_cases, of_clusters
from harness.stats.tango import mcnemar_mid_p, tango_interval, tango_score

__all__ = [
    "Difference",
    "MeanDifference",
    "Student",
    "difference",
    "equivalence_p",
    "mcnemar_mid_p",
    "mean_difference",
    "noninferiority_p",
    "tango_interval",
    "tango_score",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Arm B minus arm A, averaged over cases. Differences of pass rates are fractions: 0.11 is +11 percentage points."""

    #: Mean over cases of (mean of B's repeats - mean of A's repeats).
    estimate: float
    #: As asked for; 95 percent unless it was asked otherwise.
    interval: Interval
    #: 90 percent: what equivalence asks of.
    interval90: Interval
    #: Standard deviation of the per-case differences; binary outcomes: with the two pseudo-cases. Where cases form
    #: clusters: the one that as many independent cases would need for the same standard error.
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
    #: Variance of one pair of trials around its case's difference: R repeats leave 1/R of it; None with one repeat.
    within: float | None = None
    #: What the interval is made of where it is Student's; None: Tango's, or too few cases for any.
    student: Student | None = None
    #: Clusters of cases, of which there should be 10 or more; None: every case stands for itself.
    clusters: int | None = None

    @property
    def repeats(self) -> float:
        """Pairs of trials per case, on average."""
        return self.pairs / self.cases

    @property
    def mcnemar(self) -> float | None:
        """McNemar's mid-p value; None where cases have repeats or clusters, or scores are graded."""
        return mcnemar_mid_p(self.fixed, self.broken) if self.method == "Tango" else None

    @property
    def spread(self) -> Spread | None:
        """What more cases and what more repeats would change; None with one repeat."""
        if self.between is None or self.within is None:
            return None
        return Spread(between=self.between, within=self.within)

    @property
    def p(self) -> float:
        """Two-sided p value of no difference, of the interval's own method: below 1 - level where that excludes 0."""
        if self.student is not None:
            return self.student.p
        if self.method != "Tango":
            return 1.0
        return min(2 * normal_cdf(-abs(tango_score(self.fixed, self.broken, self.cases, 0.0))), 1.0)

    def at(self, level: float) -> Interval:
        """The interval of the same method at another level, 0..1."""
        if self.student is not None:
            return _clipped(self.student.interval(level, self.method))
        if self.method != "Tango":
            return Interval(low=-1.0, high=1.0, method=self.method, level=level)
        return tango_interval(self.fixed, self.broken, self.cases, level)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """Mean over cases of B's value minus A's, in the unit of the values; the interval is 95 percent."""

    estimate: float
    interval: Interval
    cases: int
    #: Two-sided p value of no difference; None: the method gives none.
    p: float | None = None
    #: Clusters of cases; None: every case stands for itself.
    clusters: int | None = None


def difference(
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    binary: bool = True,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Difference:
    """Mean difference B - A over paired cases, with its interval.

    Args:
        a: for each case the outcomes of arm A: 1 passed, 0 failed, or scores in 0..1 where `binary` is false.
        b: the same cases in the same order, with as many trials each as in `a`; cases may differ in that number.
        binary: whether outcomes are pass or fail; graded scores get a plain paired t.
        clusters: for each case what it belongs to (a source document, a template); cases of one cluster are not
            independent of each other.
        level: coverage of `interval`, 0..1.

    Raises:
        ValueError: no cases, the arms differ in shape, or not one label of clusters per case.
    """
    if not a or len(a) != len(b) or any(not x or len(x) != len(y) for x, y in zip(a, b, strict=False)):
        raise ValueError("both arms need the same cases, and in each case the same number of trials")
    cases, pairs = len(a), sum(len(x) for x in a)
    # Trial by trial, then divided: the same outcomes in another order must not differ by a rounding error.
    changes = [(math.fsum(y) - math.fsum(x)) / len(x) for x, y in zip(a, b, strict=True)]
    labels = grouping(clusters, cases)
    method, student, sd = _method(changes, labels, binary=binary, repeats=pairs / cases)
    spread = variance_split(a, b)
    made = Difference(
        estimate=math.fsum(changes) / cases,
        interval=_UNKNOWN,
        interval90=_UNKNOWN,
        sd=sd,
        cases=cases,
        pairs=pairs,
        fixed=sum(d > 0 for d in changes),
        broken=sum(d < 0 for d in changes),
        method=method,
        between=None if spread is None else spread.between,
        within=None if spread is None else spread.within,
        student=student,
        clusters=None if labels is None else len(set(labels)),
    )
    return replace(made, interval=made.at(level), interval90=made.at(0.90))


def mean_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> MeanDifference | None:
    """Mean of b - a over paired cases by a paired t; None for fewer than two cases or clusters.

    Args:
        a, b: one value per case (mean over its repeats), in any one unit, the same cases in the same order.
        clusters: as in `difference`.
    """
    changes = [y - x for x, y in zip(a, b, strict=True)]
    labels = grouping(clusters, len(changes))
    if not changes:
        return None
    student = of_cases(changes)[0] if labels is None else of_clusters(changes, labels)
    if student is None:
        return None
    return MeanDifference(
        estimate=math.fsum(changes) / len(changes),
        interval=student.interval(0.95, "paired t" if labels is None else _CLUSTERED),
        cases=len(changes),
        p=student.p,
        clusters=None if labels is None else len(set(labels)),
    )


def equivalence_p(found: Difference, margin: float) -> float:
    """Larger of the two one-sided p values against differences of -margin and +margin (TOST, Schuirmann 1987)."""
    if found.student is not None:
        return max(found.student.above(-margin), found.student.below(margin))
    if found.method != "Tango":
        return 1.0
    below, above = (tango_score(found.fixed, found.broken, found.cases, side) for side in (-margin, margin))
    return max(normal_cdf(-below), normal_cdf(above))


def noninferiority_p(found: Difference, margin: float) -> float:
    """One-sided p value against B being worse than A by `margin` or more; below 0.025 where 95 percent says "not worse".

    Binary outcomes with one repeat: Tango's score at -margin. The margin is chosen before the run.
    """
    if found.student is not None:
        return found.student.above(-margin)
    if found.method != "Tango":
        return 1.0
    return normal_cdf(-tango_score(found.fixed, found.broken, found.cases, -margin))


_CLUSTERED = "cluster-robust t"
_UNKNOWN = Interval(low=-1.0, high=1.0, method="none")


def _method(
    changes: Sequence[float], labels: Sequence[Hashable] | None, *, binary: bool, repeats: float
) -> tuple[str, Student | None, float]:
    """Name of the method, what Student's interval is made of, and the standard deviation to plan with."""
    pseudo = 1 / math.sqrt(repeats)
    # Scores that never differ give a standard deviation of 0, and with it a certainty that nobody has.
    plain = not binary and len(set(changes)) > 1
    if labels is not None:
        return _clustered(changes, labels, pseudo, plain=plain)
    student, sd = of_cases(changes, 0.0 if plain else pseudo)
    if binary and repeats == 1:
        return "Tango", None, sd
    if student is None:
        return "none: one case", None, sd
    return "paired t" if plain else "paired t with two pseudo-cases", student, sd


def _clustered(
    changes: Sequence[float], labels: Sequence[Hashable], pseudo: float, *, plain: bool
) -> tuple[str, Student | None, float]:
    """As `_method`; the same two pseudo-cases, because a few discordant clusters understate the error as few cases do."""
    student = of_clusters(changes, labels)
    if student is None:
        return "none: one cluster", None, of_cases(changes, pseudo)[1]
    if student.error < 1e-12:
        # Nothing varies between clusters: then every cluster counts as one case, like repeats that always agree.
        student = of_cases(cluster_means(changes, labels), pseudo)[0] or student
    elif not plain:
        student = of_clusters(changes, labels, pseudo) or student
    method = _CLUSTERED if plain else f"{_CLUSTERED} with two pseudo-cases"
    return method, student, student.error * math.sqrt(len(changes))


def _clipped(interval: Interval) -> Interval:
    return Interval(
        low=max(interval.low, -1.0), high=min(interval.high, 1.0), method=interval.method, level=interval.level
    )
