"""Time, live and replayed. A trial asks its clock and nothing else what time it is.

Live, the clock is the monotonic one. On replay it is virtual: it stands at the recorded offset of whatever was last
played, and sleeping only moves it. Each asyncio task and thread of a trial has its own reading (a ContextVar), so that
calls which ran side by side keep their own times.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Clock(Protocol):
    """Seconds since the trial started."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def sleep_sync(self, seconds: float) -> None: ...


class LiveClock:
    """The machine's monotonic clock, counted from the moment this object was made; it can be made to stand still."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._lock = threading.Lock()
        self._stood = 0.0
        self._stopped: float | None = None

    def now(self) -> float:
        with self._lock:
            return (time.perf_counter() if self._stopped is None else self._stopped) - self._start - self._stood

    @property
    def stood(self) -> float:
        """Seconds that the clock has stood still."""
        with self._lock:
            return self._stood + (0.0 if self._stopped is None else time.perf_counter() - self._stopped)

    def run(self, running: bool) -> None:
        """Stop the clock, or let it run on; either may be said again."""
        with self._lock:
            if not running and self._stopped is None:
                self._stopped = time.perf_counter()
            elif running and self._stopped is not None:
                self._stood += time.perf_counter() - self._stopped
                self._stopped = None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))

    def sleep_sync(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.0))


# One variable for all clocks, with whose reading it is: contexts keep what was set in them as long as they live, and a
# variable per clock would keep every trial's.
_reading: ContextVar[tuple[VirtualClock, float] | None] = ContextVar("harness-reading", default=None)


class VirtualClock:
    """A clock that recordings move. It never waits."""

    def now(self) -> float:
        reading = _reading.get()
        return reading[1] if reading is not None and reading[0] is self else 0.0

    def advance_to(self, moment: float) -> None:
        """Move this task's reading forward to `moment`, seconds from trial start; never back."""
        if moment > self.now():
            _reading.set((self, moment))

    async def sleep(self, seconds: float) -> None:
        self.advance_to(self.now() + max(seconds, 0.0))

    def sleep_sync(self, seconds: float) -> None:
        self.advance_to(self.now() + max(seconds, 0.0))


_current: ContextVar[Clock | None] = ContextVar("harness-clock", default=None)


def current_clock() -> Clock:
    """Return the clock of the trial that the calling task or thread belongs to; outside any trial, a live one."""
    return _current.get() or LiveClock()


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """Make `clock` the current one for the calling task and everything it starts."""
    token = _current.set(clock)
    try:
        yield
    finally:
        _current.reset(token)


def on_loop() -> bool:
    """Whether an event loop runs in the calling thread, which nothing may block then."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
