"""Calls of an MCP server's tools on a connection that may break."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from harness.errors import TrialError
from harness.functions import told
from harness.records import JSON, Attachment
from harness.tools.plain import plain
from harness.tools.results import Given
from harness.tools.tool import ToolError

#: Seconds in which a server that gave no answer has to show that it is still there.
_PROBE = 5.0


class Connection:
    """What the tools of one open server share."""

    def __init__(self, client: Any, key: str, heard: IO[bytes]) -> None:
        self._client = client
        self._key = key
        self._heard = heard
        #: How the server has gone.
        self.lost: str | None = None
        #: It has answered a call.
        self.served = False

    async def call(self, name: str, arguments: Mapping[str, JSON]) -> Any:
        """Call a tool.

        Raises:
            ToolError: The server says that it cannot be called so.
            TrialError: Of kind `mcp`: the server has gone.
        """
        if self.lost is None:
            try:
                result = await self._client.call_tool(name, dict(arguments))
            except Exception as error:  # noqa: BLE001 (connections fail in many ways)
                if await self._there():
                    raise ToolError(innermost(error)) from None
                self.lost = f"the MCP server `{self._key}` has gone{last_line(self._heard)}"
            else:
                self.served = True
                return result
        # It is no result: recordings would keep it as what the tool gives.
        raise TrialError("mcp", self.lost)

    async def _there(self) -> bool:
        try:
            # Of the session, since the client may remember what it was told before.
            await asyncio.wait_for(self._client.session.list_tools(), _PROBE)
        except Exception:  # noqa: BLE001 (whatever it is, it is no list of tools)
            return False
        return True


class Caller:
    """Calls one tool of a server."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    async def __call__(self, /, **arguments: JSON) -> Given:
        result = await self._connection.call(self._name, arguments)
        given = _read(result)
        if result.is_error:
            said = given.output if isinstance(given.output, str) else str(given.output)
            raise ToolError(said or "the tool failed and said nothing")
        return given


def _read(result: Any) -> Given:
    """Return a server's result: as JSON where it gave some, else its texts; images and files apart."""
    texts: list[str] = []
    attachments: list[Attachment] = []
    for part in result.content:
        resource: Any = getattr(part, "resource", None)
        if part.type == "text":
            texts.append(part.text)
        elif part.type in ("image", "audio"):
            kind = "image" if part.type == "image" else "file"
            attachments.append(_attached(kind, part.type, part.mime_type, part.data))
        elif getattr(resource, "text", None) is not None:
            texts.append(str(resource.text))
        elif getattr(resource, "blob", None) is not None:
            name = str(resource.uri).rpartition("/")[2] or "file"
            attachments.append(_attached("file", name, resource.mime_type or "application/octet-stream", resource.blob))
        elif part.type == "resource_link":
            texts.append(str(part.uri))
    output: JSON = "\n".join(texts)
    structured = plain(result.structured_content)
    if structured is not None:
        # Servers wrap what is no object in one, since results had to be objects once.
        only = isinstance(structured, dict) and list(structured) == ["result"]
        output = structured["result"] if only else structured
    return Given(output=output, attachments=tuple(attachments))


def _attached(kind: Any, name: str, media_type: str, data: str) -> Attachment:
    raw = b""
    with suppress(ValueError):
        raw = base64.b64decode(data)
    return Attachment(kind=kind, name=name, media_type=media_type, data=raw)


def last_line(heard: IO[bytes]) -> str:
    """Return the last thing that a server said on its standard error, which is often why it ended."""
    heard.seek(0)
    lines = heard.read()[-2_000:].decode("utf-8", "replace").strip().splitlines()
    return f" ({lines[-1].strip()})" if lines else ""


def innermost(error: BaseException) -> str:
    """Tell an error, out of the groups that task groups wrap it into."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return told(error)
