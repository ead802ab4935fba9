"""Results cut into slices: by tag, by a fact of the case, by model, each variant on its own and against the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from typing import Literal, TypeAlias

from harness.errors import UsageError, did_you_mean
from harness.records import JSON, Outcome, Result
from harness.stats.intervals import Interval
from harness.stats.latency import quantile
from harness.stats.multiplicity import holm
from harness.stats.paired import Difference
from harness.suites.definition import Definition
from harness.suites.suite import Suite
from harness.summary.measuring import accuracy, mean_score, times, total_cost, unpriced
from harness.summary.pairing import pair
from harness.summary.slices import case_difference, word_of

#: The values that a result counts under; None: it has none.
_Reader: TypeAlias = Callable[[Result], Sequence[str | None]]

_METADATA = "metadata."
_LEVEL = 0.95
#: What results can be cut by, besides any `metadata.<name>`; suites tell the last two.
_KEYS: Mapping[str, _Reader] = {
    "tag": lambda result: tuple(dict.fromkeys(result.tags)) or (None,),
    "case": lambda result: (result.case,),
    "variant": lambda result: (result.variant,),
    "model": lambda result: (result.model,),
    "prompt": lambda result: (result.prompt.ref if result.prompt else None,),
    "finish_reason": lambda result: (result.finish_reason,),
    "error": lambda result: (result.error.kind if result.error else None,),
}
_OF_SUITES = ("api", "cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """The trials of a slice against those of the baseline with the same values, paired by case."""

    difference: Difference
    #: Holds together with all others of the breakdown (Bonferroni).
    interval: Interval
    #: What may be said, at p adjusted for all of the breakdown (Holm 1979); "few": too few cases for any verdict.
    word: Literal["better", "worse", "none", "few"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Trials of one variant that have the same values of some keys."""

    suite: str
    variant: str
    #: One value per key, in the order asked for; None: the case has no tag, or no such fact.
    values: tuple[str | None, ...]
    trials: int
    cases: int
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
    latency_p95: float | None
    ttft_p50: float | None
    #: USD over all priced trials; None: none is priced.
    cost: Decimal | None
    cost_per_trial: Decimal | None
    unpriced: int
    #: Mean of the trials whose tokens are known.
    input_tokens: float | None
    output_tokens: float | None
    #: None: it is the baseline's, there is none, or no case has a graded pair.
    contrast: Contrast | None = None


def check_keys(keys: Iterable[str], facts: Iterable[str]) -> None:
    """See that results can be broken down by some keys.

    Args:
        keys: As asked for.
        facts: Names in the metadata of the cases.

    Raises:
        UsageError: There is no such key.
    """
    known = [*_KEYS, *_OF_SUITES, *(f"{_METADATA}{name}" for name in sorted(set(facts)))]
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known) or f"There are: {', '.join(known)}."
            raise UsageError(f"results cannot be broken down by '{key}'. {hint}")


def breakdown(results: Iterable[Result], keys: Sequence[str], suites: Iterable[Suite] = ()) -> tuple[Slice, ...]:
    """Cut results by the given keys, all at once, suite by suite and variant by variant.

    A trial with several tags counts once under each of them. Slices stand in the order in which their values appear.

    Args:
        results: In plan order.
        keys: `tag`, `case`, `variant`, `model`, `prompt`, `api`, `cluster`, `finish_reason`, `error` or `metadata.<name>`.
        suites: Those of the results, for their baselines, clusters and APIs; without them there are none.

    Raises:
        UsageError: There is no such key.
    """
    found, by_name = list(results), {suite.name: suite for suite in suites}
    check_keys(keys, (name for result in found for name in result.metadata))
    readers = [_reader(key, by_name) for key in keys]
    groups: dict[tuple[str, tuple[str | None, ...]], dict[str, list[Result]]] = {}
    for result in found:
        for values in product(*(read(result) for read in readers)):
            groups.setdefault((result.suite, values), {}).setdefault(result.variant, []).append(result)
    order = {name: place for place, name in enumerate(dict.fromkeys(result.suite for result in found))}
    slices: list[Slice] = []
    differences: dict[int, Difference] = {}
    for (suite, values), variants in sorted(groups.items(), key=lambda item: order[item[0][0]]):
        source = by_name.get(suite)
        clusters = source.clusters if source else None
        baseline = variants.get(source.baseline or "", []) if source else []
        for variant, chosen in variants.items():
            if baseline and chosen is not baseline:
                difference = case_difference(pair(baseline, chosen).cases, clusters)
                if difference is not None:
                    differences[len(slices)] = difference
            slices.append(_slice(suite, values, variant, chosen, clusters))
    return tuple(_contrasted(slices, differences))


def _contrasted(slices: Sequence[Slice], differences: Mapping[int, Difference]) -> list[Slice]:
    """Say of each slice how it differs from the baseline's; whoever looks for the largest of many must not be fooled."""
    found = list(slices)
    level = 1 - (1 - _LEVEL) / max(len(differences), 1)
    adjusted = holm([one.p for one in differences.values()])
    for (place, one), p in zip(differences.items(), adjusted, strict=True):
        contrast = Contrast(difference=one, interval=one.at(level), word=word_of(one, p))
        found[place] = replace(found[place], contrast=contrast)
    return found


def _reader(key: str, suites: Mapping[str, Suite]) -> _Reader:
    if key in _KEYS:
        return _KEYS[key]
    if key == "cluster":
        clusters = {name: suite.clusters for name, suite in suites.items()}
        return lambda result: (clusters.get(result.suite, {}).get(result.case),)
    if key == "api":
        apis = {(suite.name, one.name): _api(one.definition) for suite in suites.values() for one in suite.variants}
        return lambda result: (apis.get((result.suite, result.variant)),)
    name = key.removeprefix(_METADATA)
    return lambda result: (_text(result.metadata.get(name)),)


def _api(definition: Definition | None) -> str | None:
    """What a run kept of the API: the settings of a stored suite say no more than their defaults."""
    return None if definition is None else _text(definition.settings.get("api"))


def _text(value: JSON) -> str | None:
    if value is None or value == "":
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _slice(
    suite: str,
    values: tuple[str | None, ...],
    variant: str,
    results: Sequence[Result],
    clusters: Mapping[str, str] | None,
) -> Slice:
    rate = accuracy(results, clusters)
    latencies = times(results, lambda result: result.latency)
    ttfts = times(results, lambda result: result.ttft)
    cost = total_cost(results)
    return Slice(
        suite=suite,
        variant=variant,
        values=values,
        trials=len(results),
        cases=len({result.case for result in results}),
        passed=sum(result.outcome is Outcome.PASSED for result in results),
        failed=sum(result.outcome is Outcome.FAILED for result in results),
        errors=sum(result.outcome is Outcome.ERROR for result in results),
        accuracy=rate[0] if rate else None,
        interval=rate[1] if rate else None,
        score=mean_score(results),
        latency_p50=quantile(latencies, 0.5) if latencies else None,
        latency_p95=quantile(latencies, 0.95) if latencies else None,
        ttft_p50=quantile(ttfts, 0.5) if ttfts else None,
        cost=cost[0] if cost else None,
        cost_per_trial=cost[0] / cost[1] if cost else None,
        unpriced=unpriced(results),
        input_tokens=_mean(result.usage.input for result in results),
        output_tokens=_mean(result.usage.output for result in results),
    )


def _mean(counts: Iterable[int | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) / len(known) if known else None
