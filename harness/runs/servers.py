"""The MCP servers of a run: each is opened once, by the first live trial that needs it, and serves all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from harness.records import JSON
from harness.tools import McpSource, Tool, ToolSpec


class Servers:
    """Opens servers, and closes them all when the run is over."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        # Specs live as long as their suites, which the trials of the run hold.
        self._open: dict[int, tuple[McpSource, tuple[Tool, ...]]] = {}

    async def open(self, spec: ToolSpec, *, folder: Path) -> None:
        """Open a server, unless it is open already.

        Args:
            spec: An entry of `tools:` of kind `mcp`.
            folder: Where the server is started.

        Raises:
            TrialError: It cannot be used.
            UsageError: Something that it needs is missing on this machine.
        """
        async with self._opening:
            if id(spec) not in self._open:
                source = McpSource(spec, folder=folder)
                self._open[id(spec)] = (source, await self._stack.enter_async_context(source.open()))

    def tools(self, spec: ToolSpec) -> tuple[Tool, ...]:
        """Return the tools of a server that is open."""
        return self._open[id(spec)][1]

    def definitions(self, spec: ToolSpec) -> Mapping[str, JSON]:
        """Return what recordings keep of a server that is open."""
        return self._open[id(spec)][0].definitions

    async def aclose(self) -> None:
        await self._stack.aclose()
