"""The simulator itself: its routes, and what goes around every request."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.simulator import (
    assistants,
    chat,
    containers,
    conversations,
    embeddings,
    files,
    models,
    moderations,
    responses,
    runs,
    steps,
    threads,
    vector_files,
    vectors,
)
from harness.simulator.brain import Brain, Failure
from harness.simulator.errors import ApiError, failed
from harness.simulator.exchange import Exchange
from harness.simulator.http import answer, is_deep
from harness.simulator.plain import JSON
from harness.simulator.state import State
from harness.simulator.transport import InProcess, SyncInProcess

#: Each has `routes(simulator)`.
_MODULES = (
    chat,
    responses,
    conversations,
    containers,
    models,
    assistants,
    # Before threads: `/v1/threads/runs` is no thread named `runs`.
    runs,
    steps,
    threads,
    files,
    vectors,
    vector_files,
    embeddings,
    moderations,
)


#: No model is asked for these, whatever stands behind the simulator.
_ALWAYS_SIMULATED = ("/v1/embeddings", "/v1/moderations")


#: Bytes of the longest body that is kept as it came.
_LOGGED = 65_536


class Simulator:
    """An OpenAI look-alike around a brain.

    Args:
        brain: What answers.
        seed: Ids, times and request ids come from it.
        strict: Refuse parameters that the API does not know, as it does.
        log: Keep every request in `requests`.
    """

    def __init__(self, brain: Brain, *, seed: int = 0, strict: bool = True, log: bool = True) -> None:
        self.brain = brain
        self.seed = seed
        self.strict = strict
        self.state = State(seed=seed)
        self.log = log
        #: Every request so far: method, path, body (parsed where it is JSON, else bytes; of a long one,
        #: such as a large file, only how many).
        self.requests: list[tuple[str, str, JSON]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._threads: list[SyncInProcess] = []
        routes = [route for module in _MODULES for route in module.routes(self)]
        handlers = {ApiError: _refused, Failure: _failed, HTTPException: _no_route(routes), Exception: _mistaken}
        #: The ASGI app, for any server.
        self.app: ASGIApp = _Around(Starlette(routes=routes, exception_handlers=handlers), self)

    def transport(self) -> InProcess:
        """Return a transport for an async client in this process; answers stream."""
        return InProcess(self.app)

    def sync_transport(self) -> SyncInProcess:
        """Return a transport for a blocking client in this process; answers stream. Closing it ends its thread."""
        transport = SyncInProcess(self.app)
        self._threads.append(transport)
        return transport

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work that goes on after its request is answered; `aclose` ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def expire_runs(self) -> int:
        """Let runs that wait for tool outputs expire, as after ten minutes; return how many did."""
        return runs.expire(self)

    async def aclose(self) -> None:
        """End what still runs, and the brain."""
        here = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in here:
            task.cancel()
        await asyncio.gather(*here, return_exceptions=True)
        for transport in self._threads:
            transport.close()
        await self.brain.aclose()


class _Around:
    """Notes every request, and puts on every answer the headers that the service sends."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        if body is None:
            return
        known = _parsed(scope, body)
        if self._simulator.log:
            told = len(known) if isinstance(known, bytes) and len(known) > _LOGGED else known
            self._simulator.requests.append((scope["method"], scope["path"], told))
        headers = self._headers(scope, known)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await Exchange(body, receive, marked).through(self._app, scope)

    def _headers(self, scope: Scope, body: JSON) -> dict[str, str]:
        told = None if isinstance(body, bytes) else body
        id = self._simulator.state.identity.new("req_", scope["method"], scope["path"], told)
        # Some time, and the same one for the same request.
        took = 50 + int(hashlib.sha256(id.encode()).hexdigest()[:4], 16) % 900
        headers = {"x-request-id": id, "openai-processing-ms": str(took), "openai-version": "2020-10-01"}
        if self._simulator.brain.simulated or scope["path"] in _ALWAYS_SIMULATED:
            # The second is what recordings are marked by.
            return {**headers, "x-simulated": "true", "x-harness-simulated": "true"}
        return {**headers, "x-simulated": "upstream"}


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None: its client left before it was sent."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _parsed(scope: Scope, body: bytes) -> JSON:
    kind = dict(scope["headers"]).get(b"content-type", b"")
    if not body:
        return None
    if b"json" not in kind:
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return body if is_deep(value) else value


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return answer(error.body(), status=error.status, headers=error.headers)


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    return _refused(request, failed(error))


def _mistaken(request: Request, error: Exception) -> Response:
    told = f"The simulator made a mistake: {type(error).__name__}: {error}"
    return _refused(request, ApiError(500, told, type="server_error", code="server_error"))


def _no_route(routes: list[Route]) -> Any:
    simulated = ", ".join(sorted({"/" + route.path.split("/")[2] for route in routes}))

    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        where = f"{request.method} {request.url.path}"
        # The service may well know more methods than the simulator: all that is missing here is told as missing.
        status = 404 if error.status_code == 405 else error.status_code
        told = f"Not simulated: {where}. Below /v1 there are {simulated}."
        return _refused(request, ApiError(status, told, code="unknown_url"))

    return handler
