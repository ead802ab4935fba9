"""Files and stores at a service that live as long as the assistant or the thread that they were made for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from harness.assistants.session import Clients, Session
from harness.assistants.shared import Shared
from harness.errors import HarnessError
from harness.recording import Tape

T = TypeVar("T")


class Kept(Shared):
    """What was made for one owner; it goes when the owner does, and not with the call that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._going: dict[str, Callable[[Session], Awaitable[None]]] = {}
        #: What is there, and on which tape that stands already: once on each is enough, and the same on replay.
        self._there: dict[str, tuple[Tape, Any]] = {}

    async def once(
        self,
        session: Session,
        key: str,
        make: Callable[[Session], Awaitable[T]],
        *,
        undo: Callable[[Session, T], Awaitable[None]] | None = None,
    ) -> T:
        if key in self._there and self._there[key][0] is session.tape:
            found: T = self._there[key][1]
            return found
        value = await super().once(session, key, make)
        self._there[key] = (session.tape, value)
        if undo is not None:
            self._going[key] = _undoing(undo, value)
        return value

    async def go(self, session: Session) -> None:
        """Take everything away from the service, the last first; what cannot be taken away stays."""
        for key in reversed(list(self._going)):
            with suppress(HarnessError):
                await self._going.pop(key)(session)
        self._made.clear()
        self._there.clear()


class KeepingClients(Clients):
    """Clients of one call, whose uploads belong to whoever is named as their owner at the time."""

    owner: Kept | None = None

    @property
    def shared(self) -> Shared:
        return super().shared if self.owner is None else self.owner


def _undoing(undo: Callable[[Session, T], Awaitable[None]], value: T) -> Callable[[Session], Awaitable[Any]]:
    return lambda session: undo(session, value)
