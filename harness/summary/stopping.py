"""Stopping early: which looks the comparisons of a suite get while it runs, what they say, and the verdict that follows.

The same numbers stop the run and stand in its reports. What a look says depends on the results before it alone, so a
report that is made again from a run's folder finds the same looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.records import Outcome, Result
from harness.stats.paired import Difference
from harness.stats.sequential import conditional_power, critical_values, planned_looks, repeated_interval, z_score
from harness.stats.verdicts import Verdict, verdict
from harness.suites.suite import Suite
from harness.summary import phrases
from harness.summary.facets import Look, Stopping, StopReason
from harness.summary.pairing import pair
from harness.summary.slices import case_difference

#: From which look on a run may end because going on is hopeless, and below which conditional power it is.
_FUTILE_FROM, _HOPELESS = 3, 0.20


def watched(suite: Suite, trials: Iterable[tuple[str, str]]) -> Watch | None:
    """Return what looks at a suite while it runs; None: nobody asked for it, or there is no look before the end.

    Args:
        suite: The suite.
        trials: Case and variant of each selected trial, in plan order.
    """
    if not suite.stop_early or suite.baseline is None:
        return None
    trials = list(trials)
    there = {variant for _, variant in trials}
    names = [
        one.name for one in suite.variants if one.name in there and one.name != suite.baseline and not one.report_only
    ]
    counts: dict[str, int] = {}
    for case, variant in trials:
        if variant == suite.baseline or variant in names:
            counts[case] = counts.get(case, 0) + 1
    looks = planned_looks(len(counts)) if counts else ()
    if suite.baseline not in there or not names or len(looks) < 2:
        return None
    return Watch(suite=suite, baseline=suite.baseline, names=tuple(names), left=counts, looks=looks)


@dataclass(slots=True, kw_only=True)
class _Arm:
    """What is known of one candidate."""

    results: list[Result] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    reason: StopReason | None = None
    #: Chance that the rest would still have shown what is asked, at the last look.
    power: float = 1.0


@dataclass(kw_only=True)
class Watch:
    """Looks at the comparisons of one suite at planned numbers of complete cases.

    A case is complete when all its trials are in, of the baseline and of every candidate, and all cases before it are:
    what answers fast is what is easy.
    """

    suite: Suite
    baseline: str
    #: Candidates: the suite stops when each of them is decided at the same look.
    names: tuple[str, ...]
    #: Trials of each case that are not in yet; cases in plan order.
    left: dict[str, int]
    #: Numbers of complete cases at which to look.
    looks: tuple[int, ...]

    def __post_init__(self) -> None:
        self._order = tuple(self.left)
        self._places = {case: place for place, case in enumerate(self._order)}
        self._waiting: dict[str, list[Result]] = {case: [] for case in self._order}
        self._arms = {name: _Arm() for name in (self.baseline, *self.names)}
        self._complete = self._taken = 0
        self._broken = False
        #: Whether everything is decided and cases are left.
        self.stopped = False

    @cached_property
    def _critical(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Boundaries for intervals of 95 and of 90 percent; every candidate gets its share of the error (Bonferroni)."""
        return tuple(critical_values(self.looks, alpha / len(self.names)) for alpha in (0.05, 0.10))  # type: ignore[return-value]  # two of them

    @property
    def planned(self) -> int:
        """Cases, if nothing stops them."""
        return len(self._order)

    @property
    def used(self) -> int:
        """Complete cases at the last look; 0: none was taken."""
        return self.looks[self._taken - 1] if self._taken else 0

    def before_next_look(self, case: str) -> bool:
        """Whether a case has its place before the look that comes next, or no look comes any more."""
        place = self._places.get(case)
        return place is None or self._broken or self._taken == len(self.looks) or place < self.looks[self._taken]

    def add(self, result: Result) -> None:
        """Take in a result, and look where it completes enough cases."""
        waiting = self._waiting.get(result.case)
        if waiting is None or result.variant not in self._arms:
            return
        if result.outcome is Outcome.SKIPPED:
            # Its case is never complete, so nothing behind it ever counts.
            self._broken = True
            return
        waiting.append(
            replace(result, output=None, messages=(), turns=(), tool_calls=(), checks=(), state=None, files={})
        )
        self.left[result.case] -= 1
        while self._complete < self.planned and not self.left[self._order[self._complete]]:
            for one in self._waiting.pop(self._order[self._complete]):
                self._arms[one.variant].results.append(one)
            self._complete += 1
            if not self.stopped and self._complete == self.looks[self._taken]:
                self._look()

    def _look(self) -> None:
        for name in self.names:
            self._look_at(self._arms[name])
        self._taken += 1
        decided = all(self._arms[name].reason is not None for name in self.names)
        self.stopped = decided and self.used < self.planned

    def _look_at(self, arm: _Arm) -> None:
        pairing = pair(self._arms[self.baseline].results, arm.results)
        arm.reason = None
        found = case_difference(pairing.cases, self.suite.clusters)
        if found is None or found.cases < 2:
            return
        wide = repeated_interval(found, self._critical[0][self._taken])
        arm.looks.append(Look(cases=self._complete, estimate=found.estimate, interval=wide))
        if self._complete < self.planned:
            arm.power = self._power(found)
        hopeless = self._taken + 1 >= _FUTILE_FROM and arm.power < _HOPELESS
        if wide.low > 0 or wide.high < 0:
            arm.reason = "difference"
        elif self._asks_not_worse and wide.low > -self.suite.margin:
            arm.reason = "not_worse"
        elif hopeless:
            arm.reason = "futility"

    @property
    def _asks_not_worse(self) -> bool:
        gates = self.suite.gates
        return gates.not_worse_than_baseline and not gates.better_than_baseline

    def _power(self, found: Difference) -> float:
        """Chance that the cases that are left show what is asked, if the difference is as large as matters.

        Where a gate asks for no more than "not worse", that is if there is no difference.
        """
        margin, fraction = self.suite.margin, self._complete / self.planned
        drift = margin * math.sqrt(self.planned) / found.sd if found.sd else math.inf
        end = self._critical[0][-1]
        if self._asks_not_worse:
            return conditional_power(z_score(found, -margin), fraction, drift, end)
        z = z_score(found)
        return max(conditional_power(side, fraction, drift, end) for side in (z, -z))

    def kept(self, results: Sequence[Result]) -> list[Result]:
        """Return the results that the last look was taken at; all where there was none."""
        inside = set(self._order[: self.used]) if self._taken else set(self._order)
        return [one for one in results if one.case in inside]

    def judged(self, name: str, found: Difference) -> tuple[Difference, Verdict]:
        """Return a difference with intervals that hold at all looks together, and what it means then.

        Args:
            name: The variant that is compared with the baseline.
            found: Its difference, over `kept` results.
        """
        margin = self.suite.margin
        if not self._taken or found.cases < 2:
            return found, verdict(found, margin=margin)
        wide, narrow = (
            repeated_interval(found, critical[self._taken - 1], level)
            for critical, level in zip(self._critical, (0.95, 0.90), strict=True)
        )
        found = replace(found, interval=wide, interval90=narrow, method=wide.method)
        said = verdict(found, margin=margin)
        if self._reason(name) == "futility" and said.kind in ("no_evidence", "not_enough_data"):
            # What the suite can see, not what the part of it can that was enough to know this.
            short = said.required > self.planned
            said = replace(
                said,
                kind="not_enough_data" if short else "no_evidence",
                needed=max(said.required - found.cases, 1) if short else None,
            )
        return found, said

    def told(self, name: str, headline: str, text: str) -> str:
        """Return a comparison's text, which begins with its headline, with what there is to say of the looks."""
        if not self._taken:
            return text
        told = text
        if self.used < self.planned:
            stopped = "stopped early " if self.stopped else ""
            after = f"{stopped}after {self.used} of {phrases.count(self.planned, 'case')}"
            told = f"{headline} ({after}){text.removeprefix(headline)}"
        if self.stopped and self._reason(name) == "futility":
            margin = phrases.size(self.suite.margin)
            shown = (
                f"that it is not worse by more than {margin}" if self._asks_not_worse else f"a difference of {margin}"
            )
            chance = phrases.percent(self._arms[name].power)
            told += f" Going on was hopeless: the other cases would have shown {shown} with a probability of {chance}."
        several = f" and for all {len(self.names)} candidates" if len(self.names) > 1 else ""
        return f"{told} The interval holds at all {len(self.looks)} planned looks{several} together."

    def stopping(self, name: str) -> Stopping | None:
        """Return what was looked at, for reports; None: nothing was."""
        if not self._taken:
            return None
        arm = self._arms.get(name, _Arm())
        reason = arm.reason if self.stopped else None
        return Stopping(planned=self.planned, used=self.used, looks=tuple(arm.looks), reason=reason)

    def _reason(self, name: str) -> StopReason | None:
        return self._arms[name].reason if name in self._arms else None


def watch_results(suite: Suite, arms: Mapping[str, Sequence[Result]]) -> Watch | None:
    """Look at results that are there, as was done while they came in; arguments as those of `watched`, by variant."""
    baseline = suite.baseline
    if not suite.stop_early or baseline is None or baseline not in arms:
        return None
    order = {case: place for place, case in enumerate(dict.fromkeys(one.case for one in arms[baseline]))}
    results = [one for found in arms.values() for one in found if one.case in order]
    results.sort(key=lambda one: order[one.case])
    watch = watched(suite, ((one.case, one.variant) for one in results))
    if watch is not None:
        for one in results:
            watch.add(one)
    return watch
