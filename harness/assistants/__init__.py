"""Assistants under test, one driver an API. What they share is `conversation`; they differ in how a step is sent."""

from __future__ import annotations

from typing import Protocol

from harness.assistants.conversation import Turns
from harness.assistants.session import Session
from harness.functions import Functions, Place
from harness.records import Transcript
from harness.suites.suite import AssistantSpec


class Driver(Protocol):
    """Holds one conversation and tells what happened."""

    async def run(self, session: Session, turns: Turns) -> Transcript:
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
    if spec.api == "threads":
        from harness.assistants.threads import ThreadsDriver

        return ThreadsDriver(spec, place=place)
    if spec.api == "http":
        from harness.assistants.http import HttpDriver

        return HttpDriver(spec)
    if spec.api == "outputs":
        from harness.assistants.outputs import OutputsDriver

        return OutputsDriver(spec, place=place)
    if spec.api == "chat":
        from harness.assistants.chat import ChatDriver

        return ChatDriver(spec)
    from harness.assistants.responses import ResponsesDriver

    return ResponsesDriver(spec, place=place)
