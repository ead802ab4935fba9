"""A brain that is a Python function."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from harness.simulator.brain import Ask, End, Piece, Text

#: What a function may return: a text, a piece, several of both; texts are pieces of text.
Said: TypeAlias = str | Piece | Iterable[str | Piece]


class FunctionBrain:
    """Answers with what a function returns; an `End` is added where it gives none.

    Args:
        answer: Takes the step that is asked for. May be a coroutine function or an async generator.
        models: The models it offers; none: any.
    """

    simulated = True

    def __init__(
        self,
        answer: Callable[[Ask], Said | Awaitable[Said] | AsyncIterator[str | Piece]],
        *,
        models: Sequence[str] = (),
    ) -> None:
        self.models: Sequence[str] = tuple(models)
        self._answer = answer

    async def ask(self, ask: Ask) -> AsyncIterator[Piece]:
        """Answer one step; what the function raises is raised."""
        said = self._answer(ask)
        if isinstance(said, AsyncIterator):
            try:
                async for one in said:
                    yield Text(one) if isinstance(one, str) else one
            finally:
                # Whoever leaves early ends the function too.
                close = getattr(said, "aclose", None)
                if close is not None:
                    await close()
            yield End()
            return
        whole = await said if inspect.isawaitable(said) else said
        for piece in [whole] if isinstance(whole, str) or not isinstance(whole, Iterable) else whole:
            yield Text(piece) if isinstance(piece, str) else piece
        yield End()

    async def aclose(self) -> None:
        """Nothing to end."""
