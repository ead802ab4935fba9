"""What the sections of the page need of single trials, taken from the one pass over the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.records import Outcome, Result
from harness.reports import clean, notes
from harness.reports.cutting import Cut, cut
from harness.reports.figures.figure import listed
from harness.summary import Comparison, SuiteSummary
from harness.summary.facets import Flip

#: Cases of each sort that stand on the page; the table of cases has all.
SHOWN = 20
_ANSWER, _REASON = 320, 400
_CHECKS = 6
#: Different errors that are told apart.
_ERRORS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A check that failed, or an error, and the trials in which it said so."""

    name: str
    text: Cut
    where: str
    #: "v2", "v2, repeats 1 and 3; v1"
    trials: str
    error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The trials of a case in one variant."""

    variant: str
    #: Repeat and outcome.
    outcomes: tuple[tuple[int, str], ...]
    #: What the first trial answered that did not pass.
    answer: Cut | None

    @property
    def passed(self) -> int:
        """How many trials passed."""
        return sum(outcome == Outcome.PASSED.value for _, outcome in self.outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One case with all its repeats."""

    case: str
    tags: tuple[str, ...]
    arms: tuple[Arm, ...]
    reasons: tuple[Reason, ...]
    #: Its input is not the same in both arms.
    changed: bool = False
    decides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The first cases of a sort, and how many there are."""

    cases: tuple[Shown, ...] = ()
    total: int = 0

    @property
    def decides(self) -> bool:
        """Whether any of them makes the run fail."""
        return any(one.decides for one in self.cases)

    @property
    def more(self) -> int:
        """Cases that are not shown."""
        return self.total - len(self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """Trials that ended in the same error."""

    kind: str
    message: str
    where: str
    count: int
    #: The first of them: suite, case, variant and repeat.
    first: tuple[str, str, str, int]


class Evidence:
    """Trials of one suite that its sections speak of; bounded whatever the size of the run."""

    def __init__(self, suite: SuiteSummary) -> None:
        self._suite = suite
        self._flipped = {flip.case for one in suite.comparisons for flip in _first(one.flips)}
        self._candidates = {one.name for one in suite.variants if one.role == "candidate"}
        self._deciding = frozenset(suite.deciding_failures)
        self._tags: dict[str, tuple[str, ...]] = {}
        #: By case and variant: repeats and outcomes of all trials, and those trials that did not pass.
        self._outcomes: dict[str, dict[str, list[tuple[int, str]]]] = {}
        self._telling: dict[str, dict[str, list[Result]]] = {}
        #: Cases in which a candidate failed, in plan order, and whether that makes the run fail.
        self._failing: dict[str, bool] = {}
        self._errors: dict[tuple[str, str], Error] = {}
        self.latencies: dict[str, list[float]] = {one.name: [] for one in suite.variants}

    def add(self, result: Result) -> None:
        """Take in a trial."""
        arms = self._outcomes.setdefault(result.case, {})
        arms.setdefault(result.variant, []).append((result.repeat, result.outcome.value))
        if result.outcome is Outcome.ERROR:
            self._error(result)
        elif result.latency is not None and result.outcome in (Outcome.PASSED, Outcome.FAILED):
            self.latencies.setdefault(result.variant, []).append(result.latency)
        if result.outcome is Outcome.FAILED and result.variant in self._candidates:
            self._failing[result.case] = self._failing.get(result.case, False) or result.id in self._deciding
        if result.outcome in (Outcome.FAILED, Outcome.ERROR) and self._wanted(result.case):
            self._tags[result.case] = tuple(clean.line(tag) for tag in result.tags)
            self._telling.setdefault(result.case, {}).setdefault(result.variant, []).append(result)

    def _wanted(self, case: str) -> bool:
        if case in self._flipped or case in self._telling:
            return True
        if case not in self._failing:
            # A failing baseline: worth a reason only beside a candidate's, which comes with the next trial.
            return len(self._telling) < 2 * SHOWN
        same = sum(self._failing.get(other) == self._failing[case] for other in self._telling)
        return same < SHOWN

    def flipped(self, comparison: Comparison, *, broken: bool) -> Listed:
        """Return the cases that a comparison broke, or fixed."""
        flips = [flip for flip in comparison.flips if flip.broken == broken]
        arms = (comparison.baseline, comparison.candidate)
        shown = [self._shown(flip.case, arms, flip) for flip in flips[:SHOWN]]
        return Listed(cases=tuple(shown), total=len(flips))

    def failing(self) -> Listed:
        """Return the cases that a candidate fails and that no comparison calls broken, those that decide first."""
        broken = {flip.case for one in self._suite.comparisons for flip in one.flips if flip.broken}
        left = sorted((case for case in self._failing if case not in broken), key=lambda case: not self._failing[case])
        arms = [one.name for one in self._suite.variants if one.role != "report_only"]
        shown = [self._shown(case, arms) for case in left if case in self._telling]
        return Listed(cases=tuple(shown[:SHOWN]), total=len(left))

    def errors(self) -> tuple[Error, ...]:
        """Return the errors in which trials ended, the most frequent first."""
        return tuple(sorted(self._errors.values(), key=lambda one: -one.count))

    def _shown(self, case: str, arms: Iterable[str], flip: Flip | None = None) -> Shown:
        outcomes, telling = self._outcomes.get(case, {}), self._telling.get(case, {})
        found = tuple(_arm(name, outcomes[name], telling.get(name, [])) for name in arms if name in outcomes)
        return Shown(
            case=case,
            tags=self._tags.get(case, ()),
            arms=found,
            reasons=_reasons(
                {arm.variant: telling[arm.variant] for arm in found[::-1] if arm.variant in telling}, outcomes
            ),
            changed=flip is not None and flip.changed,
            decides=self._failing.get(case, False),
        )

    def _error(self, result: Result) -> None:
        kind = result.error.kind if result.error else "unknown"
        message = clean.line(result.error.message, _REASON) if result.error else ""
        if (kind, message) not in self._errors and len(self._errors) >= _ERRORS:
            message = "(other messages)"
        known = self._errors.get((kind, message))
        where = result.error.where if result.error else None
        self._errors[kind, message] = Error(
            kind=kind,
            message=message,
            where=known.where if known else where or "",
            count=known.count + 1 if known else 1,
            first=known.first if known else (result.suite, result.case, result.variant, result.repeat),
        )


def gathered(suites: Iterable[SuiteSummary]) -> Mapping[str, Evidence]:
    """Return an empty collection for each suite, by its name."""
    return {suite.name: Evidence(suite) for suite in suites}


def _first(flips: tuple[Flip, ...]) -> list[Flip]:
    return [flip for sort in (True, False) for flip in [one for one in flips if one.broken == sort][:SHOWN]]


def _arm(variant: str, outcomes: list[tuple[int, str]], telling: list[Result]) -> Arm:
    text = notes.plain(telling[0].output) if telling else ""
    return Arm(
        variant=variant,
        outcomes=tuple(sorted(outcomes)),
        answer=cut(text, _ANSWER) if text else None,
    )


def _reasons(telling: Mapping[str, list[Result]], outcomes: Mapping[str, list[tuple[int, str]]]) -> tuple[Reason, ...]:
    """What failed, the same reason of several trials once."""
    #: By check and reason: where it stands, whether it is an error, and the repeats by variant.
    found: dict[tuple[str, str], tuple[str, bool, dict[str, list[int]]]] = {}
    for variant, trials in telling.items():
        for trial in sorted(trials, key=lambda one: one.repeat):
            for name, reason, where, error in _told(trial):
                known = found.setdefault((name, reason), (where or "", error, {}))
                known[2].setdefault(variant, []).append(trial.repeat)
    return tuple(
        Reason(
            name=clean.line(name),
            text=cut(reason, _REASON),
            where=clean.line(where),
            trials="; ".join(_in(name, repeats, len(outcomes[name])) for name, repeats in variants.items()),
            error=error,
        )
        for (name, reason), (where, error, variants) in list(found.items())[:_CHECKS]
    )


def _told(trial: Result) -> list[tuple[str, str, str | None, bool]]:
    if trial.outcome is Outcome.ERROR:
        return [(trial.error.kind, trial.error.message, trial.error.where, True)] if trial.error else []
    return [(one.name, one.reason, one.where, False) for one in trial.checks if one.passed is False and not one.soft]


def _in(variant: str, repeats: list[int], of: int) -> str:
    """In which repeats of a variant: all of them go without saying where there is one."""
    name, numbers = clean.line(variant), sorted(set(repeats))
    if of == 1:
        return name
    if len(numbers) == of:
        return f"{name}, all repeats"
    return f"{name}, repeat{'s' if len(numbers) > 1 else ''} {listed([str(number) for number in numbers])}"
