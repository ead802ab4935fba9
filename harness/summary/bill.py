"""What one arm costs against another: money, tokens, and the few cases that run away with both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.records import Result
from harness.stats.costs import mean_ratio, runaways
from harness.stats.latency import Ratio, geometric_ratio
from harness.stats.paired import MeanDifference, mean_difference
from harness.summary import phrases
from harness.summary.pairing import PairedCase, Values, values
from harness.summary.speed import interval, ratio

#: Without the cases that run away, the mean difference is less than this part of it, or has the other sign.
_DECIDED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Costs and tokens of B against those of A; None where they are not known."""

    #: Paired cases, those of unknown cost too.
    cases: int = 0
    #: Per trial, USD.
    cost: MeanDifference | None = None
    #: B's bill divided by A's.
    whole: Ratio | None = None
    #: In the typical case.
    typical: Ratio | None = None
    #: Cases without which the mean difference would be another, the dearest first, and their costs in A and B.
    runaways: tuple[tuple[str, float, float], ...] = ()
    #: Per trial.
    input_tokens: MeanDifference | None = None
    output_tokens: MeanDifference | None = None

    @property
    def cheaper(self) -> str:
        """Change of the bill in percent where every case has a cost and the difference's interval is below 0; else empty."""
        if self.cost is None or self.whole is None or self.cost.interval.high >= 0 or self.cost.cases < self.cases:
            return ""
        return phrases.change(self.whole.estimate)


def compare_bill(cases: Sequence[PairedCase], clusters: Mapping[str, str] | None = None) -> Bill:
    """Compare the costs and tokens of paired trials.

    Args:
        cases: Paired cases.
        clusters: Label of each case that belongs together with others, by id.
    """
    costs = values(cases, lambda result: None if result.cost is None else float(result.cost), clusters)
    whole, typical = _ratios(costs)
    cost = _difference(costs)
    return Bill(
        cases=len(cases),
        cost=cost,
        whole=whole,
        typical=typical,
        runaways=tuple(_deciding(costs, cost)),
        input_tokens=_difference(values(cases, _tokens(lambda result: result.usage.input), clusters)),
        output_tokens=_difference(values(cases, _tokens(lambda result: result.usage.output), clusters)),
    )


def cost_text(bill: Bill, *, a: str, b: str) -> str:
    """What B costs more or less than A, in a sentence or two; empty where every case costs the same."""
    found = bill.cost
    if found is None or found.estimate == found.interval.low == found.interval.high == 0:
        return ""
    word = "less" if found.estimate < 0 else "more"
    low, high = (phrases.dollars(end) for end in (found.interval.low, found.interval.high))
    told = (
        f"{b} costs {money(abs(found.estimate))} {word} per trial than {a} "
        f"({phrases.level(found.interval.level)} CI {low}…{high}, {phrases.part(found.cases, bill.cases, 'case')})"
    )
    if bill.typical is not None:
        told += f", {typical(bill.typical)}"
    return f"{told}.{runaways_text(bill)}"


def typical(found: Ratio) -> str:
    """What B costs in the typical case, as a part of a sentence."""
    return f"{ratio(found)} as much in the typical case ({interval(found)})"


def money(amount: float) -> str:
    """An amount that came out of statistics."""
    return phrases.money(Decimal(f"{amount:.6g}"))


def runaways_text(bill: Bill) -> str:
    """The cases that decide the mean difference, as a sentence after it; empty where none do."""
    if not bill.runaways:
        return ""
    named = phrases.names([f"{case} ({money(a)} → {money(b)})" for case, a, b in bill.runaways], most=5)
    verb = "decides" if len(bill.runaways) == 1 else "decide"
    return f" {phrases.count(len(bill.runaways), 'case')} {verb} that mean: {named}."


def _difference(found: Values) -> MeanDifference | None:
    return mean_difference(*found.means, found.clusters) if found.a else None


def _ratios(costs: Values) -> tuple[Ratio | None, Ratio | None]:
    """Of the bills, and of the typical case; the latter only where every case costs something in both arms."""
    a, b = costs.means
    if not a:
        return None, None
    typical = geometric_ratio([[x] for x in a], [[y] for y in b], costs.clusters) if min(*a, *b) > 0 else None
    return mean_ratio(a, b, costs.clusters), typical


def _deciding(costs: Values, found: MeanDifference | None) -> list[tuple[str, float, float]]:
    """The cases that cost many times the typical one, if the mean difference hangs on them."""
    if found is None or found.estimate == 0:
        return []
    a, b = costs.means
    wild = {one.index: max(a[one.index], b[one.index]) for arm in (a, b) for one in runaways([[x] for x in arm])}
    rest = [y - x for index, (x, y) in enumerate(zip(a, b, strict=True)) if index not in wild]
    if not wild or not rest or math.fsum(rest) / len(rest) / found.estimate > _DECIDED:
        return []
    dearest = sorted(wild, key=lambda index: (-wild[index], index))
    return [(costs.ids[index], a[index], b[index]) for index in dearest]


def _tokens(read: Callable[[Result], int | None]) -> Callable[[Result], float | None]:
    return lambda result: None if (found := read(result)) is None else float(found)
