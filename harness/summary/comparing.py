"""One arm against another, or several candidates against a baseline: what their difference is and means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.records import Result
from harness.stats.paired import Difference, difference
from harness.stats.verdicts import Verdict, verdict
from harness.suites.suite import Suite
from harness.summary import phrases, sentences
from harness.summary.advising import Advising
from harness.summary.bill import Bill, compare_bill, cost_text
from harness.summary.facets import TagContrast
from harness.summary.meaning import meaning, noise
from harness.summary.measuring import role
from harness.summary.pairing import Pairing, bounds, pair, values
from harness.summary.slices import broken_most, case_difference, flips, tag_contrasts
from harness.summary.speed import compare_speed, latency_text
from harness.summary.stopping import Watch, watch_results
from harness.summary.view import Comparison

_ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What comparisons of one suite have in common."""

    suite: str
    #: The smallest difference in accuracy that matters, a fraction > 0.
    margin: float
    #: Whether somebody chose it before the run.
    margin_given: bool
    #: Label of each case that belongs together with others, by its id.
    clusters: Mapping[str, str] | None = None
    #: Path of the suite's file, for commands.
    shown: str = ""
    #: What looked at the arms while they ran; None: nobody did.
    watch: Watch | None = None
    #: Variants from elsewhere, of which nothing can be recorded here.
    elsewhere: tuple[str, ...] = ()

    @classmethod
    def of(cls, suite: Suite, *, watch: Watch | None = None) -> Ground:
        """What a suite says about its comparisons."""
        return cls(
            suite=suite.name,
            margin=suite.margin,
            margin_given=suite.margin_given,
            clusters=suite.clusters,
            shown=suite.shown,
            watch=watch,
            elsewhere=suite.against.others if suite.against is not None else (),
        )


def compare_arms(ground: Ground, a: Sequence[Result], b: Sequence[Result], *, names: tuple[str, str]) -> Comparison:
    """Compare two arms case by case.

    Args:
        ground: What the suite says about comparisons.
        a: Trials of the arm compared with (the baseline).
        b: Trials of the other arm (the candidate).
        names: What to call the two arms, A's first.
    """
    return _Arms(ground=ground, a=a, b=b, names=names).compared()


def replayed_alike(
    ground: Ground, a: Sequence[Result], b: Sequence[Result], *, names: tuple[str, str]
) -> Comparison | None:
    """Return what is said of two arms that replay the same recordings; None: not all pairs have the same outcome.

    It has no verdict and no number: every difference is 0 by the way it came about, and no more cases would tell more.
    Arguments are those of `compare_arms`.
    """
    pairing = pair(a, b)
    pairs = [found for case in pairing.cases for found in case.pairs]
    if not pairs or pairing.dropped or any((x.outcome, x.score) != (y.outcome, y.score) for x, y in pairs):
        return None
    headline = f"{names[1]} replays the same recordings as {names[0]}, with the same outcomes"
    told = f"{headline}: {phrases.count(len(pairing.cases), 'case')}, and nothing to tell apart."
    return Comparison(
        suite=ground.suite,
        baseline=names[0],
        candidate=names[1],
        difference=None,
        verdict=None,
        headline=headline,
        text=" ".join([told, *sentences.left_out(pairing, b=names[1])]),
        margin=ground.margin,
        margin_given=ground.margin_given,
        cases=len(pairing.cases),
        dropped=0,
        unpaired=pairing.unpaired,
        changed=pairing.changed,
        same=True,
    )


def compare_suite(suite: Suite, arms: Mapping[str, Sequence[Result]]) -> Iterator[Comparison]:
    """Yield the comparison of every other variant of a suite with its baseline; nothing where that has no trials.

    Args:
        suite: The suite.
        arms: Trials of each variant that has any, in plan order.
    """
    baseline = suite.baseline
    if baseline is None or baseline not in arms:
        return
    watch = watch_results(suite, arms)
    kept = arms if watch is None else {name: watch.kept(found) for name, found in arms.items()}
    others = {name: results for name, results in kept.items() if name != baseline}
    candidates = [name for name in others if role(suite, name) == "candidate"]
    yield from compare_candidates(
        Ground.of(suite, watch=watch), (baseline, kept[baseline]), others, deciding=candidates
    )


