"""A recording as a person reads it: what was asked, what was answered, how long it took, what it cost.

The text depends on the file alone, so that git can compare two versions of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.assistants.usage import paid, recorded_usage
from harness.costs import PriceTable
from harness.hygiene.spoken import Asked, Part, answered, asked
from harness.recording import Cassette, Facts, Interaction
from harness.records import JSON, Usage
from harness.reports import clean
from harness.runs.facts import renewable
from harness.runs.pricing import call_cost

#: Characters of a setting that still stand on one line.
_LINE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One attempt of a call, read."""

    one: Interaction
    asked: Asked
    answered: tuple[Part, ...]
    usage: Usage
    cost: Decimal | None = None

    @property
    def name(self) -> str:
        """Method and resource: `POST /responses`."""
        return f"{self.one.request.method} /{self.one.resource.lstrip('/')}"

    def plain(self) -> dict[str, JSON]:
        one = self.one
        return {
            "call": one.slot,
            "attempt": one.attempt,
            "request": self.name,
            "settings": dict(self.asked.settings),
            "asked": [part.plain() for part in self.asked.parts],
            "status": None if one.error else one.status,
            "answered": [part.plain() for part in self.answered],
            "start": one.start,
            "first_byte": one.first_byte,
            "end": one.end,
            "input_tokens": self.usage.input,
            "output_tokens": self.usage.output,
            "cost": None if self.cost is None else f"{self.cost:f}",
        }


def exchanges(cassette: Cassette, *, prices: PriceTable | None = None) -> list[Exchange]:
    """Read every attempt of a recording.

    Args:
        cassette: The recording.
        prices: What the cost of single calls is worked out with; only if it is what the recording's cost came from.
    """
    costs = _costs(cassette, prices)
    return [
        Exchange(
            one=one,
            asked=asked(one.request),
            answered=answered(one),
            usage=recorded_usage(one)[1],
            cost=costs.get(position),
        )
        for position, one in enumerate(cassette.interactions)
    ]


def told(cassette: Cassette, *, slot: int | None = None, prices: PriceTable | None = None) -> str:
    """Return a recording as text.

    Args:
        cassette: The recording.
        slot: Only this call.
        prices: As for `exchanges`.
    """
    lines = list(_facts(cassette.facts, cassette.interactions)) if slot is None else []
    before: Exchange | None = None
    for exchange in exchanges(cassette, prices=prices):
        if slot is None or exchange.one.slot == slot:
            if lines:
                lines.append("")
            lines += _exchange(exchange, before if slot is None else None)
        before = exchange
    if slot is None and cassette.facts.tools:
        lines += ["", "tools"]
        lines += [f"  {clean.line(json.dumps(dict(call), ensure_ascii=False))}" for call in cassette.facts.tools]
    return "\n".join(lines)


def described(cassette: Cassette, *, slot: int | None = None, prices: PriceTable | None = None) -> dict[str, JSON]:
    """Return the same as plain data."""
    facts = cassette.facts
    return {
        "recorded_at": facts.recorded_at,
        "source": dict(facts.source),
        "renewable": renewable(facts),
        "latency": facts.latency,
        "cost": None if facts.cost is None else f"{facts.cost:f}",
        "prices": facts.prices,
        "calls": [one.plain() for one in exchanges(cassette, prices=prices) if slot in (None, one.one.slot)],
        "tools": [dict(one) for one in facts.tools],
    }


def _facts(facts: Facts, interactions: Sequence[Interaction]) -> Iterator[str]:
    source = dict(facts.source)
    who = " ".join(str(source.pop(name)) for name in ("model", "host") if source.get(name))
    simulated = source.get("simulated")
    how = " (a model behind a simulator)" if simulated == "protocol" else " (a script answered)" if simulated else ""
    yield "recorded  " + clean.line(f"{facts.recorded_at} {who}{how}")
    if not renewable(facts):
        yield "          cannot be recorded again"
    calls = len({one.slot for one in interactions})
    attempts = f", {len(interactions)} attempts" if len(interactions) > calls else ""
    yield f"calls     {calls}{attempts}, {facts.latency:.3f} s" + (
        f" ({facts.waited:.3f} s waited)" if facts.waited else ""
    )
    yield "cost      " + ("unpriced" if facts.cost is None else f"${facts.cost:f} ({clean.line(facts.prices or '')})")


def _exchange(exchange: Exchange, before: Exchange | None) -> Iterator[str]:
    one = exchange.one
    attempt = f", attempt {one.attempt}" if one.attempt > 1 else ""
    yield clean.line(f"== call {one.slot}{attempt}: {exchange.name}")
    repeated = _repeated(exchange, before)
    settings = exchange.asked.settings
    if repeated and before is not None and settings == before.asked.settings:
        settings = {}
    for name, value in settings.items():
        yield from _setting(name, value)
    if repeated:
        yield f"({repeated} messages as before)"
    for part in exchange.asked.parts[repeated:]:
        yield from _part(part)
    status = "no response" if one.error else f"{one.status}"
    yield f"-- {status} after {one.end - one.start:.3f} s" + _details(exchange)
    for part in exchange.answered:
        yield from _part(part)


def _details(exchange: Exchange) -> str:
    one, usage = exchange.one, exchange.usage
    text = f", first byte {one.first_byte - one.start:.3f} s" if one.events else ""
    if usage.input is not None or usage.output is not None:
        text += f", {usage.input or 0} + {usage.output or 0} tokens"
    return text if exchange.cost is None else f"{text}, ${exchange.cost:f}"


def _repeated(exchange: Exchange, before: Exchange | None) -> int:
    """How many messages a request repeats from the one before it, and from its answer."""
    if before is None or not before.asked.parts:
        return 0
    parts = exchange.asked.parts
    for known in ((*before.asked.parts, *before.answered), before.asked.parts):
        if parts[: len(known)] == known:
            return len(known)
    return 0


def _setting(name: str, value: JSON) -> Iterator[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LINE and "\n" not in text:
        yield clean.line(f"{name}: {text}")
        return
    yield clean.line(f"{name}:")
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    yield from _indented(shown)


def _part(part: Part) -> Iterator[str]:
    yield clean.line(f"{part.role}:")
    yield from _indented(part.text)


def _indented(text: str) -> Iterator[str]:
    for line in clean.block(text).split("\n"):
        yield f"  {line}".rstrip()


def _costs(cassette: Cassette, prices: PriceTable | None) -> Mapping[int, Decimal]:
    """The cost of each call, where they add up to what was recorded."""
    if prices is None or cassette.facts.cost is None:
        return {}
    found: dict[int, Decimal] = {}
    for position, one in enumerate(cassette.interactions):
        for call in paid([one]):
            cost = call_cost(call, None, prices)
            if cost is not None:
                found[position] = cost
    return found if sum(found.values(), Decimal(0)) == cassette.facts.cost else {}
