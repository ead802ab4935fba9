"""A conversation that was held for a trial, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from harness.errors import TrialError
from harness.events import Event
from harness.limits.budget import Account
from harness.plan import Trial
from harness.recording import ReplayTape, Tape
from harness.records import JSON, CassetteRef, PromptRef, Transcript
from harness.suites.rendering import Dialogue
from harness.tools import Toolbox
from harness.tools.recorded import Recording


@dataclass(slots=True, kw_only=True)
class Held:
    """A conversation that was held, or why it was not."""

    trial: Trial
    tape: Tape | None = None
    dialogue: Dialogue | None = None
    #: Those of the assistant under test and of the assistants that serve it.
    toolboxes: list[Toolbox] = field(default_factory=list)
    #: What MCP servers said of their tools, for the recording.
    definitions: dict[str, JSON] = field(default_factory=dict)
    #: Results of tools that are replayed; None: the trial is live.
    recording: Recording | None = None
    transcript: Transcript | None = None
    #: Pays for what it sends; None: there is no budget, or nothing is sent.
    account: Account | None = None
    failure: TrialError | None = None
    #: What an answer had said when it broke off.
    partial: list[str] = field(default_factory=list)
    #: Whether something that it would have sent was held back.
    refused: bool = False
    #: What is known when it is over: its cost, what has to be said of it, and where its recording is.
    cost: Decimal | None = None
    facts: dict[str, JSON] = field(default_factory=dict)
    cassette: CassetteRef | None = None
    #: What was told while it was held, if it may turn out that it does not count.
    told: list[Event] | None = None
    #: What the recording says, where a live trial is compared with it.
    before: Held | None = None

    @property
    def unused(self) -> tuple[str, ...]:
        """What was recorded and not asked for, as messages name it; nothing where the trial did not come to its end."""
        if not isinstance(self.tape, ReplayTape) or self.transcript is None:
            return ()
        return not_made(self.tape, self.recording)

    @property
    def prompt(self) -> PromptRef | None:
        """The prompt that the first turn was rendered from; None where it never was."""
        return self.dialogue.prompt if self.dialogue is not None and self.dialogue.turns else None

    @property
    def saved(self) -> Mapping[str, JSON]:
        """What turns saved."""
        return self.dialogue.saved if self.dialogue is not None else {}


def not_made(tape: ReplayTape, recording: Recording | None) -> tuple[str, ...]:
    """Return the recorded requests and calls of tools that a replay did not ask for, as messages name them."""
    requests = [f"{one.method} {urlsplit(one.uri).path}" for one in tape.unused]
    calls = [f"tool {one.name}, {one.id}" for one in (recording.left if recording is not None else ())]
    return (*requests, *calls)
