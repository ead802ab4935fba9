"""Results of tools in requests: whose they are, and how two differ, as `tool get_weather, call_abc: $.temp 18 -> 19`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from harness.records import JSON

#: How what differs between two values is told: weight, and text.
Walk: TypeAlias = Callable[[JSON, JSON, str], Iterator[tuple[int, str]]]
#: What holds the result of a call, by the key that names the call: Chat Completions and Assistants, and Responses.
_RESULTS = (("tool_call_id", "content"), ("tool_call_id", "output"), ("call_id", "output"))


def tool_names(body: JSON) -> Mapping[str, str]:
    """Return the names of the tools that a request's own messages call, by the calls' ids."""
    found: dict[str, str] = {}
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            function = value.get("function")
            name = function.get("name") if isinstance(function, dict) else value.get("name")
            for key in ("call_id", "id"):
                if isinstance(name, str) and isinstance(value.get(key), str):
                    found.setdefault(value[key], name)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def changed_result(before: JSON, after: JSON, *, names: Mapping[str, str], walk: Walk) -> list[tuple[int, str]] | None:
    """Say how the result of one call differs in two messages; None where they are no results of one call, or the same.

    Args:
        before: Part of a recorded request.
        after: The part of a request in the same place.
        names: Of tools, by ids of their calls.
        walk: Tells what differs between two values, with paths that begin with the text it is given.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    for call, result in _RESULTS:
        id, old, new = after.get(call), before.get(result), after.get(result)
        if not (isinstance(id, str) and isinstance(old, str) and isinstance(new, str)) or before.get(call) != id:
            continue
        if old == new or {**before, result: new} != after:
            return None
        who = f"tool {names[id]}, {id}" if id in names else f"tool call {id}"
        return [(weight, f"{who}: {text}") for weight, text in walk(_value(old), _value(new), "$")]
    return None


def _value(text: str) -> JSON:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
