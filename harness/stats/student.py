"""Student's t over cases, or over clusters of cases: centre, standard error, degrees of freedom."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from harness.stats.clusters import cluster_error
from harness.stats.intervals import Interval, student_cdf, student_quantile


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

    def below(self, value: float) -> float:
        """One-sided p value against a true mean of `value` or more; without any spread 0 or 1."""
        if self.error == 0:
            return 0.0 if self.centre < value else 1.0
        return student_cdf((self.centre - value) / self.error, self.degrees)

    def above(self, value: float) -> float:
        """One-sided p value against a true mean of `value` or less."""
        if self.error == 0:
            return 0.0 if self.centre > value else 1.0
        return student_cdf((value - self.centre) / self.error, self.degrees)

    @property
    def p(self) -> float:
        """Two-sided p value against a true mean of 0; below 0.05 exactly where the 95 percent interval excludes 0."""
        return min(2 * min(self.below(0.0), self.above(0.0)), 1.0)


def of_cases(values: Sequence[float], pseudo: float = 0.0) -> tuple[Student | None, float]:
    """Student's pieces and the standard deviation of one value per case; None for fewer than two cases.

    Args:
        values: at least one.
        pseudo: where one further case at + and one at - this value are added (Bonett and Price 2012); 0: none are.
    """
    cases = len(values)
    size = cases + (2 if pseudo else 0)
    centre = math.fsum(values) / size
    squares = math.fsum((value - centre) ** 2 for value in values)
    if pseudo:
        squares += (pseudo - centre) ** 2 + (pseudo + centre) ** 2
    divisor = size if pseudo else cases - 1
    sd = math.sqrt(squares / divisor) if divisor else 0.0
    if cases < 2:
        return None, sd
    return Student(centre=centre, error=sd / math.sqrt(size), degrees=cases - 1), sd


def of_clusters(values: Sequence[float], clusters: Sequence[Hashable], pseudo: float = 0.0) -> Student | None:
    """Student's pieces with the cluster-robust error CR1 and clusters - 1 degrees; None for fewer than two clusters.

    Args:
        values: one per case.
        clusters: one label per case.
        pseudo: as in `of_cases`; each of the two cases is a cluster of its own.
    """
    groups = len(set(clusters))
    if groups < 2:
        return None
    if pseudo:
        values = [*values, pseudo, -pseudo]
        clusters = [*((label,) for label in clusters), "above", "below"]
    error, _ = cluster_error(values, clusters)
    return Student(centre=math.fsum(values) / len(values), error=error, degrees=groups - 1)
