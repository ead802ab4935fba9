"""The recordings of a run: which tape a trial gets, and what becomes of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness.errors import CassetteDamaged, ConfigError, StorageError, TrialError
from harness.modes import REPLAYING
from harness.plan import Trial
from harness.recording import Cassette, Facts, RecordingTape, ReplayTape, Request, Tape, read_cassette, sealed
from harness.recording.matching import Call, Shelf
from harness.recording.read import LARGE, LARGEST
from harness.records import CassetteRef
from harness.runs.ageing import case_hash, changes, definition_hash
from harness.runs.facts import UNRENEWABLE, conditions, facts_of, last_model, renewable
from harness.runs.held import Held
from harness.runs.renamed import Strays, mending
from harness.runs.workshop import Workshop
from harness.suites.suite import Variant
from harness.summary import phrases
from harness.tools.sources import source_hash

#: Errors after which there is no final answer to keep: asking again may well succeed.
UNFINISHED = frozenset(
    {
        "timeout",
        "connection",
        "rate_limited",
        "quota",
        "server",
        "truncated_stream",
        "too_large",
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
#: Recorded calls that a message names.
_NAMED = 3
#: Errors of a replay that say that the recording is of another conversation.
STALE = frozenset({"cassette_miss", "cassette_unused", "tool_not_recorded"})


class Recordings:
    """Opens and keeps the recordings of a run's trials."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._hashes: dict[int, str] = {}
        #: Hashes of the code of tools.
        self._code: dict[int, str | None] = {}
        self._strays = Strays(self._same, said=self._said)
        #: Where trials that have no recording are recorded under another name, by the trials' ids.
        self.elsewhere: dict[str, Path] = {}

    def tape(self, trial: Trial) -> Tape:
        """Open the recording of a trial, or one to be made.

        Raises:
            CassetteDamaged: There is one that cannot be used.
        """
        workshop = self._workshop
        if workshop.mode not in REPLAYING or trial.id in workshop.rewrite:
            return self.replay(trial) if trial.variant.assistant.api == "outputs" else self.live(trial)
        tape = self.replay(trial)
        asked = workshop.mode != "none" and trial.variant.assistant.api != "outputs"
        return self.live(trial) if tape.cassette is None and asked and not self.rehearsed(trial) else tape

    def live(self, trial: Trial) -> RecordingTape:
        """Begin a recording; a trial's time begins now."""
        return RecordingTape(sent=self._workshop.sending.of(trial))

    def replay(self, trial: Trial) -> ReplayTape:
        """Open the recording of a trial, to be played; where there is none, its first request is a miss.

        Raises:
            CassetteDamaged: There is one that cannot be used.
        """
        workshop = self._workshop
        if trial.variant.assistant.api == "outputs":
            # Nothing is sent, and a recording that another assistant of this name left is not this one's.
            return ReplayTape(None, shown=trial.variant.assistant.outputs or "")
        shown = workshop.shown(trial.cassette)
        try:
            cassette = read_cassette(trial.cassette, shown=shown)
        except FileNotFoundError:
            return ReplayTape(
                None,
                shown=shown,
                hint=lambda: _missing(trial),
                absent=workshop.unrecorded.get(trial.suite.name),
                elsewhere=lambda request: self._elsewhere(trial, request),
            )
        return ReplayTape(
            cassette,
            shown=shown,
            hint=lambda: _stale(trial, cassette),
            redactor=workshop.clients.redactor,
            normaliser=workshop.normaliser,
        )

    def rehearsed(self, trial: Trial) -> bool:
        """Whether a trial is replayed first, to see whether it has to be recorded."""
        workshop = self._workshop
        if workshop.mode not in ("once", "new_episodes") or trial.id in workshop.rewrite:
            return False
        if trial.variant.assistant.api == "outputs":
            return False
        if not trial.cassette.exists():
            return self._strays.about(trial)
        return workshop.mode == "new_episodes"

    def asks_anew(self, held: Held) -> bool:
        """Whether a trial that was rehearsed has to be recorded, from its start."""
        tape = held.tape
        if not isinstance(tape, ReplayTape):
            return False
        if tape.cassette is None:
            return held.trial.id not in self.elsewhere
        stale = bool(held.unused) or (held.failure is not None and held.failure.kind in STALE)
        return stale and renewable(tape.cassette.facts)

    def _same(self, recorded: Request, asked: Request) -> bool:
        """Whether a recorded request would answer one that is made now."""
        body = recorded.body and self._workshop.clients.redactor.body(recorded.body)
        shelf = Shelf([Call(slot=1, request=replace(recorded, body=body))], normaliser=self._workshop.normaliser)
        return shelf.take(asked) is not None

    def _said(self, trial: Trial) -> frozenset[str] | None:
        """The hashes that what a trial says may have; None: it depends on what is answered."""
        renderer, case = self._workshop.renderer, trial.case
        if any(renderer.later(case, [*one.inputs, one.instructions, one.thread]) for one in case.turns):
            return None
        with suppress(ConfigError):
            turns, _ = renderer.turns(trial.suite, case, trial.variant)
            # A conversation may have ended before its last turn.
            return frozenset(case_hash(turns[:count]) for count in range(1, len(turns) + 1))
        return None

    def _elsewhere(self, trial: Trial, request: Request) -> str | None:
        found = self._strays.of(trial, request)
        if found is None:
            return None
        self.elsewhere[trial.id] = found
        return (
            f"The same request is recorded in {self._workshop.shown(found)}. If that is this trial under its former "
            f"name, nothing has to be paid for again: `{mending(trial, found)}`."
        )

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
        unwanted = self._workshop.mode == "verify"
        try:
            kept = None if unwanted else await self._kept(held, tape, cost)
        finally:
            self._workshop.sending.settle(trial, tape, kept=unwanted or kept is not None)
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
        length = len(text.encode("utf-8"))
        if length > LARGEST:
            size = f"{length:,} bytes of recording, more than the {LARGEST:,} that one trial may have"
            held.failure, held.transcript = TrialError("cassette_too_large", size), None
            return None
        try:
            await self._workshop.writer.write(trial.cassette, text)
        except StorageError as error:
            # It is paid, and nobody else has it.
            place = self._workshop.refuge.keep(trial.cassette, text.encode("utf-8"))
            raise StorageError(f"{error}. The recording is in {place}") from error
        if length > LARGE and held.transcript is not None:
            held.transcript = replace(held.transcript, extra={**held.transcript.extra, "cassette_bytes": length})
        return CassetteRef(path=self._workshop.shown(trial.cassette), mode="recorded", recorded_at=facts.recorded_at)

    def _facts(self, held: Held, tape: RecordingTape, cost: Decimal | None) -> Facts:
        trial, transcript = held.trial, held.transcript
        turns = held.dialogue.turns if held.dialogue is not None else []
        model = transcript.model if transcript is not None else last_model(tape.interactions)
        latency = transcript.latency if transcript is not None else None
        kept = [call for toolbox in held.toolboxes for call in toolbox.kept()]
        sources = self._sources(held, {call.name for call in kept})
        facts = facts_of(
            tape,
            model=model,
            latency=latency,
            cost=cost,
            prices=self._workshop.prices.id,
            redactor=self._workshop.clients.redactor,
            tools=kept,
            definitions=held.definitions,
        )
        return replace(
            facts,
            case_hash=case_hash(turns),
            assistant_hash=self._assistant_hash(trial.variant),
            sources={name: one for name, one in sources.items() if one is not None},
            conditions=conditions(self._workshop.concurrency),
            seconds={place: one for toolbox in held.toolboxes for place, one in toolbox.seconds().items()},
        )

    def changes(self, held: Held) -> tuple[str, ...]:
        """Say what changed since a trial was recorded that its requests do not show."""
        tape = held.tape
        if not isinstance(tape, ReplayTape) or tape.cassette is None:
            return ()
        facts = tape.cassette.facts
        sources = self._sources(held, facts.sources)
        return changes(facts, definition=self._assistant_hash(held.trial.variant), sources=sources)

    def _sources(self, held: Held, names: Collection[str]) -> dict[str, str | None]:
        """Hashes of the code of those of a trial's tools that are replayed, by their names."""
        found: dict[str, str | None] = {}
        for toolbox in held.toolboxes:
            for name, function in toolbox.replayed.items() if names else ():
                if name in names and name not in found:
                    # Functions live as long as the suites of a run, which load each once.
                    if id(function) not in self._code:
                        self._code[id(function)] = source_hash(function)
                    found[name] = self._code[id(function)]
        return found

    def _assistant_hash(self, variant: Variant) -> str:
        # Variants live as long as their suites, which the trials of this run hold.
        if id(variant) not in self._hashes:
            self._hashes[id(variant)] = definition_hash(variant.assistant)
        return self._hashes[id(variant)]


