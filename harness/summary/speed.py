"""How long one arm takes against another, and when nothing may be said about that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.records import Result
from harness.stats.latency import Ratio, geometric_ratio, quantile_difference
from harness.stats.paired import MeanDifference
from harness.summary import phrases
from harness.summary.conditions import condition
from harness.summary.measuring import recorded_at
from harness.summary.pairing import Pair, PairedCase, Values, values

#: Of the resampling behind differences of quantiles; the same values give the same interval each time.
SEED = 20261121
#: Values of a condition that are named for an arm.
_SHOWN = 2
#: Share of pairs that may have been recorded under other conditions.
_FEW = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Times of B against those of A; None where too few trials have one."""

    #: Paired cases, those without a time too.
    cases: int = 0
    latency: Ratio | None = None
    ttft: Ratio | None = None
    #: Seconds.
    p50: MeanDifference | None = None
    p95: MeanDifference | None = None
    #: Why there is nothing although both arms have times; empty: there is.
    withheld: str = ""


def compare_speed(cases: Sequence[PairedCase], clusters: Mapping[str, str] | None = None) -> Speed:
    """Compare the times of paired trials.

    Args:
        cases: Paired cases.
        clusters: Label of each case that belongs together with others, by id.
    """
    latencies = values(cases, lambda result: _positive(result.latency), clusters)
    if not latencies.a:
        return Speed()
    why = withheld([pair for case in cases for pair in case.pairs])
    if why:
        return Speed(withheld=why)
    return Speed(
        cases=len(cases),
        latency=_ratio(latencies),
        ttft=_ratio(values(cases, lambda result: _positive(result.ttft), clusters)),
        p50=quantile_difference(latencies.a, latencies.b, 0.50, seed=SEED, clusters=latencies.clusters),
        p95=quantile_difference(latencies.a, latencies.b, 0.95, seed=SEED, clusters=latencies.clusters),
    )


def withheld(pairs: Sequence[Pair]) -> str:
    """Say why the times of two arms cannot be set against each other; empty: they can.

    Times must come from the same day (UTC), service, machine and concurrency, and from models on both sides or
    simulations on both, but for a tenth of the pairs: a recording may go past midnight. What a recording does not tell
    is taken to be the same.
    """
    return "; ".join(
        f"{told} ({' and '.join(sides)})" for told, read in _CONDITIONS if (sides := _sides(pairs, read)) is not None
    )


def latency_text(speed: Speed, *, a: str, b: str) -> str:
    """How long B takes against A in the typical case, in a sentence; empty where that is not known."""
    if speed.latency is None:
        return ""
    told = (
        f"{b} takes {ratio(speed.latency)} as long as {a} in the typical case "
        f"({interval(speed.latency)}, {phrases.part(speed.latency.cases, speed.cases, 'case')})"
    )
    if speed.ttft is None:
        return f"{told}."
    return f"{told}, and {ratio(speed.ttft)} as long to its first token ({interval(speed.ttft)})."


def ratio(found: Ratio) -> str:
    """A ratio as a number of times: "0.85 times"."""
    return f"{found.estimate:.2f} times"


def interval(found: Ratio) -> str:
    """The interval of a ratio: "95% CI 0.79…0.92"."""
    return f"{phrases.level(found.interval.level)} CI {found.interval.low:.2f}…{found.interval.high:.2f}"


def _ratio(found: Values) -> Ratio | None:
    return geometric_ratio(found.a, found.b, found.clusters) if found.a else None


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _sides(pairs: Sequence[Pair], read: Callable[[Result], str | None]) -> tuple[str, str] | None:
    """What a condition is in A and in B, if it is known of both and differs in more pairs than a few; else None."""
    known = [(one, other) for x, y in pairs if (one := read(x)) is not None and (other := read(y)) is not None]
    differing = [(one, other) for one, other in known if one != other]
    if len(differing) <= _FEW * len(pairs):
        return None
    return _commonest([one for one, _ in differing]), _commonest([other for _, other in differing])


def _commonest(found: Sequence[str]) -> str:
    return ", ".join(sorted(value for value, _ in Counter(found).most_common(_SHOWN)))


def _answered(result: Result) -> str:
    simulated = result.extra.get("simulated")
    return "a simulated protocol" if simulated == "protocol" else "a script" if simulated else "a service"


def _day(result: Result) -> str | None:
    return (recorded_at(result) or "")[: len("2026-11-21")] or None


def _fact(key: str) -> Callable[[Result], str | None]:
    """Reads what recordings keep of how they were made; lists are the same in any order."""

    def read(result: Result) -> str | None:
        value = condition(result, key)
        if isinstance(value, list | tuple):
            return ", ".join(sorted(map(str, value))) or None
        return None if value is None or isinstance(value, dict) else str(value)

    return read


#: What reasons have in common that another recording would remove.
RECORDED = "not recorded"
#: What must not differ, and how to tell that it does.
_CONDITIONS: Sequence[tuple[str, Callable[[Result], str | None]]] = (
    ("not answered by the same kind of thing", _answered),
    (f"{RECORDED} on the same day", _day),
    (f"{RECORDED} with the same service", _fact("host")),
    (f"{RECORDED} on the same machine", _fact("machine")),
    (f"{RECORDED} at the same concurrency", _fact("concurrency")),
)
