"""Files: uploaded by callers, or left by the code interpreter."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import multipart, texts
from harness.simulator.errors import ApiError, missing
from harness.simulator.http import answer, page
from harness.simulator.plain import JSON
from harness.simulator.validation import STRING, Form, closed

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

_PURPOSES = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
#: What callers uploaded for these is not handed back.
_KEPT_BACK = ("assistants", "user_data")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file: as the API tells of it, and what is in it."""

    object: dict[str, JSON]
    content: bytes

    @property
    def name(self) -> str:
        return str(self.object["filename"])

    @property
    def text(self) -> str:
        """What it says; its name where it holds no text."""
        return texts.extract(self.name, self.content)

    @property
    def url(self) -> str:
        """The whole of it as a `data:` URL."""
        kind = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(self.content).decode()}"


@cache
def _form() -> Form:
    expiry = closed(
        {
            "anchor": {"type": "string", "enum": ["created_at"]},
            "seconds": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
        },
        "anchor",
        "seconds",
    )
    purpose = {"type": "string", "enum": _PURPOSES}
    return Form(closed({"file": STRING, "purpose": purpose, "expires_after": expiry}, "file", "purpose"))


def find(simulator: Simulator, id: str) -> Stored:
    """Return a file.

    Raises:
        ApiError: 404, there is none.
    """
    found: Stored | None = simulator.state.of("file").get(id)
    if found is None:
        raise missing("file", id)
    return found


def check_files(simulator: Simulator, ids: Iterable[str]) -> None:
    """Refuse files that do not exist.

    Raises:
        ApiError: 404.
    """
    for id in ids:
        find(simulator, id)


def store(simulator: Simulator, *, name: str, content: bytes, purpose: str, expires_in: int | None = None) -> Stored:
    """Keep a file.

    Args:
        simulator: Where.
        name: Its name.
        content: What is in it.
        purpose: What it is for, such as `assistants`.
        expires_in: Seconds; told, but the simulator's time stands still.
    """
    identity = simulator.state.identity
    made: dict[str, JSON] = {
        "id": identity.new("file-", name, purpose, hashlib.sha256(content).hexdigest()),
        "object": "file",
        "bytes": len(content),
        "created_at": identity.time(),
        "filename": name,
        "purpose": purpose,
        "status": "processed",
    }
    if expires_in is not None:
        made["expires_at"] = identity.time() + expires_in
    stored = Stored(made, content)
    simulator.state.of("file")[made["id"]] = stored
    return stored


def routes(simulator: Simulator) -> list[Route]:
    """Return where files are uploaded, found, read and deleted."""
    kept = simulator.state.of("file")

    async def upload(request: Request) -> Response:
        parts = multipart.parse(await request.body(), request.headers.get("content-type", ""))
        body = _fields(parts)
        _form().check(body, strict=simulator.strict)
        sent = next(part for part in parts if part.name == "file")
        if sent.filename is None:
            raise ApiError(400, "'file' must be a file with a name, not a text.", param="file")
        made = store(
            simulator,
            name=sent.filename,
            content=sent.content,
            purpose=body["purpose"],
            expires_in=(body.get("expires_after") or {}).get("seconds"),
        )
        return answer(made.object)

    async def listed(request: Request) -> Response:
        purpose = request.query_params.get("purpose")
        found = [file.object for file in kept.values() if purpose in (None, file.object["purpose"])]
        return answer(page(found, request, most=10_000, usual=10_000))

    async def one(request: Request) -> Response:
        return answer(find(simulator, request.path_params["id"]).object)

    async def content(request: Request) -> Response:
        found = find(simulator, request.path_params["id"])
        if found.object["purpose"] in _KEPT_BACK:
            raise ApiError(400, f"Not allowed to download files of purpose: {found.object['purpose']}.")
        return Response(found.content, media_type="application/octet-stream")

    async def delete(request: Request) -> Response:
        id = find(simulator, request.path_params["id"]).object["id"]
        del kept[id]
        return answer({"id": id, "object": "file", "deleted": True})

    base = "/v1/files"
    return [
        Route(base, upload, methods=["POST"]),
        Route(base, listed, methods=["GET"]),
        Route(base + "/{id}", one, methods=["GET"]),
        Route(base + "/{id}", delete, methods=["DELETE"]),
        Route(base + "/{id}/content", content, methods=["GET"]),
    ]


def _fields(parts: Iterable[multipart.Part]) -> dict[str, JSON]:
    """Return a form's fields; `expires_after[seconds]` is one within another."""
    found: dict[str, JSON] = {}
    for part in parts:
        value: JSON = part.content.decode("utf-8", "replace") if part.name != "file" else ""
        outer, bracket, inner = part.name.partition("[")
        if not bracket:
            found[part.name] = value
            continue
        name = inner.removesuffix("]")
        if name == "seconds" and value.isascii() and value.isdecimal():
            # Within the widest limit of any field, so that no number is too long to read.
            value = int(value[:12])
        group = found.setdefault(outer, {})
        if isinstance(group, dict):
            group[name] = value
    return found
