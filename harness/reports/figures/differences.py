"""Charts of one arm against another: differences by tag, what was fixed and broken, and how it looked on the way."""

from __future__ import annotations

from urllib.parse import urlencode

from harness.records import JSON
from harness.reports import clean
from harness.reports.figures.figure import Figure, label
from harness.reports.tables import Table
from harness.stats.intervals import Interval
from harness.summary import Comparison, phrases
from harness.summary.facets import TagContrast

#: Tags that are drawn; the table beside a chart has this many times as many.
_DRAWN, _TIMES = 24, 10
_WORDS = {"better": "better", "worse": "worse", "none": "not shown", "few": "too few cases"}


def forest(comparison: Comparison) -> Figure | None:
    """The difference in accuracy, of all cases and by tag; None with fewer than two tags, or where nothing changed."""
    found = comparison.difference
    tags = [one for one in comparison.tags if one.difference is not None]
    if found is None or len(tags) < 2 or found.fixed + found.broken == 0:
        return None
    kept = _most_telling(tags)
    verdict = comparison.verdict.kind if comparison.verdict else ""
    rows: list[JSON] = [
        _forest_row("all cases", found.estimate, found.interval, found.cases, verdict, whole=True),
        *(_tag_row(one) for one in tags if one in kept),
    ]
    a, b = label(comparison.baseline), label(comparison.candidate)
    return Figure(
        chart="forest",
        title="Difference in accuracy by tag",
        says=(
            f"Right of 0, {b} does better than {a}. Inside the grey band, ±{phrases.size(comparison.margin)}, a "
            "difference is too small to matter. Filled and coloured: it holds although "
            f"{phrases.count(len(comparison.tags), 'tag')} were tested; hollow and grey: it may be chance."
        ),
        table=_forest_table(comparison, tags),
        data={"margin": comparison.margin, "a": a, "b": b, "rows": rows},
        note=_undrawn(len(tags) - len(kept)),
    )


def _forest_table(comparison: Comparison, tags: list[TagContrast]) -> Table:
    whole = comparison.difference
    rows = []
    if whole is not None:
        rows.append(("all cases", f"{whole.cases:,}", phrases.points(whole.estimate), _ends(whole.interval), "", ""))
    for one in tags[: _DRAWN * _TIMES]:
        estimate = "-" if one.difference is None else phrases.points(one.difference.estimate)
        p = "-" if one.p is None else "<0.001" if one.p < 0.001 else f"{one.p:.2g}"
        rows.append((clean.line(one.tag), f"{one.cases:,}", estimate, _ends(one.interval), p, _WORDS[one.word]))
    return Table(
        headers=("tag", "cases", "difference", "interval, all tags together", "adjusted p", "word"),
        rows=tuple(rows),
        align=("left", "right", "right", "right", "right", "left"),
    )


def _forest_row(
    name: str, estimate: float, interval: Interval, cases: int, state: str, *, whole: bool = False
) -> dict[str, JSON]:
    return {
        "name": name,
        "n": cases,
        "at": estimate,
        "low": interval.low,
        "high": interval.high,
        "state": state,
        "whole": whole,
        "shown": phrases.points(estimate).removesuffix(" pp"),
        "ends": _ends(interval),
    }


def _tag_row(one: TagContrast) -> dict[str, JSON]:
    assert one.difference is not None
    interval = one.interval or one.difference.interval
    return _forest_row(label(one.tag), one.difference.estimate, interval, one.cases, one.word)


def flips(comparison: Comparison, anchor: str) -> Figure | None:
    """Which share of the cases was fixed, stayed, and was broken, by tag; None where nothing changed sides.

    Args:
        comparison: Of two arms.
        anchor: Of the suite's table of cases, to which the bars lead.
    """
    found = comparison.difference
    if found is None or not comparison.tags or found.fixed + found.broken == 0:
        return None
    tags = list(comparison.tags)
    kept = _most_telling([one for one in tags if one.cases])
    whole = ("all cases", found.broken, found.cases - found.fixed - found.broken, found.fixed, "")
    rows = [whole, *((one.tag, one.broken, one.unchanged, one.fixed, clean.line(one.tag)) for one in tags)]
    drawn = [rows[0], *(row for row, one in zip(rows[1:], tags, strict=True) if one in kept)]
    once = found.pairs == found.cases
    b = label(comparison.candidate)
    return Figure(
        chart="flips",
        title="Fixed, unchanged, broken",
        says=(
            f"Each bar is all cases of a tag: at the left those that {b} {'breaks' if once else 'passes less often'}, "
            f"at the right those that it {'fixes' if once else 'passes more often'}. A bar's end leads to its cases."
        ),
        table=Table(
            headers=("tag", "cases", "broken", "unchanged", "fixed"),
            rows=tuple(
                (clean.line(name), f"{broken + same + fixed:,}", f"{broken:,}", f"{same:,}", f"{fixed:,}")
                for name, broken, same, fixed, _ in rows[: _DRAWN * _TIMES]
            ),
            align=("left", "right", "right", "right", "right"),
        ),
        links={
            (place, column): f"#{anchor}?{urlencode({'show': kind, **({'tag': tag} if tag else {})})}"
            for place, (_, broken, _, fixed, tag) in enumerate(rows[: _DRAWN * _TIMES])
            for column, kind, count in ((2, "broken", broken), (4, "fixed", fixed))
            if count
        },
        data={
            "anchor": anchor,
            "rows": [
                {"name": label(name), "tag": tag, "broken": broken, "unchanged": same, "fixed": fixed}
                for name, broken, same, fixed, tag in drawn
            ],
        },
        note=_undrawn(len(tags) - len(kept)),
    )


def looks(comparison: Comparison) -> Figure | None:
    """The difference at each planned look, where a comparison could be stopped early; None where it could not."""
    stopping = comparison.stopping
    if stopping is None or not stopping.looks:
        return None
    after = f"after {stopping.used:,} of {stopping.planned:,} cases"
    ended = {
        "difference": f"It stopped {after}: the interval excluded 0.",
        "not_worse": f"It stopped {after}: the interval excluded anything worse by more than the margin.",
        "futility": f"It stopped {after}: the rest could hardly have shown what was asked.",
        None: (
            f"It went on to the last of {stopping.planned:,} cases."
            if stopping.used == stopping.planned
            else f"The last look was {after}."
        ),
    }[stopping.reason]
    return Figure(
        chart="looks",
        title="Look by look",
        says=f"{ended} The intervals hold at all looks together, so that looking early raises no false alarms.",
        table=Table(
            headers=("look", "cases", "difference", "interval"),
            rows=tuple(
                (str(number), f"{one.cases:,}", phrases.points(one.estimate), _ends(one.interval))
                for number, one in enumerate(stopping.looks, 1)
            ),
            align=("right", "right", "right", "right"),
        ),
        data={
            "margin": comparison.margin,
            "planned": stopping.planned,
            "rows": [
                {"cases": one.cases, "at": one.estimate, "low": one.interval.low, "high": one.interval.high}
                for one in stopping.looks
            ],
        },
    )


def _most_telling(tags: list[TagContrast]) -> list[TagContrast]:
    """The tags that are drawn, in their order: all of them, or those with the least p and the most cases."""
    ranked = sorted(tags, key=lambda one: (one.p if one.p is not None else 2.0, -one.cases))[:_DRAWN]
    return [one for one in tags if one in ranked]


def _ends(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.low * 100 + 0.0:+.1f} … {interval.high * 100 + 0.0:+.1f}"


def _undrawn(number: int) -> str:
    return f"{phrases.count(number, 'more tag')} of less weight in the table below." if number > 0 else ""