def left_over(held: Held) -> TrialError:
    """Return the error of a strict replay that did not ask for everything that was recorded."""
    tape = held.tape
    assert isinstance(tape, ReplayTape)
    hint = _stale(held.trial, tape.cassette) if tape.cassette is not None else ""
    return unused_error(held.unused, shown=tape.shown, who="the trial", hint=hint)


def unused_error(left: Sequence[str], *, shown: str, who: str, hint: str) -> TrialError:
    """Return the error of a strict replay that left something over.

    Args:
        left: What is left; see `not_made`.
        shown: How messages name the recording.
        who: Who did not ask for it.
        hint: What to do.
    """
    named = "; ".join(left[:_NAMED]) + (f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else "")
    what = f"a recorded call that {who} did not make"
    if len(left) != 1:
        what = f"{len(left)} recorded calls that {who} did not make"
    return TrialError("cassette_unused", f"{shown} holds {what}: {named}. {hint}".rstrip(), where=shown)


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
        f"(this trial: {phrases.count(calls, 'call')}, {price})."
    )


def _expected(trial: Trial) -> str:
    """What the trial may cost: as much as another of its variant did."""
    for path in sorted(trial.cassette.parent.glob("*.yaml"))[:1]:
        with suppress(CassetteDamaged, OSError):
            cost = read_cassette(path, shown=path.name).facts.cost
            return "" if cost is None else f" (this trial: about ${cost:f}, which is what {path.name} cost)"
    return ""
