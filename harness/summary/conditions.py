"""What a trial was recorded with, beside the assistant: whatever may have a part in how long it took."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records import JSON, Result


def condition(result: Result, key: str) -> JSON:
    """Return a fact of how a trial was recorded: `host`, `machine`, `concurrency`, `harness`, `openai`; None: not known."""
    told = result.extra.get("recorded")
    return told.get(key) if isinstance(told, Mapping) else None
