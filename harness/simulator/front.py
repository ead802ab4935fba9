"""A server in front of a simulator that lets things go wrong: it writes its answers to the socket byte by byte."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import h11
import httpx2

from harness.simulator.fault_answers import Answer, Ended, framed_anew, own, split_events, spoiled, spoiled_stream
from harness.simulator.fault_form import ENDS, OWN
from harness.simulator.faults import Asked, Faults
from harness.simulator.plain import JSON
from harness.simulator.serving import Served, listen
from harness.simulator.transport import InProcess

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from harness.simulator.app import Simulator


_READ = 65_536
#: Seconds that a client gets to read what was sent before the connection is reset.
_BEFORE_RESET = 0.02
#: Where the front tells how often it was asked for what.
COUNTS = "/faults"


class Front:
    """Serves a simulator, and makes requests go wrong as rules say.

    Args:
        app: The simulator's app.
        faults: The rules.
        bound: Where it listens.
        log: Keep every request in `requests`.
    """

    def __init__(self, app: ASGIApp, faults: Faults, bound: socket.socket, *, log: bool = True) -> None:
        self.faults = faults
        #: Every request so far.
        self.requests: list[Asked] = []
        #: How many requests there were, by method and path: `POST /v1/responses`.
        self.counts: Counter[str] = Counter()
        self._behind = InProcess(app)
        self._bound = bound
        self._log = log

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host, port = self._bound.getsockname()[:2]
        return Served(host, port).url

    async def serve(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self._connected, sock=self._bound, backlog=1024)
        try:
            await server.serve_forever()
        finally:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            try:
                await _Connection(self, reader, writer).serve()
            except asyncio.CancelledError:
                # The front stops: what was not sent will not be, and the socket would outlive its loop.
                writer.transport.abort()
                raise
            finally:
                writer.close()

    def met(self, asked: Asked) -> Mapping[str, JSON]:
        """Count a request; return the fault that meets it, `{}` for none."""
        self.counts[f"{asked.method} {asked.path}"] += 1
        if self._log:
            self.requests.append(asked)
        return self.faults.choose(asked) or {}

    async def behind(self, asked: Asked, request: httpx2.Request, fault: Mapping[str, JSON]) -> Answer:
        """Return the simulator's answer as a fault leaves it."""
        response = await self._behind.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        body: bytes | AsyncIterator[bytes]
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            body = spoiled_stream(split_events(stream), fault, path=asked.path)
        else:
            body = spoiled(b"".join([piece async for piece in stream]), fault)
        headers = framed_anew(response.headers)
        return Answer(status=response.status_code, headers=headers, body=body, leave=stream.aclose)

    def told(self) -> Answer:
        """Return what `GET /faults` says."""
        used = {str(number): times for number, times in sorted(self.faults.used.items())}
        body = json.dumps({"requests": dict(self.counts), "faults": used}).encode()
        return Answer(status=200, headers=[("content-type", "application/json")], body=body)


