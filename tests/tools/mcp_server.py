"""A small MCP server on stdin and stdout, for tests."""

from __future__ import annotations

import os
from typing import Any

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("shop")


@server.tool()
def stock(item: str, size: int = 1) -> dict[str, Any]:
    """How many of an item are there."""
    return {"item": item, "left": size * 2}


@server.tool()
def greet(name: str) -> str:
    """Say hello."""
    return f"{os.environ.get('GREETING', 'Hello')}, {name}"


@server.tool()
def broken() -> str:
    """Always fails."""
    raise ToolError("the shop is closed")


@server.tool()
def picture() -> Image:
    """A picture."""
    return Image(data=b"\x89PNG-bytes", format="png")


if __name__ == "__main__":
    server.run()
