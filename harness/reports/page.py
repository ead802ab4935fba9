"""What the HTML report shows, as plain values: the cases of each suite with their trials, and the suite's prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.records import Outcome, Result
from harness.reports import anchors, clean, notes, openings, room, trials
from harness.reports.cutting import Cut, cut
from harness.reports.evidence import Evidence
from harness.reports.trials import TrialView
from harness.summary import Comparison, SuiteSummary, phrases

_INPUT = 4_000
#: Of that many repeats all stand open; of more, those that tell something.
_OPEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The trials of one repeat, side by side."""

    repeat: int
    trials: tuple[TrialView, ...]
    #: Whether to show it at once.
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case with its trials, by variant and by repeat."""

    anchor: str
    name: str
    tags: tuple[str, ...]
    preview: str
    input: Cut
    #: The baseline first; a variant without a trial of this case has an empty tuple.
    arms: tuple[tuple[str, tuple[TrialView, ...]], ...]
    rows: tuple[Row, ...]
    #: Words that the page can be filtered by: failed, error, changed.
    states: tuple[str, ...]
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """What the page shows of a suite beside its numbers."""

    anchor: str
    cases: tuple[CaseView, ...]
    prompts: openings.Prompts
    #: Tags of its cases, in alphabetical order.
    tags: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Open:
    """A case while its trials come in."""

    first: Result
    trials: dict[str, list[TrialView]] = field(default_factory=dict)
    deciding: bool = False
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


def suites(
    summaries: Sequence[SuiteSummary], read: Callable[[], Iterable[Result]], *, seen: Mapping[str, Evidence]
) -> tuple[dict[str, SuiteView], room.Room]:
    """Return each suite's cases, those that need a look first, and the room that each text has.

    Args:
        summaries: The suites of the run.
        read: Gives the results; called twice.
        seen: What the sections above the cases need of trials is added to these.
    """
    baselines = {suite.name: baseline(suite) for suite in summaries}
    prompts = {suite.name: openings.Gathering(suite, suites=len(summaries)) for suite in summaries}
    space = room.measured(_watched(read(), prompts, seen), baselines)
    known = {suite.name: (suite, frozenset(suite.deciding_failures + suite.deciding_errors)) for suite in summaries}
    found: dict[str, dict[str, _Open]] = {suite.name: {} for suite in summaries}
    taken = anchors.Taken()
    for result in read():
        if result.suite in known:
            decides = result.id in known[result.suite][1]
            view = trials.view(result, limit=space.limit, decides=decides, prompt=prompts[result.suite], taken=taken)
            _take(found[result.suite], result, view)
    views = {}
    for name, cases in found.items():
        suite = known[name][0]
        rows = [_case(suite, case, taken, differences=space.differences) for case in cases.values()]
        views[name] = SuiteView(
            anchor=taken.one(anchors.suite(name)),
            cases=tuple(sorted(rows, key=lambda view: view.rank)),
            prompts=prompts[name].prompts((one.baseline, one.candidate) for one in suite.comparisons),
            tags=tuple(sorted({tag for row in rows for tag in row.tags})),
        )
    return views, space


def baseline(suite: SuiteSummary) -> str:
    """Return the variant that others are set against; empty: there is none."""
    named = next((variant.name for variant in suite.variants if variant.role == "baseline"), "")
    return named or next((one.baseline for one in suite.comparisons), "")


def ordered(suite: SuiteSummary) -> list[str]:
    """Return the names of a suite's variants, the baseline first."""
    first = baseline(suite)
    return sorted((variant.name for variant in suite.variants), key=lambda name: name != first)


def state_counts(views: Sequence[CaseView]) -> list[tuple[str, int]]:
    """Return the words that cases can be filtered by, with the number of cases of each."""
    counts = ((state, sum(state in view.states for view in views)) for state in ("failed", "error", "changed"))
    return [(state, count) for state, count in counts if count]


def outcome_counts(arm: Sequence[TrialView]) -> str:
    """How many of a case's repeats passed, in words for a screen reader."""
    passed = sum(trial.outcome == Outcome.PASSED.value for trial in arm)
    return f"{passed} of {phrases.count(len(arm), 'trial')} passed" if arm else "no trial"


