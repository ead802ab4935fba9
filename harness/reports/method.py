"""How a suite's numbers were made, told below them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reports import clean, notes
from harness.reports.figures.figure import listed
from harness.summary import Comparison, SuiteSummary, phrases
from harness.summary.speed import SEED

_ACCURACY = "Share of passes, averaged over cases. Errors and skipped trials are not in it."
_TIMES = (
    "As recorded: from the start of a trial to the end of its last model step, tools and retries included. "
    "ttft is the time to the first piece of the answer. p50 and p95 interpolate between trials."
)
_TAGS = (
    "Intervals hold for all tags together (Bonferroni), words and colours by the p adjusted for their number (Holm). "
    "A case with several tags counts in each."
)
_WORDS = (
    "Answers are set against the baseline's of the same repeat, word by word; white space is not compared. JSON is set "
    "out in lines first, keys in the order of the answer shown."
)


def told(suite: SuiteSummary) -> list[tuple[str, str]]:
    """Return how a suite's numbers were made, as terms and sentences."""
    return list(_told(suite))


def _told(suite: SuiteSummary) -> Iterator[tuple[str, str]]:
    yield "Trials", " ".join(_counted(suite))
    methods = sorted({variant.interval.method for variant in suite.variants if variant.interval})
    yield "Accuracy", _ACCURACY + (f" 95% interval: {', '.join(methods)}." if methods else "")
    for one in suite.comparisons:
        if one.difference is not None:
            yield f"{one.candidate} against {one.baseline}", " ".join(_compared(one))
    if any(one.tags for one in suite.comparisons):
        yield "Tags", _TAGS
    yield "Times", _TIMES
    if any(one.latency_p50 or one.latency_p95 for one in suite.comparisons):
        yield "Differences of p50 and p95", f"Bootstrap over paired cases, 2,000 times; seed {SEED}."
    if suite.comparisons:
        yield "Words", _WORDS
    for label, text in notes.parts(suite):
        yield label.capitalize(), text


def _counted(suite: SuiteSummary) -> Iterator[str]:
    """How many trials there are, what became of them, and how often each case was asked."""
    variants = suite.variants
    trials, planned = (sum(getattr(one, name) for one in variants) for name in ("trials", "planned"))
    cases = max((variant.cases for variant in variants), default=0)
    of = f" of {planned:,} planned" if planned != trials else ""
    yield f"{phrases.count(trials, 'trial')}{of}, {phrases.count(cases, 'case')} per variant."
    repeats = max((round(one.trials / one.cases) for one in variants if one.cases), default=1)
    if repeats > 1:
        yield f"{repeats} repeats of each: they are averaged inside their case first, because the case is the unit."
    for count, what in (
        (sum(one.errors for one in variants), "ended in error"),
        (sum(one.skipped for one in variants), "skipped"),
    ):
        if count:
            yield f"{count:,} {what}."


def _compared(one: Comparison) -> Iterator[str]:
    chosen = "chosen in the suite" if one.margin_given else "the default, nobody chose it"
    if one.difference is not None:
        level = phrases.level(one.difference.interval.level)
        yield f"Paired by case ({phrases.count(one.cases, 'case')}). {level} interval: {one.difference.method}."
    if one.adjusted:
        yield f"The level allows for {one.adjusted} (Holm)."
    if one.clusters is not None:
        yield f"Cases that belong together count together: {phrases.count(one.clusters, 'group')}."
    yield f"Smallest difference that matters: {phrases.size(one.margin)}, {chosen}."
    yield from _left_out(one)


def _left_out(one: Comparison) -> Iterator[str]:
    if one.dropped:
        yield f"Left out: {phrases.count(one.dropped, 'pair')} of which either trial ended in error or was skipped."
    if one.dropped_cases:
        yield f"They are of {listed([clean.line(case, 60) for case in one.dropped_cases])}."
    if one.bounds is not None:
        low, high = (phrases.points(end) for end in one.bounds)
        yield f"Had all of them gone against {one.candidate}, the difference were {low}; had all gone for it, {high}."
    if one.unpaired:
        yield f"Without a counterpart: {phrases.count(one.unpaired, 'trial')}."
    if one.changed:
        yield f"The input differs between both arms in {phrases.count(one.changed, 'case')}."
