"""Charts of time: how long trials took, variant by variant, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.records import JSON
from harness.reports import clean, words
from harness.reports.figures.figure import Figure, label
from harness.reports.tables import Table
from harness.stats.intervals import Interval
from harness.summary import SuiteSummary, VariantSummary

#: Points that one curve is drawn with.
_POINTS = 160
#: Curves that can be told apart.
_CURVES = 8
#: Time of tools and retries, as a share of the model's, that can be seen.
_TOLD = 0.02


def latency(suite: SuiteSummary, values: Mapping[str, Sequence[float]]) -> Figure | None:
    """How latencies are distributed; None where no variant has as many as can be drawn.

    Args:
        suite: The suite.
        values: Latencies of graded trials by variant, seconds, in any order.
    """
    timed = [one for one in suite.variants if one.latency_p50 is not None]
    series: list[JSON] = [_curve(one, values[one.name]) for one in timed if len(values.get(one.name, ())) > 1]
    if not series:
        return None
    more = len(series) - _CURVES
    return Figure(
        chart="latency",
        title="Latency",
        says=(
            "How large a share of trials had ended after so many seconds: the further left a curve, the faster the "
            "variant. A dot marks the median, a square the 95th percentile."
        ),
        table=Table(
            headers=("variant", "trials", "p50", "95% interval", "p95", "95% interval", "ttft p50", "ttft p95"),
            rows=tuple(
                (
                    clean.line(one.name),
                    f"{one.timed:,}",
                    words.seconds(one.latency_p50),
                    _ends(one.latency_p50_interval),
                    words.seconds(one.latency_p95),
                    _ends(one.latency_p95_interval),
                    words.seconds(one.ttft_p50),
                    words.seconds(one.ttft_p95),
                )
                for one in timed
            ),
            align=("left", *["right"] * 7),
        ),
        data={"series": series[:_CURVES]},
        note=f"{more} more variants in the table below." if more > 0 else "",
        cautions=tuple(_withheld(suite)),
    )


def _withheld(suite: SuiteSummary) -> Iterator[str]:
    """Why it is not said which variant is faster."""
    for one in suite.comparisons:
        if one.latency_withheld:
            which = f" of {label(one.candidate)} and {label(one.baseline)}" if len(suite.comparisons) > 1 else ""
            yield f"It is not said which{which} is faster: {clean.line(one.latency_withheld)}"


def _curve(variant: VariantSummary, values: Sequence[float]) -> dict[str, JSON]:
    ordered = sorted(value for value in values if value > 0)
    count = len(ordered)
    ranks = range(count) if count <= _POINTS else (round(at * (count - 1) / (_POINTS - 1)) for at in range(_POINTS))
    return {
        "name": label(variant.name),
        "baseline": variant.role == "baseline",
        "points": [[_short(ordered[rank]), round((rank + 1) / count, 4)] for rank in ranks],
        "p50": variant.latency_p50,
        "p95": variant.latency_p95,
        "n": count,
    }


def parts(suite: SuiteSummary) -> Figure | None:
    """Where the time of a trial goes; None where it all but goes to the model."""
    known = [(one, one.time) for one in suite.variants if one.time is not None]
    if not any(time.tools + time.retries > _TOLD * time.model for _, time in known):
        return None
    return Figure(
        chart="parts",
        title="Where the time goes",
        says="Seconds of a trial, on average: the model's own time, then tools, then failed attempts and waits for them.",
        table=Table(
            headers=("variant", "trials", "model", "tools", "retries", "together"),
            rows=tuple(
                (
                    clean.line(one.name),
                    f"{time.trials:,}",
                    words.seconds(time.model),
                    words.seconds(time.tools),
                    words.seconds(time.retries),
                    words.seconds(time.model + time.tools + time.retries),
                )
                for one, time in known
            ),
            align=("left", *["right"] * 5),
        ),
        data={
            "totals": {label(one.name): words.seconds(time.model + time.tools + time.retries) for one, time in known},
            "rows": [
                {"name": label(one.name), "kind": kind, "value": _short(value), "shown": words.seconds(value)}
                for one, time in known
                for kind, value in (("model", time.model), ("tools", time.tools), ("retries", time.retries))
            ],
        },
    )


def _ends(interval: Interval | None) -> str:
    return "-" if interval is None else f"{words.seconds(interval.low)} … {words.seconds(interval.high)}"


def _short(value: float) -> float:
    return float(f"{value:.5g}")
