"""What the trials of a run share at a service: assistants, uploaded files, vector stores.

Each is made once, by the trial that needs it first. Every trial's recording holds the requests that made it, so that
each can be replayed by itself, and be kept when others are recorded anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from harness.assistants.session import Session
from harness.errors import HarnessError
from harness.recording import Interaction, RecordingTape, use_tape

T = TypeVar("T")

#: Seconds that taking everything away may take.
_FAREWELL = 10.0


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of it, and what was sent for it."""

    value: Any
    error: Exception | None
    interactions: Sequence[Interaction]


class Shared:
    """One run's."""

    def __init__(self) -> None:
        #: With the tapes onto which it is recorded.
        self._made: dict[str, tuple[asyncio.Task[_Made], RecordingTape]] = {}
        self._undoing: list[Callable[[], Awaitable[None]]] = []

    async def once(
        self,
        session: Session,
        key: str,
        make: Callable[[Session], Awaitable[T]],
        *,
        undo: Callable[[Session, T], Awaitable[None]] | None = None,
    ) -> T:
        """Return what `make` returns, made by whoever asks first.

        Args:
            session: The trial's.
            key: What it is; equal keys are the same thing.
            make: Sends what is needed through the session that it is given.
            undo: Sends what takes it away again, when the run is over.

        Raises:
            HarnessError: `make` raised it; everybody who asked is told, and the next one tries again.
        """
        tape = session.tape
        if not isinstance(tape, RecordingTape):
            return await make(session)
        start = tape.now()
        if key not in self._made:
            own = RecordingTape()
            self._made[key] = (asyncio.create_task(self._make(session, own, make, undo)), own)
        task, shared = self._made[key]
        with tape.behind(shared):
            # Who asked first may be stopped; the others still need it.
            made = await asyncio.shield(task)
        # Also what failed: a trial that ended with it replays so.
        tape.adopt(made.interactions, start=start)
        if made.error is not None:
            if self._made.get(key) == (task, shared):
                del self._made[key]
            raise made.error
        value: T = made.value
        return value

    async def aclose(self) -> None:
        """Take everything away again, all at once and in no more than a few seconds; what cannot be taken away stays."""
        for task, _ in self._made.values():
            task.cancel()
        undoing, self._undoing = self._undoing, []
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await asyncio.gather(*(undo() for undo in undoing))

    async def _make(
        self,
        session: Session,
        tape: RecordingTape,
        make: Callable[[Session], Awaitable[T]],
        undo: Callable[[Session, T], Awaitable[None]] | None,
    ) -> _Made:
        own = replace(session, tape=tape)
        try:
            with use_tape(tape):
                value = await make(own)
        except Exception as error:  # noqa: BLE001 (raised again by everybody who waits for it)
            return _Made(None, error, tape.interactions)
        if undo is not None:
            self._undoing.append(lambda: _undo(session, undo, value))
        return _Made(value, None, tape.interactions)


async def _undo(session: Session, undo: Callable[[Session, T], Awaitable[None]], value: T) -> None:
    tape = RecordingTape()
    with use_tape(tape), suppress(HarnessError):
        await undo(replace(session, tape=tape), value)
