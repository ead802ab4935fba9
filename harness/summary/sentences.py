"""A verdict in words: its first words, what was found, and what would tell more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from harness.stats.paired import Difference, equivalence_p
from harness.stats.sequential import REPEATED
from harness.stats.verdicts import Verdict
from harness.summary import phrases
from harness.summary.facets import TagContrast
from harness.summary.pairing import Pairing, bounds
from harness.summary.phrases import count

#: McNemar's mid-p stands beside the interval below this number of discordant cases.
_FEW_DISCORDANT = 10
#: Clusters below which intervals tend to be too narrow (statistics: type I error of .08 instead of .05).
FEW_CLUSTERS = 10
#: More repeats than this nobody makes.
_MOST_REPEATS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a verdict's sentence is made of."""

    #: B's pass rate minus A's.
    difference: Difference
    verdict: Verdict
    #: What the arms are called.
    a: str
    b: str
    #: Whether somebody chose the margin.
    given: bool
    #: What the interval and the verdict are adjusted for: "3 candidates"; empty: nothing.
    adjusted: str = ""
    #: Change of the bill in percent, where its interval lies below 0; empty: it does not.
    cheaper: str = ""

    @property
    def margin(self) -> str:
        """The smallest difference that matters."""
        return phrases.margin(self.verdict.margin, given=self.given)


def headline(told: Told) -> str:
    """The verdict's first words."""
    verdict, a, b = told.verdict, told.a, told.b
    match verdict.kind:
        case "better" | "worse":
            return f"{b} is {verdict.kind}"
        case "equivalent":
            return f"{b} is equivalent to {a} within ±{phrases.size(verdict.margin)}"
        case "not_worse":
            cheaper = "cheaper and " if told.cheaper else ""
            return f"{b} is {cheaper}not worse than {a} by more than {phrases.size(verdict.margin)}"
        case "no_evidence":
            return f"No evidence of a difference between {b} and {a}"
        case "not_enough_data":
            return f"Not enough data to tell {b} from {a}"


def sentence(told: Told) -> str:
    """The verdict as a whole sentence or two: what was found, in how many cases, and what would tell more."""
    difference, verdict = told.difference, told.verdict
    unchosen = " (default margin)" if not told.given and verdict.kind in ("equivalent", "not_worse") else ""
    start = f"{headline(told)}{unchosen}: {evidence(difference, verdict, adjusted=told.adjusted)}"
    match verdict.kind:
        case "better" | "worse":
            if not verdict.within_margin:
                return f"{start}."
            said = f"{phrases.size(verdict.margin)} you said matters" if told.given else f"{told.margin} that matters"
            return f"{start}, but less than the {said}."
        case "equivalent":
            return f"{start}."
        case "not_worse":
            cost = f" Cost {told.cheaper}." if told.cheaper else ""
            return f"{start}; could be {phrases.points(difference.interval.high)} better.{cost}"
        case "no_evidence":
            low, high = phrases.signed(difference.interval.low), phrases.signed(difference.interval.high)
            return (
                f"{start}. The data rule out changes beyond {low}…{high} pp; "
                f"the suite could have seen ±{told.margin} with 80% power."
            )
        case "not_enough_data":
            return f"{start}. {missing(difference, verdict, given=told.given)}."


def evidence(difference: Difference, verdict: Verdict | None = None, *, adjusted: str = "") -> str:
    """The difference, its interval, and the cases behind it: "+11.0 pp (95% CI +3.9…+18.2), 38 fixed, ... of 200"."""
    equivalent = verdict is not None and verdict.kind == "equivalent"
    # Looks on the way have an interval of their own, and no p value.
    repeated = difference.interval.method.endswith(REPEATED)
    inside = [phrases.interval(difference.interval90 if equivalent else difference.interval)]
    if adjusted:
        inside.append(f"adjusted for {adjusted}")
    elif equivalent and verdict is not None and not repeated:
        inside.append(f"TOST {phrases.p(equivalence_p(difference, verdict.margin))}")
    mid_p = difference.mcnemar
    if mid_p is not None and not adjusted and 0 < difference.fixed + difference.broken < _FEW_DISCORDANT:
        inside.append(f"McNemar mid-{phrases.p(mid_p)}")
    shown = f"{phrases.points(difference.estimate)} ({', '.join(inside)})"
    together = "" if difference.clusters is None else f" in {count(difference.clusters, 'cluster')}"
    if difference.pairs == difference.cases:
        return f"{shown}, {difference.fixed} fixed, {difference.broken} broken of {difference.cases}{together}"
    repeats = f"{difference.repeats:.1f}".removesuffix(".0")
    return (
        f"{shown}, {count(difference.fixed, 'case')} passed more often, {difference.broken} less often, "
        f"of {difference.cases}{together} ({repeats} repeats)"
    )


