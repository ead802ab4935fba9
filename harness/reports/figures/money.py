"""Charts of money: what 1,000 requests cost by kind of token, and what accuracy is to be had for it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from harness.records import JSON
from harness.reports import clean, words
from harness.reports.figures.figure import Figure, label, listed
from harness.reports.tables import Table
from harness.summary import SuiteSummary, VariantSummary, phrases
from harness.summary.facets import CostPart, FrontPoint

_KINDS = {
    "input": "input",
    "cached_input": "cached input",
    "output": "output",
    "reasoning": "reasoning",
    "unexplained": "not explained by tokens",
    "judge": "judges",
}


def cost(suite: SuiteSummary) -> Figure | None:
    """What 1,000 requests cost by kind of token, judges apart; tokens where nothing has a price; None without both."""
    known = [one for one in suite.variants if any(part.tokens or part.money for part in one.costs)]
    if not known:
        return None
    priced = any(part.money for one in known for part in one.costs)
    kinds = [
        kind for kind in _KINDS if any(part.kind == kind and _size(part, priced) for v in known for part in v.costs)
    ]
    rows: list[JSON] = [
        {
            "name": label(one.name),
            "kind": _KINDS[part.kind],
            "value": _size(part, priced),
            "shown": _shown(part, priced),
            "judge": part.kind == "judge",
        }
        for one in known
        for part in sorted(one.costs, key=lambda part: list(_KINDS).index(part.kind))
        if _size(part, priced)
    ]
    return Figure(
        chart="cost",
        title="Cost per 1,000 requests" if priced else "Tokens per 1,000 requests",
        says=_says(known, priced, judged="judge" in kinds),
        table=_table(known, priced),
        data={"rows": rows, "totals": {label(one.name): _amount(_total(one, priced), priced) for one in known}},
    )


def _says(known: list[VariantSummary], priced: bool, *, judged: bool) -> str:
    first = next((one for one in known if one.role == "baseline"), known[0])
    told = []
    for one in known:
        if one is not first:
            before, after = _total(first, priced), _total(one, priced)
            change = f" ({(after / before - 1) * 100:+.0f}%)" if before else ""
            told.append(
                f"{label(first.name)} {_amount(before, priced)} → {label(one.name)} {_amount(after, priced)}{change}"
            )
    whole = "; ".join(told) or f"{label(first.name)} {_amount(_total(first, priced), priced)}"
    return f"{whole}. Judges are no part of it and stand apart." if judged else f"{whole}."


def _table(known: list[VariantSummary], priced: bool) -> Table:
    kinds = [kind for kind in _KINDS if any(part.kind == kind for one in known for part in one.costs)]
    headers = ["kind"]
    for one in known:
        headers += [f"{clean.line(one.name)} tokens", *([f"{clean.line(one.name)} USD"] if priced else [])]
    rows = []
    for kind in kinds:
        cells = [_KINDS[kind]]
        for one in known:
            part = next((part for part in one.costs if part.kind == kind), None)
            cells.append("-" if part is None or part.tokens is None else f"{part.tokens:,.0f}")
            if priced:
                cells.append(words.money(part.money if part else None))
        rows.append(tuple(cells))
    total = ["together, without judges"]
    for one in known:
        total += ["", _amount(_total(one, True), True)] if priced else [_amount(_total(one, False), False)]
    rows.append(tuple(total))
    return Table(headers=tuple(headers), rows=tuple(rows), align=("left", *["right"] * (len(headers) - 1)))


def _total(variant: VariantSummary, priced: bool) -> float:
    return sum(_size(part, priced) for part in variant.costs if part.kind != "judge")


def _size(part: CostPart, priced: bool) -> float:
    return float(part.money or 0) if priced else float(part.tokens or 0)


def _shown(part: CostPart, priced: bool) -> str:
    return _amount(_size(part, priced), priced)


def _amount(value: float, priced: bool) -> str:
    return phrases.money(Decimal(f"{value:.6g}")) if priced else f"{value:,.0f}"


def front(suite: SuiteSummary) -> Figure | None:
    """Accuracy against cost for three or more variants; None with fewer."""
    points = suite.front
    if len(points) < 3:
        return None
    return Figure(
        chart="front",
        title="Accuracy and cost",
        says=_front_says(points),
        table=Table(
            headers=("variant", "accuracy, 95% interval", "USD per 1,000 requests", ""),
            rows=tuple(
                (
                    clean.line(one.variant),
                    words.accuracy(one.accuracy, one.interval),
                    words.money(one.money),
                    "another is as good and as cheap" if one.dominated else "on the front",
                )
                for one in points
            ),
            align=("left", "right", "right", "left"),
        ),
        data={
            "rows": [
                {
                    "name": label(one.variant),
                    "x": float(one.money),
                    "y": one.accuracy,
                    "low": one.interval.low,
                    "high": one.interval.high,
                    "dominated": one.dominated,
                    "shown": f"{words.percent(one.accuracy)}, {words.money(one.money)}",
                }
                for one in points
            ]
        },
    )


def _front_says(points: tuple[FrontPoint, ...]) -> str:
    best = [one for one in points if not one.dominated]
    behind = [label(one.variant) for one in points if one.dominated]
    told = ["Up is better, left is cheaper; the whiskers are 95% intervals."]
    if behind:
        told.append(f"Grey: for {listed(behind)} another variant is at least as good and as cheap.")
    ties = [
        f"{label(a.variant)} and {label(b.variant)}"
        for a, b in pairwise(best)
        if a.interval.high >= b.interval.low and b.interval.high >= a.interval.low
    ]
    if ties:
        told.append(f"Too close to call in accuracy, because the intervals overlap: {'; '.join(ties[:4])}.")
    return " ".join(told)