def compare_candidates(
    ground: Ground,
    baseline: tuple[str, Sequence[Result]],
    arms: Mapping[str, Sequence[Result]],
    *,
    deciding: Collection[str],
) -> Iterator[Comparison]:
    """Yield the comparison of every other variant of a suite with its baseline, adjusted for their number (Holm 1979).

    Each interval is at the level of its step in Holm's procedure, so that it leaves 0 out exactly where the adjusted p
    value is below 0.05: sentence, interval and gate agree. Candidates are adjusted for the number of candidates; variants
    that only are reported, for the number of all. Where looks were taken on the way, their intervals allow for all of it.

    Args:
        ground: What the comparisons have in common.
        baseline: Its name and trials.
        arms: Trials of each other variant, by name.
        deciding: The candidates' names.
    """
    name, ours = baseline
    yield from compare_pairs(ground, dict.fromkeys(arms, name), {**arms, name: ours}, deciding=deciding)


def compare_pairs(
    ground: Ground,
    pairs: Mapping[str, str],
    arms: Mapping[str, Sequence[Result]],
    *,
    deciding: Collection[str],
) -> Iterator[Comparison]:
    """Yield the comparison of each variant with the one that stands against it, adjusted as in `compare_candidates`.

    Args:
        ground: What the comparisons have in common.
        pairs: What each variant is compared with, by name.
        arms: Trials of all of them, by name.
        deciding: The candidates' names.
    """
    found = {
        other: _Arms(ground=ground, a=arms[name], b=arms[other], names=(name, other)) for other, name in pairs.items()
    }
    candidates = _levels({other: arm for other, arm in found.items() if other in deciding})
    everyone = _levels(found)
    for other, arm in found.items():
        levels, noun = (candidates, "candidate") if other in deciding else (everyone, "variant")
        several = phrases.count(len(levels), noun) if other in levels and len(levels) > 1 else ""
        yield arm.compared(level=levels.get(other, 1 - _ALPHA), adjusted=several)


def step_levels(ps: Sequence[float]) -> list[float]:
    """Levels of intervals, each of which leaves 0 out exactly where Holm's adjusted p value is below 0.05.

    From the smallest p on, the level is 1 - 0.05 / (tests that are left), until one is not below it: the rest is held at
    that level.
    """
    levels = [0.0] * len(ps)
    left = len(ps)
    for index in sorted(range(len(ps)), key=ps.__getitem__):
        levels[index] = 1 - _ALPHA / left
        if ps[index] < _ALPHA / left:
            left = max(left - 1, 1)
        else:
            # Larger p values are not below a smaller bound either, so the rest stays at this level.
            for other in (one for one in range(len(ps)) if not levels[one]):
                levels[other] = levels[index]
            break
    return levels


def _levels(arms: Mapping[str, _Arms]) -> dict[str, float]:
    """Level of the interval of each arm that can be tested, allowing for the others."""
    found = {name: one.p for name, arm in arms.items() if (one := arm.found) is not None}
    return dict(zip(found, step_levels(list(found.values())), strict=True))


