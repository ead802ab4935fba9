"""What a difference means: the first matching of six rules, and how many cases would tell more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.stats.paired import Difference
from harness.stats.sizing import detectable, required_cases

__all__ = ["Verdict", "VerdictKind", "required_cases", "verdict"]

VerdictKind = Literal["better", "worse", "equivalent", "not_worse", "no_evidence", "not_enough_data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which of the six rules holds, and what it would take to know more. Differences are fractions."""

    kind: VerdictKind
    margin: float
    #: Cases that show a difference of `margin` with 80 percent power.
    required: int
    #: Smallest difference that these cases show with 80 percent power.
    detectable: float
    #: Cases missing; None unless there is not enough data.
    needed: int | None = None
    #: Better or worse, but surely by less than the margin.
    within_margin: bool = False
    #: What any number of repeats of these cases could detect at best; None with one repeat.
    floor: float | None = None


def verdict(difference: Difference, *, margin: float) -> Verdict:
    """Put a difference into words; `margin` is the smallest difference that matters, chosen before the run, > 0.

    What it would take to see the margin is asked of an interval of the level that the difference has.

    Raises:
        ValueError: the margin is not positive.
    """
    if margin <= 0:
        raise ValueError("the margin must be positive")
    low, high, level = difference.interval.low, difference.interval.high, difference.interval.level
    required = math.ceil(required_cases(difference.sd, margin, level=level))
    kind = _kind(difference, margin=margin, required=required)
    return Verdict(
        kind=kind,
        margin=margin,
        required=required,
        detectable=detectable(difference.sd, difference.cases, level=level),
        needed=max(required - difference.cases, 1) if kind == "not_enough_data" else None,
        within_margin=(kind == "better" and high < margin) or (kind == "worse" and low > -margin),
        floor=None
        if difference.between is None
        else detectable(math.sqrt(difference.between), difference.cases, level=level),
    )


def _kind(difference: Difference, *, margin: float, required: int) -> VerdictKind:
    low, high = difference.interval.low, difference.interval.high
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    if -margin < difference.interval90.low and difference.interval90.high < margin:
        return "equivalent"
    if low > -margin:
        return "not_worse"
    # With one repeated case there is no interval at all, whatever its standard deviation says.
    informed = difference.interval.low > -1.0 or difference.interval.high < 1.0
    return "no_evidence" if required <= difference.cases and informed else "not_enough_data"
