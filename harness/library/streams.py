"""An answer piece by piece, for `for` and `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from types import TracebackType
from typing import Any, Self, TypeAlias

from harness.errors import UsageError
from harness.events import TextDelta
from harness.library.handling import OnEvent, TurnEvent, check_handler
from harness.library.looping import refuse_loop
from harness.library.reply import Reply

#: Asks an assistant, and tells the function it is given what happens.
Ask: TypeAlias = Callable[[OnEvent], Coroutine[Any, Any, Reply]]


class AsyncStream:
    """Pieces of an answer's text; the whole answer is in `reply` when the last one is there.

    Leaving early stops the assistant: use it as an async context manager, or call `aclose()`.
    """

    def __init__(self, ask: Ask, on_event: OnEvent | None = None) -> None:
        check_handler(on_event)
        self._ask = ask
        self._on_event = on_event
        self._reply: Reply | None = None
        self._pieces = self._told()

    @property
    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            UsageError: It is not there yet.
        """
        if self._reply is None:
            raise UsageError("the answer is not complete yet: take every piece of the stream first")
        return self._reply

    def __aiter__(self) -> AsyncIterator[str]:
        return self._pieces

    async def __anext__(self) -> str:
        return await anext(self._pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the assistant, if it is still answering."""
        await self._pieces.aclose()

    async def _told(self) -> AsyncGenerator[str, None]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        def hear(event: TurnEvent) -> None:
            if isinstance(event, TextDelta):
                pieces.put_nowait(event.text)
            if self._on_event is not None:
                self._on_event(event)

        task = asyncio.create_task(self._ask(hear))
        task.add_done_callback(lambda done: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            self._reply = await task
        finally:
            task.cancel()
            await asyncio.wait([task])


class Stream:
    """The same for code that blocks; between two pieces nothing goes on."""

    def __init__(self, ask: Ask, on_event: OnEvent | None = None) -> None:
        refuse_loop(name="ai.stream(...)", twin="ai.stream_async(...)")
        self._inner = AsyncStream(ask, on_event)
        self._pieces = self._told()

    @property
    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            UsageError: It is not there yet.
        """
        return self._inner.reply

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the assistant, if it is still answering."""
        self._pieces.close()

    def _told(self) -> Generator[str, None, None]:
        with asyncio.Runner() as runner:
            try:
                while (piece := runner.run(self._next())) is not None:
                    yield piece
            finally:
                runner.run(self._inner.aclose())

    async def _next(self) -> str | None:
        return await anext(aiter(self._inner), None)
