"""Answers as they come from the network, decoded within limits: nobody's gzip may fill this machine's memory."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpx2

from harness.errors import ServiceError

#: Decoded bytes of one answer.
LARGEST = 32 << 20
#: How many times larger than what was sent an answer may become, once it is larger than a page.
HIGHEST_RATIO = 200
_PAGE = 1 << 20
#: Decoded bytes that are made at once.
_STEP = 1 << 18
_GZIP = zlib.MAX_WBITS | 16
_UNPACKED = frozenset({"", "identity"})


class Unpacker:
    """Decodes the pieces of one answer.

    Raises:
        ServiceError: `too_large`, or `protocol` where it is not encoded as it says. Neither is worth another attempt.
    """

    def __init__(self, encoding: str) -> None:
        """
        Args:
            encoding: The header `content-encoding`: names in the order in which they were applied (RFC 9110 §8.4).
        """
        names = [name.strip().lower() for name in encoding.split(",")]
        self._stages = [_stage(name) for name in reversed(names) if name not in _UNPACKED]
        self._taken = 0
        self._given = 0

    def feed(self, raw: bytes) -> bytes:
        """Return what the next bytes decode to."""
        self._taken += len(raw)
        if not self._stages:
            self._count(len(raw))
            return raw
        pieces: Iterable[bytes] = [raw]
        for number, stage in enumerate(self._stages):
            pieces = self._counted(stage.feed(pieces), last=number == len(self._stages) - 1)
        return b"".join(pieces)

    def end(self) -> None:
        """Check that nothing is missing."""
        if self._taken and not all(stage.whole for stage in self._stages):
            raise ServiceError("protocol", "the answer's compressed body ends too early")

    def _counted(self, pieces: Iterable[bytes], *, last: bool) -> Iterator[bytes]:
        inner = 0
        for piece in pieces:
            if last:
                self._count(len(piece))
            inner += len(piece)
            if inner > LARGEST:
                raise _too_large(f"more than {LARGEST >> 20} MB")
            yield piece

    def _count(self, size: int) -> None:
        self._given += size
        if self._given > LARGEST:
            raise _too_large(f"more than {LARGEST >> 20} MB")
        if self._stages and self._given > max(_PAGE, HIGHEST_RATIO * self._taken):
            raise _too_large(f"{self._given:,} bytes and more, out of {self._taken:,} compressed ones")


def _too_large(how: str) -> ServiceError:
    return ServiceError("too_large", f"the answer is too large: {how}. Nothing of it is kept")


class _Zlib:
    """One layer of gzip or deflate."""

    def __init__(self, name: str, wbits: int) -> None:
        self._name = name
        self._inner: Any = zlib.decompressobj(wbits)
        self._begun = False

    @property
    def whole(self) -> bool:
        return bool(self._inner.eof)

    def feed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            rest = piece
            while rest and not self._inner.eof:
                yield self._step(rest)
                rest = self._inner.unconsumed_tail
            if not self._inner.eof:
                # What was held back for want of room.
                while piece := self._step(b""):
                    yield piece

    def _step(self, data: bytes) -> bytes:
        try:
            found: bytes = self._inner.decompress(data, _STEP)
        except zlib.error as error:
            if self._begun or self._name != "deflate":
                raise ServiceError(
                    "protocol", f"the answer says that it is {self._name} and is not ({error})"
                ) from None
            # Some services leave out the frame that the standard asks for.
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            self._begun = True
            return self._step(data)
        self._begun = True
        return found


def _stage(name: str) -> _Zlib:
    if name in ("gzip", "x-gzip"):
        return _Zlib("gzip", _GZIP)
    if name == "deflate":
        return _Zlib("deflate", zlib.MAX_WBITS)
    raise ServiceError("protocol", f"the answer is compressed as {name[:40]!r}, which was not asked for")


def _read(live: httpx2.Response) -> bytes | None:
    """The decoded body of an answer that came whole, as test doubles of a network give it; None: it is yet to come."""
    try:
        return live.content
    except httpx2.ResponseNotRead:
        return None


async def aunpacked(live: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the decoded pieces of an answer that is not read yet."""
    if (content := _read(live)) is not None:
        yield content
        return
    unpacker = Unpacker(live.headers.get("content-encoding", ""))
    async for raw in live.aiter_raw():
        if piece := unpacker.feed(raw):
            yield piece
    unpacker.end()


def unpacked(live: httpx2.Response) -> Iterator[bytes]:
    """The same for code that is not async."""
    if (content := _read(live)) is not None:
        yield content
        return
    unpacker = Unpacker(live.headers.get("content-encoding", ""))
    for raw in live.iter_raw():
        if piece := unpacker.feed(raw):
            yield piece
    unpacker.end()


async def awhole(live: httpx2.Response) -> bytes:
    """Read an answer to its end, and close it."""
    try:
        return b"".join([piece async for piece in aunpacked(live)])
    finally:
        await live.aclose()


def whole(live: httpx2.Response, *, until: float | None = None) -> bytes:
    """The same for code that is not async.

    Args:
        live: The answer.
        until: When it must be over, on the machine's monotonic clock; looked at whenever a piece has come.

    Raises:
        httpx2.ReadTimeout: It was not.
    """
    pieces: list[bytes] = []
    try:
        for piece in unpacked(live):
            if until is not None and time.monotonic() > until:
                raise httpx2.ReadTimeout("the answer took too long")
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        live.close()