class _Connection:
    """One client's connection: requests are read and answered one after another."""

    def __init__(self, front: Front, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._front = front
        self._reader = reader
        self._writer = writer
        self._rest = b""

    async def serve(self) -> None:
        while (request := await self._request()) is not None:
            asked = Asked(method=request.method, path=request.url.path, body=request.content)
            # While it is answered, a client may leave; all it can send besides is its next request.
            left = asyncio.create_task(self._reader.read(_READ))
            work = asyncio.create_task(self._answer(asked, request))
            try:
                await asyncio.wait({left, work}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done() and left.result():
                    await asyncio.wait({work})
                if not work.done():
                    return
                if not work.result():
                    return
                self._rest += await left
            finally:
                for task in (left, work):
                    task.cancel()
                await asyncio.gather(left, work, return_exceptions=True)

    async def _request(self) -> httpx2.Request | None:
        """Read the next request; None: there will be none."""
        parser = h11.Connection(h11.SERVER)
        if self._rest:
            parser.receive_data(self._rest)
        head: h11.Request | None = None
        body = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(_READ)
                if not data:
                    return None
                parser.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                self._rest = parser.trailing_data[0]
                return _request(head, body)
            else:
                return None

    async def _answer(self, asked: Asked, request: httpx2.Request) -> bool:
        """Answer a request; return whether the connection can go on."""
        if asked.path == COUNTS:
            await _Wire(self._writer, {}).send(self._front.told())
            return True
        fault = self._front.met(asked)
        await asyncio.sleep(fault.get("delay", 0))
        try:
            await self._write(asked, request, fault)
        except Ended as end:
            return await self._end(end.how)
        return "raw" not in fault

    async def _write(self, asked: Asked, request: httpx2.Request, fault: Mapping[str, JSON]) -> None:
        wire = _Wire(self._writer, fault)
        if "raw" in fault:
            await wire.body(fault["raw"].encode("latin-1"))
            return
        answer = own(fault) if any(name in fault for name in OWN) else await self._front.behind(asked, request, fault)
        try:
            await wire.send(answer)
        finally:
            if answer.leave is not None:
                # Whoever left must not keep the simulator busy.
                await answer.leave()

    async def _end(self, how: str) -> bool:
        if how == "hang":
            # Until the client has left, which cancels this.
            await asyncio.Event().wait()
        if how == "reset":
            await asyncio.sleep(_BEFORE_RESET)
            # Whoever has left meanwhile has closed the socket.
            with suppress(OSError):
                self._writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            self._writer.transport.abort()
        return False


class _Wire:
    """Writes an answer, in the pieces and up to the place that a fault says."""

    def __init__(self, writer: asyncio.StreamWriter, fault: Mapping[str, JSON]) -> None:
        self._writer = writer
        self._fault = fault
        self._how = next((how for how in ENDS if how in fault), "")
        place = fault.get(self._how)
        if place == "before":
            raise Ended(self._how)
        #: Bytes of the body that may still be sent; None: all.
        self._left: int | None = 0 if place == "headers" else place
        drip = fault.get("drip", {})
        self._size: int | None = drip.get("bytes") or fault.get("split")
        self._pause: float = drip.get("every", 0)

    async def send(self, answer: Answer) -> None:
        """Write an answer.

        Raises:
            Ended: This is as far as it goes.
        """
        await self._write(answer.head(self._fault))
        if isinstance(answer.body, bytes):
            await self.body(answer.body)
            return
        await self._check()
        async for event in answer.body:
            await self.body(event, chunked=True)
        await self._write(b"0\r\n\r\n")

    async def body(self, data: bytes, *, chunked: bool = False) -> None:
        """Write a part of a body."""
        size = self._size or len(data) or 1
        for start in range(0, len(data), size):
            await self._check()
            piece = data[start : start + size]
            if self._left is not None:
                piece = piece[: self._left]
                self._left -= len(piece)
            await self._write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if self._size is not None:
                await asyncio.sleep(self._pause)
        await self._check()

    async def _check(self) -> None:
        if self._left == 0:
            raise Ended(self._how)

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _request(head: h11.Request, body: bytes) -> httpx2.Request:
    headers = list(head.headers)
    host = next((value for name, value in headers if name == b"host"), b"localhost").decode("latin-1")
    target = head.target.decode("latin-1")
    return httpx2.Request(head.method.decode(), f"http://{host}{target}", headers=headers, content=body)


@contextmanager
def faulty(
    simulator: Simulator, faults: Faults | Sequence[Mapping[str, JSON]] | Path | str = (), *, seed: int = 0
) -> Iterator[Front]:
    """Serve a simulator with faults in a thread, on a free port of loopback, for as long as the context lasts.

    Args:
        simulator: What answers where no fault does.
        faults: Rules, or the file that has them.
        seed: For rules with `share`.

    Raises:
        FaultError: A rule is wrong.
    """
    if isinstance(faults, Path | str):
        faults = Faults.load(faults, seed=seed)
    elif not isinstance(faults, Faults):
        faults = Faults(faults, seed=seed)
    bound = listen("127.0.0.1", 0)
    front = Front(simulator.app, faults, bound)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, front), daemon=True)
    thread.start()
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join()
        bound.close()


def _run(loop: asyncio.AbstractEventLoop, front: Front) -> None:
    async def serve() -> None:
        with suppress(asyncio.CancelledError):
            await front.serve()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(serve())
