"""Tools of MCP servers.

Live, a server is started (or reached) once and serves every trial of a run. What it says of its tools goes into the
recordings, so that replaying needs neither server nor the package `mcp`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from harness.errors import CassetteDamaged, HarnessError, TrialError, UsageError, did_you_mean
from harness.records import JSON
from harness.tools.connection import Caller, Connection, innermost, last_line
from harness.tools.entries import Replay
from harness.tools.plain import plain
from harness.tools.spec import ToolSpec
from harness.tools.tool import Definition, Tool

#: Seconds that a server may take to start, and to say what it offers.
_START = 30.0
_MOST_PAGES = 100
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_UNUSABLE = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64


def mcp_key(spec: ToolSpec) -> str:
    """Return how a server is named in recordings: its command, or its address without user and query."""
    command = spec.options.get("command")
    if command:
        return shlex.join(command)
    parts = urlsplit(str(spec.options.get("url", "")))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def recorded_tools(spec: ToolSpec, definitions: Mapping[str, JSON]) -> tuple[Tool, ...]:
    """Return a server's tools as a recording knows them; nothing is started.

    Args:
        spec: The entry of `tools:`.
        definitions: What recordings keep under `definitions`.

    Raises:
        TrialError: Of kind `tool_not_recorded`: the recording knows nothing of this server.
        CassetteDamaged: What it knows is no description of tools.
    """
    key = mcp_key(spec)
    found = definitions.get(key)
    if not isinstance(found, list):
        raise TrialError(
            "tool_not_recorded",
            f"the recording has no tools of the MCP server `{key}`; record the trial anew with "
            "`harness record --rewrite`",
        )
    try:
        return tuple(_tool(_definition(one), spec.replay, None) for one in _allowed(found, spec.allow, key))
    except (KeyError, TypeError, AttributeError) as error:
        raise CassetteDamaged(
            f"the recording is damaged: what it has of the MCP server `{key}` is incomplete "
            f"({type(error).__name__}: {error}). Restore it from version control, or record this trial anew with "
            "`harness record --rewrite`."
        ) from None


class McpSource:
    """One MCP server as a source of tools."""

    def __init__(self, spec: ToolSpec, *, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            spec: An entry of `tools:` of kind `mcp`.
            folder: The suite's; the server is started there.
            environ: What `${NAME}` in the server's `env:` stands for; default: this process's environment.
        """
        self._spec = spec
        self._folder = folder
        self._environ = os.environ if environ is None else environ
        self._listed: list[dict[str, JSON]] = []
        self._connection: Connection | None = None

    @property
    def lost(self) -> str | None:
        """How the server, once open, has gone; None where it has not."""
        return None if self._connection is None else self._connection.lost

    @property
    def served(self) -> bool:
        """Whether it has answered a call."""
        return self._connection is not None and self._connection.served

    @property
    def key(self) -> str:
        """How the server is named in recordings."""
        return mcp_key(self._spec)

    @property
    def definitions(self) -> dict[str, JSON]:
        """What recordings keep of an opened server, under its key: all its tools, allowed or not."""
        return {self.key: list(self._listed)}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Tool, ...]]:
        """Start or reach the server and list its tools; they can be called, from any task, until the context ends.

        Raises:
            UsageError: The package `mcp` is not installed, or a variable of the environment is missing.
            TrialError: Of kind `mcp`: the server cannot be started or reached, or lacks an allowed tool.
        """
        parameters = self._parameters()
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Any] = loop.create_future()
        leave = asyncio.Event()
        # A connection must be closed in the task that opened it, and nobody knows in which task this context ends.
        # What a server says on its standard error is shown only where it cannot be used.
        heard = tempfile.TemporaryFile()  # noqa: SIM115 (closed below, after the server)
        owner = asyncio.create_task(_serve(parameters, ready, leave, heard))
        try:
            try:
                client, self._listed = await asyncio.wait_for(asyncio.shield(ready), _START)
            except TimeoutError:
                raise TrialError("mcp", f"the MCP server `{self.key}` did not answer within {_START:g} s") from None
            except HarnessError:
                raise
            except Exception as error:  # noqa: BLE001 (programs and connections fail in many ways)
                message = f"the MCP server `{self.key}` cannot be used: {innermost(error)}{last_line(heard)}"
                raise TrialError("mcp", message) from None
            allowed = _allowed(self._listed, self._spec.allow, self.key)
            connection = self._connection = Connection(client, self.key, heard)
            yield tuple(
                _tool(_definition(one), self._spec.replay, Caller(connection, str(one["name"]))) for one in allowed
            )
        finally:
            leave.set()
            done, _ = await asyncio.wait({owner}, timeout=_START if ready.done() else 0)
            if not done:
                owner.cancel()
                await asyncio.wait({owner}, timeout=_START)
            if ready.done():
                ready.cancelled() or ready.exception()
            if owner.done() and not owner.cancelled():
                owner.exception()
            heard.close()

    def _parameters(self) -> Any:
        options = self._spec.options
        try:
            from mcp import StdioServerParameters
        except ImportError:
            raise UsageError(
                "MCP servers need the package `mcp`: pip install 'prompt-agent-harness[mcp]'. Replaying needs no server."
            ) from None
        if "url" in options:
            return str(options["url"])
        program, *arguments = options["command"]
        if program in ("python", "python3"):
            # The interpreter that runs this, with what is installed for it.
            program = sys.executable
        environment = {name: self._filled(name, value) for name, value in options.get("env", {}).items()}
        return StdioServerParameters(command=program, args=arguments, env=environment, cwd=self._folder)

    def _filled(self, name: str, value: str) -> str:
        def known(match: re.Match[str]) -> str:
            variable = match.group(1)
            if variable not in self._environ:
                raise UsageError(
                    f"the MCP server `{self.key}` needs the environment variable {variable}, for its own {name}; set it"
                )
            return self._environ[variable]

        return _VARIABLE.sub(known, value)


