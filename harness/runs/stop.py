"""How a run is asked to end early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.errors import TrialError

#: Seconds that what is in flight gets after an interrupt.
PATIENCE = 10.0


class Stop:
    """Asks a run to start nothing new; what is under way is finished and kept."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self.requested = False
        #: Whether somebody asked for it from outside: a person, or the system.
        self.interrupted = False
        #: Why nothing more may be sent, not even by trials that are under way.
        self.refusal: TrialError | None = None
        self._patience = patience
        self._abort: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._let_go: Callable[[], None] = _nothing

    def lets_go(self, let_go: Callable[[], None]) -> None:
        """Say what lets requests go on that wait for limits, so that they hear that nothing more is sent.

        Args:
            let_go: Called in any thread, never in a signal handler.
        """
        self._let_go = let_go

    def request(self) -> None:
        self.requested = True

    def halt(self, kind: str, message: str) -> None:
        """Let nothing more be sent; the reason stands in the results of the trials that are left without an answer."""
        self._refuse(kind, message)
        self._let_go()

    def _refuse(self, kind: str, message: str) -> None:
        self.requested = True
        self.refusal = self.refusal or TrialError(kind, message)

    def interrupt(self) -> None:
        """Ask from outside: nothing more is sent, and what is in flight has some seconds to end.

        Callable from signal handlers and other threads.
        """
        self.interrupted = True
        self._refuse("interrupted", "the run was interrupted")
        loop, abort = self._loop, self._abort
        if loop is not None and abort is not None:
            # What a signal interrupts may hold the very locks that this needs.
            loop.call_soon_threadsafe(self._let_go)
            loop.call_soon_threadsafe(loop.call_later, self._patience, abort)

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
        loop = self._loop = task.get_loop()
        over = False

        def cancel() -> None:
            if not over:
                task.cancel()

        self._abort = lambda: loop.call_soon_threadsafe(cancel)
        try:
            yield
        finally:
            over = True
            self._abort = self._loop = None


def _nothing() -> None:
    """Nobody waits."""
