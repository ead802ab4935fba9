"""Calls as a service asks for them, and what they come to where no tool gives a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.errors import TrialError
from harness.records import ToolCall, ToolFailure, ToolSource
from harness.tools.tool import Tool


def distinct(calls: Sequence[ToolCall], *, renames: bool) -> Iterator[ToolCall]:
    """Yield the calls of one step, each with an id of its own, where a service gave one to several.

    Args:
        calls: In their order.
        renames: Whether the service takes results under other ids than it gave.

    Raises:
        TrialError: Of kind `protocol`: two have the same id, and it does not.
    """
    taken = {call.id for call in calls}
    seen: set[str] = set()
    for call in calls:
        name, number = call.id, 2
        while name in seen or (name != call.id and name in taken):
            name, number = f"{call.id}-{number}", number + 1
        if name != call.id and not renames:
            raise TrialError(
                "protocol",
                f"the service asked for two calls with the same id, '{call.id}', in one step, so that it could not tell "
                "their results apart. Run the trial again",
            )
        seen.add(name)
        yield call if name == call.id else replace(call, id=name)


def without_result(tool: Tool) -> TrialError:
    """Return what a trial ends with that needs a result which nobody can give."""
    if tool.kind == "mcp":
        message = f"the tool '{tool.name}' of an MCP server is to run, and the server was not started"
    else:
        hint = f"write `mocks: {{{tool.name}: result}}`"
        message = f"the tool '{tool.name}' has no code, and the case has no mock of it; {hint}"
    return TrialError("tool_without_result", message)


def failed(call: ToolCall, error: str, failure: ToolFailure, *, source: ToolSource | None = None) -> ToolCall:
    """Return a call with what the model is told instead of a result."""
    return replace(call, error=error, failure=failure, source=source)
