"""Charts of runs over time: what each variant of a suite came to, run after run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.records import JSON
from harness.reports import clean, words
from harness.reports.figures.figure import Figure, label
from harness.reports.tables import Table
from harness.stats.intervals import Interval
from harness.summary.history import Point

#: Runs on one chart, in the table beside it, and curves that can be told apart.
_RUNS, _LISTED, _CURVES = 200, 50, 6


@dataclass(frozen=True, slots=True)
class _Measure:
    """One thing that is followed over time."""

    title: str
    says: str
    unit: str
    value: Callable[[Point], float | None]
    interval: Callable[[Point], Interval | None]
    shown: Callable[[float], str]


def _cost(point: Point) -> float | None:
    return None if point.cost_per_trial is None else float(point.cost_per_trial) * 1000


_MEASURES = (
    _Measure(
        "Accuracy",
        "With 95% intervals; hollow where a run left out part of the suite.",
        "share",
        lambda point: point.accuracy,
        lambda point: point.interval,
        words.percent,
    ),
    _Measure(
        "Latency, p50",
        "As recorded.",
        "seconds",
        lambda point: point.latency_p50,
        lambda point: point.latency_p50_interval,
        words.seconds,
    ),
    _Measure(
        "Cost per 1,000 requests",
        "As recorded, judges left out.",
        "usd",
        _cost,
        lambda point: None,
        lambda value: words.money(Decimal(f"{value:.6g}")),
    ),
)


def trends(points: Sequence[Point]) -> tuple[Figure, ...]:
    """Return how accuracy, latency and cost of one suite went; nothing with fewer than two runs.

    Args:
        points: Of one suite, the oldest run first.
    """
    runs = list(dict.fromkeys(point.run for point in points))[-_RUNS:]
    if len(runs) < 2:
        return ()
    kept = [point for point in points if point.run in set(runs)]
    # Those of the last runs matter most: who left the suite long ago comes last.
    last = {point.variant: place for place, point in enumerate(kept)}
    names = sorted(last, key=lambda name: -last[name])[:_CURVES]
    order = [name for name in dict.fromkeys(point.variant for point in kept) if name in names]
    return tuple(found for one in _MEASURES if (found := _figure(one, kept, runs, order)) is not None)


def _figure(measure: _Measure, points: Sequence[Point], runs: list[str], names: list[str]) -> Figure | None:
    known = [(point, value) for point in points if (value := measure.value(point)) is not None]
    places = {run: place for place, run in enumerate(runs)}
    days = dict.fromkeys(runs, "")
    days |= {point.run: clean.line(words.day(point.started)) for point in points}
    series: list[JSON] = []
    for name in names:
        own = [_place(measure, point, value, places) for point, value in known if point.variant == name]
        if own:
            series.append({"name": label(name), "points": own})
    if not series:
        return None
    return Figure(
        chart="trend",
        title=measure.title,
        says=measure.says,
        table=_table(measure, known),
        data={"unit": measure.unit, "days": [days[run] for run in runs], "series": series},
    )


def _place(measure: _Measure, point: Point, value: float, places: dict[str, int]) -> JSON:
    interval = measure.interval(point)
    return {
        "x": places[point.run],
        "y": _short(value),
        "low": None if interval is None else _short(interval.low),
        "high": None if interval is None else _short(interval.high),
        "part": point.trials < point.planned,
        "shown": f"{point.run}: {label(point.variant)} {measure.shown(value)}",
    }


def _table(measure: _Measure, known: list[tuple[Point, float]]) -> Table:
    rows = []
    for point, value in known[::-1][:_LISTED]:
        found = measure.interval(point)
        ends = words.NOTHING if found is None else f"{measure.shown(found.low)} … {measure.shown(found.high)}"
        rows.append((point.run, clean.line(point.variant), f"{point.graded:,}", measure.shown(value), ends))
    return Table(
        headers=("run", "variant", "graded", measure.title.lower(), "95% interval"),
        rows=tuple(rows),
        align=("left", "left", "right", "right", "right"),
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")
