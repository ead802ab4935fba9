"""Streams on their way to the client: live ones are kept as they pass, recorded ones are played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx2

from harness.errors import ServiceError
from harness.recording import sse
from harness.recording.broken import from_words
from harness.recording.cassette import Interaction
from harness.recording.playing import ReplayTape
from harness.recording.take import Take
from harness.recording.unpacking import aunpacked, unpacked

#: The events that end a stream, and the bytes without which none of them can be.
_STREAM_ENDS = (
    "response.completed",
    "response.failed",
    "response.incomplete",
    *(f"thread.run.{end}" for end in ("completed", "failed", "incomplete", "cancelled", "expired", "requires_action")),
)
_SIGNS = (b"[DONE]", *(name.encode() for name in _STREAM_ENDS))


class _Tee:
    """Passes a stream on while keeping it, and notes when each event was complete."""

    def __init__(self, live: httpx2.Response, take: Take) -> None:
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

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Note how reading to the end goes out."""
        try:
            yield
        except httpx2.TransportError as error:
            if not self._complete:
                self._done(error=error)
                raise
            self._done()  # what breaks after the last event has broken nothing
        except ServiceError:
            self._take.abandon()
            raise
        except asyncio.CancelledError:
            if self._complete:
                self._done()
            else:
                self._take.left(b"".join(self._kept))
            raise
        else:
            self._done(at_eof=True)

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


class AsyncTee(_Tee, httpx2.AsyncByteStream):
    """A live stream for async code."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._reading():
            async for chunk in aunpacked(self._live):
                self._seen(chunk)
                yield chunk

    async def aclose(self) -> None:
        self._done()
        await self._live.aclose()


class SyncTee(_Tee, httpx2.SyncByteStream):
    """The same for code that is not async."""

    def __iter__(self) -> Iterator[bytes]:
        with self._reading():
            for chunk in unpacked(self._live):
                self._seen(chunk)
                yield chunk

    def close(self) -> None:
        self._done()
        self._live.close()


class Playback(httpx2.AsyncByteStream, httpx2.SyncByteStream):
    """A recorded stream: each event moves the clock to the moment at which it was complete."""

    def __init__(self, tape: ReplayTape, one: Interaction) -> None:
        self._tape = tape
        self._one = one

    def _blocks(self) -> Iterator[bytes]:
        moments = iter(self._one.events)
        for block in sse.blocks(self._one.body):
            self._tape.clock.advance_to(next(moments, self._one.end))
            yield block

    def __iter__(self) -> Iterator[bytes]:
        yield from self._blocks()
        if self._one.abandoned:
            self._tape.wait_sync(self._one)
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self._blocks():
            yield block
        if self._one.abandoned:
            await self._tape.wait(self._one)
        self._end()

    def _end(self) -> None:
        self._tape.clock.advance_to(self._one.end)
        if self._one.error is not None:
            raise from_words(self._one.error)
