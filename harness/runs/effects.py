"""What a suite can see before it is run: from what is recorded already, or from assumptions that are said aloud."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.plan import Plan, Trial
from harness.project.project import Project
from harness.records import JSON, Result
from harness.runs.staleness import replayed
from harness.stats.sizing import Spread
from harness.suites.suite import Suite
from harness.summary import phrases
from harness.summary.pairing import pair
from harness.summary.slices import case_difference

#: Recorded cases below which the spread of their differences says too little.
_FEW = 10
#: Where nothing is recorded: trials on which the arms differ, and the part of that which is the model's own dice.
_DISCORDANT, _DICE = 0.20, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the planned trials of a comparison show with 80 percent power. Differences are fractions."""

    suite: str
    baseline: str
    candidate: str
    cases: int
    #: Pairs of trials per case.
    repeats: float
    #: The difference that was asked about.
    effect: float
    #: Of the per-case differences, split; where the repeats do not tell, all of it is between cases.
    spread: Spread
    #: Whether repeats tell how much of the spread they would remove.
    split: bool
    #: Where the spread comes from, in words.
    basis: str

    @property
    def detectable(self) -> float:
        """Smallest difference that is seen."""
        return self.spread.detectable(self.cases, repeats=self.repeats)

    @property
    def required(self) -> int:
        """Cases that show the effect, with as many repeats."""
        return math.ceil(self.spread.needed(self.effect, repeats=self.repeats) - 1e-9)

    @property
    def enough(self) -> bool:
        """Whether the suite can see the effect."""
        return self.required <= self.cases

    @property
    def text(self) -> str:
        """One sentence or two for a person."""
        arms = f"{self.candidate} against {self.baseline}"
        start = f"{self.suite}: {arms}: {phrases.count(self.cases, 'case')}{self._repeats} can see"
        end = f"({self.basis}, 80% power)."
        if self.enough:
            return (
                f"{start} ±{phrases.size(self.effect)}: differences from ±{phrases.size(self.detectable)} on show {end}"
            )
        seen = f"no less than ±{phrases.size(self.detectable)}" if self.detectable < 1 else "no difference at all"
        more = self.required - self.cases
        needs = f"±{phrases.size(self.effect)} needs about {phrases.count(more, 'more case')}"
        return f"{start} {seen} {end} {needs}{self._more_repeats}."

    @property
    def _repeats(self) -> str:
        return "" if self.repeats == 1 else f" of {self._repeats_shown} repeats"

    @property
    def _repeats_shown(self) -> str:
        return f"{self.repeats:.1f}".removesuffix(".0")

    @property
    def _more_repeats(self) -> str:
        if not self.split:
            return "; whether repeats would help shows when two of a case are recorded"
        enough = self.spread.repeats_for(self.effect, cases=self.cases)
        if enough is not None:
            return f", or {enough} repeats of each"
        floor = self.spread.detectable(self.cases, repeats=math.inf)
        return f"; repeats alone can never get below ±{phrases.size(floor)}"

    @property
    def row(self) -> dict[str, JSON]:
        """A row of the table."""
        return {
            "suite": self.suite,
            "comparison": f"{self.candidate} against {self.baseline}",
            "cases": self.cases,
            "repeats": self._repeats_shown,
            "can see": f"±{phrases.size(self.detectable)}",
            f"for ±{phrases.size(self.effect)}": f"{self.required:,} cases",
            "enough": "yes" if self.enough else "no",
            "from": self.basis.partition(",")[0],
        }

    @property
    def plain(self) -> dict[str, JSON]:
        """All of it as plain data; differences are fractions."""
        return {
            "suite": self.suite,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "cases": self.cases,
            "repeats": self.repeats,
            "effect": self.effect,
            "detectable": self.detectable,
            "required_cases": self.required,
            "enough": self.enough,
            "sd": self.spread.sd(self.repeats),
            "required_repeats": self.spread.repeats_for(self.effect, cases=self.cases) if self.split else None,
            "floor": self.spread.detectable(self.cases, repeats=math.inf) if self.split else None,
            "basis": self.basis,
            "power": 0.8,
        }


def sights(project: Project, plan: Plan, effect: float) -> list[Sight]:
    """Return what each comparison of a plan can see; recordings are replayed, and nothing is sent or kept.

    How large the recorded difference is has no part in it: only how much cases differ among each other.

    Args:
        project: Whose suites these are.
        plan: What would run.
        effect: The difference in accuracy in question, a fraction > 0.
    """
    found: list[Sight] = []
    for suite in plan.suites:
        arms: dict[str, list[Trial]] = {}
        for trial in plan.trials:
            if trial.suite is suite:
                arms.setdefault(trial.variant.name, []).append(trial)
        if suite.baseline in arms and len(arms) > 1:
            found += _sights(project, suite, arms, effect)
    return found


def _sights(project: Project, suite: Suite, arms: Mapping[str, Sequence[Trial]], effect: float) -> Iterator[Sight]:
    baseline = suite.baseline or ""
    answered = [trial for trials in arms.values() for trial in trials if trial.answered]
    results: dict[str, list[Result]] = {}
    for result in replayed(project, answered)[0] if answered else ():
        results.setdefault(result.variant, []).append(result)
    for name, trials in arms.items():
        if name == baseline:
            continue
        there = {(trial.case.id, trial.repeat) for trial in arms[baseline]}
        both = [trial for trial in trials if (trial.case.id, trial.repeat) in there]
        cases = len({trial.case.id for trial in both})
        if not cases:
            continue
        repeats = len(both) / cases
        spread, split, basis = _spread(results.get(baseline, ()), results.get(name, ()), repeats, suite.clusters)
        yield Sight(
            suite=suite.name,
            baseline=baseline,
            candidate=name,
            cases=cases,
            repeats=repeats,
            effect=effect,
            spread=spread,
            split=split,
            basis=basis,
        )


def _spread(
    a: Sequence[Result], b: Sequence[Result], repeats: float, clusters: Mapping[str, str]
) -> tuple[Spread, bool, str]:
    """Return how much the differences of cases vary, whether it is known what repeats do, and where that comes from."""
    pairing = pair(a, b)
    found = case_difference(pairing.cases, clusters)
    if found is None or found.cases < _FEW:
        recorded = f"{phrases.count(len(pairing.cases), 'case')} recorded in both" if pairing.cases else "none recorded"
        told = (
            f"assumed, {recorded}: one trial in {1 / _DISCORDANT:.0f} comes out differently, half of them by the "
            "model's own dice"
        )
        return Spread(between=_DISCORDANT * (1 - _DICE), within=_DISCORDANT * _DICE), True, told
    basis = f"from {phrases.count(len(pairing.cases), 'recorded case')}"
    if found.within is None:
        told = f"{basis} of one repeat" if repeats > 1 else basis
        return Spread(between=found.sd**2, within=0.0), False, told
    within = found.within
    return Spread(between=max(found.sd**2 - within / found.repeats, 0.0), within=within), True, basis
