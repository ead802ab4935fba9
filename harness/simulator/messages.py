"""Messages of threads: how callers send them, how they are told, and how a brain reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.simulator.files import Stored, check_files, find
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator


def check_all(simulator: Simulator, bodies: Iterable[Mapping[str, JSON]]) -> None:
    """Refuse messages about files that do not exist.

    Raises:
        ApiError: 404.
    """
    for body in bodies:
        check_files(simulator, [attached["file_id"] for attached in body.get("attachments") or ()])
        parts = body["content"] if isinstance(body["content"], list) else ()
        check_files(simulator, [part["image_file"]["file_id"] for part in parts if part["type"] == "image_file"])


def told(simulator: Simulator, thread: str, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a caller's message as the API tells of it."""
    identity = simulator.state.identity
    content = body["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {
        "id": identity.new("msg_", thread, body),
        "object": "thread.message",
        "created_at": identity.time(),
        "thread_id": thread,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": identity.time(),
        "incomplete_at": None,
        "role": body["role"],
        "content": [_part(part) for part in parts],
        "assistant_id": None,
        "run_id": None,
        "attachments": list(body.get("attachments") or ()),
        "metadata": body.get("metadata") or {},
    }


def _part(part: Mapping[str, JSON]) -> dict[str, JSON]:
    if part["type"] == "text":
        return {"type": "text", "text": {"value": part["text"], "annotations": []}}
    kind = part["type"]
    return {"type": kind, kind: {"detail": "auto", **part[kind]}}


def begun(simulator: Simulator, run: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the empty message that a run begins to write."""
    identity = simulator.state.identity
    return {
        "id": identity.new("msg_", run["thread_id"], run["id"]),
        "object": "thread.message",
        "created_at": identity.time(),
        "thread_id": run["thread_id"],
        "status": "in_progress",
        "incomplete_details": None,
        "completed_at": None,
        "incomplete_at": None,
        "role": "assistant",
        "content": [],
        "assistant_id": run["assistant_id"],
        "run_id": run["id"],
        "attachments": [],
        "metadata": {},
    }


def read(simulator: Simulator, message: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a message as a brain is asked with it, in the form of Chat Completions."""
    if message["role"] == "assistant":
        # Images are what only users show a model.
        said = "".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")
        refused = "".join(part["refusal"] for part in message["content"] if part["type"] == "refusal")
        return {"role": "assistant", "content": said, **({"refusal": refused} if refused else {})}
    parts = [_read(simulator, part) for part in message["content"]]
    plain = len(parts) == 1 and parts[0]["type"] == "text"
    return {"role": "user", "content": parts[0]["text"] if plain else parts}


def _read(simulator: Simulator, part: Mapping[str, JSON]) -> dict[str, JSON]:
    match part["type"]:
        case "text":
            return {"type": "text", "text": part["text"]["value"]}
        case "image_url":
            return {"type": "image_url", "image_url": dict(part["image_url"])}
        case _:
            shown = part["image_file"]
            file: Stored | None = simulator.state.of("file").get(shown["file_id"])
            if file is None:
                return {"type": "text", "text": f"[an image that was deleted: {shown['file_id']}]"}
            return {"type": "image_url", "image_url": {"url": file.url, "detail": shown["detail"]}}


def names(simulator: Simulator, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return (id, name) of the files that are still there."""
    known = simulator.state.of("file")
    return [(id, find(simulator, id).name) for id in dict.fromkeys(ids) if id in known]
