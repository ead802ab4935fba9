"""Deadlines that hold whatever the code under them does, on clocks that nobody can set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from harness.clock import Clock, LiveClock

T = TypeVar("T")

#: Shortest sleep between two looks at a clock that stands still.
_SHORTEST = 0.02


class Overran(Exception):
    """Work took longer than it may."""

    def __init__(self, *, abandoned: bool) -> None:
        super().__init__("it took too long")
        #: The work did not stop when it was told to, and may still be going on.
        self.abandoned = abandoned


class RunDeadline:
    """When a run must be over, on the monotonic clock."""

    def __init__(self, seconds: float | None) -> None:
        """
        Args:
            seconds: From now on; None: there is no end.
        """
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Seconds until then; None: there is no end."""
        return None if self._end is None else self._end - time.monotonic()

    @property
    def over(self) -> bool:
        left = self.left
        return left is not None and left <= 0


async def within(
    work: Coroutine[Any, Any, T],
    *,
    seconds: float | None,
    clock: Clock | None = None,
    run: RunDeadline | None = None,
    grace: float = 1.0,
    over: Callable[[], object] = bool,
) -> T:
    """Return what `work` returns, or end it when its time is over.

    Unlike `asyncio.timeout`, this comes back also where the work swallows its cancellation: then the work is left behind,
    and the event loop does not wait for it when it ends.

    Args:
        work: Runs in a task of its own, in the caller's context.
        seconds: How long it may take; None: as long as the run.
        clock: By which it may take so long; one that stands still gives it more time. Default: the monotonic clock.
        run: When everything must be over, whatever the clock says.
        grace: Seconds that the work has to stop after it was told to.
        over: Called when its time is over, before it is told to stop.

    Raises:
        Overran: It took too long.
    """
    clock = clock or LiveClock()
    run = run or RunDeadline(None)
    start = clock.now()
    task = asyncio.create_task(work)
    try:
        while (left := _left(seconds, clock.now() - start, run.left)) is None or left > 0:
            await asyncio.wait({task}, timeout=None if left is None else max(left, _SHORTEST))
            if task.done():
                return task.result()
    except asyncio.CancelledError:
        await _stopped(task, grace)
        raise
    over()
    raise Overran(abandoned=not await _stopped(task, grace))


def _left(seconds: float | None, spent: float, run: float | None) -> float | None:
    known = [left for left in (None if seconds is None else seconds - spent, run) if left is not None]
    return min(known, default=None)


async def _stopped(task: asyncio.Task[Any], grace: float) -> bool:
    """Tell a task to stop; return whether it did in time."""
    task.cancel()
    await asyncio.wait({task}, timeout=grace)
    if task.done():
        _forget(task)
        return True
    # A loop that ends cancels all tasks that it knows and waits for them, for ever if need be: it must not know this one.
    # https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support
    asyncio.tasks._unregister_task(task)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio.gather does with what it waits for
    task.add_done_callback(_forget)
    return False


def _forget(task: asyncio.Task[Any]) -> None:
    """Look at a failure that nobody asks for any more, so that nobody is told that it was never looked at."""
    if not task.cancelled():
        task.exception()
