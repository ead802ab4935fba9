"""The HTTP transport that records and replays, given to the SDK's client; nothing is patched.

One transport serves every trial of an endpoint. It finds the trial through `current_tape()`, passes live requests on
to the network and keeps what comes back, or answers from the cassette without opening a connection.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2

from harness.clock import on_loop
from harness.errors import HarnessError
from harness.recording.broken import from_words
from harness.recording.cassette import Interaction, Request
from harness.recording.current import current_conversation, current_tape
from harness.recording.marks import DEADLINE, QUERY, RECORDED, STEP, Step
from harness.recording.playing import ReplayTape
from harness.recording.redact import Redactor
from harness.recording.streams import AsyncTee, Playback, SyncTee
from harness.recording.take import NO_RESPONSE, Take
from harness.recording.unpacking import awhole, whole


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
            one, step = tape.play(kept, current_conversation())
            if one.abandoned and one.status == NO_RESPONSE:
                await tape.wait(one)
            return _replay(tape, one, step, request)
        inner = self.open()
        seconds: float | None = request.extensions.get(DEADLINE)
        take = Take(tape, kept, request, self._redactor)
        try:
            async with asyncio.timeout(seconds):
                response = await inner.handle_async_request(request)
                take.opened(response)
                if take.streams:
                    return take.response(AsyncTee(response, take))
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
        except asyncio.CancelledError:
            take.left()
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
            one, step = tape.play(kept, current_conversation())
            if one.abandoned and one.status == NO_RESPONSE:
                tape.wait_sync(one)
            return _replay(tape, one, step, request)
        inner = self.open()
        seconds: float | None = request.extensions.get(DEADLINE)
        until = None if seconds is None else time.monotonic() + seconds
        take = Take(tape, kept, request, self._redactor)
        try:
            with _hurried(request, seconds):
                response = inner.handle_request(request)
                take.opened(response)
                if not take.streams:
                    content = whole(response, until=until)
            if take.streams:
                return take.response(SyncTee(response, take))
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
    if on_loop():
        raise HarnessError(
            "a synchronous client was used inside async code: it would stop every other trial until it is answered. "
            "Use `session.client` with await, or make the function a plain `def`."
        )


def _replay(tape: ReplayTape, one: Interaction, step: Step, request: httpx2.Request) -> httpx2.Response:
    tape.clock.advance_to(one.first_byte)
    if one.error is not None and one.status == NO_RESPONSE:
        tape.clock.advance_to(one.end)
        raise from_words(one.error)
    stream: Any
    if one.events or one.error is not None:
        stream = Playback(tape, one)
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
