"""The recordings of a run: which tape a trial gets, and what becomes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import Any

from harness import __version__
from harness.errors import CassetteDamaged, StorageError, TrialError
from harness.limits.budget import Account
from harness.plan import Trial
from harness.recording import Cassette, Facts, RecordingTape, ReplayTape, Tape, read_cassette, sealed
from harness.recording.read import LARGEST
from harness.records import JSON, CassetteRef, Message, PromptRef, Transcript, Turn
from harness.runs.facts import UNRENEWABLE, last_model, renewable, source_of
from harness.runs.workshop import Workshop
from harness.suites.rendering import Dialogue
from harness.suites.suite import Variant
from harness.tools import Toolbox

#: Errors after which there is no final answer to keep: asking again may well succeed.
UNFINISHED = frozenset(
    {
        "timeout",
        "connection",
        "rate_limited",
        "quota",
        "server",
        "truncated_stream",
        "protocol",
        "redirect",
        "mcp",
        "internal",
        "interrupted",
        "storage",
        "budget",
        "unbounded",
    }
)


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

    @property
    def prompt(self) -> PromptRef | None:
        """The prompt that the first turn was rendered from; None where it never was."""
        return self.dialogue.prompt if self.dialogue is not None and self.dialogue.turns else None

    @property
    def saved(self) -> Mapping[str, JSON]:
        """What turns saved."""
        return self.dialogue.saved if self.dialogue is not None else {}


class Recordings:
    """Opens and keeps the recordings of a run's trials."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._hashes: dict[int, str] = {}

    def tape(self, trial: Trial) -> Tape:
        """Open the recording of a trial, or one to be made.

        Raises:
            CassetteDamaged: There is one that cannot be used.
        """
        mode = self._workshop.mode
        if trial.variant.assistant.api == "outputs":
            # Nothing is sent, and a recording that another assistant of this name left is not this one's.
            return ReplayTape(None, shown=trial.variant.assistant.outputs or "")
        if mode in ("none", "once") and trial.id not in self._workshop.rewrite:
            shown = self._workshop.shown(trial.cassette)
            try:
                cassette = read_cassette(trial.cassette, shown=shown)
            except FileNotFoundError:
                if mode == "none":
                    whole = self._workshop.unrecorded.get(trial.suite.name)
                    return ReplayTape(None, shown=shown, hint=lambda: _missing(trial), absent=whole)
            else:
                redactor = self._workshop.clients.redactor
                return ReplayTape(
                    cassette,
                    shown=shown,
                    hint=lambda: _stale(trial, cassette),
                    redactor=redactor,
                    normaliser=self._workshop.normaliser,
                )
        return RecordingTape(sent=self._workshop.sending.of(trial))

    async def keep(self, held: Held, tape: Tape, cost: Decimal | None) -> CassetteRef | None:
        """Put the recording on disk before anything is scored, where there is one worth keeping.

        Raises:
            StorageError: It could not be written.
        """
        trial = held.trial
        shown = self._workshop.shown(trial.cassette)
        if isinstance(tape, ReplayTape):
            facts = tape.cassette.facts if tape.cassette else None
            return CassetteRef(path=shown, mode="replayed", recorded_at=facts.recorded_at) if facts else None
        kept: CassetteRef | None = None
        try:
            kept = await self._kept(held, tape, cost)
        finally:
            self._workshop.sending.settle(trial, tape, kept=kept is not None)
        return kept

    async def _kept(self, held: Held, tape: RecordingTape, cost: Decimal | None) -> CassetteRef | None:
        trial, failure = held.trial, held.failure
        if not tape.interactions:
            return None
        finished = tape.final and (failure is None or failure.kind not in UNFINISHED)
        # What broke in here says nothing of the service, and would be played as if it did.
        broken = failure is not None and failure.kind == "internal"
        if broken or (not finished and self._workshop.mode != "all"):
            return None
        facts = self._facts(held, tape, cost)
        cassette = Cassette(interactions=tape.interactions, facts=facts)
        try:
            text = sealed(cassette, self._workshop.clients.redactor, shown=self._workshop.shown(trial.cassette))
        except TrialError as error:
            held.failure, held.transcript = error, None
            return None
        if len(text) > LARGEST:
            size = f"{len(text):,} characters of recording, more than the {LARGEST:,} that one trial may have"
            held.failure, held.transcript = TrialError("cassette_too_large", size), None
            return None
        try:
            await self._workshop.writer.write(trial.cassette, text)
        except StorageError as error:
            # It is paid, and nobody else has it.
            place = self._workshop.refuge.keep(trial.cassette, text.encode("utf-8"))
            raise StorageError(f"{error}. The recording is in {place}") from error
        return CassetteRef(path=self._workshop.shown(trial.cassette), mode="recorded", recorded_at=facts.recorded_at)

    def _facts(self, held: Held, tape: RecordingTape, cost: Decimal | None) -> Facts:
        trial, transcript = held.trial, held.transcript
        interactions = tape.interactions
        turns = held.dialogue.turns if held.dialogue is not None else []
        model = transcript.model if transcript is not None else last_model(interactions)
        latency = transcript.latency if transcript is not None else None
        kept = [call for toolbox in held.toolboxes for call in toolbox.kept()]
        redacted = self._workshop.clients.redactor.data
        return Facts(
            count=len(interactions),
            end=round((tape.latency or 0.0 if latency is None else latency) + tape.waited, 6),
            waited=tape.waited,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            source=source_of(tape, model=model),
            harness=__version__,
            openai=_sdk(),
            case_hash=case_hash(turns),
            assistant_hash=self._assistant_hash(trial.variant),
            prices=self._workshop.prices.id,
            cost=cost,
            tools=tuple(redacted(call.plain()) for call in kept),
            definitions=redacted(held.definitions),
        )

    def _assistant_hash(self, variant: Variant) -> str:
        # Variants live as long as their suites, which the trials of this run hold.
        if id(variant) not in self._hashes:
            self._hashes[id(variant)] = _digest(variant.assistant.plain())
        return self._hashes[id(variant)]


def _missing(trial: Trial) -> str:
    return f"Record what is missing: `{trial.suite.recorded_by(variant=trial.variant.name)}`{_expected(trial)}."


def _stale(trial: Trial, cassette: Cassette) -> str:
    if not renewable(cassette.facts):
        return UNRENEWABLE
    calls = len({one.slot for one in cassette.interactions})
    cost = cassette.facts.cost
    price = "its price is unknown" if cost is None else f"it cost ${cost:f} when it was recorded"
    return (
        f"Record what has changed: `{trial.suite.recorded_by(variant=trial.variant.name, anew=True)}` "
        f"(this trial: {calls} call{'s' if calls != 1 else ''}, {price})."
    )


def _expected(trial: Trial) -> str:
    """What the trial may cost: as much as another of its variant did."""
    for path in sorted(trial.cassette.parent.glob("*.yaml"))[:1]:
        with suppress(CassetteDamaged, OSError):
            cost = read_cassette(path, shown=path.name).facts.cost
            return "" if cost is None else f" (this trial: about ${cost:f}, which is what {path.name} cost)"
    return ""


@cache
def _sdk() -> str:
    return version("openai")


def case_hash(turns: Iterable[Turn]) -> str:
    """Return what says of a conversation what was said in it, whatever its case and variant are called."""
    return _digest([_plain(message) for turn in turns for message in turn.messages])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(message: Message) -> Mapping[str, Any]:
    return {"role": message.role, "content": message.content}
