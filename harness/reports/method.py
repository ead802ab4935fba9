"""How a suite's numbers were made, told below them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reports import notes
from harness.summary import Comparison, SuiteSummary, phrases

_ACCURACY = "Share of passes, averaged over cases. Errors and skipped trials are not in it."
_TIMES = (
    "As recorded: from the start of a trial to the end of its last model step, tools and retries included. "
    "ttft is the time to the first piece of the answer. p50 and p95 interpolate between trials."
)
_WORDS = (
    "Answers are set against the baseline's of the same repeat, word by word; white space is not compared. JSON is set "
    "out in lines first, keys in the order of the answer shown."
)


def told(suite: SuiteSummary) -> list[tuple[str, str]]:
    """Return how a suite's numbers were made, as terms and sentences."""
    return list(_told(suite))


def _told(suite: SuiteSummary) -> Iterator[tuple[str, str]]:
    trials = sum(variant.trials for variant in suite.variants)
    planned = sum(variant.planned for variant in suite.variants)
    selected = f" of {planned:,} planned" if planned != trials else ""
    cases = max((variant.cases for variant in suite.variants), default=0)
    yield "Trials", f"{phrases.count(trials, 'trial')}{selected}, {phrases.count(cases, 'case')} per variant."
    methods = sorted({variant.interval.method for variant in suite.variants if variant.interval})
    yield "Accuracy", _ACCURACY + (f" 95% interval: {', '.join(methods)}." if methods else "")
    for one in suite.comparisons:
        if one.difference is not None:
            yield f"{one.candidate} against {one.baseline}", " ".join(_compared(one))
    yield "Times", _TIMES
    if suite.comparisons:
        yield "Words", _WORDS
    for label, text in notes.parts(suite):
        yield label.capitalize(), text


def _compared(one: Comparison) -> Iterator[str]:
    chosen = "chosen in the suite" if one.margin_given else "the default, nobody chose it"
    if one.difference is not None:
        yield f"Paired by case ({phrases.count(one.cases, 'case')}). 95% interval: {one.difference.method}."
    yield f"Smallest difference that matters: {phrases.size(one.margin)}, {chosen}."
    if one.dropped:
        yield f"Left out: {phrases.count(one.dropped, 'pair')} of which either trial ended in error or was skipped."
    if one.unpaired:
        yield f"Without a counterpart: {phrases.count(one.unpaired, 'trial')}."
    if one.changed:
        yield f"The input differs between both arms in {phrases.count(one.changed, 'case')}."
