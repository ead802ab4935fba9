"""Which tape is whose: a ContextVar, so that hundreds of trials share one client and none sees another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from harness.errors import HarnessError
from harness.recording.playing import ReplayTape
from harness.recording.tape import RecordingTape

Tape: TypeAlias = RecordingTape | ReplayTape

_current: ContextVar[Tape | None] = ContextVar("harness-tape", default=None)
_conversation: ContextVar[str | None] = ContextVar("harness-conversation", default=None)


def current_tape() -> Tape:
    """Return the tape of the trial that the calling task or thread belongs to.

    Raises:
        HarnessError: There is none. Nothing is sent: a request outside a trial would be paid for and lost.
    """
    tape = _current.get()
    if tape is None:
        raise HarnessError(
            "a request was made outside any trial, so it can neither be recorded nor replayed. A thread that the "
            "assistant starts itself needs the trial's context: contextvars.copy_context().run(...)"
        )
    return tape


@contextmanager
def use_tape(tape: Tape) -> Iterator[None]:
    """Make `tape` the current one for the calling task and everything it starts."""
    token = _current.set(tape)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def use_conversation(name: str) -> Iterator[None]:
    """Name the conversation that the calling task, and everything it starts, holds beside others of its trial.

    Those that say the same at the same time get their own answers again. A conversation inside another has both names.
    """
    outer = _conversation.get()
    token = _conversation.set(name if outer is None else f"{outer}/{name}")
    try:
        yield
    finally:
        _conversation.reset(token)


def current_conversation() -> str | None:
    """Return the name of the conversation that the calling task or thread holds; None: the trial's own."""
    return _conversation.get()
