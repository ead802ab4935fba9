"""What was different when a recording was made, although every request is still the same: reasons to look at it again.

None of these makes a recording wrong. What is sent stands in the requests, which are matched exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.records import JSON, Turn

if TYPE_CHECKING:
    from harness.recording import Facts
    from harness.suites.suite import AssistantSpec

#: Which settings a hash is made of; hashes of another version are not compared.
_VERSION = "2"
#: Where, how patiently and how fast something is asked, which says nothing of what is asked.
_IRRELEVANT = frozenset(
    {"api_key_env", "base_url", "headers", "parallel_tools", "poll_interval", "timeout", "tool_timeout", "url"}
)
_DAY = 86400


def definition_hash(spec: AssistantSpec) -> str:
    """Return a hash of an assistant's definition, with the version of what it is made of."""
    return f"{_VERSION}:{_digest(_relevant(spec))}"


def case_hash(turns: Iterable[Turn]) -> str:
    """Return what says of a conversation what was said in it, whatever its case and variant are called."""
    messages = [message for turn in turns for message in turn.messages]
    return _digest([{"role": message.role, "content": message.content} for message in messages])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changes(facts: Facts, *, definition: str, sources: Mapping[str, str | None]) -> tuple[str, ...]:
    """Say what changed since a recording was made that its requests do not show, a line each.

    Args:
        facts: Of the recording.
        definition: The `definition_hash` of the trial's assistant as its suite has it now.
        sources: Hashes of the code of tools whose results the recording holds, by name; None: not known.
    """
    return tuple(_changes(facts, definition, sources))


def age(facts: Facts, *, now: datetime, prices: str | None, max_age: float | None) -> tuple[str, ...]:
    """Say of a recording that it is old, or priced by another table.

    Args:
        facts: Of the recording.
        now: With a time zone.
        prices: Id of today's price table; None: prices are not compared.
        max_age: Seconds after which a recording is old; None: none is.
    """
    found: list[str] = []
    days = _days(facts, now)
    if days is not None and max_age is not None and days * _DAY > max_age:
        found.append(f"recorded more than {max_age / _DAY:g} days ago (cassette_max_age)")
    if prices is not None and facts.cost is not None and facts.prices not in (None, prices):
        found.append(f"its cost comes from the price table {facts.prices}, and today's is {prices}")
    return tuple(found)


def _changes(facts: Facts, definition: str, sources: Mapping[str, str | None]) -> Iterator[str]:
    before = facts.assistant_hash or ""
    if before.startswith(f"{_VERSION}:") and before != definition:
        yield "the assistant's definition changed since it was recorded, in what its requests do not show"
    for name, then in facts.sources.items():
        now = sources.get(name)
        if now is not None and now != then:
            yield f"the code of the tool {name} changed since its results were recorded"


def _relevant(spec: AssistantSpec) -> dict[str, JSON]:
    found = {name: value for name, value in spec.plain().items() if name not in _IRRELEVANT}
    if spec.assistants:
        found["assistants"] = {
            name: {**_relevant(one.spec), "system": one.system} for name, one in spec.assistants.items()
        }
    return found


def _days(facts: Facts, now: datetime) -> float | None:
    try:
        then = datetime.fromisoformat(facts.recorded_at)
    except ValueError:
        return None
    return (now - (then if then.tzinfo is not None else then.replace(tzinfo=UTC))).total_seconds() / _DAY
