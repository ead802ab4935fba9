"""The HTTP transport that records and replays, given to the SDK's client; nothing is patched.

One transport serves every trial of an endpoint. It finds the trial through `current_tape()`, passes live requests on
to the network and keeps what comes back, or answers from the cassette without opening a connection.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2

from harness.errors import HarnessError, ServiceError
from harness.recording import sse
from harness.recording.broken import from_words, in_words
from harness.recording.cassette import Interaction, Request
from harness.recording.redact import Redactor
from harness.recording.tape import (
    CALL,
    DEADLINE,
    QUERY,
    RECORDED,
    SETTLE,
    STEP,
    RecordingTape,
    ReplayTape,
    current_conversation,
    current_tape,
)
from harness.recording.unpacking import aunpacked, awhole, unpacked, whole

#: Stock vcrpy has no failed attempts; this status makes an SDK that replays the file there retry as well.
NO_RESPONSE = 599

# Bodies are stored decoded, and lengths are those of what was decoded.
_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})
#: The events that end a stream, and the bytes without which none of them can be.
_STREAM_ENDS = (
    "response.completed",
    "response.failed",
    "response.incomplete",
    *(f"thread.run.{end}" for end in ("completed", "failed", "incomplete", "cancelled", "expired", "requires_action")),
)
_SIGNS = (b"[DONE]", *(name.encode() for name in _STREAM_ENDS))


class AsyncRecordingTransport(httpx2.AsyncBaseTransport):
    """Records into, or replays from, the current trial's tape."""

    def __init__(self, inner: Callable[[], httpx2.AsyncBaseTransport], *, redactor: Redactor) -> None:
        """
        Args:
            inner: Makes the network transport; called once, and only if something is sent.
            redactor: Removes secrets before anything is matched or kept.
        """
        self._make = inner
        self._inner: httpx2.AsyncBaseTransport | None = None
        self._redactor = redactor

    def open(self) -> httpx2.AsyncBaseTransport:
        """Return the network transport, made now if it was not needed before."""
        if self._inner is None:
            self._inner = self._make()
        return self._inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        tape = current_tape()
        await request.aread()
        kept = _kept_request(request, self._redactor)
        if isinstance(tape, ReplayTape):
            return _replay(tape, kept, request)
        inner = self.open()
        seconds: float | None = request.extensions.get(DEADLINE)
        take = _Take(tape, kept, request, self._redactor)
        try:
            async with asyncio.timeout(seconds):
                response = await inner.handle_async_request(request)
                take.opened(response)
                if take.streams:
                    return take.response(_AsyncTee(response, take))
                content = await awhole(response)
            take.finish(content)
            return take.response(httpx2.ByteStream(content))
        except TimeoutError:
            late = _late(seconds)
            take.failed(late)
            raise late from None
        except httpx2.TransportError as error:
            take.failed(error)
            raise
        except BaseException:
            take.abandon()
            raise

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()


class RecordingTransport(httpx2.BaseTransport):
    """The same for code that is not async."""

    def __init__(self, inner: Callable[[], httpx2.BaseTransport], *, redactor: Redactor) -> None:
        self._make = inner
        self._inner: httpx2.BaseTransport | None = None
        self._making = threading.Lock()
        self._redactor = redactor

    def open(self) -> httpx2.BaseTransport:
        """Return the network transport, made now if it was not needed before."""
        # Threads that begin together would each make one, and all but the last would never be closed.
        with self._making:
            if self._inner is None:
                self._inner = self._make()
            return self._inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _refuse_event_loop()
        tape = current_tape()
        request.read()
        kept = _kept_request(request, self._redactor)
        if isinstance(tape, ReplayTape):
            return _replay(tape, kept, request)
        inner = self.open()
        seconds: float | None = request.extensions.get(DEADLINE)
        until = None if seconds is None else time.monotonic() + seconds
        take = _Take(tape, kept, request, self._redactor)
        try:
            with _hurried(request, seconds):
                response = inner.handle_request(request)
                take.opened(response)
                if not take.streams:
                    content = whole(response, until=until)
            if take.streams:
                return take.response(_SyncTee(response, take))
            take.finish(content)
            return take.response(httpx2.ByteStream(content))
        except httpx2.TransportError as error:
            if until is None or time.monotonic() < until or not isinstance(error, httpx2.TimeoutException):
                take.failed(error)
                raise
            late = _late(seconds)
            take.failed(late)
            raise late from None
        except BaseException:
            take.abandon()
            raise

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()


