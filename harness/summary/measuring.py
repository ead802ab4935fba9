"""What is measured over trials of one variant: rates, times, money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Protocol

from harness.costs import Rates
from harness.records import Outcome, Result, Usage
from harness.stats.intervals import Interval, pass_rate
from harness.stats.latency import quantile, quantile_interval
from harness.suites.suite import Suite
from harness.summary.pairing import labels
from harness.summary.parts import repeats, time_parts, tool_uses
from harness.summary.remarks import differing, remarks
from harness.summary.sparing import spared
from harness.summary.spending import cost_parts
from harness.summary.view import VariantRole, VariantSummary


class Prices(Protocol):
    """The price table, as far as a summary quotes it."""

    @property
    def id(self) -> str: ...

    def note(self, model: str) -> str | None: ...

    def input_rate(self, model: str) -> Decimal | None: ...

    def rates(self, model: str) -> Rates | None: ...


def role(suite: Suite, variant: str) -> VariantRole:
    """What a variant is for; a suite's only variant is its candidate.

    Beside variants from elsewhere, its baseline is a candidate like the others: it may have changed, too.
    """
    if suite.against is not None:
        if variant in suite.against.others:
            return "baseline"
        return "report_only" if suite.by_name[variant].report_only else "candidate"
    return own_role(suite, variant)


def own_role(suite: Suite, variant: str) -> VariantRole:
    """What a variant is for among those of its own suite; one from elsewhere is for nothing there."""
    others = suite.against.others if suite.against is not None else ()
    if variant in others:
        return "report_only"
    if len(suite.variants) - len(others) == 1:
        return "candidate"
    if variant == suite.baseline:
        return "baseline"
    return "report_only" if suite.by_name[variant].report_only else "candidate"


def graded(results: Iterable[Result]) -> list[Result]:
    """Those that passed or failed."""
    return [result for result in results if result.outcome in (Outcome.PASSED, Outcome.FAILED)]


def outcomes_by_case(results: Iterable[Result]) -> dict[str, list[float]]:
    """Outcomes of graded trials by case, 1 passed and 0 failed, in plan order."""
    cases: dict[str, list[float]] = {}
    for result in graded(results):
        cases.setdefault(result.case, []).append(float(result.outcome is Outcome.PASSED))
    return cases


def accuracy(
    results: Iterable[Result], clusters: Mapping[str, str] | None = None, *, exact: bool = False
) -> tuple[float, Interval] | None:
    """Pass rate averaged over cases, and its 95 percent interval; None: nothing was graded.

    Args:
        results: Trials of one variant.
        clusters: Label of each case that belongs together with others, by id.
        exact: Ask for Clopper and Pearson's interval, which never covers less than it says.
    """
    outcomes = outcomes_by_case(results)
    if not outcomes:
        return None
    return pass_rate(list(outcomes.values()), clusters=labels(list(outcomes), clusters), exact=exact)


def mean_score(results: Iterable[Result]) -> float | None:
    """Mean score of graded trials, averaged over cases."""
    cases: dict[str, list[float]] = {}
    for result in graded(results):
        if result.score is not None:
            cases.setdefault(result.case, []).append(result.score)
    if not cases:
        return None
    return math.fsum(math.fsum(scores) / len(scores) for scores in cases.values()) / len(cases)


def times(results: Iterable[Result], which: Callable[[Result], float | None]) -> list[float]:
    """Latencies or times to first token of graded trials that have one, seconds."""
    return [value for result in graded(results) if (value := which(result)) is not None]


def _by_case(results: Iterable[Result], which: Callable[[Result], float | None]) -> dict[str, list[float]]:
    """The same, by case."""
    cases: dict[str, list[float]] = {}
    for result in graded(results):
        if (value := which(result)) is not None:
            cases.setdefault(result.case, []).append(value)
    return cases


def unpriced(results: Iterable[Result]) -> int:
    """Graded trials that called a model and have no cost."""
    return sum(result.cost is None and result.attempts > 0 for result in graded(results))


def total_cost(results: Iterable[Result]) -> tuple[Decimal, int] | None:
    """What all priced trials cost together, USD, and how many they are; errors cost too."""
    costs = [result.cost for result in results if result.cost is not None]
    return (sum(costs, Decimal(0)), len(costs)) if costs else None


def measure(
    suite: Suite,
    variant: str,
    results: Sequence[Result],
    *,
    planned: int,
    prices: Prices,
    started: str = "",
    max_age: float | None = None,
    counted: bool = False,
) -> VariantSummary:
    """Sum up a variant.

    Args:
        suite: Its suite.
        variant: Its name.
        results: All its trials, in plan order.
        planned: Trials that it has before any selection.
        prices: The price table that notes on prices come from.
        started: When the run started, ISO 8601.
        max_age: Seconds after which a recording is pointed out as old; None: none is.
        counted: Whether to say what each kind of token costs: loading the public price table takes a tenth of a second.
    """
    verified, differ = differing(results)
    found = accuracy(results, suite.clusters)
    latencies = times(results, lambda result: result.latency)
    ttfts = times(results, lambda result: result.ttft)
    cost = total_cost(results)
    recorded = sorted(moment for one in results if (moment := recorded_at(one)) is not None)
    by_case = _by_case(results, lambda result: result.latency)
    spans = {
        q: quantile_interval(list(by_case.values()), q, clusters=labels(list(by_case), suite.clusters))
        for q in (0.50, 0.95)
    }
    asked = suite.by_name[variant].assistant.model
    models = tuple(dict.fromkeys(result.model for result in results if result.model))
    return VariantSummary(
        suite=suite.name,
        name=variant,
        role=role(suite, variant),
        trials=len(results),
        planned=planned,
        cases=len({result.case for result in results}),
        passed=_count(results, Outcome.PASSED),
        failed=_count(results, Outcome.FAILED),
        errors=_count(results, Outcome.ERROR),
        skipped=_count(results, Outcome.SKIPPED),
        stopped=sum(spared(result) for result in results),
        accuracy=found[0] if found else None,
        interval=found[1] if found else None,
        score=mean_score(results),
        latency_p50=quantile(latencies, 0.50) if latencies else None,
        latency_p95=quantile(latencies, 0.95) if latencies else None,
        ttft_p50=quantile(ttfts, 0.50) if ttfts else None,
        timed=len(latencies),
        streamed=len(ttfts),
        cost=cost[0] if cost else None,
        cost_per_trial=cost[0] / cost[1] if cost else None,
        unpriced=unpriced(results),
        estimated=sum(result.extra.get("cost_basis") == "estimated" for result in results),
        simulated=sum(result.extra.get("simulated") is True for result in results),
        staged=sum(result.extra.get("simulated") == "protocol" for result in results),
        unrenewable=sum(result.extra.get("renewable") is False for result in results),
        truncated=sum(result.extra.get("truncated") is True for result in results),
        normalised=sum("normalised" in result.extra for result in results),
        large=sum("cassette_bytes" in result.extra for result in results),
        usage=sum((result.usage for result in results), Usage()),
        recorded=(recorded[0], recorded[-1]) if recorded else None,
        models=models,
        remarks=remarks(results, model=asked, started=started, max_age=max_age),
        verified=verified,
        differing=differ,
        price_note=_price_note(prices, (asked, *models)),
        latency_p50_interval=spans[0.50],
        latency_p95_interval=spans[0.95],
        ttft_p95=quantile(ttfts, 0.95) if ttfts else None,
        time=time_parts(results),
        costs=cost_parts(results, _rates(prices, asked)) if counted else (),
        tools=tool_uses(results),
        repeats=repeats(outcomes_by_case(results), asked=suite.gates.pass_k),
    )


def recorded_at(result: Result) -> str | None:
    """When an answer was given: as its recording says, or the file of answers that it stands in."""
    if result.cassette is not None:
        return result.cassette.recorded_at
    told = result.extra.get("recorded_at")
    return told if isinstance(told, str) else None


def _count(results: Iterable[Result], outcome: Outcome) -> int:
    return sum(result.outcome is outcome for result in results)


def _rates(prices: Prices, asked: str | None) -> Callable[[str | None], Rates | None]:
    """Return what gives the rates of a trial; the price of the model that was asked for goes first, as for costs."""

    @cache
    def of(answered: str | None) -> Rates | None:
        known = (prices.rates(name) for name in (asked, answered) if name)
        return next((found for found in known if found is not None), None)

    return of


def _price_note(prices: Prices, models: Iterable[str | None]) -> str:
    notes = (prices.note(model) for model in models if model)
    return "; ".join(dict.fromkeys(note for note in notes if note))