def _watched(
    rows: Iterable[Result], prompts: dict[str, openings.Gathering], seen: Mapping[str, Evidence]
) -> Iterable[Result]:
    """Pass results on, and note what else is told of them: reading them is the dear part, so it happens once."""
    for result in rows:
        if result.suite in prompts:
            prompts[result.suite].add(result)
            seen[result.suite].add(result)
        yield result


def _take(cases: dict[str, _Open], result: Result, view: TrialView) -> None:
    case = cases.setdefault(result.case, _Open(first=result))
    case.trials.setdefault(result.variant, []).append(view)
    case.outcomes.setdefault(result.variant, []).append(result.outcome)
    case.deciding |= view.decides


def _case(suite: SuiteSummary, case: _Open, taken: anchors.Taken, *, differences: bool) -> CaseView:
    outcomes = [outcome for found in case.outcomes.values() for outcome in found]
    states = [
        *(["failed"] if Outcome.FAILED in outcomes else []),
        *(["error"] if Outcome.ERROR in outcomes else []),
        *(["changed"] if _changed(suite, case) else []),
    ]
    names = ordered(suite)
    if differences:
        _set_against(case.trials, baseline(suite))
    text = notes.plain(case.first.input)
    return CaseView(
        anchor=taken.one(anchors.case(case.first.suite, case.first.case)),
        name=clean.line(case.first.case),
        tags=tuple(clean.line(tag) for tag in case.first.tags),
        preview=clean.line(text[:600], 200),
        input=cut(text, _INPUT),
        arms=tuple((name, tuple(case.trials.get(name, ()))) for name in names),
        rows=_rows([case.trials.get(name, []) for name in names]),
        states=tuple(states),
        rank=_rank(suite, case, states),
    )


def _rank(suite: SuiteSummary, case: _Open, states: Sequence[str]) -> int:
    """Where a case stands in the list: what decides, what got worse, what else failed, errors, differences, the rest."""
    shares = _shares(case)
    candidates = {variant.name for variant in suite.variants if variant.role == "candidate"}
    worse = any(
        shares[one.candidate] < shares[one.baseline] for one in _paired(suite, shares) if one.candidate in candidates
    )
    missed = any(Outcome.FAILED in found for name, found in case.outcomes.items() if name in candidates)
    holds = (case.deciding, worse, missed, "error" in states, bool(states))
    return holds.index(True) if True in holds else len(holds)


def _set_against(found: dict[str, list[TrialView]], first: str) -> None:
    """Set every answer against the baseline's of the same repeat."""
    others = {trial.repeat: trial for trial in found.get(first, ())}
    for name, arm in found.items():
        if name != first:
            found[name] = [
                trials.against(trial, others[trial.repeat]) if trial.repeat in others else trial for trial in arm
            ]


def _rows(arms: Sequence[Sequence[TrialView]]) -> tuple[Row, ...]:
    repeats = sorted({trial.repeat for arm in arms for trial in arm})
    rows = []
    for repeat in repeats:
        beside = tuple(trial for arm in arms for trial in arm if trial.repeat == repeat)
        telling = len({trial.outcome for trial in beside}) > 1 or repeat == repeats[0]
        rows.append(Row(repeat=repeat, trials=beside, open=len(repeats) <= _OPEN or telling))
    return tuple(rows)


def _changed(suite: SuiteSummary, case: _Open) -> bool:
    """Whether a variant does not pass as often as the baseline does."""
    shares = _shares(case)
    return any(shares[one.baseline] != shares[one.candidate] for one in _paired(suite, shares))


def _shares(case: _Open) -> dict[str, float]:
    """The share of passes by variant, over the trials that were graded."""
    shares = {}
    for name, found in case.outcomes.items():
        graded = [outcome is Outcome.PASSED for outcome in found if outcome in (Outcome.PASSED, Outcome.FAILED)]
        if graded:
            shares[name] = sum(graded) / len(graded)
    return shares


def _paired(suite: SuiteSummary, shares: Mapping[str, float]) -> Iterable[Comparison]:
    return (one for one in suite.comparisons if one.baseline in shares and one.candidate in shares)
