"""Cases that belong together: the standard error of a mean when they are drawn by the group."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence


def grouping(clusters: Sequence[Hashable] | None, cases: int) -> Sequence[Hashable] | None:
    """The labels again; None where there are none, or where every case is a cluster of its own.

    Raises:
        ValueError: not one label for every case.
    """
    if clusters is None:
        return None
    if len(clusters) != cases:
        raise ValueError(f"{cases} cases need {cases} labels of clusters, not {len(clusters)}")
    return None if len(set(clusters)) == cases else clusters


def cluster_error(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[float, int]:
    """Standard error of the mean of `values`, and the number of clusters (Miller 2024, eq. 4, times G/(G-1): CR1).

    Args:
        values: one number per case.
        clusters: one label per case; fewer than two different ones give an infinite error.
    """
    mean = math.fsum(values) / len(values)
    residuals: dict[Hashable, list[float]] = {}
    for value, label in zip(values, clusters, strict=True):
        residuals.setdefault(label, []).append(value - mean)
    groups = len(residuals)
    if groups < 2:
        return math.inf, groups
    squares = math.fsum(math.fsum(group) ** 2 for group in residuals.values())
    return math.sqrt(squares * groups / (groups - 1)) / len(values), groups


def together(
    values_by_case: Sequence[Sequence[float]], clusters: Sequence[Hashable] | None
) -> Sequence[Sequence[float]]:
    """The values of each cluster, in order of first appearance; those of each case where there are no clusters.

    Raises:
        ValueError: not one label for every case.
    """
    labels = grouping(clusters, len(values_by_case))
    if labels is None:
        return values_by_case
    groups: dict[Hashable, list[float]] = {}
    for values, label in zip(values_by_case, labels, strict=True):
        groups.setdefault(label, []).extend(values)
    return list(groups.values())


def cluster_means(values: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    """Mean of each cluster, in order of first appearance."""
    groups: dict[Hashable, list[float]] = {}
    for value, label in zip(values, clusters, strict=True):
        groups.setdefault(label, []).append(value)
    return [math.fsum(group) / len(group) for group in groups.values()]
