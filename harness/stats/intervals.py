"""One pass rate and its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval; `level` is its coverage in 0..1, `method` the name of the formula."""

    low: float
    high: float
    method: str
    level: float = 0.95
