"""The MCP servers of a run: each is opened once, by the first live trial that needs it, and serves all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TrialError
from harness.recording import ReplayTape, Tape
from harness.records import JSON
from harness.suites.suite import AssistantSpec
from harness.tools import McpSource, Tool, ToolSpec, recorded_tools


@dataclass(slots=True)
class _Server:
    """One server, as it stands."""

    source: McpSource
    tools: tuple[Tool, ...] = ()
    #: Why it cannot be used any more.
    failure: TrialError | None = None


class Servers:
    """Opens servers, and closes them all when the run is over."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        # Specs live as long as their suites, which the trials of the run hold.
        self._servers: dict[int, _Server] = {}

    async def open(self, spec: ToolSpec, *, folder: Path) -> None:
        """Open a server, unless it is open already; one that has gone is opened again.

        What cannot be opened is not tried again, nor is what goes again before it has answered a call: trial after
        trial would wait for it.

        Args:
            spec: An entry of `tools:` of kind `mcp`.
            folder: Where the server is started.

        Raises:
            TrialError: It cannot be used.
            UsageError: Something that it needs is missing on this machine.
        """
        async with self._opening:
            before = self._servers.get(id(spec))
            if before is None or (before.failure is None and before.source.lost is not None):
                self._servers[id(spec)] = await self._opened(spec, folder, before)
        self._server(spec)

    async def _opened(self, spec: ToolSpec, folder: Path, before: _Server | None) -> _Server:
        server = _Server(McpSource(spec, folder=folder))
        if before is not None and not before.source.served:
            message = f"{before.source.lost}, and had not answered a call before, so it is not started again"
            server.failure = TrialError("mcp", message)
            return server
        try:
            server.tools = await self._stack.enter_async_context(server.source.open())
        except TrialError as error:
            server.failure = error
        return server

    def tools(self, spec: ToolSpec) -> tuple[Tool, ...]:
        """Return the tools of a server that is open.

        Raises:
            TrialError: It cannot be used any more.
        """
        return self._server(spec).tools

    def definitions(self, spec: ToolSpec) -> Mapping[str, JSON]:
        """Return what recordings keep of a server that is open."""
        return self._server(spec).source.definitions

    def _server(self, spec: ToolSpec) -> _Server:
        server = self._servers[id(spec)]
        if server.failure is not None:
            raise TrialError(server.failure.kind, server.failure.message)
        return server

    async def aclose(self) -> None:
        await self._stack.aclose()


def servers_of(spec: AssistantSpec) -> list[ToolSpec]:
    """Return the entries of an assistant's `tools:` that are MCP servers; those of its own tools are not looked for."""
    return [one for one in spec.tools if one.kind == "mcp"]


def served_tools(spec: AssistantSpec, tape: Tape, servers: Servers) -> tuple[list[Tool], dict[str, JSON]]:
    """Return the tools of an assistant's MCP servers, and what the recording that is being made keeps of these.

    On replay the tools are as they were recorded. Else each server is open.

    Raises:
        TrialError: A server cannot be used any more.
    """
    tools: list[Tool] = []
    definitions: dict[str, JSON] = {}
    facts = tape.cassette.facts if isinstance(tape, ReplayTape) and tape.cassette is not None else None
    for one in servers_of(spec):
        if tape.replays:
            tools += recorded_tools(one, facts.definitions if facts is not None else {})
        else:
            tools += servers.tools(one)
            definitions |= servers.definitions(one)
    return tools, definitions
