"""An answer piece by piece, for `for` and `async for`."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Self

from harness.library.answering import Answering, Ask, PausedAnswering
from harness.library.handling import OnEvent
from harness.library.looping import refuse_loop
from harness.library.reply import Reply


class AsyncStream:
    """Pieces of an answer's text; the whole answer is in `reply` when the last one is there.

    Leaving early stops the assistant: use it as an async context manager, or call `aclose()`. A stream that nobody holds
    any more stops by itself. A block of `harness.cassette` in which a stream was left early writes no file.
    """

    def __init__(self, ask: Ask, on_event: OnEvent | None = None) -> None:
        self._answering = Answering(ask, on_event)
        weakref.finalize(self, self._answering.drop)

    @property
    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            UsageError: It is not there yet.
        """
        return self._answering.reply

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        piece = await self._answering.piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the assistant, if it is still answering."""
        await self._answering.aclose()


class Stream:
    """The same for code that blocks; between two pieces nothing goes on.

    What is said next in the same thread stops an answer whose last piece was not taken.
    """

    def __init__(self, ask: Ask, on_event: OnEvent | None = None) -> None:
        refuse_loop(name="ai.stream(...)", twin="ai.stream_async(...)")
        self._answering = PausedAnswering(ask, on_event)
        weakref.finalize(self, self._answering.drop)

    @property
    def reply(self) -> Reply:
        """The whole answer.

        Raises:
            UsageError: It is not there yet.
        """
        return self._answering.reply

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        piece = self._answering.take()
        if piece is None:
            raise StopIteration
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the assistant, if it is still answering."""
        self._answering.drop()
