"""What the HTML report shows, as plain values: cases with their trials, and the geometry of the bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.records import CheckResult, Outcome, Result
from harness.reports import clean, notes
from harness.summary import Comparison, SuiteSummary, VariantSummary, phrases

#: Characters that one answer may take on the page, and all of them together.
_LIMITS = (8_000, 4_000, 2_000, 1_000, 400, 120)
_ROOM = 6_000_000
_INPUT = 4_000
_REASON = 2_000

MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.ERROR: "!", Outcome.SKIPPED: "–"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Text, and how many characters of it are not shown."""

    text: str
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    name: str
    #: `passed`, `failed` or `unscored`.
    state: str
    soft: bool
    turn: int | None
    reason: Cut
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """One trial as it stands in a case's details."""

    variant: str
    repeat: int
    outcome: str
    mark: str
    decides: bool
    output: Cut | None
    turns: tuple[tuple[Cut, Cut], ...]
    checks: tuple[CheckView, ...]
    error: tuple[str, Cut, str] | None
    facts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case with its trials, by variant."""

    anchor: str
    name: str
    tags: tuple[str, ...]
    preview: str
    input: Cut
    #: In the order of the suite's variants; a variant without a trial of this case has an empty tuple.
    arms: tuple[tuple[str, tuple[TrialView, ...]], ...]
    #: Words that the page can be filtered by: failed, error, changed.
    states: tuple[str, ...]
    rank: int


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


@dataclass(slots=True, kw_only=True)
class _Open:
    """A case while its trials come in."""

    first: Result
    trials: dict[str, list[TrialView]] = field(default_factory=dict)
    deciding: bool = False
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


def output_limit(rows: Iterable[Result]) -> int:
    """Return how many characters of each answer the page can hold."""
    totals = dict.fromkeys(_LIMITS, 0)
    for result in rows:
        length = len(result.output or "") + sum(len(turn.output) for turn in result.turns[:-1])
        for limit in _LIMITS:
            totals[limit] += min(length, limit)
    return next((limit for limit in _LIMITS if totals[limit] <= _ROOM), _LIMITS[-1])


def cases(
    suites: Sequence[SuiteSummary], read: Callable[[], Iterable[Result]]
) -> tuple[dict[str, list[CaseView]], int]:
    """Return the cases of each suite, those that need a look first, and the characters shown of each answer."""
    limit = output_limit(read())
    known = {suite.name: (suite, frozenset(suite.deciding_failures + suite.deciding_errors)) for suite in suites}
    found: dict[str, dict[str, _Open]] = {suite.name: {} for suite in suites}
    for result in read():
        if result.suite not in known:
            continue
        decides = result.id in known[result.suite][1]
        case = found[result.suite].setdefault(result.case, _Open(first=result))
        case.trials.setdefault(result.variant, []).append(_trial(result, limit=limit, decides=decides))
        case.outcomes.setdefault(result.variant, []).append(result.outcome)
        case.deciding |= decides
    pages: dict[str, list[CaseView]] = {}
    for number, (name, opened) in enumerate(found.items(), start=1):
        views = [_case(known[name][0], case, f"c{number}-{row}") for row, case in enumerate(opened.values(), start=1)]
        pages[name] = sorted(views, key=lambda view: view.rank)
    return pages, limit


def state_counts(views: Sequence[CaseView]) -> list[tuple[str, int]]:
    """Return the words that cases can be filtered by, with the number of cases of each."""
    counts = ((state, sum(state in view.states for view in views)) for state in ("failed", "error", "changed"))
    return [(state, count) for state, count in counts if count]


def rate_bar(variant: VariantSummary) -> Bar | None:
    """The accuracy of a variant on an axis from 0 to 100 percent."""
    if variant.accuracy is None or variant.interval is None:
        return None
    return Bar(
        low=round(variant.interval.low * 1000, 1),
        high=round(variant.interval.high * 1000, 1),
        at=round(variant.accuracy * 1000, 1),
    )


def difference_bar(comparison: Comparison) -> Bar | None:
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


def cut(text: str, limit: int) -> Cut:
    """Return text without what nobody should see, and at most `limit` characters of it."""
    shown = clean.block(text[: 4 * limit])
    if len(text) > 4 * limit or len(shown) > limit:
        shown = shown[:limit]
        return Cut(text=shown, more=max(len(text) - len(shown), 1))
    return Cut(text=shown)


def _case(suite: SuiteSummary, case: _Open, anchor: str) -> CaseView:
    outcomes = [outcome for found in case.outcomes.values() for outcome in found]
    candidates = {variant.name for variant in suite.variants if variant.role == "candidate"}
    missed = any(
        outcome is Outcome.FAILED for name, found in case.outcomes.items() if name in candidates for outcome in found
    )
    states = [
        *(["failed"] if Outcome.FAILED in outcomes else []),
        *(["error"] if Outcome.ERROR in outcomes else []),
        *(["changed"] if _changed(suite, case) else []),
    ]
    rank = 0 if case.deciding else 1 if missed else 2 if Outcome.ERROR in outcomes else 3 if states else 4
    text = notes.plain(case.first.input)
    return CaseView(
        anchor=anchor,
        name=clean.line(case.first.case),
        tags=tuple(clean.line(tag) for tag in case.first.tags),
        preview=clean.line(text[:600], 200),
        input=cut(text, _INPUT),
        arms=tuple((variant.name, tuple(case.trials.get(variant.name, ()))) for variant in suite.variants),
        states=tuple(states),
        rank=rank,
    )


def _changed(suite: SuiteSummary, case: _Open) -> bool:
    """Whether a variant does not pass as often as the baseline does."""
    shares = {}
    for name, found in case.outcomes.items():
        graded = [outcome is Outcome.PASSED for outcome in found if outcome in (Outcome.PASSED, Outcome.FAILED)]
        if graded:
            shares[name] = sum(graded) / len(graded)
    return any(
        shares[one.baseline] != shares[one.candidate]
        for one in suite.comparisons
        if one.baseline in shares and one.candidate in shares
    )


def _trial(result: Result, *, limit: int, decides: bool) -> TrialView:
    error = result.error
    return TrialView(
        variant=result.variant,
        repeat=result.repeat,
        outcome=result.outcome.value,
        mark=MARKS[result.outcome],
        decides=decides,
        output=None if result.output is None else cut(result.output, limit),
        turns=tuple((cut("\n".join(turn.input), _INPUT), cut(turn.output, limit)) for turn in result.turns)
        if len(result.turns) > 1
        else (),
        checks=tuple(_check(check) for check in sorted(result.checks, key=_trouble_first)),
        error=(clean.line(error.kind), cut(error.message, _INPUT), clean.line(error.where or "")) if error else None,
        facts=clean.line(notes.of_trial(result)),
    )


def _trouble_first(check: CheckResult) -> tuple[bool, bool]:
    return (check.passed is True, check.soft)


def _check(check: CheckResult) -> CheckView:
    return CheckView(
        name=clean.line(check.name if check.name == check.scorer else f"{check.name} ({check.scorer})"),
        state="unscored" if check.passed is None else "passed" if check.passed else "failed",
        soft=check.soft,
        turn=check.turn,
        reason=cut(check.reason, _REASON),
        where=clean.line(check.where or ""),
    )


def outcome_counts(arm: Sequence[TrialView]) -> str:
    """How many of a case's repeats passed, in words for a screen reader."""
    passed = sum(trial.outcome == Outcome.PASSED.value for trial in arm)
    return f"{passed} of {phrases.count(len(arm), 'trial')} passed" if arm else "no trial"
