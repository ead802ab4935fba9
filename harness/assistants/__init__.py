"""Assistants under test, one driver an API. What they share is `conversation`; they differ in how a step is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.assistants.session import Session
from harness.functions import Functions, Place
from harness.records import Transcript, Turn
from harness.suites.suite import AssistantSpec


class Driver(Protocol):
    """Holds one conversation and tells what happened."""

    async def run(self, session: Session, turns: Sequence[Turn]) -> Transcript:
        """Say every turn.

        Raises:
            TrialError: There was no answer; the trial is an error.
            CredentialsError: The service refused the key; the run cannot go on.
        """
        ...


def open_driver(spec: AssistantSpec, *, functions: Functions, place: Place) -> Driver:
    """Return the driver for an assistant's `api`.

    Raises:
        ReferenceProblem: `target:` cannot be loaded.
    """
    if spec.api == "python":
        from harness.assistants.local import LocalDriver

        name = spec.target or ""
        return LocalDriver(functions.load(name, place=place), name=name, args=spec.args)
    if spec.api == "chat":
        from harness.assistants.chat import ChatDriver

        return ChatDriver(spec)
    from harness.assistants.responses import ResponsesDriver

    return ResponsesDriver(spec)
