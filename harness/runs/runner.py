"""Runs planned trials: bounded concurrency in one event loop, results in plan order.

A trial is: open its tape, hold the conversation, put the recording on disk, score, hand on the result. What goes wrong
with one trial is that trial's result; only a refused key, a full disk or a bug of ours ends the run.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import __version__
from harness.assistants import Driver, open_driver
from harness.assistants.session import Clients, Endpoint, Session
from harness.assistants.usage import recorded_usage
from harness.clock import use_clock
from harness.costs import PriceTable
from harness.errors import CassetteDamaged, HarnessError, TrialError
from harness.events import Event, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.functions import Place
from harness.plan import Trial
from harness.plugins import Registry
from harness.recording import (
    Cassette,
    Facts,
    Mode,
    RecordingTape,
    ReplayTape,
    Tape,
    Writer,
    emit,
    read_cassette,
    use_tape,
)
from harness.recording.read import LARGEST
from harness.records import (
    CassetteRef,
    Failure,
    Message,
    Outcome,
    PromptRef,
    Result,
    Transcript,
    Turn,
)
from harness.scorers import evaluate, settle
from harness.suites.rendering import Renderer
from harness.suites.suite import Case, Suite, Variant

#: Errors after which there is no final answer to keep: asking again may well succeed.
UNFINISHED = frozenset({"timeout", "connection", "rate_limited", "server", "truncated_stream", "protocol", "redirect"})


class Stop:
    """Asks a run to start nothing new; what is under way is finished and kept."""

    def __init__(self) -> None:
        self.requested = False
        #: Whether somebody asked for it from outside: a person, or the system.
        self.interrupted = False
        self._abort: Callable[[], object] | None = None

    def request(self) -> None:
        self.requested = True

    def interrupt(self) -> None:
        """Ask from outside."""
        self.requested = self.interrupted = True

    def abort(self) -> bool:
        """Cancel what is under way, from a signal handler or another thread; return whether anything was."""
        if self._abort is None:
            return False
        self._abort()
        return True

    @contextmanager
    def aborts(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Let `abort` cancel a task while the block runs.

        An exception raised by a signal handler would come out of whichever line of the event loop runs just then.
        """
        loop = task.get_loop()
        self._abort = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            yield
        finally:
            self._abort = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every trial of a run is run with."""

    root: Path
    registry: Registry
    renderer: Renderer
    prices: PriceTable
    clients: Clients
    writer: Writer
    mode: Mode
    #: Ids of trials to record anew, whatever the mode.
    rewrite: frozenset[str] = frozenset()
    #: Suites without any recording, and the one line that says what to do about it.
    unrecorded: Mapping[str, str] = field(default_factory=dict)
    #: Seconds that a trial may take, unless its suite says otherwise.
    timeout: float
    emit: Callable[[Event], None]


@dataclass(slots=True, kw_only=True)
class _Held:
    """A conversation that was held, or why it was not."""

    trial: Trial
    tape: Tape | None = None
    turns: tuple[Turn, ...] = ()
    prompt: PromptRef | None = None
    transcript: Transcript | None = None
    failure: TrialError | None = None


class Runner:
    """Runs trials with one workshop."""

    def __init__(self, run: str, workshop: Workshop) -> None:
        self._run = run
        self._workshop = workshop
        self._drivers: dict[tuple[str, str], Driver] = {}
        self._hashes: dict[int, str] = {}

    async def run(
        self,
        trials: Sequence[Trial],
        *,
        concurrency: int,
        stop: Stop,
        on_result: Callable[[Result], None],
        exit_first: Callable[[Result], bool] = lambda result: False,
    ) -> bool:
        """Run trials and hand every result to `on_result` in the order of `trials`.

        Args:
            trials: What to run.
            concurrency: Trials at the same time.
            stop: Checked before each start; what was not started is handed on as skipped.
            on_result: Gets the results, the first as soon as it is there.
            exit_first: Says of a finished result whether it is a reason to start nothing new.

        Returns:
            Whether all trials were started.

        Raises:
            CredentialsError: The service refused the key.
            StorageError: A recording or result could not be written.
        """
        emit = self._workshop.emit
        emit(RunStarted(run=self._run, trials=len(trials)))
        ordered = _Ordered(on_result)
        waiting = iter(enumerate(trials))
        failures: list[BaseException] = []
        finishing: set[asyncio.Task[None]] = set()

        async def complete(position: int, held: _Held) -> None:
            try:
                result = await self._finish(held)
                ordered.put(position, result)
            except Exception as error:  # noqa: BLE001 (raised again when the others are done)
                failures.append(error)
                ordered.put(position, self._skipped(held.trial))
                return
            emit(TrialFinished(result=result))
            if exit_first(result):
                stop.request()

        async def work() -> None:
            for position, trial in waiting:
                if stop.requested or failures:
                    ordered.put(position, self._skipped(trial))
                    continue
                emit(TrialStarted(trial=trial.id))
                try:
                    held = await self._hold(trial)
                except Exception as error:  # noqa: BLE001 (raised again when the others are done)
                    failures.append(error)
                    ordered.put(position, self._skipped(trial))
                    continue
                if held.tape is None or held.tape.replays:
                    await complete(position, held)
                    continue
                # The next conversation starts at once, on the connection that is free now; this one's recording
                # reaches the disk, and then its scores are made, beside it.
                task = asyncio.create_task(complete(position, held))
                finishing.add(task)
                task.add_done_callback(finishing.discard)
                while len(finishing) > 4 * concurrency:
                    await asyncio.wait(finishing, return_when=asyncio.FIRST_COMPLETED)

        try:
            await asyncio.gather(*(work() for _ in range(min(concurrency, len(trials)))))
        finally:
            # Not cancelled with the others: these hold whole answers, which are about to reach the disk.
            if finishing:
                await asyncio.wait(finishing)
        emit(RunFinished(run=self._run, interrupted=stop.requested))
        if failures:
            raise failures[0]
        return not stop.requested

    async def _hold(self, trial: Trial) -> _Held:
        """Hold the conversation of a trial; whatever goes wrong with it alone is in what comes back.

        Raises:
            CredentialsError: The service refused the key.
        """
        try:
            tape = self._tape(trial)
        except CassetteDamaged as error:
            return _Held(trial=trial, failure=error)
        held = _Held(trial=trial, tape=tape)
        try:
            held.turns, held.prompt = self._workshop.renderer.turns(*_parts(trial))
            held.transcript = await self._talk(trial, tape, held.turns)
        except TrialError as error:
            held.failure = error
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 (one trial must never end a run)
            held.failure = TrialError("internal", f"{type(error).__name__}: {error}")
        if isinstance(tape, ReplayTape) and tape.missed is not None:
            held.failure, held.transcript = tape.missed, None
        return held

    async def _finish(self, held: _Held) -> Result:
        """Put the recording on disk, then score.

        Raises:
            StorageError: The recording could not be written.
        """
        trial, tape = held.trial, held.tape
        if tape is None:
            return self._failed(trial, held.failure)
        cost, basis = self._price(trial, tape)
        cassette = await self._keep(held, tape, cost)
        if held.transcript is None:
            return replace(
                self._failed(trial, held.failure),
                cost=cost,
                attempts=tape.attempts,
                prompt=held.prompt,
                cassette=cassette,
            )
        transcript = replace(held.transcript, cost=cost, extra={**held.transcript.extra, **basis})
        return await self._scored(trial, transcript, prompt=held.prompt, cassette=cassette)

    def _tape(self, trial: Trial) -> Tape:
        mode = self._workshop.mode
        if mode in ("none", "once") and trial.id not in self._workshop.rewrite:
            shown = self._shown(trial.cassette)
            try:
                cassette = read_cassette(trial.cassette, shown=shown)
            except FileNotFoundError:
                if mode == "none":
                    whole = self._workshop.unrecorded.get(trial.suite.name)
                    return ReplayTape(None, shown=shown, hint=lambda: _missing(trial), absent=whole)
            else:
                redactor = self._workshop.clients.redactor
                return ReplayTape(cassette, shown=shown, hint=lambda: _stale(trial, cassette), redactor=redactor)
        return RecordingTape()

    async def _talk(self, trial: Trial, tape: Tape, turns: Sequence[Turn]) -> Transcript:
        spec = trial.variant.assistant
        session = Session(
            trial=trial.id,
            endpoint=Endpoint(spec.base_url, spec.api_key_env),
            clients=self._workshop.clients,
            tape=tape,
            emit=self._workshop.emit,
        )
        seconds = spec.timeout or self._workshop.timeout
        # A replayed model answers at once; only somebody's own function can hang then. (A timer that is never waited for
        # would also keep its trial in memory until the loop next looks at its timers.)
        limit = None if tape.replays and spec.api != "python" else seconds
        try:
            with use_tape(tape), use_clock(tape.clock):
                async with asyncio.timeout(limit):
                    return await self._driver(trial).run(session, turns)
        except TimeoutError:
            raise TrialError("timeout", f"the trial took longer than {seconds:g} s") from None

    def _driver(self, trial: Trial) -> Driver:
        key = (trial.suite.name, trial.variant.name)
        if key not in self._drivers:
            place = Place(root=self._workshop.root, folder=trial.suite.path.parent)
            self._drivers[key] = open_driver(
                trial.variant.assistant, functions=self._workshop.registry.functions, place=place
            )
        return self._drivers[key]

    async def _keep(self, held: _Held, tape: Tape, cost: Decimal | None) -> CassetteRef | None:
        """Put the recording on disk before anything is scored, where there is one worth keeping."""
        trial, failure = held.trial, held.failure
        shown = self._shown(trial.cassette)
        if isinstance(tape, ReplayTape):
            facts = tape.cassette.facts if tape.cassette else None
            return CassetteRef(path=shown, mode="replayed", recorded_at=facts.recorded_at) if facts else None
        if not tape.interactions:
            return None
        finished = tape.final and (failure is None or failure.kind not in UNFINISHED)
        if not finished and self._workshop.mode != "all":
            return None
        facts = self._facts(held, tape, cost)
        text = emit(Cassette(interactions=tape.interactions, facts=facts))
        if len(text) > LARGEST:
            size = f"{len(text):,} characters of recording, more than the {LARGEST:,} that one trial may have"
            held.failure, held.transcript = TrialError("cassette_too_large", size), None
            return None
        await self._workshop.writer.write(trial.cassette, text)
        return CassetteRef(path=shown, mode="recorded", recorded_at=facts.recorded_at)

    def _facts(self, held: _Held, tape: RecordingTape, cost: Decimal | None) -> Facts:
        trial, transcript = held.trial, held.transcript
        interactions = tape.interactions
        source: dict[str, Any] = {"host": urlsplit(interactions[-1].request.uri).netloc}
        model = transcript.model if transcript else recorded_usage(interactions[-1])[0]
        if model:
            source["model"] = model
        if any("x-harness-simulated" in one.headers for one in interactions):
            source["simulated"] = True
        return Facts(
            count=len(interactions),
            end=tape.latency or 0.0,
            recorded_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            source=source,
            harness=__version__,
            openai=_sdk(),
            case_hash=_digest([_plain(message) for turn in held.turns for message in turn.messages]),
            assistant_hash=self._assistant_hash(trial.variant),
            prices=self._workshop.prices.id,
            cost=cost,
        )

    def _assistant_hash(self, variant: Variant) -> str:
        # Variants live as long as their suites, which the trials of this run hold.
        if id(variant) not in self._hashes:
            self._hashes[id(variant)] = _digest(variant.assistant.plain())
        return self._hashes[id(variant)]

    def _price(self, trial: Trial, tape: Tape) -> tuple[Decimal | None, Mapping[str, str]]:
        """Return what the trial cost: as recorded, or at today's prices where none was known then, which is said."""
        if not tape.interactions:
            return None, {}
        if isinstance(tape, ReplayTape) and tape.cassette and tape.cassette.facts.cost is not None:
            return tape.cassette.facts.cost, {}
        cost = self._cost(trial, tape)
        today = cost is not None and tape.replays
        return cost, {"cost_basis": "today's prices"} if today else {}

    def _cost(self, trial: Trial, tape: Tape) -> Decimal | None:
        """Sum what every answered call cost; None as soon as one cannot be priced."""
        total = Decimal(0)
        for one in tape.interactions:
            if one.error is not None or one.status >= 400:
                continue
            answered, usage = recorded_usage(one)
            cost = None
            for model in (trial.variant.assistant.model, answered):
                if cost is None and model and usage.total is not None:
                    cost = self._workshop.prices.cost(model, usage)
            if cost is None:
                return None
            total += cost
        return total

    async def _scored(
        self, trial: Trial, transcript: Transcript, *, prompt: PromptRef | None, cassette: CassetteRef | None
    ) -> Result:
        workshop = self._workshop
        case = workshop.renderer.case(*_parts(trial))
        place = Place(root=workshop.root, folder=trial.suite.path.parent)
        checks = await evaluate(
            trial.case.checks,
            transcript,
            case=case,
            place=place,
            registry=workshop.registry,
            render=workshop.renderer.argument(*_parts(trial)),
        )
        outcome, score, failure = settle(checks, pass_score=trial.case.pass_score)
        return replace(
            self._blank(trial, outcome),
            score=score,
            checks=tuple(checks),
            error=failure,
            output=transcript.output,
            messages=transcript.messages,
            tool_calls=transcript.tool_calls,
            state=transcript.state,
            usage=transcript.usage,
            cost=transcript.cost,
            latency=transcript.latency,
            ttft=transcript.ttft,
            attempts=transcript.attempts,
            turns=transcript.turns,
            extra=transcript.extra,
            model=transcript.model,
            prompt=prompt,
            cassette=cassette,
            finish_reason=transcript.finish_reason,
            response_ids=transcript.response_ids,
        )

    def _failed(self, trial: Trial, error: TrialError | None) -> Result:
        error = error or TrialError("unknown", "there is no answer")
        message = self._workshop.clients.redactor.text(error.message)
        where = error.where or str(trial.case.where)
        return replace(self._blank(trial, Outcome.ERROR), error=Failure(kind=error.kind, message=message, where=where))

    def _skipped(self, trial: Trial) -> Result:
        return self._blank(trial, Outcome.SKIPPED)

    def _blank(self, trial: Trial, outcome: Outcome) -> Result:
        return Result(
            run=self._run,
            suite=trial.suite.name,
            case=trial.case.id,
            variant=trial.variant.name,
            repeat=trial.repeat,
            tags=trial.case.tags,
            metadata=trial.case.metadata,
            outcome=outcome,
            input=self._workshop.renderer.input(*_parts(trial)),
        )

    def _shown(self, path: Path) -> str:
        try:
            return path.relative_to(self._workshop.root).as_posix()
        except ValueError:
            return str(path)


class _Ordered:
    """Hands results on in plan order, whatever the order of their arrival."""

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self._on_result = on_result
        self._waiting: dict[int, Result] = {}
        self._next = 0

    def put(self, position: int, result: Result) -> None:
        self._waiting[position] = result
        while self._next in self._waiting:
            self._on_result(self._waiting.pop(self._next))
            self._next += 1


def _parts(trial: Trial) -> tuple[Suite, Case, Variant]:
    return trial.suite, trial.case, trial.variant


def _missing(trial: Trial) -> str:
    return f"Record what is missing: `harness record {trial.suite.shown} --variant {trial.variant.name}`."


def _stale(trial: Trial, cassette: Cassette) -> str:
    calls = len({one.slot for one in cassette.interactions})
    cost = cassette.facts.cost
    price = "its price is unknown" if cost is None else f"it cost ${cost:f} when it was recorded"
    return (
        f"Record what has changed: `harness record {trial.suite.shown} --variant {trial.variant.name} --only-stale` "
        f"(this trial: {calls} call{'s' if calls != 1 else ''}, {price})."
    )


@cache
def _sdk() -> str:
    return version("openai")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(message: Message) -> Mapping[str, Any]:
    return {"role": message.role, "content": message.content}
