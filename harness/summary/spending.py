"""What the money of a variant is spent on, by kind of token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from harness.costs import Rates
from harness.records import Result, Usage
from harness.summary.facets import CostPart

#: Kinds of tokens; each token is of one.
Kind: TypeAlias = Literal["input", "cached_input", "output", "reasoning"]

_KINDS: tuple[Kind, ...] = ("input", "cached_input", "output", "reasoning")
_REQUESTS = 1000
_MILLION = Decimal(1_000_000)
_DIGITS = 9


def cost_parts(results: Iterable[Result], rate: Callable[[str | None], Rates | None]) -> tuple[CostPart, ...]:
    """Return tokens and money of each kind per 1,000 requests, over the trials that have a cost.

    Each kind's tokens are priced by the table. What the recorded costs are above their sum is `unexplained`: assistants
    of other models that serve as tools, answers whose tokens nobody counted. Where they are below it, the table is not
    the one that they come from, and all of it is unexplained.

    Args:
        results: Of one variant; where none has a cost, tokens alone are told.
        rate: Prices for what a trial's model is called; None: not known.
    """
    found = list(results)
    priced = [one for one in found if one.cost is not None]
    counted = priced or [one for one in found if one.usage.total is not None]
    parts: list[CostPart] = []
    if counted:
        tokens = {kind: sum(_tokens(one.usage)[kind] for one in counted) for kind in _KINDS}
        money = _money(priced, rate) if priced else {}
        parts = [
            CostPart(kind=kind, tokens=tokens[kind] * _REQUESTS / len(counted), money=_each(money.get(kind), counted))
            for kind in _KINDS
            if tokens[kind]
        ]
        rest = sum((one.cost or Decimal(0) for one in priced), Decimal(0)) - sum(money.values(), Decimal(0))
        if rest:
            parts.append(CostPart(kind="unexplained", tokens=None, money=_each(rest, counted)))
    judged = [one.judge_cost for one in found if one.judge_cost is not None]
    if any(judged):
        # Every trial's answer was judged, whether or not it has a price of its own.
        parts.append(CostPart(kind="judge", tokens=None, money=_each(sum(judged, Decimal(0)), judged)))
    return tuple(parts)


def _money(priced: Sequence[Result], rate: Callable[[str | None], Rates | None]) -> dict[Kind, Decimal]:
    total = dict.fromkeys(_KINDS, Decimal(0))
    for one in priced:
        rates = rate(one.model)
        if rates is None:
            continue
        tokens = _tokens(one.usage)
        each: Mapping[Kind, Decimal] = {
            "input": rates.input,
            "cached_input": rates.cached_input,
            "output": rates.output,
            "reasoning": rates.output,
        }
        for kind in _KINDS:
            total[kind] += tokens[kind] * each[kind] / _MILLION
    spent = sum((one.cost or Decimal(0) for one in priced), Decimal(0))
    # Costs are kept to the last digit, so that what is more is no rounding.
    return total if 0 < sum(total.values()) <= spent else {}


def _tokens(usage: Usage) -> dict[Kind, int]:
    cached, reasoning = usage.cached_input or 0, usage.reasoning or 0
    return {
        "input": max((usage.input or 0) - cached, 0),
        "cached_input": cached,
        "output": max((usage.output or 0) - reasoning, 0),
        "reasoning": reasoning,
    }


def _each(money: Decimal | None, over: Sequence[object]) -> Decimal | None:
    return None if money is None else round(money * _REQUESTS / len(over), _DIGITS)
