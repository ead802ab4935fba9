"""Intervals drawn as bars: where they start and end on an axis from 0 to 1000."""

from __future__ import annotations

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


def difference(comparison: Comparison) -> Bar | None:
    """The difference of two variants on an axis with zero in the middle."""
    found = comparison.difference
    if found is None:
        return None
    extent = max(abs(found.interval.low), abs(found.interval.high), comparison.margin) * 1.12
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
