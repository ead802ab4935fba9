"""Where a case stands in the list of cases, and what can be asked for to find it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.records import Outcome
from harness.summary import SuiteSummary

#: What cases can be filtered by, in the order in which it is offered.
STATES = ("decides", "broken", "error", "flipped", "failed", "fixed", "skipped")


def baseline(suite: SuiteSummary) -> str:
    """Return the variant that others are set against; empty: there is none."""
    named = next((variant.name for variant in suite.variants if variant.role == "baseline"), "")
    return named or next((one.baseline for one in suite.comparisons), "")


def ordered(suite: SuiteSummary) -> list[str]:
    """Return the names of a suite's variants, the baseline first."""
    first = baseline(suite)
    return sorted((variant.name for variant in suite.variants), key=lambda name: name != first)


def changed(suite: SuiteSummary) -> dict[str, set[str]]:
    """Return which cases are broken or fixed in any of a suite's comparisons, as these count it."""
    found: dict[str, set[str]] = {}
    for one in suite.comparisons:
        for flip in one.flips:
            found.setdefault(flip.case, set()).add("broken" if flip.broken else "fixed")
    return found


def states(outcomes: Collection[Outcome], changes: Collection[str], *, deciding: bool) -> list[str]:
    """Return what holds of a case.

    Args:
        outcomes: What its trials came to.
        changes: "broken", "fixed" or both, where any comparison says so.
        deciding: Whether one of its trials decides by itself what the run comes to.
    """
    holds = {
        "decides": deciding,
        "broken": "broken" in changes,
        "error": Outcome.ERROR in outcomes,
        "flipped": bool(changes),
        "failed": Outcome.FAILED in outcomes,
        "fixed": "fixed" in changes,
        "skipped": Outcome.SKIPPED in outcomes,
    }
    return [state for state in STATES if holds[state]]


def rank(found: Sequence[str]) -> int:
    """Return the place of a case among others by its states, small ones first."""
    for place, some in enumerate((("decides", "broken"), ("error",), ("flipped",), ("failed",))):
        if any(state in found for state in some):
            return place
    return 4