def missing(difference: Difference, verdict: Verdict, *, given: bool) -> str:
    """How many cases, or repeats, it takes to see the margin."""
    margin = phrases.margin(verdict.margin, given=given)
    needed = verdict.needed if verdict.needed is not None else verdict.required - difference.cases
    if needed <= 0:
        return f"{count(difference.cases, 'case')} would have shown {margin} with 80% power"
    cases = count(difference.cases, "case")
    seen = (
        f"can only show ±{phrases.size(verdict.detectable)}"
        if verdict.detectable < 1
        else "cannot show a change, however large"
    )
    more = f"{needed:,} more {'case' if needed == 1 else 'cases'}"
    return f"{cases} {seen}; ±{margin} needs about {more}{_repeats(difference, verdict)}"


def _repeats(difference: Difference, verdict: Verdict) -> str:
    """What more repeats of the same cases would do, where repeats tell; empty where they do not."""
    spread, now = difference.spread, round(difference.repeats)
    if spread is None or now <= 1 or spread.sd(now) == 0:
        return ""
    # Pseudo-cases are in what these cases can show, and not in the spread: so only its ratios are used.
    unit = verdict.detectable / spread.sd(now)
    floor = unit * math.sqrt(spread.between)
    room = (verdict.margin / unit) ** 2 - spread.between
    enough = math.ceil(spread.within / room - 1e-9) if room > 0 else None
    reached = enough is not None and now < enough <= _MOST_REPEATS
    wanted = enough if reached and enough is not None else 2 * now
    then = phrases.size(unit * spread.sd(wanted))
    if then == phrases.size(verdict.detectable):
        return ""
    told = f"{now} → {wanted} repeats: ±{phrases.size(verdict.detectable)} → ±{then}"
    if reached:
        return f", or {told}"
    never = f"; repeats alone can never get below ±{phrases.size(floor)}" if floor > verdict.margin else ""
    return f" ({told}{never})"


def clusters(difference: Difference) -> str:
    """A warning where there are too few clusters for an interval to be trusted; else empty."""
    if difference.clusters is None or difference.clusters >= FEW_CLUSTERS:
        return ""
    verb = "is" if difference.clusters == 1 else "are"
    told = f"{count(difference.clusters, 'cluster')} {verb} few"
    return f"{told}: below {FEW_CLUSTERS}, intervals tend to be too narrow."


def worst(tag: TagContrast, tested: int) -> str:
    """The tag that got worst; `tested` is how many tags its word is adjusted for."""
    size = "" if tag.difference is None else f"{phrases.points(tag.difference.estimate)}, "
    adjusted = f"adjusted for {tested} tags" if tested > 1 else "the only tag"
    return f"Broken most: {tag.tag} ({size}{adjusted})."


def score(found: Difference) -> str:
    """The difference of mean scores, where checks give more than 0 and 1."""
    interval = found.interval
    return f"Mean score {found.estimate:+.3f} ({phrases.level(interval.level)} CI {interval.low:+.3f}…{interval.high:+.3f})."


def left_out(pairing: Pairing, *, b: str) -> Iterator[str]:
    """Yield everything that is in neither arm's numbers, and what it could have changed at worst."""
    extremes = bounds(pairing)
    if extremes is not None:
        pairs = count(len(pairing.dropped), "pair")
        gone = "had it gone" if len(pairing.dropped) == 1 else "had all of them gone"
        yield f"{pairs} left out ({_why(pairing)}); {gone} against {b}: {phrases.points(extremes[0])}."
    if pairing.spared:
        yield (
            f"{count(pairing.spared, 'trial')} of these arms did not run, since a run was stopped early; the interval does "
            "not allow for the looks that were taken."
        )
    if pairing.unpaired:
        verb = "has" if pairing.unpaired == 1 else "have"
        alone = f" ({phrases.names(pairing.alone)})" if pairing.alone else ""
        yield f"{count(pairing.unpaired, 'trial')} left out that {verb} no counterpart{alone}."
    if pairing.changed:
        verb = "has" if pairing.changed == 1 else "have"
        yield f"{count(pairing.changed, 'case')} {verb} different inputs in the two arms."


def _why(pairing: Pairing) -> str:
    errors = sum("error" in (x.outcome.value, y.outcome.value) for x, y in pairing.dropped)
    skips = len(pairing.dropped) - errors
    if not skips:
        return "error" if errors == 1 else "errors"
    return "skipped" if not errors else f"{count(errors, 'error')}, {skips} skipped"
