"""Tools of an assistant under test: Python functions, methods of a world, MCP servers, and mocks of all of them."""

from __future__ import annotations

from harness.tools.box import Toolbox
from harness.tools.endrun import EndRun
from harness.tools.entries import ToolEntry
from harness.tools.load import load_tools, tool_of
from harness.tools.mcp import McpSource, mcp_key, recorded_tools
from harness.tools.mocks import Mock, Mocks, read_mocks
from harness.tools.recorded import RecordedCall
from harness.tools.results import Given, text_for_model
from harness.tools.spec import ToolSpec, read_tools
from harness.tools.tool import Definition, Tool, ToolError, tool
from harness.tools.world import new_world, snapshot

__all__ = [
    "Definition",
    "EndRun",
    "Given",
    "McpSource",
    "Mock",
    "Mocks",
    "RecordedCall",
    "Tool",
    "ToolEntry",
    "ToolError",
    "ToolSpec",
    "Toolbox",
    "load_tools",
    "mcp_key",
    "new_world",
    "read_mocks",
    "read_tools",
    "recorded_tools",
    "snapshot",
    "text_for_model",
    "tool",
    "tool_of",
]
