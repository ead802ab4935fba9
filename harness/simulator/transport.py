"""Talking to a simulator within one process: answers arrive piece by piece, as they would from a server.

The client's own transport for ASGI holds an answer back until it is whole; nothing could be measured or left early.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import httpx2
from starlette.types import ASGIApp, Message, Scope

T = TypeVar("T")


def _scope(request: httpx2.Request) -> Scope:
    return {
        "type": "http",
        # By this version a server tells of a client that left, so that a stream ends at once.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


class _Exchange:
    """One request on its way through the app, in a task of its own."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes, *, patience: float | None) -> None:
        self._body: bytes | None = body
        self._patience = patience
        self._started = False
        self._gone = asyncio.Event()
        # One piece at a time: the app goes on when the client has taken what it sent.
        self._sent: asyncio.Queue[Message | BaseException | None] = asyncio.Queue(1)
        self._task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - handed to the client's side
            await self._sent.put(error)
        else:
            await self._sent.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._sent.put(message)

    async def next(self) -> Message | None:
        """Return what the app sent next; None: it is done.

        Raises:
            ReadTimeout: It took longer than the client waits.
        """
        try:
            async with asyncio.timeout(self._patience):
                message = await self._sent.get()
        except TimeoutError:
            raise httpx2.ReadTimeout(f"no answer within {self._patience:g} seconds") from None
        if isinstance(message, BaseException):
            raise message
        self._started = True
        return message

    async def close(self) -> None:
        """Leave, and wait until the app has noticed."""
        self._gone.set()
        if not self._started:
            # Only streams watch for clients that leave; whoever waits for an answer in vain must not wait for its end, too.
            self._task.cancel()
        while not self._task.done():
            # The app may be about to send: what nobody reads is taken away.
            while not self._sent.empty():
                self._sent.get_nowait()
            await asyncio.sleep(0)
            if self._sent.empty():
                await asyncio.wait([self._task], timeout=0.01)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more and (message := await self._exchange.next()) is not None:
            if message["type"] == "http.response.body":
                more = message.get("more_body", False)
                if message.get("body"):
                    yield message["body"]

    async def aclose(self) -> None:
        await self._exchange.close()


class InProcess(httpx2.AsyncBaseTransport):
    """Gives requests to an app in the running loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        patience = request.extensions.get("timeout", {}).get("read")
        exchange = _Exchange(self._app, _scope(request), body, patience=patience)
        try:
            start = await exchange.next()
        except BaseException:
            await exchange.close()
            raise
        if start is None:
            raise httpx2.RemoteProtocolError("the simulator sent nothing", request=request)
        return httpx2.Response(start["status"], headers=start["headers"], stream=_Body(exchange), request=request)


class _SyncBody(httpx2.SyncByteStream):
    def __init__(self, transport: SyncInProcess, response: httpx2.Response) -> None:
        self._transport = transport
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        self._stream = response.stream

    def __iter__(self) -> Iterator[bytes]:
        pieces = aiter(self._stream)
        while (piece := self._transport.wait(_next(pieces))) is not None:
            yield piece

    def close(self) -> None:
        self._transport.wait(self._stream.aclose())


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


class SyncInProcess(httpx2.BaseTransport):
    """The same for clients that block: the app runs in a thread's loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._inner = InProcess(app)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the thread's loop and return what it comes to."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        response = self.wait(self._inner.handle_async_request(request))
        return httpx2.Response(
            response.status_code, headers=response.headers.raw, stream=_SyncBody(self, response), request=request
        )

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.wait(_settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _settle() -> None:
    """End what still runs in this loop."""
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
