"""Tokens out of what a service reports, for both APIs' names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.recording import Interaction, sse
from harness.records import Usage


def read_usage(reported: Any) -> Usage:
    """Read the `usage` object of Chat Completions or Responses; what is missing or no count stays None."""
    if not isinstance(reported, Mapping):
        return Usage()
    inputs = reported.get("prompt_tokens_details") or reported.get("input_tokens_details") or {}
    outputs = reported.get("completion_tokens_details") or reported.get("output_tokens_details") or {}
    return Usage(
        input=_count(reported.get("prompt_tokens", reported.get("input_tokens"))),
        output=_count(reported.get("completion_tokens", reported.get("output_tokens"))),
        cached_input=_count(inputs.get("cached_tokens")) if isinstance(inputs, Mapping) else None,
        reasoning=_count(outputs.get("reasoning_tokens")) if isinstance(outputs, Mapping) else None,
    )


def recorded_usage(interaction: Interaction) -> tuple[str | None, Usage]:
    """Read which model answered an interaction and the tokens it took, whatever API it was."""
    model: str | None = None
    usage = Usage()
    for body in _objects(interaction):
        inner = body.get("response")
        for part in (body, inner if isinstance(inner, Mapping) else {}):
            if isinstance(part.get("model"), str):
                model = part["model"]
            if isinstance(part.get("usage"), Mapping):
                usage = read_usage(part["usage"])
    return model, usage


def _objects(interaction: Interaction) -> list[Mapping[str, Any]]:
    if interaction.events:
        events = (sse.decode(block) for block in sse.blocks(interaction.body))
        texts = [event.data for event in events if event is not None]
    else:
        texts = [interaction.body.decode("utf-8", errors="replace")]
    found = []
    for text in texts:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, Mapping):
            found.append(value)
    return found


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None
