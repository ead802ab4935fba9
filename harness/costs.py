"""What model calls cost: a project's own prices first, then the public price table.

Money is USD as `Decimal`. A model that neither knows has no price: the answer is None, and reports say "unpriced".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version

from harness.records import Usage
from harness.settings import Price

_MILLION = Decimal(1_000_000)
#: Tokens whose price tells the rate.
_SAMPLE = 1_000
# Prices of other providers' models are not looked up: a local server that calls its model `mistral-7b` charges nothing
# of what a provider of that name does. Such models get their price from settings.
_PROVIDER = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a model costs, USD per million tokens."""

    input: Decimal
    cached_input: Decimal
    #: Reasoning costs as much.
    output: Decimal


class PriceTable:
    """Prices by model name. The public table is loaded when a model is asked for that the overlay does not know."""

    def __init__(self, overlay: Mapping[str, Price] | None = None) -> None:
        """
        Args:
            overlay: Prices that win over the public table, by exact model name.
        """
        self._overlay = dict(overlay or {})
        # Finding out that a model is unknown takes the public table longer than a whole trial.
        self._unknown: set[str] = set()

    @cached_property
    def id(self) -> str:
        """Which prices these are: `genai-prices 0.2.3`, and the hash of the overlay where there is one."""
        table = f"genai-prices {version('genai-prices')}"
        if not self._overlay:
            return table
        plain = {model: price.model_dump(mode="json", exclude={"context"}) for model, price in self._overlay.items()}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return f"{table} + overlay {hashlib.sha256(text.encode()).hexdigest()[:6]}"

    def cost(self, model: str, usage: Usage, *, at: datetime | None = None) -> Decimal | None:
        """Return what a call cost in USD; None where the model, its price or its tokens are not known.

        Args:
            model: The model as the service or the suite names it.
            usage: Its tokens. Cached input tokens are a part of the input and charged at their own rate, reasoning
                tokens are a part of the output and charged as output.
            at: When the call was made, for prices that changed; default: now.
        """
        if usage.input is None or usage.output is None:
            return None
        cached = usage.cached_input or 0
        if not 0 <= cached <= usage.input or usage.output < 0:
            return None
        price = self._overlay.get(model)
        if price is None:
            return self._public(model, usage, at)
        cached_rate = price.input if price.cached_input is None else price.cached_input
        total = (usage.input - cached) * price.input + cached * cached_rate + usage.output * price.output
        return _plain(total / _MILLION)

    def _public(self, model: str, usage: Usage, at: datetime | None) -> Decimal | None:
        if model in self._unknown:
            return None
        from genai_prices import Usage as Tokens
        from genai_prices import calc_price

        tokens = Tokens(
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cached_input or 0,
            output_reasoning_tokens=min(usage.reasoning or 0, usage.output or 0),
        )
        try:
            found = calc_price(tokens, model, provider_id=_PROVIDER, genai_request_timestamp=at)
        except LookupError:
            self._unknown.add(model)
            return None
        except ValueError:
            return None
        # Models that are paid by the minute or picture come out as free.
        rates = found.model_price
        if rates.input_mtok is None and rates.output_mtok is None:
            return None
        return _plain(found.total_price)

    def input_rate(self, model: str) -> Decimal | None:
        """Return what a million input tokens cost in USD; None where nobody knows."""
        found = self.rates(model)
        return None if found is None else found.input

    def rates(self, model: str) -> Rates | None:
        """Return what tokens of a model cost; None where nobody knows. A price that rises with the input is the lowest."""
        kinds = (
            Usage(input=_SAMPLE, output=0),
            Usage(input=_SAMPLE, output=0, cached_input=_SAMPLE),
            Usage(input=0, output=_SAMPLE),
        )
        fresh, cached, said = (self.cost(model, usage) for usage in kinds)
        if fresh is None or cached is None or said is None:
            return None
        times = _MILLION / _SAMPLE
        return Rates(input=fresh * times, cached_input=cached * times, output=said * times)

    def context(self, model: str) -> int | None:
        """Return how many tokens fit into a model's context window; None where nobody knows."""
        price = self._overlay.get(model)
        if price is not None and price.context is not None:
            return price.context
        from genai_prices import Usage as Tokens
        from genai_prices import calc_price

        try:
            return calc_price(
                Tokens(input_tokens=1, output_tokens=1), model, provider_id=_PROVIDER
            ).model.context_window
        except (LookupError, ValueError):
            return None

    def note(self, model: str) -> str | None:
        """Return what the project says about its price of a model, for every place where a cost is shown."""
        price = self._overlay.get(model)
        return price.note if price else None


def _plain(amount: Decimal) -> Decimal:
    """Drop trailing zeros, so that equal amounts are written alike: 0.0045, 10, 0."""
    short = amount.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short
