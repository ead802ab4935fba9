"""What a cassette of a block says of itself: what answered, when, at which cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from harness import __version__
from harness.costs import PriceTable
from harness.recording import Facts, RecordingTape, Redactor
from harness.records import JSON
from harness.runs.facts import last_model, source_of
from harness.runs.pricing import cost_today
from harness.tools import RecordedCall


def facts_of(
    tape: RecordingTape,
    *,
    prices: PriceTable,
    redactor: Redactor,
    tools: Sequence[RecordedCall],
    definitions: Mapping[str, JSON],
) -> Facts:
    """Return the facts of a recording.

    Args:
        tape: What was recorded.
        prices: Where prices are looked up.
        redactor: Takes secrets out of what tools gave.
        tools: Calls of tools that a replay does not run.
        definitions: What MCP servers said of their tools, by server.
    """
    cost = cost_today(tape, model=None, prices=prices)
    return Facts(
        count=len(tape.interactions),
        end=round((tape.latency or 0.0) + tape.waited, 6),
        waited=tape.waited,
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        source=source_of(tape, model=last_model(tape.interactions)),
        harness=__version__,
        openai=version("openai"),
        prices=prices.id,
        cost=None if cost is None else cost.amount,
        tools=tuple(redactor.data(call.plain()) for call in tools),
        definitions=redactor.data(definitions),
    )
