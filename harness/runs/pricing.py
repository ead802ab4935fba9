"""What a trial cost, in US dollars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from harness.assistants.usage import Paid, paid
from harness.costs import PriceTable
from harness.errors import TrialError
from harness.limits.bounds import Bound, bound_of, unbounded
from harness.limits.verdicts import maybe_paid
from harness.recording import Interaction, ReplayTape, Tape
from harness.records import Usage

_NOTHING = Decimal(0)


def recorded_cost(tape: Tape) -> Decimal | None:
    """Return the cost that stands in the recording that is replayed; None where there is none, or only a part of it is."""
    if not isinstance(tape, ReplayTape) or tape.cassette is None or not tape.whole:
        return None
    return tape.cassette.facts.cost


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls cost, USD."""

    amount: Decimal
    #: A part of it was only assumed, at the worst case: the service did not say how many tokens a call took.
    estimated: bool = False


def cost_today(tape: Tape, *, model: str | None, prices: PriceTable) -> Cost | None:
    """Sum what every answered call costs at today's prices.

    Args:
        tape: What was sent and answered.
        model: The model for calls that name none, in request and answer. The price of the model that was asked for
            goes before that of the model which the answer names.
        prices: Where prices are looked up.

    Returns:
        None if there was no call, or as soon as one cannot be priced.
    """
    return cost_of(tape.interactions, model=model, prices=prices)


def cost_of(interactions: Sequence[Interaction], *, model: str | None, prices: PriceTable) -> Cost | None:
    """The same for calls that stand in no tape."""
    if not interactions:
        return None
    total = _NOTHING
    estimated = False
    for one in paid(interactions):
        cost = call_cost(one, model, prices)
        if cost is None:
            cost = worst_case(one.interaction, prices) if one.usage.total is None else None
            estimated = True
        if cost is None:
            return None
        total += cost
    return Cost(total, estimated)


def worst_case(interaction: Interaction, prices: PriceTable) -> Decimal | None:
    """Return the most that an attempt can have cost; None where that has no limit, or no price."""
    request = interaction.request
    try:
        bound = bound_of(request.method, urlsplit(request.uri).path, request.body or b"")
        return None if bound is None else Pricing(prices).most(bound)
    except TrialError:
        return None


class Pricing:
    """What requests may cost, and did, by a price table."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices

    def most(self, bound: Bound) -> Decimal:
        """Return what a request may cost at most.

        Raises:
            TrialError: Its model has no price, or no context window that is known where that is needed.
        """
        model = bound.model or ""
        tokens = bound.input if bound.input is not None else self._prices.context(model)
        if tokens is None:
            raise unbounded(
                f"it refers to content that it does not carry, or has the service run tools, and the context window of "
                f"'{model}' is not known. Write it as `context` into [tool.harness.prices.\"{model}\"]."
            )
        each = self._prices.cost(model, Usage(input=tokens, output=0))
        said = self._prices.cost(model, Usage(input=0, output=bound.output))
        # A price may rise with the length of the input.
        whole = self._prices.cost(model, Usage(input=tokens, output=bound.output))
        if each is None or said is None or whole is None:
            raise unbounded(f"the model '{model}' has no price. Give it one in [tool.harness.prices.\"{model}\"].")
        return max(whole, each + said) + each * (bound.steps - 1)

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """Return what tokens of a model cost; None where its price, or how many they are, is not known."""
        return self._prices.cost(model, usage)

    def paid(self, interaction: Interaction) -> Decimal | None:
        """Return what an attempt cost; None where nobody knows.

        Refusals, and failures that the service itself reports, cost nothing. A gateway that gave up may have left the
        service working.
        """
        if interaction.error is not None:
            return None if maybe_paid(interaction.error) else _NOTHING
        if interaction.status >= 300:
            told = interaction.status < 500 or _is_error(interaction.body)
            return _NOTHING if told else None
        if _is_error(interaction.body):
            return _NOTHING
        costs = [call_cost(one, None, self._prices) for one in paid([interaction])]
        return _sum(costs)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    total = _NOTHING
    for one in costs:
        if one is None:
            return None
        total += one
    return total


def call_cost(one: Paid, model: str | None, prices: PriceTable) -> Decimal | None:
    """Return what a call's own tokens cost; None where they, or the price of its model, are not known.

    Args:
        one: The call.
        model: The model of calls that name none.
        prices: Where prices are looked up.
    """
    # A run's request names no model, and its answer names the one that it was.
    names = (one.asked, one.model, model) if one.usage.total is not None else ()
    known = (prices.cost(name, one.usage) for name in names if name)
    return next((found for found in known if found is not None), None)


def _is_error(body: bytes) -> bool:
    """Whether an answer is nothing but an error object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and bool(value.get("error")) and not value.keys() & {"id", "object", "usage"}