@dataclass(frozen=True, kw_only=True)
class _Arms:
    """Two arms of a suite."""

    ground: Ground
    a: Sequence[Result]
    b: Sequence[Result]
    names: tuple[str, str]

    @cached_property
    def pairing(self) -> Pairing:
        return pair(self.a, self.b)

    @cached_property
    def found(self) -> Difference | None:
        """At the level of a comparison that stands alone."""
        return case_difference(self.pairing.cases, self.ground.clusters)

    def compared(self, *, level: float = 1 - _ALPHA, adjusted: str = "") -> Comparison:
        """Return the comparison, its interval at `level`, which allows for what it is `adjusted` for."""
        ground, pairing, (a, b) = self.ground, self.pairing, self.names
        # Looks on the way allow for several candidates by themselves, and say so.
        adjusted = adjusted if ground.watch is None else ""
        found, said = self._judged(level)
        speed = compare_speed(pairing.cases, ground.clusters)
        bill = compare_bill(pairing.cases, ground.clusters)
        tags = tag_contrasts(pairing.cases, ground.clusters)
        flipped = flips(pairing.cases, self.a, self.b)
        score = self._score()
        headline, text = self._told(found, said, bill, tags, adjusted)
        more = [sentences.score(score) if score else "", sentences.clusters(found) if found else ""]
        left_out = sentences.left_out(pairing, b=b)
        advice = Advising(
            shown=ground.shown, b=b, verdict=said, margin_given=ground.margin_given, pairing=pairing, flips=flipped,
            withheld=speed.withheld, trials=(*self.a, *self.b), elsewhere=ground.elsewhere,
        )  # fmt: skip
        return Comparison(
            suite=ground.suite,
            baseline=a,
            candidate=b,
            difference=found,
            verdict=said,
            headline=headline,
            text=" ".join(part for part in (text, *more, *left_out) if part),
            margin=ground.margin,
            margin_given=ground.margin_given,
            adjusted=adjusted,
            cases=len(pairing.cases),
            dropped=len(pairing.dropped),
            unpaired=pairing.unpaired,
            changed=pairing.changed,
            latency=speed.latency,
            cost=bill.cost,
            latency_text=latency_text(speed, a=a, b=b),
            cost_text=cost_text(bill, a=a, b=b),
            score=score,
            ttft=speed.ttft,
            latency_p50=speed.p50,
            latency_p95=speed.p95,
            latency_withheld=speed.withheld,
            cost_ratio=bill.typical,
            input_tokens=bill.input_tokens,
            output_tokens=bill.output_tokens,
            tags=tags,
            flips=flipped,
            bounds=bounds(pairing),
            dropped_cases=pairing.dropped_cases,
            clusters=found.clusters if found else None,
            meaning=tuple(meaning(found, said, speed=speed, bill=bill, a=a, b=b)),
            advice=tuple(advice.sentences()),
            noise=noise(self.a, self.b),
            stopping=ground.watch.stopping(b) if ground.watch is not None else None,
        )

    def _judged(self, level: float) -> tuple[Difference, Verdict] | tuple[None, None]:
        if self.found is None:
            return None, None
        if self.ground.watch is not None:
            return self.ground.watch.judged(self.names[1], self.found)
        found = _at(self.found, level)
        return found, verdict(found, margin=self.ground.margin)

    def _told(
        self,
        found: Difference | None,
        said: Verdict | None,
        bill: Bill,
        tags: Sequence[TagContrast],
        adjusted: str,
    ) -> tuple[str, str]:
        """The verdict's first words, and its sentence."""
        a, b = self.names
        if found is None or said is None:
            headline = f"{b} cannot be compared with {a}"
            return headline, f"{headline}: no case has a graded trial in both."
        told = sentences.Told(
            difference=found, verdict=said, a=a, b=b, given=self.ground.margin_given, adjusted=adjusted,
            cheaper=bill.cheaper,
        )  # fmt: skip
        headline, text = sentences.headline(told), sentences.sentence(told)
        if self.ground.watch is not None:
            text = self.ground.watch.told(b, headline, text)
        worst = broken_most(tags) if said.kind == "worse" else None
        return headline, f"{text} {sentences.worst(worst, len(tags))}" if worst else text

    def _score(self) -> Difference | None:
        """The difference of mean scores, where there are others than 0 and 1."""
        scores = values(self.pairing.cases, lambda result: result.score, self.ground.clusters)
        if all(value in (0.0, 1.0) for arm in (scores.a, scores.b) for one in arm for value in one):
            return None
        return difference(scores.a, scores.b, binary=False, clusters=scores.clusters)


def _at(found: Difference, level: float) -> Difference:
    """The same difference with its intervals at the level of a step among several tests."""
    if level == found.interval.level:
        return found
    return replace(found, interval=found.at(level), interval90=found.at(2 * level - 1))
