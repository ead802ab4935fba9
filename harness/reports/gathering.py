"""One pass over the results of a run: what the page carries, what its prompts are, and what did not pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.records import Outcome, Result
from harness.reports import anchors, clean, openings, packing, standing
from harness.reports.columns import Columns
from harness.reports.cutting import Cut, cut
from harness.reports.evidence import Evidence
from harness.reports.packing import Packed
from harness.summary import SuiteSummary

#: Failing cases in the plain list, which stands for the table where there is no script and on paper.
_LISTED = 200
_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A case that did not pass, as the plain list has it."""

    name: str
    place: str
    #: Variant, outcome and the first reason of each trial that did not pass.
    trials: tuple[tuple[str, str, Cut], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteGathered:
    """What a page shows of a suite beside its numbers."""

    #: Where the suite stands on the page, and under which name its data are packed.
    anchor: str
    cases: int
    #: How many cases are in each state (see `standing.STATES`).
    states: dict[str, int]
    failing: tuple[Listed, ...]
    #: Failing cases that are not in the list.
    more: int
    prompts: openings.Prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a page shows of a run beside its numbers."""

    #: By the name of the suite.
    suites: dict[str, SuiteGathered]
    packed: Packed


@dataclass(slots=True)
class _Open:
    """A suite while its results come in."""

    suite: SuiteSummary
    columns: Columns
    prompts: openings.Gathering
    failing: dict[str, list[tuple[str, str, Cut]]] = field(default_factory=dict)


def gathered(summaries: Sequence[SuiteSummary], rows: Iterable[Result], *, seen: Mapping[str, Evidence]) -> Gathered:
    """Return what a page shows of a run.

    Args:
        summaries: The suites of the run.
        rows: Its results in plan order; read once.
        seen: What the sections above the table need of trials is added to these.
    """
    found = {
        suite.name: _Open(suite, Columns(suite), openings.Gathering(suite, suites=len(summaries)))
        for suite in summaries
    }
    for result in rows:
        one = found.get(result.suite)
        if one is None:
            continue
        seen[result.suite].add(result)
        start = openings.length(result)
        one.columns.add(result, start)
        one.prompts.add(result, start)
        if result.outcome in (Outcome.FAILED, Outcome.ERROR):
            one.failing.setdefault(result.case, []).append(_told(result))
    taken = anchors.Taken()
    suites = {name: _closed(one, taken.one(anchors.suite(name))) for name, one in found.items()}
    parts = {suites[name].anchor: (one.columns.strings, one.columns.data()) for name, one in found.items()}
    return Gathered(suites=suites, packed=packing.packed(parts))


def _told(result: Result) -> tuple[str, str, Cut]:
    if result.error is not None:
        reason = f"{result.error.kind}: {result.error.message}"
    else:
        missed = (check for check in result.checks if check.passed is False)
        # A soft check decides nothing, so it is told only where nothing else failed.
        first = min(missed, key=lambda check: check.soft, default=None)
        reason = f"{first.name}: {first.reason}" if first else ""
    return clean.line(result.variant), result.outcome.value, cut(clean.line(reason[: 4 * _REASON]), _REASON)


def _closed(one: _Open, anchor: str) -> SuiteGathered:
    states = dict.fromkeys(standing.STATES, 0)
    listed: list[Listed] = []
    cases = 0
    for name, place, holds in one.columns.cases():
        cases += 1
        for state in holds:
            states[state] += 1
        if name in one.failing and len(listed) < _LISTED:
            listed.append(Listed(name=clean.line(name), place=place, trials=tuple(one.failing[name])))
    return SuiteGathered(
        anchor=anchor,
        cases=cases,
        states=states,
        failing=tuple(listed),
        more=len(one.failing) - len(listed),
        prompts=one.prompts.prompts((pair.baseline, pair.candidate) for pair in one.suite.comparisons),
    )
