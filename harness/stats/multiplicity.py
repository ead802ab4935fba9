"""Many comparisons at once: p values adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence


def holm(ps: Sequence[float]) -> list[float]:
    """p values that hold together: below 0.05 any false alarm at all has a chance of at most 5 percent (Holm 1979).

    Returns:
        Adjusted values in 0..1, in the order of `ps`; every p counts as one test.
    """
    adjusted = [0.0] * len(ps)
    reached = 0.0
    for place, index in enumerate(_ascending(ps)):
        reached = max(reached, min(ps[index] * (len(ps) - place), 1.0))
        adjusted[index] = reached
    return adjusted


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """p values for a list to look at: of what is below 0.05, 5 percent are false on average (1995).

    Returns:
        Adjusted values in 0..1, in the order of `ps`. Not for verdicts: single entries may well be false.
    """
    adjusted = [0.0] * len(ps)
    reached = 1.0
    for place, index in reversed(list(enumerate(_ascending(ps), start=1))):
        reached = min(reached, ps[index] * len(ps) / place)
        adjusted[index] = reached
    return adjusted


def _ascending(ps: Sequence[float]) -> list[int]:
    return sorted(range(len(ps)), key=ps.__getitem__)
