"""Tool calls, tokens and messages as other programs write them down, as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.assistants.usage import read_usage
from harness.assistants.wire import arguments
from harness.jsontext import json_text
from harness.records import JSON, Message, ToolCall, Usage

_COUNTS = ("input", "output", "cached_input", "reasoning")


def told_usage(given: JSON) -> Usage:
    """Read token counts: `{input, output, cached_input, reasoning}`, or a service's own `usage` object."""
    if isinstance(given, Mapping) and any(name in given for name in _COUNTS):
        counts = {name: given.get(name) for name in _COUNTS}
        return Usage(**{name: n for name, n in counts.items() if type(n) is int and 0 <= n < 1 << 53})
    return read_usage(given)


def told_calls(given: Iterable[JSON]) -> Iterator[ToolCall]:
    """Yield tool calls: `{name, arguments, output, error}`, or OpenAI's `{id, function: {name, arguments}}`.

    Raises:
        ValueError: One is not a mapping that names a tool.
    """
    for number, call in enumerate(given, start=1):
        inner = call.get("function") if isinstance(call, Mapping) else None
        named: Any = inner if isinstance(inner, Mapping) else call
        name = named.get("name") if isinstance(named, Mapping) else None
        if not isinstance(name, str) or not name:
            raise ValueError(f"tool call {number} is no mapping with `name` and `arguments`")
        written = named.get("arguments")
        error = call.get("error")
        yield ToolCall(
            id=str(call.get("id") or call.get("call_id") or ""),
            name=name,
            arguments=arguments(written) if isinstance(written, str) else written,
            output=call.get("output"),
            error=None if error is None else json_text(error),
        )


def told_messages(given: Iterable[Mapping[str, JSON]]) -> Iterator[Message]:
    """Yield messages: `{role, content}`, and perhaps `name`, `tool_calls`, `tool_call_id`.

    Raises:
        ValueError: A tool call among them is not one.
    """
    for one in given:
        call = one.get("tool_call_id")
        name = one.get("name")
        yield Message(
            role=one["role"],
            content=_content(one.get("content")),
            name=name if isinstance(name, str) else None,
            tool_calls=tuple(told_calls(one.get("tool_calls") or ())),
            tool_call_id=None if call is None else str(call),
        )


def _content(given: JSON) -> str:
    """The text of a message; of a list of parts, that of those which have one."""
    if given is None:
        return ""
    if isinstance(given, list):
        parts = [one.get("text") if isinstance(one, Mapping) else one for one in given]
        return "".join(part for part in parts if isinstance(part, str))
    return json_text(given)
