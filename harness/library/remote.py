"""Assistants, threads and their messages as objects at a service of the Assistants API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.assistants import wire
from harness.assistants.resources import BETA, own_files
from harness.assistants.session import Session
from harness.assistants.threadanswers import id_of
from harness.assistants.threads import ThreadsStep
from harness.library.defining import Defined
from harness.records import JSON, Message, ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadMessage:
    """A message of a thread, as it is listed."""

    id: str
    role: str
    content: str
    #: What the assistant called on the way, with results, as far as that happened here.
    tool_calls: tuple[ToolCall, ...] = ()
    #: Names of the files and images that go with it; where only a service knows them, their ids.
    files: tuple[str, ...] = ()
    annotations: tuple[Mapping[str, JSON], ...] = ()

    def __str__(self) -> str:
        return self.content


async def create_assistant(session: Session, assistant: Defined) -> str:
    """Create an assistant, with the tools that the session has; return its id."""
    step, messages, metadata = _step(assistant)
    return await step.create(session, messages, name=assistant.name, metadata=metadata)


async def update_assistant(session: Session, id: str, assistant: Defined) -> None:
    """Make an assistant at the service what it is here, with the tools that the session has."""
    step, messages, metadata = _step(assistant)
    payload = await step.definition(session, messages, name=assistant.name, metadata=metadata)
    # What is left out of an update stays as it was.
    payload = {"instructions": "", "tools": [], **payload}
    async with wire.sent(session, "POST", f"/assistants/{id}", body=payload, headers=BETA) as reply:
        await reply.body()


def _step(assistant: Defined) -> tuple[ThreadsStep, list[Message], dict[str, str]]:
    # Whoever asked for it deletes it again.
    spec, place = replace(assistant.spec, lifecycle="lazy"), assistant.place
    files = {name: own_files(spec, name, place) for name in ("file_search", "code_interpreter")}
    messages = [Message(role="system", content=assistant.instructions)] if assistant.instructions else []
    return ThreadsStep(spec, files), messages, {name: str(value) for name, value in assistant.metadata.items()}


async def find_assistant(session: Session, id: str) -> Mapping[str, Any]:
    """Return what the service knows of an assistant."""
    async with wire.sent(session, "GET", f"/assistants/{id}", headers=BETA) as reply:
        return await reply.body()


async def delete_assistant(session: Session, id: str) -> None:
    """Delete an assistant."""
    async with wire.sent(session, "DELETE", f"/assistants/{id}", headers=BETA) as reply:
        await reply.body()


async def create_thread(session: Session) -> str:
    """Create an empty thread; return its id."""
    async with wire.sent(session, "POST", "/threads", body={}, headers=BETA) as reply:
        return id_of(await reply.body(), "thread")


async def delete_thread(session: Session, id: str) -> None:
    """Delete a thread."""
    async with wire.sent(session, "DELETE", f"/threads/{id}", headers=BETA) as reply:
        await reply.body()


async def list_messages(
    session: Session, thread: str, *, limit: int, order: str, before: str | None, after: str | None
) -> list[ThreadMessage]:
    """Return one page of a thread's messages."""
    given = {"limit": str(limit), "order": order, "before": before, "after": after}
    query = {name: value for name, value in given.items() if value is not None}
    async with wire.sent(session, "GET", f"/threads/{thread}/messages", query=query, headers=BETA) as reply:
        page = await reply.body()
        return [_message(one) for one in page.get("data") or () if isinstance(one, Mapping)]


def sent_messages(session: Session, thread: str | None) -> int:
    """Return how many messages the tape of a session has seen put on a thread."""
    path = f"/threads/{thread}/messages"
    return sum(
        one.request.method == "POST" and one.status == 200 and one.request.uri.endswith(path)
        for one in session.tape.interactions
    )


def _message(body: Mapping[str, Any]) -> ThreadMessage:
    parts = [part for part in body.get("content") or () if isinstance(part, Mapping)]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), Mapping)]
    annotations = (one for text in texts for one in text.get("annotations") or () if isinstance(one, Mapping))
    return ThreadMessage(
        id=id_of(body, "message"),
        role=wire.text(body.get("role")),
        content="\n\n".join(wire.text(text.get("value")) for text in texts),
        files=tuple(dict.fromkeys(_files(body, parts))),
        annotations=tuple(annotations),
    )


def _files(body: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        if isinstance(part.get("image_file"), Mapping):
            yield wire.text(part["image_file"].get("file_id"))
    for one in body.get("attachments") or ():
        yield wire.text(one.get("file_id"))
