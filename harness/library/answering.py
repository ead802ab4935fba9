"""Answers that are made piece by piece, and what becomes of those that nobody takes to their end.

A thread and a block of `harness.cassette` know these, and not the streams that users hold: a stream that is dropped is
gone at once, and its answer stops.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from harness.clock import on_loop
from harness.errors import UsageError
from harness.events import TextDelta
from harness.library.handling import OnEvent, TurnEvent, check_handler
from harness.library.reply import Reply


class Answering:
    """An answer on its way, in an event loop."""

    def __init__(self, ask: Ask, on_event: OnEvent | None) -> None:
        """
        Args:
            ask: Asks an assistant, and tells what happens to `hear`.
            on_event: Who else follows the answer.

        Raises:
            UsageError: Nothing can follow that way.
        """
        check_handler(on_event)
        self._ask = ask
        self._on_event = on_event
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Reply] | None = None
        self._reply: Reply | None = None
        #: Nobody waits for more of it.
        self._left = False
        #: Why it was stopped by others than its stream.
        self._why = ""

    @property
    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            UsageError: It is not there yet.
        """
        if self._reply is None:
            raise UsageError("the answer is not complete yet: take every piece of the stream first")
        return self._reply

    @property
    def partial(self) -> bool:
        """Whether the assistant was asked, and not every piece was taken."""
        if self._task is None or self._reply is not None:
            return False
        return not self._task.done() or self._task.cancelled() or self._task.exception() is None

    def hear(self, event: TurnEvent) -> None:
        """Take what happens while the assistant answers."""
        if isinstance(event, TextDelta):
            self._pieces.put_nowait(event.text)
        if self._on_event is not None:
            self._on_event(event)

    async def piece(self) -> str | None:
        """Return the next piece; None: that was all, or it was left.

        Raises:
            UsageError: It was stopped before its last piece was taken, and not by its stream.
            HarnessError: What went wrong, as for `say`.
        """
        self.refuse_stopped()
        if self._left or self._reply is not None:
            return None
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._ask(self))
            self._task.add_done_callback(self._end)
        try:
            found = await self._pieces.get()
            if found is None:
                self._reply = await self._final(self._task)
        except BaseException:
            await self.aclose()
            raise
        return found

    async def _final(self, task: asyncio.Task[Reply]) -> Reply | None:
        return None if self._left and task.cancelled() else await task

    def refuse_stopped(self) -> None:
        """Refuse to go on as if the answer had ended.

        Raises:
            UsageError: It was stopped by others than its stream.
        """
        if self._why:
            raise UsageError(f"this stream is over: {self._why} before its last piece was taken")

    def _end(self, task: asyncio.Task[Reply]) -> None:
        if not task.cancelled():
            # Taken note of, so that nothing is printed about it where the answer was left.
            task.exception()
        self._pieces.put_nowait(None)

    async def aclose(self) -> None:
        """Stop the assistant, if it is still answering; in the event loop in which it does."""
        self._left = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def drop(self) -> None:
        """Let the assistant stop, from wherever its stream was dropped."""
        self._left = True
        if self._task is None or self._loop is None or self._task.done() or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._task.cancel)

    def stop(self, why: str) -> None:
        """Let the assistant stop, and whoever takes the next piece hear why."""
        if self.partial and not self._left:
            self._why = why
        self.drop()

    def yields(self) -> bool:
        """Make way for something else in its thread; whether it does. It does where nobody waits for more of it."""
        return self._left

    async def over(self) -> None:
        """Wait until an answer that was left has stopped, where that can be waited for."""
        if self._left and self._loop is asyncio.get_running_loop():
            await self.aclose()


#: Asks an assistant; what happens is told to the answer.
Ask: TypeAlias = Callable[[Answering], Coroutine[Any, Any, Reply]]


class PausedAnswering(Answering):
    """The same for code that blocks: its event loop runs only while a piece is waited for."""

    def __init__(self, ask: Ask, on_event: OnEvent | None) -> None:
        super().__init__(ask, on_event)
        # A loop that is no thread's current one: between two pieces the thread may run others.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._thread: int | None = None
        self._taking = False
        self._closed = False

    def take(self) -> str | None:
        """Do what `piece` does."""
        self.refuse_stopped()
        if self._closed:
            return None
        self._taking, self._thread = True, threading.get_ident()
        found = None
        try:
            found = self._runner.run(self.piece())
        finally:
            self._taking = False
            if found is None:
                self.drop()
        return found

    def drop(self) -> None:
        if self._taking or self._closed:
            return
        self._closed = self._left = True
        if not on_loop():
            self._stop()
            return
        # Whoever dropped it, perhaps the garbage collector, is in an event loop, and two cannot run in one thread.
        thread = threading.Thread(target=self._stop, name="harness-stream")
        thread.start()
        thread.join()

    def _stop(self) -> None:
        with self._runner:
            if self._task is not None:
                self._runner.run(self.aclose())

    def yields(self) -> bool:
        if not self._closed and not self._taking and self._thread == threading.get_ident():
            # Nobody can be waiting for more: who would is saying something else.
            self.stop("something else was said in its thread")
        return self._closed

    async def over(self) -> None:
        """Nothing is left to wait for: it stopped when it was dropped."""
