"""What a cassette of a block says of itself: what answered, when, at which cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from harness import __version__
from harness.assistants.usage import recorded_usage
from harness.costs import PriceTable
from harness.recording import Facts, RecordingTape, Redactor
from harness.recording.cassette import resource
from harness.records import JSON
from harness.runs.pricing import cost_today
from harness.tools import RecordedCall

#: Resources of the Assistants API, which nobody can record anew at OpenAI.
_GONE = ("assistants", "threads")


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
    return Facts(
        count=len(tape.interactions),
        end=tape.latency or 0.0,
        recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        source=_source(tape),
        harness=__version__,
        openai=version("openai"),
        prices=prices.id,
        cost=cost_today(tape, model=None, prices=prices),
        tools=tuple(redactor.data(call.plain()) for call in tools),
        definitions=redactor.data(definitions),
    )


def _source(tape: RecordingTape) -> dict[str, Any]:
    interactions = tape.interactions
    found: dict[str, Any] = {"host": urlsplit(interactions[-1].request.uri).netloc}
    model = next(filter(None, (recorded_usage(one)[0] for one in reversed(interactions))), None)
    if model:
        found["model"] = model
    told = {
        one.headers.get("x-simulated", "true" if "x-harness-simulated" in one.headers else "") for one in interactions
    }
    if "true" in told:
        found["simulated"] = True
    elif told - {""}:
        found["simulated"] = "protocol"
    if any(resource(urlsplit(one.request.uri).path).split("/")[0] in _GONE for one in interactions):
        found["renewable"] = False
    return found