class _Take:
    """One attempt that is being recorded, from the request to the last byte."""

    def __init__(self, tape: RecordingTape, kept: Request, request: httpx2.Request, redactor: Redactor) -> None:
        # Some services compress whatever they may; what is stored and timed is the decoded body.
        request.headers["accept-encoding"] = "identity"
        call, self._attempt = request.extensions.get(CALL, (object(), 1))
        self._settle: Callable[[Interaction | None], object] = request.extensions.get(SETTLE, _unsettled)
        self._tape = tape
        self._kept = kept
        self._redactor = redactor
        self._slot, self._start, self.step = tape.begin(call, attempt=self._attempt, looks=kept.method == "GET")
        self._conversation = current_conversation()
        self._first_byte = self._start
        self._live: httpx2.Response | None = None
        self._closed = False
        self.streams = False

    def opened(self, response: httpx2.Response) -> None:
        self._first_byte = self._tape.now()
        self._live = response
        self.streams = response.headers.get("content-type", "").startswith("text/event-stream")

    def event(self) -> None:
        self.step.events.append(self._tape.now())

    def finish(self, content: bytes, *, truncated: bool = False, error: Exception | None = None) -> None:
        assert self._live is not None
        if self._closed:
            return
        self._close(
            status=self._live.status_code,
            reason=self._live.reason_phrase,
            headers=self._redactor.headers(self._live.headers.multi_items()),
            content=content,
            error=None if error is None else self._words(error),
            truncated=truncated,
        )

    def failed(self, error: Exception) -> None:
        if not self._closed:
            self._close(status=NO_RESPONSE, reason="No response", headers={}, content=b"", error=self._words(error))

    def _words(self, error: Exception) -> str:
        return self._redactor.text(in_words(error))

    def leaving(self, leave: Callable[[], None]) -> None:
        """Say how to end the recording of a stream that nobody closes."""
        self._tape.streaming(self, leave)

    def abandon(self) -> None:
        if not self._closed:
            self._closed = True
            self._tape.end(None)
            self._settle(None)

    def response(self, stream: Any) -> httpx2.Response:
        """What the client gets: the live response with its decoded body and without the headers that describe it."""
        assert self._live is not None
        live = self._live
        response = httpx2.Response(
            live.status_code,
            headers=[(name, value) for name, value in live.headers.multi_items() if name.lower() not in _HOP_HEADERS],
            stream=stream,
            extensions={**live.extensions, STEP: self.step},
        )
        if self._closed:
            response.elapsed = timedelta(seconds=self.step.end - self.step.start)
        return response

    def _close(
        self,
        *,
        status: int,
        reason: str,
        headers: dict[str, str],
        content: bytes,
        error: str | None,
        truncated: bool = False,
    ) -> None:
        self._tape.streaming(self, None)
        self.step.end = self._tape.now()
        try:
            body = self._redactor.stream(content) if self.streams else self._redactor.body(content)
        except BaseException:
            self.abandon()  # it was sent, whatever becomes of what came back
            raise
        self._closed = True
        found = Interaction(
            request=self._kept,
            status=status,
            reason=reason,
            headers=headers,
            body=body,
            slot=self._slot,
            attempt=self._attempt,
            start=self._start,
            first_byte=self._first_byte,
            end=self.step.end,
            events=tuple(self.step.events),
            error=error,
            truncated=truncated,
            conversation=self._conversation,
        )
        self._tape.end(found)
        self._settle(found)


def _unsettled(interaction: Interaction | None) -> None:
    """Nobody waits for the end of the attempt."""


class _Tee:
    """Passes a stream on while keeping it, and notes when each event was complete."""

    def __init__(self, live: httpx2.Response, take: _Take) -> None:
        self._live = live
        self._take = take
        self._splitter = sse.Splitter()
        self._kept: list[bytes] = []
        self._complete = False
        take.leaving(self._done)

    def _seen(self, chunk: bytes) -> None:
        self._kept.append(chunk)
        for block in self._splitter.feed(chunk):
            self._take.event()
            self._complete = self._complete or _ends(block)

    def _done(self, *, at_eof: bool = False, error: Exception | None = None) -> None:
        # An SDK stops reading at [DONE]: that is the end too, whether or not the connection was drained.
        truncated = not (at_eof or self._complete)
        self._take.finish(b"".join(self._kept), truncated=truncated, error=error)


