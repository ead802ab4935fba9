"""How a run is asked to end early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Stop:
    """Asks a run to start nothing new; what is under way is finished and kept."""

    def __init__(self) -> None:
        self.requested = False
        #: Whether somebody asked for it from outside: a person, or the system.
        self.interrupted = False
        self._abort: Callable[[], object] | None = None

    def request(self) -> None:
        self.requested = True

    def interrupt(self) -> None:
        """Ask from outside."""
        self.requested = self.interrupted = True

    def abort(self) -> bool:
        """Cancel what is under way, from a signal handler or another thread; return whether anything was."""
        if self._abort is None:
            return False
        self._abort()
        return True

    @contextmanager
    def aborts(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Let `abort` cancel a task while the block runs.

        An exception raised by a signal handler would come out of whichever line of the event loop runs just then.
        """
        loop = task.get_loop()
        self._abort = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            yield
        finally:
            self._abort = None
