"""What a difference means: one of six words, by statistics' first matching rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictKind = Literal["better", "worse", "equivalent", "not_worse", "no_evidence", "not_enough_data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which of the six rules holds, and what it would take to know more. Differences are fractions."""

    kind: VerdictKind
    margin: float
    #: Cases that would show a difference of `margin` with 80 percent power.
    required: int
    #: Smallest difference that these cases show with 80 percent power.
    detectable: float
    #: Cases missing; None unless there is not enough data.
    needed: int | None = None
    #: Better or worse, but by less than the margin.
    within_margin: bool = False
    #: What more repeats of the same cases could detect at best; None with one repeat.
    floor: float | None = None
