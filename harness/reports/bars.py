"""Intervals drawn as bars: where they start and end on an axis from 0 to 1000."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.summary import Comparison, VariantSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An interval drawn from 0 to 1000: its ends, its estimate, and for differences zero and the margin."""

    low: float
    high: float
    at: float
    zero: float = 0.0
    margin: float = 0.0
    #: What both ends of the axis stand for, in percentage points.
    reach: str = ""

    @property
    def width(self) -> float:
        return max(round(self.high - self.low, 1), 4.0)


def rate(variant: VariantSummary) -> Bar | None:
    """The accuracy of a variant on an axis from 0 to 100 percent."""
    if variant.accuracy is None or variant.interval is None:
        return None
    return Bar(
        low=round(variant.interval.low * 1000, 1),
        high=round(variant.interval.high * 1000, 1),
        at=round(variant.accuracy * 1000, 1),
    )


def difference(comparison: Comparison, beside: Iterable[Comparison]) -> Bar | None:
    """The difference of two variants, zero in the middle of an axis that holds all comparisons shown beside it."""
    found = comparison.difference
    if found is None:
        return None
    extent = max(map(_extent, (comparison, *beside))) * 1.12
    reach = next((step for step in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if step >= extent), 1.0)

    def place(value: float) -> float:
        return round(500 + min(max(value / reach, -1), 1) * 500, 1)

    return Bar(
        low=place(found.interval.low),
        high=place(found.interval.high),
        at=place(found.estimate),
        zero=500,
        margin=round(min(comparison.margin / reach, 1) * 500, 1),
        reach=f"{reach * 100:.0f} pp",
    )


def _extent(comparison: Comparison) -> float:
    found = comparison.difference
    return 0.0 if found is None else max(abs(found.interval.low), abs(found.interval.high), comparison.margin)
