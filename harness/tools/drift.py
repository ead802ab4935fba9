"""How what a tool gives now differs from what was recorded."""

from __future__ import annotations

from collections.abc import Iterator

from harness.jsontext import json_text, same_json
from harness.records import JSON, ToolCall
from harness.tools.recorded import RecordedCall

_MOST = 3
_LONGEST = 80


def drift(call: ToolCall, recorded: RecordedCall, *, output: JSON, error: str | None) -> str | None:
    """Say how a result differs from the recorded one; None where it does not."""
    if error is None and recorded.error is None:
        found = list(_differences(recorded.output, output, "$"))
        said = "; ".join(found[:_MOST]) + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")
    elif error != recorded.error:
        before = f"error {_short(recorded.error)}" if recorded.error is not None else _short(recorded.output)
        said = f"{before} -> " + (f"error {_short(error)}" if error is not None else _short(output))
    else:
        return None
    return f"tool {call.name}, {call.id}: {said}" if said else None


def _differences(before: JSON, now: JSON, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"
            if key not in now:
                yield f"{inner} {_short(before[key])} -> nothing"
            elif key not in before:
                yield f"{inner} nothing -> {_short(now[key])}"
            else:
                yield from _differences(before[key], now[key], inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]")
    elif not same_json(before, now):
        yield f"{path} {_short(before)} -> {_short(now)}"


def _short(value: JSON) -> str:
    text = json_text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
