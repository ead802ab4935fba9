"""Sending again what is worth sending again.

A transport between the SDK (whose own retries are off) and the recording: every attempt is a request of its own and is
recorded as one, and all attempts of one call carry the same mark, so that replay can tell retries from repeats.
A replayed answer is final by construction and passes straight through.

This is a loop and not a retry library because it stands in the path of every request, also of those that succeed at
once; a general engine there costs more than the rest of this transport.
"""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections.abc import Iterator

import httpx2

from harness.clock import current_clock
from harness.settings import Retry

#: Request extensions by which this layer and the recording below understand each other: which call and attempt this
#: is (downwards), and that the answer comes from a recording (upwards).
CALL = "harness.call"
REPLAYED = "harness.replayed"

_TRANSIENT = frozenset({408, 409, 429})


def pauses(retry: Retry) -> Iterator[float]:
    """Yield the wait before each further attempt, seconds.

    The n-th is `backoff * factor**(n-1)`, never longer than `longest` and shortened by up to `jitter` of itself. A
    server's Retry-After wins, and all waits of one call together stay within `budget`.
    """
    for number in range(retry.attempts - 1):
        wait = min(retry.backoff * retry.factor**number, retry.longest)
        yield wait * (1 - retry.jitter * random.random())


class AsyncRetryTransport(httpx2.AsyncBaseTransport):
    """Repeats a request while the failure looks passing and the settings allow it."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, retry: Retry) -> None:
        self._inner = inner
        self._retry = retry

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        call = object()
        waits = pauses(self._retry)
        left = self._retry.budget
        attempt = 0
        while True:
            attempt += 1
            request.extensions = {**request.extensions, CALL: (call, attempt)}
            try:
                response = await self._inner.handle_async_request(request)
            except httpx2.TransportError:
                wait = None if request.extensions.get(REPLAYED) else next(waits, None)
                if wait is None or wait > left:
                    raise
            else:
                wait = None if request.extensions.get(REPLAYED) else _wait_after(response, waits, left)
                if wait is None:
                    return response
                await response.aclose()
            left -= wait
            await current_clock().sleep(wait)

    async def aclose(self) -> None:
        await self._inner.aclose()


class RetryTransport(httpx2.BaseTransport):
    """The same for code that is not async."""

    def __init__(self, inner: httpx2.BaseTransport, *, retry: Retry) -> None:
        self._inner = inner
        self._retry = retry

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        call = object()
        waits = pauses(self._retry)
        left = self._retry.budget
        attempt = 0
        while True:
            attempt += 1
            request.extensions = {**request.extensions, CALL: (call, attempt)}
            try:
                response = self._inner.handle_request(request)
            except httpx2.TransportError:
                wait = None if request.extensions.get(REPLAYED) else next(waits, None)
                if wait is None or wait > left:
                    raise
            else:
                wait = None if request.extensions.get(REPLAYED) else _wait_after(response, waits, left)
                if wait is None:
                    return response
                response.close()
            left -= wait
            current_clock().sleep_sync(wait)

    def close(self) -> None:
        self._inner.close()


def _wait_after(response: httpx2.Response, waits: Iterator[float], left: float) -> float | None:
    """Seconds to wait before sending again, or None where this answer is the one to hand on."""
    if response.status_code < 400 or not _worth_repeating(response):
        return None
    wait = next(waits, None)
    if wait is None:
        return None
    asked = retry_after(response.headers.get("retry-after-ms"), response.headers.get("retry-after"), now=time.time())
    wait = wait if asked is None else max(asked, 0.0)
    return wait if wait <= left else None


def _worth_repeating(response: httpx2.Response) -> bool:
    told = response.headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    return response.status_code in _TRANSIENT or response.status_code >= 500


def retry_after(milliseconds: str | None, header: str | None, *, now: float) -> float | None:
    """Read `retry-after-ms` and `Retry-After` (seconds or an HTTP date, RFC 9110 §10.2.3); seconds from `now`.

    Nonsense, zero and negative values are None: then the back-off decides.
    """
    for text, scale in ((milliseconds, 1000.0), (header, 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) / scale
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds > 0:
            return seconds
    if header is not None:
        moment = email.utils.parsedate_tz(header)
        if moment is not None:
            seconds = email.utils.mktime_tz(moment) - now
            return seconds if seconds > 0 else None
    return None