def _ends(block: bytes) -> bool:
    """Whether an event is the last of its stream. Its name or its data says so, never a text that the model wrote."""
    if not any(end in block for end in _SIGNS):
        return False
    event = sse.decode(block)
    if event is None:
        return False
    if event.data.strip() == "[DONE]" or event.name in _STREAM_ENDS:
        return True
    try:
        body = json.loads(event.data)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and body.get("type") in _STREAM_ENDS


class _AsyncTee(_Tee, httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in aunpacked(self._live):
                self._seen(chunk)
                yield chunk
        except httpx2.TransportError as error:
            if self._complete:  # what breaks after the last event has broken nothing
                self._done()
                return
            self._done(error=error)
            raise
        except ServiceError:
            self._take.abandon()
            raise
        self._done(at_eof=True)

    async def aclose(self) -> None:
        self._done()
        await self._live.aclose()


class _SyncTee(_Tee, httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in unpacked(self._live):
                self._seen(chunk)
                yield chunk
        except httpx2.TransportError as error:
            if self._complete:  # what breaks after the last event has broken nothing
                self._done()
                return
            self._done(error=error)
            raise
        except ServiceError:
            self._take.abandon()
            raise
        self._done(at_eof=True)

    def close(self) -> None:
        self._done()
        self._live.close()


class _Playback(httpx2.AsyncByteStream, httpx2.SyncByteStream):
    """A recorded stream: each event moves the clock to the moment at which it was complete."""

    def __init__(self, tape: ReplayTape, one: Interaction) -> None:
        self._tape = tape
        self._one = one

    def __iter__(self) -> Iterator[bytes]:
        moments = iter(self._one.events)
        for block in sse.blocks(self._one.body):
            self._tape.clock.advance_to(next(moments, self._one.end))
            yield block
        self._tape.clock.advance_to(self._one.end)
        if self._one.error is not None:
            raise from_words(self._one.error)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self:
            yield block


def _late(seconds: float | None) -> httpx2.ReadTimeout:
    return httpx2.ReadTimeout(f"the attempt took longer than {seconds or 0.0:g} s")


@contextmanager
def _hurried(request: httpx2.Request, seconds: float | None) -> Iterator[None]:
    """Let no wait of a blocking client inside the block be longer than the whole attempt may take."""
    given = request.extensions.get("timeout", {})
    if seconds is None:
        yield
        return
    waits = {name: given.get(name) for name in ("connect", "read", "write", "pool")}
    request.extensions["timeout"] = {name: seconds if one is None else min(one, seconds) for name, one in waits.items()}
    try:
        yield
    finally:
        # What is streamed afterwards has all the time of its trial.
        request.extensions["timeout"] = given


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise HarnessError(
        "a synchronous client was used inside async code: it would stop every other trial until it is answered. "
        "Use `session.client` with await, or make the function a plain `def`."
    )


def _replay(tape: ReplayTape, kept: Request, request: httpx2.Request) -> httpx2.Response:
    one, step = tape.play(kept)
    tape.clock.advance_to(one.first_byte)
    if one.error is not None and one.status == NO_RESPONSE:
        tape.clock.advance_to(one.end)
        raise from_words(one.error)
    stream: Any
    if one.events or one.error is not None:
        stream = _Playback(tape, one)
    else:
        tape.clock.advance_to(one.end)
        stream = httpx2.ByteStream(one.body)
    extensions = {STEP: step, RECORDED: one.headers}
    response = httpx2.Response(
        one.status, headers=_replayed_headers(one), stream=stream, request=request, extensions=extensions
    )
    response.elapsed = timedelta(seconds=one.end - step.start)
    return response


def _replayed_headers(one: Interaction) -> list[tuple[str, str]]:
    """The recorded headers, without those that would make a client's own retries wait for real."""
    headers = [(name, value) for name, value in one.headers.items() if name != "retry-after"]
    if "openai-poll-after-ms" in one.headers:
        headers = [(name, "0" if name == "openai-poll-after-ms" else value) for name, value in headers]
    if one.status >= 400:
        headers = [(name, value) for name, value in headers if name != "retry-after-ms"]
        headers.append(("retry-after-ms", "1"))
    return headers


def _kept_request(request: httpx2.Request, redactor: Redactor) -> Request:
    body = request.content
    return Request(
        method=request.method,
        uri=redactor.uri(str(request.url), whole_query=QUERY in request.extensions),
        headers=redactor.headers(request.headers.multi_items()),
        # As vcrpy itself keeps it: under `match_on` body, it tells no body from an empty one.
        body=redactor.body(body) if body else b"",
    )
