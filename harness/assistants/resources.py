"""Files at a service: uploaded, searchable in a vector store, fetched back.

What several trials need is uploaded once for all of them; see `shared`.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping, Sequence
from typing import Any

from harness.assistants import wire
from harness.assistants.session import Session
from harness.errors import ServiceError
from harness.functions import Place
from harness.records import Attachment
from harness.suites.suite import AssistantSpec

#: The Assistants API is in its second version for good; it wants to be told.
BETA: Mapping[str, str] = {"OpenAI-Beta": "assistants=v2"}
#: Looks at a vector store that is not ready yet.
_LOOKS = 120


async def uploaded(session: Session, one: Attachment) -> str:
    """Upload a file, or find that a trial of this run did; return its id."""
    purpose = "vision" if one.kind == "image" else "assistants"

    async def make(own: Session) -> str:
        form = {"purpose": purpose}
        async with wire.sent(own, "POST", "/files", body=form, upload=(one.name, one.data, one.media_type)) as reply:
            return _id(await reply.body(), "a file")

    key = f"file {session.endpoint} {purpose} {one.name} {hashlib.sha256(one.data).hexdigest()}"
    return await session.clients.shared.once(session, key, make, undo=_deleted("/files/{}"))


async def searchable(session: Session, files: Sequence[Attachment]) -> str:
    """Put files into a vector store, or find that a trial of this run did; return the store's id."""

    async def make(own: Session) -> str:
        ids = [await uploaded(own, one) for one in files]
        async with wire.sent(own, "POST", "/vector_stores", body={"file_ids": ids}, headers=BETA) as reply:
            store = await reply.body()
        found = _id(store, "a vector store")
        for _ in range(_LOOKS):
            if store.get("status") == "completed":
                failed = (store.get("file_counts") or {}).get("failed")
                if failed:
                    raise ServiceError(
                        "bad_request", f"{failed} of the files in the vector store {found} cannot be read"
                    )
                return found
            if store.get("status") == "expired":
                break
            await own.clock.sleep(1.0)
            async with wire.sent(own, "GET", f"/vector_stores/{found}", headers=BETA) as reply:
                store = await reply.body()
        raise ServiceError("server", f"the vector store {found} did not become ready")

    digests = sorted(hashlib.sha256(one.data).hexdigest() for one in files)
    key = f"store {session.endpoint} {digests}"
    return await session.clients.shared.once(session, key, make, undo=_deleted("/vector_stores/{}"))


async def fetched(
    session: Session, file_id: str, *, name: str | None = None, container: str | None = None
) -> Attachment:
    """Fetch a file that an assistant made.

    Args:
        session: The trial's.
        file_id: The file's id.
        name: What it is called, perhaps with folders; None: the service is asked.
        container: Id of the container that it lies in; None: it is among the files of the account.
    """
    path = f"/files/{file_id}" if container is None else f"/containers/{container}/files/{file_id}"
    if name is None:
        async with wire.sent(session, "GET", path, headers=BETA) as reply:
            told = await reply.body()
        name = wire.word(told.get("filename")) or wire.word(told.get("path")) or file_id
    async with wire.sent(session, "GET", f"{path}/content", headers=BETA) as reply:
        data = await reply.content()
    name = name.rsplit("/", 1)[-1] or file_id
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Attachment(
        kind="image" if media_type.startswith("image/") else "file", name=name, media_type=media_type, data=data
    )


def own_files(spec: AssistantSpec, tool: str, place: Place) -> list[Attachment]:
    """Read the files that `tools:` give to one of the service's own tools."""
    found: list[Attachment] = []
    for one in spec.tools:
        if one.kind == "builtin" and one.name == tool:
            for path in map(place.file, one.files):
                media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                found.append(Attachment(kind="file", name=path.name, media_type=media_type, data=path.read_bytes()))
    return found


def _id(body: Mapping[str, Any], what: str) -> str:
    found = wire.word(body.get("id"))
    if found is None:
        raise ServiceError("protocol", f"the service made {what} without an id")
    return found


def _deleted(path: str) -> Any:
    async def undo(session: Session, id: str) -> None:
        async with wire.sent(session, "DELETE", path.format(id), headers=BETA) as reply:
            await reply.content()

    return undo
