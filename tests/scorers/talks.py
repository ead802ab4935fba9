"""Transcripts of conversations in which tools were called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.records import ToolCall, ToolFailure, Transcript, TurnRecord


def call(name: str, failure: ToolFailure | None = None, /, **arguments: Any) -> ToolCall:
    """A call that a tool answered, or that failed."""
    error = None if failure is None else f"this went wrong: {failure}"
    return ToolCall(id=name, name=name, arguments=arguments, error=error, failure=failure, source="function")


def talk(*turns: Sequence[ToolCall], output: str = "Done.", **fields: Any) -> Transcript:
    """A transcript of one turn for each list of calls."""
    records = tuple(TurnRecord(input=("?",), output=output, tool_calls=tuple(calls)) for calls in turns)
    calls = tuple(one for record in records for one in record.tool_calls)
    return Transcript(**{"output": output, "turns": records, "tool_calls": calls, **fields})
