"""How far judges agree, beyond what chance would bring about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from harness.stats.intervals import Interval, normal_quantile

Metric = Literal["nominal", "ordinal", "interval", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Cohen's kappa: 1 full agreement, 0 what chance gives, below 0 less than that."""

    estimate: float
    #: Large-sample, 95 percent.
    interval: Interval
    #: Answers that both judged.
    units: int


def contingency(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[list[int]]:
    """Square table of how often each pair of labels occurs; rows are the first judge's, in order of appearance.

    Args:
        first, second: the labels that two judges gave the same answers, in the same order.

    Raises:
        ValueError: the lists differ in length.
    """
    if len(first) != len(second):
        raise ValueError(f"two judges must have judged the same answers: {len(first)} and {len(second)} labels")
    labels = list(dict.fromkeys([*first, *second]))
    counts = Counter(zip(first, second, strict=True))
    return [[counts[one, other] for other in labels] for one in labels]


def cohen_kappa(table: Sequence[Sequence[int]]) -> Agreement | None:
    """Agreement of two judges on labels (Cohen 1960; standard error of Fleiss, Cohen and Everitt 1969).

    Args:
        table: square; how often the first judge gave the row's label and the second the column's (`contingency`).

    Returns:
        None: nothing was judged, or both gave everything one and the same label, of which chance makes full agreement.

    Raises:
        ValueError: the table is not square.
    """
    size = len(table)
    if any(len(row) != size for row in table):
        raise ValueError("a table of agreement has as many columns as rows")
    units = sum(map(sum, table))
    if not units:
        return None
    share = [[count / units for count in row] for row in table]
    rows = [math.fsum(row) for row in share]
    columns = [math.fsum(column) for column in zip(*share, strict=True)]
    observed = math.fsum(share[i][i] for i in range(size))
    chance = math.fsum(row * column for row, column in zip(rows, columns, strict=True))
    if chance > 1 - 1e-12:
        return None
    agreed = math.fsum(share[i][i] * ((1 - chance) - (rows[i] + columns[i]) * (1 - observed)) ** 2 for i in range(size))
    missed = math.fsum(share[i][j] * (columns[i] + rows[j]) ** 2 for i in range(size) for j in range(size) if i != j)
    variance = agreed + (1 - observed) ** 2 * missed - (observed * chance - 2 * chance + observed) ** 2
    estimate = (observed - chance) / (1 - chance)
    half = normal_quantile(0.975) * math.sqrt(max(variance, 0.0) / units) / (1 - chance) ** 2
    interval = Interval(low=max(estimate - half, -1.0), high=min(estimate + half, 1.0), method="large-sample kappa")
    return Agreement(estimate=estimate, interval=interval, units=units)


def krippendorff_alpha(ratings: Sequence[Sequence[float | None]], metric: Metric = "nominal") -> float | None:
    """Agreement of any number of judges, some of whom may have left answers out (Krippendorff 2011).

    Args:
        ratings: for each judge one rating per answer, None where there is none. Ratings are numbers; of a nominal
            scale, any numbers that stand for labels. A ratio scale has no negative ones.
        metric: what the distance of two ratings means.

    Returns:
        1 full agreement, 0 what chance gives; None: no answer has two ratings, or all ratings are the same.

    Raises:
        ValueError: judges with different numbers of answers, or an unknown metric.
    """
    if len({len(judge) for judge in ratings}) > 1:
        raise ValueError("every judge needs one rating per answer, None where there is none")
    answers = [[value for value in answer if value is not None] for answer in zip(*ratings, strict=True)]
    answers = [answer for answer in answers if len(answer) > 1]
    totals = Counter(value for answer in answers for value in answer)
    values, pairable = sorted(totals), sum(totals.values())
    if len(values) < 2:
        return None
    distance = _distances(values, totals, metric)
    observed = math.fsum(
        math.fsum(distance[one, other] for one in answer for other in answer) / (len(answer) - 1) for answer in answers
    )
    expected = math.fsum(totals[one] * totals[other] * distance[one, other] for one in values for other in values)
    return 1 - (pairable - 1) * observed / expected if expected > 0 else None


def _distances(values: Sequence[float], totals: Counter[float], metric: Metric) -> dict[tuple[float, float], float]:
    """Squared distance of every two values."""
    if metric == "nominal":
        return {(one, other): float(one != other) for one in values for other in values}
    if metric == "interval":
        return {(one, other): (one - other) ** 2 for one in values for other in values}
    if metric == "ratio":
        return {
            (one, other): ((one - other) / (one + other)) ** 2 if one + other else 0.0
            for one in values
            for other in values
        }
    if metric == "ordinal":
        ranks = dict(zip(values, accumulate(totals[value] for value in values), strict=True))
        middle = {value: ranks[value] - totals[value] / 2 for value in values}
        return {(one, other): (middle[one] - middle[other]) ** 2 for one in values for other in values}
    raise ValueError(f"metric {metric!r} is none of nominal, ordinal, interval, ratio")
