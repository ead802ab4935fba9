"""Results cut into slices: by tag, by a fact of the case, by model, each variant on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from harness.errors import UsageError, did_you_mean
from harness.records import JSON, Outcome, Result
from harness.stats.intervals import Interval
from harness.stats.latency import quantile
from harness.summary.measuring import accuracy, mean_score, times, total_cost, unpriced

_METADATA = "metadata."
#: What results can be cut by, besides any `metadata.<name>`: each gives the values that a result counts under.
_KEYS: Mapping[str, Callable[[Result], Sequence[str | None]]] = {
    "tag": lambda result: result.tags or (None,),
    "case": lambda result: (result.case,),
    "model": lambda result: (result.model,),
    "prompt": lambda result: (result.prompt.ref if result.prompt else None,),
    "finish_reason": lambda result: (result.finish_reason,),
    "error": lambda result: (result.error.kind if result.error else None,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Trials of one variant that have the same values of some keys."""

    suite: str
    variant: str
    #: One value per key, in the order asked for; None: the case has no tag, or no such fact.
    values: tuple[str | None, ...]
    trials: int
    passed: int
    failed: int
    errors: int
    #: Share of passes, averaged over cases; None: nothing was graded.
    accuracy: float | None
    #: 95 percent, of the accuracy.
    interval: Interval | None
    #: Mean score of graded trials, 0..1.
    score: float | None
    #: Seconds.
    latency_p50: float | None
    ttft_p50: float | None
    #: USD over all priced trials; None: none is priced.
    cost: Decimal | None
    unpriced: int


def breakdown(results: Iterable[Result], keys: Sequence[str]) -> tuple[Slice, ...]:
    """Cut results by the given keys, all at once, suite by suite and variant by variant.

    A trial with several tags counts once under each of them. Slices stand in the order in which their values appear.

    Args:
        results: In plan order.
        keys: `tag`, `case`, `model`, `prompt`, `finish_reason`, `error` or `metadata.<name>`.

    Raises:
        UsageError: There is no such key.
    """
    found = list(results)
    readers = [_reader(key, found) for key in keys]
    groups: dict[tuple[str, tuple[str | None, ...]], dict[str, list[Result]]] = {}
    for result in found:
        for values in product(*(dict.fromkeys(read(result)) for read in readers)):
            groups.setdefault((result.suite, values), {}).setdefault(result.variant, []).append(result)
    order = list(dict.fromkeys(result.suite for result in found))
    return tuple(
        _slice(suite, values, variant, chosen)
        for (suite, values), variants in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
        for variant, chosen in variants.items()
    )


def _reader(key: str, results: Sequence[Result]) -> Callable[[Result], Sequence[str | None]]:
    if key in _KEYS:
        return _KEYS[key]
    names = sorted({f"{_METADATA}{name}" for result in results for name in result.metadata})
    if key not in names:
        known = [*_KEYS, *names]
        hint = did_you_mean(key, known) or f"There are: {', '.join(known)}."
        raise UsageError(f"results cannot be broken down by '{key}'. {hint}")
    name = key.removeprefix(_METADATA)
    return lambda result: (_text(result.metadata.get(name)),)


def _text(value: JSON) -> str | None:
    if value is None or value == "":
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _slice(suite: str, values: tuple[str | None, ...], variant: str, results: Sequence[Result]) -> Slice:
    rate = accuracy(results)
    latencies = times(results, lambda result: result.latency)
    ttfts = times(results, lambda result: result.ttft)
    cost = total_cost(results)
    return Slice(
        suite=suite,
        variant=variant,
        values=values,
        trials=len(results),
        passed=sum(result.outcome is Outcome.PASSED for result in results),
        failed=sum(result.outcome is Outcome.FAILED for result in results),
        errors=sum(result.outcome is Outcome.ERROR for result in results),
        accuracy=rate[0] if rate else None,
        interval=rate[1] if rate else None,
        score=mean_score(results),
        latency_p50=quantile(latencies, 0.5) if latencies else None,
        ttft_p50=quantile(ttfts, 0.5) if ttfts else None,
        cost=cost[0] if cost else None,
        unpriced=unpriced(results),
    )
