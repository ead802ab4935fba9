"""Threads: conversations that the service keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.simulator import assistant_forms, messages, vectors
from harness.simulator.assistants import beta, resources
from harness.simulator.errors import ApiError, missing
from harness.simulator.http import answer, read
from harness.simulator.plain import JSON

if TYPE_CHECKING:
    from harness.simulator.app import Simulator
    from harness.simulator.running import Run

#: Files that the code interpreter of one thread can have.
_MOST_FILES = 20


@dataclass(slots=True)
class Thread:
    """A thread: as the API tells of it, its messages and its runs."""

    object: dict[str, JSON]
    #: By id, oldest first.
    messages: dict[str, dict[str, JSON]] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.object["id"])

    @property
    def active(self) -> Run | None:
        """The run that holds the thread; None: it is free."""
        return next((run for run in self.runs.values() if run.active), None)

    def resource(self, tool: str, kind: str) -> list[str]:
        """Return ids of what a tool may use on this thread; adding to the list adds to the thread."""
        ids: list[str] = self.object["tool_resources"].setdefault(tool, {}).setdefault(kind, [])
        return ids

    def begin(self) -> None:
        """Let the run that waits in the queue begin."""
        if self.active is not None:
            self.active.begin()

    def free(self) -> None:
        """Refuse to go on while a run is active.

        Raises:
            ApiError: 400.
        """
        run = self.active
        if run is not None:
            raise ApiError(400, f"Thread {self.id} has the active run {run.id}: wait for its end, or cancel it.")


def find(simulator: Simulator, request: Request) -> Thread:
    """Return the thread that a request names.

    Raises:
        ApiError: 404, there is none.
    """
    id = request.path_params["thread"]
    found: Thread | None = simulator.state.of("thread").get(id)
    if found is None:
        raise missing("thread", id)
    return found


def make(simulator: Simulator, body: Mapping[str, JSON]) -> Thread:
    """Make a thread with the messages that a request brings.

    Raises:
        ApiError: A file or a vector store does not exist.
    """
    wanted = body.get("messages") or ()
    messages.check_all(simulator, wanted)
    identity = simulator.state.identity
    thread = Thread(
        {
            "id": identity.new("thread_", body),
            "object": "thread",
            "created_at": identity.time(),
            "tool_resources": resources(simulator, body.get("tool_resources")),
            "metadata": body.get("metadata") or {},
        }
    )
    simulator.state.of("thread")[thread.id] = thread
    for one in wanted:
        add(simulator, thread, one)
    return thread


def add(simulator: Simulator, thread: Thread, body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Add a caller's message to a thread; what is attached becomes the thread's."""
    made = messages.told(simulator, thread.id, body)
    for attached in body.get("attachments") or ():
        _attach(simulator, thread, attached["file_id"], [tool["type"] for tool in attached["tools"]])
    thread.messages[made["id"]] = made
    return made


def _attach(simulator: Simulator, thread: Thread, file_id: str, tools: Sequence[str]) -> None:
    if "code_interpreter" in tools:
        ids = thread.resource("code_interpreter", "file_ids")
        if file_id not in ids and len(ids) < _MOST_FILES:
            ids.append(file_id)
    if "file_search" in tools:
        ids = thread.resource("file_search", "vector_store_ids")
        known = simulator.state.of("vector_store")
        store = next((known[id] for id in ids if id in known), None)
        if store is None:
            store = vectors.make(simulator, {"expires_after": {"anchor": "last_active_at", "days": 7}})
            ids[:] = [store.id]
        vectors.add(simulator, store, file_id)


def routes(simulator: Simulator) -> list[Route]:
    """Return where threads are made, found, changed and deleted, and the routes of their messages."""

    async def create(request: Request) -> Response:
        body = await read(request, optional=True)
        assistant_forms.check("thread", body, strict=simulator.strict)
        return answer(make(simulator, body).object)

    async def one(request: Request) -> Response:
        return answer(find(simulator, request).object)

    async def change(request: Request) -> Response:
        thread = find(simulator, request)
        body = await read(request, optional=True)
        assistant_forms.check("changed thread", body, strict=simulator.strict)
        if "tool_resources" in body:
            thread.object["tool_resources"] = resources(simulator, body["tool_resources"])
        if "metadata" in body:
            thread.object["metadata"] = body["metadata"] or {}
        return answer(thread.object)

    async def delete(request: Request) -> Response:
        thread = find(simulator, request)
        if thread.active is not None:
            thread.active.cancel()
        del simulator.state.of("thread")[thread.id]
        return answer({"id": thread.id, "object": "thread.deleted", "deleted": True})

    base = "/v1/threads"
    return [
        Route(base, beta(create), methods=["POST"]),
        Route(base + "/{thread}", beta(one), methods=["GET"]),
        Route(base + "/{thread}", beta(change), methods=["POST"]),
        Route(base + "/{thread}", beta(delete), methods=["DELETE"]),
        *_of_messages(simulator, base + "/{thread}/messages"),
    ]


def _of_messages(simulator: Simulator, base: str) -> list[Route]:
    from harness.simulator.http import page

    def named(request: Request) -> tuple[Thread, dict[str, JSON]]:
        thread = find(simulator, request)
        message = thread.messages.get(request.path_params["message"])
        if message is None:
            raise missing("message", request.path_params["message"])
        return thread, message

    async def create(request: Request) -> Response:
        thread = find(simulator, request)
        body = await read(request)
        assistant_forms.check("message", body, strict=simulator.strict)
        messages.check_all(simulator, [body])
        thread.free()
        return answer(add(simulator, thread, body))

    async def listed(request: Request) -> Response:
        thread = find(simulator, request)
        thread.begin()
        run = request.query_params.get("run_id")
        return answer(page([one for one in thread.messages.values() if run in (None, one["run_id"])], request))

    async def one(request: Request) -> Response:
        return answer(named(request)[1])

    async def change(request: Request) -> Response:
        message = named(request)[1]
        body = await read(request, optional=True)
        assistant_forms.check("metadata", body, strict=simulator.strict)
        if "metadata" in body:
            message["metadata"] = body["metadata"] or {}
        return answer(message)

    async def delete(request: Request) -> Response:
        thread, message = named(request)
        thread.free()
        del thread.messages[message["id"]]
        return answer({"id": message["id"], "object": "thread.message.deleted", "deleted": True})

    return [
        Route(base, beta(create), methods=["POST"]),
        Route(base, beta(listed), methods=["GET"]),
        Route(base + "/{message}", beta(one), methods=["GET"]),
        Route(base + "/{message}", beta(change), methods=["POST"]),
        Route(base + "/{message}", beta(delete), methods=["DELETE"]),
    ]