async def _serve(parameters: Any, ready: asyncio.Future[Any], leave: asyncio.Event, heard: IO[bytes]) -> None:
    """Hold a connection until it is to be left; `ready` gets the client and what it listed, or what went wrong."""
    from mcp import Client, stdio_client

    try:
        errors: Any = heard
        server = parameters if isinstance(parameters, str) else stdio_client(parameters, errlog=errors)
        async with Client(server) as client:
            listed = await _list(client)
            if not ready.done():
                ready.set_result((client, listed))
            await leave.wait()
    except Exception as error:  # noqa: BLE001 (who waits is told; what a dying server says later is nobody's)
        if not ready.done():
            ready.set_exception(error)


async def _list(client: Any) -> list[dict[str, JSON]]:
    found: list[dict[str, JSON]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for one in page.tools:
            entry: dict[str, JSON] = {"name": one.name, "parameters": plain(one.input_schema)}
            if one.description:
                entry["description"] = one.description
            found.append(entry)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _tool(definition: Definition, replay: Replay | None, caller: Caller | None) -> Tool:
    return Tool(
        name=_UNUSABLE.sub("_", definition.name)[:_LONGEST_NAME],
        description=definition.description,
        parameters=definition.parameters,
        replay=replay or "recorded",
        kind="mcp",
        function=caller,
        explicit=True,
    )


def _definition(entry: Mapping[str, JSON]) -> Definition:
    return Definition(
        name=str(entry["name"]), description=entry.get("description"), parameters=entry.get("parameters") or {}
    )


def _allowed(listed: Sequence[Mapping[str, JSON]], allow: Sequence[str] | None, key: str) -> list[Mapping[str, JSON]]:
    if allow is None:
        return list(listed)
    names = [str(one["name"]) for one in listed]
    for name in allow:
        if name not in names:
            hint = did_you_mean(name, names) or f"It has: {', '.join(names) or 'none'}."
            raise TrialError("mcp", f"the MCP server `{key}` has no tool '{name}', which `allow:` names. {hint}")
    return [one for one in listed if one["name"] in allow]
