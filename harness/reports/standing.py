"""Where a case stands in the list of cases, and what can be asked for to find it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.records import Outcome
from harness.summary import Comparison, SuiteSummary

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


def states(suite: SuiteSummary, outcomes: Mapping[str, Sequence[Outcome]], *, deciding: bool) -> list[str]:
    """Return what holds of a case.

    Args:
        suite: Its suite.
        outcomes: Its trials' outcomes by variant.
        deciding: Whether one of its trials decides by itself what the run comes to.
    """
    found = {outcome for some in outcomes.values() for outcome in some}
    shares = {name: _share(some) for name, some in outcomes.items()}
    changes = list(_changes(suite.comparisons, shares))
    holds = {
        "decides": deciding,
        "broken": any(change < 0 for change in changes),
        "error": Outcome.ERROR in found,
        "flipped": any(changes),
        "failed": Outcome.FAILED in found,
        "fixed": any(change > 0 for change in changes),
        "skipped": Outcome.SKIPPED in found,
    }
    return [state for state in STATES if holds[state]]


def rank(found: Sequence[str]) -> int:
    """Return the place of a case among others by its states, small ones first."""
    for place, some in enumerate((("decides", "broken"), ("error",), ("flipped",), ("failed",))):
        if any(state in found for state in some):
            return place
    return 4


def _share(outcomes: Iterable[Outcome]) -> float | None:
    """The share of passes among the trials that were graded."""
    graded = [outcome is Outcome.PASSED for outcome in outcomes if outcome in (Outcome.PASSED, Outcome.FAILED)]
    return sum(graded) / len(graded) if graded else None


def _changes(comparisons: Iterable[Comparison], shares: Mapping[str, float | None]) -> Iterable[float]:
    """By how much a case passes more often, of each comparison that has it."""
    for one in comparisons:
        before, after = shares.get(one.baseline), shares.get(one.candidate)
        if before is not None and after is not None:
            yield after - before
