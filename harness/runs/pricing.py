"""What a trial cost, in US dollars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from harness.assistants.usage import paid
from harness.costs import PriceTable
from harness.recording import Interaction, ReplayTape, Tape


def recorded_cost(tape: Tape) -> Decimal | None:
    """Return the cost that stands in the recording that is replayed; None where there is none, or only a part of it is."""
    if not isinstance(tape, ReplayTape) or tape.cassette is None or not tape.whole:
        return None
    return tape.cassette.facts.cost


def cost_today(tape: Tape, *, model: str | None, prices: PriceTable) -> Decimal | None:
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


def cost_of(interactions: Sequence[Interaction], *, model: str | None, prices: PriceTable) -> Decimal | None:
    """The same for calls that stand in no tape."""
    if not interactions:
        return None
    total = Decimal(0)
    for one in paid(interactions):
        # A run's request names no model, and its answer names the one that it was.
        names = (one.asked, one.model, model) if one.usage.total is not None else ()
        known = (prices.cost(name, one.usage) for name in names if name)
        cost = next((found for found in known if found is not None), None)
        if cost is None:
            return None
        total += cost
    return total
