"""One cassette for a block of code: what is said in it is recorded to one file, and replayed from it."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from contextvars import ContextVar, Token
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.assistants.session import Clients, Endpoint
from harness.clock import use_clock
from harness.errors import CassetteDamaged, CredentialsError, StorageError, TrialError, UsageError
from harness.library.answering import Answering
from harness.modes import RECORD_MODES, REPLAYING, RecordMode
from harness.project.project import Project, open_project
from harness.recording import (
    Cassette,
    Normaliser,
    RecordingTape,
    ReplayTape,
    Tape,
    Writer,
    read_cassette,
    sealed,
    use_tape,
)
from harness.recording.read import LARGEST
from harness.records import JSON
from harness.runs.facts import SWITCHED_OFF, UNRENEWABLE, facts_of, last_model, renewable
from harness.runs.held import not_made
from harness.runs.opening import LIVE_CONCURRENCY, limiter
from harness.runs.pricing import cost_today
from harness.runs.recordings import UNFINISHED, unused_error
from harness.runs.verifying import status_changes
from harness.store.space import Refuge
from harness.tools import RecordedCall
from harness.tools.recorded import Recording

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from harness.limits.sending import Limiter
    from harness.settings import Settings

_ANEW = "`record_mode='rewrite'`"


class Block:
    """A block of code with a cassette; a context manager, sync and async."""

    def __init__(
        self,
        path: str | Path,
        *,
        mode: RecordMode | None,
        endpoint: Endpoint,
        start: Path | None = None,
        how: str | None = None,
        strict: bool | None = None,
    ) -> None:
        """
        Args:
            path: Of the cassette.
            mode: None: the settings'.
            endpoint: Where the block's clients send to.
            start: A folder in the project, or a file in one; None: the working folder.
            how: What a user does to record it.
            strict: Whether what is recorded and not asked for is an error; None: as the settings say.

        Raises:
            UsageError: The mode or the path is wrong.
        """
        if mode is not None and mode not in RECORD_MODES:
            raise UsageError(f"record_mode={mode!r}: it is {', '.join(RECORD_MODES[:-1])} or {RECORD_MODES[-1]}")
        if not isinstance(path, (str, PathLike)) or not str(path).strip():
            raise UsageError(f"a cassette is the path of a YAML file, not {path!r}")
        self._given = Path(path)
        if self._given.suffix not in (".yaml", ".yml"):
            raise UsageError(f"a cassette is a YAML file: write {str(path) + '.yaml'!r}, not {str(path)!r}")
        self._mode = mode
        self._endpoint = endpoint
        self._start = start
        self._strict = strict
        self._how = how or f"`harness.cassette({str(path)!r}, record_mode='once')`, or HARNESS_RECORD_MODE=once"
        self._stack = ExitStack()
        self._token: Token[Block | None] | None = None
        self._project: Project | None = None
        self._clients: Clients | None = None
        #: Why what was recorded is not whole; nothing: it is.
        self._unfinished = ""
        #: Opened by code that blocks.
        self._blocking = False
        self._kept: list[RecordedCall] = []
        self._definitions: dict[str, JSON] = {}
        self._tape: Tape | None = None
        self._limiter: Limiter | None = None
        #: How messages about what does not match end.
        self._hint = ""
        #: What a block in mode `verify` is compared with.
        self._verified: Cassette | None = None
        #: Answers that were asked for piece by piece.
        self.streams: list[Answering] = []
        self._path = self._given
        #: Calls of tools that are replayed; None where nothing is.
        self.recording: Recording | None = None

    # -- what the code in the block may use

    @property
    def path(self) -> Path:
        """The cassette's file."""
        return self._path

    @property
    def replays(self) -> bool:
        """Whether everything is answered from the file."""
        return self.tape.replays

    @property
    def client(self) -> AsyncOpenAI:
        """An SDK client for async code; what goes through it in the block is recorded and replayed."""
        return self._open_clients().client(self._endpoint, live=not self.tape.replays)

    @property
    def sync_client(self) -> OpenAI:
        """The same for code that blocks."""
        return self._open_clients().sync_client(self._endpoint, live=not self.tape.replays)

    # -- what assistants tell of their calls

    @property
    def tape(self) -> Tape:
        """The recording that is made or played."""
        if self._tape is None:
            raise UsageError("the cassette is not open: write `with harness.cassette(...):`, or `async with`")
        return self._tape

    def limiter(self, settings: Settings) -> Limiter:
        """Return the limits of all that the block sends, whoever sends it."""
        if self._limiter is None:
            self._limiter = limiter(settings)
        return self._limiter

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep these values, too, out of the recording from now on."""
        self._open_clients().redactor.learn(secrets)

    def spoken(self, kept: Sequence[RecordedCall]) -> None:
        """Take note of what tools gave while a conversation was held."""
        self._kept.extend(kept)

    def served(self, definitions: Mapping[str, JSON]) -> None:
        """Take note of what MCP servers said of their tools."""
        self._definitions.update(definitions)

    def failed(self, error: BaseException) -> None:
        """Take note of a call without a final answer: what was recorded is not whole."""
        passing = isinstance(error, TrialError) and error.kind in UNFINISHED
        if passing or isinstance(error, CredentialsError) or not _final(error):
            said = next(iter(str(error).splitlines()), type(error).__name__)
            self._unfinished = self._unfinished or f"a call in it ended without a final answer ({said})"

    # -- opening and closing

    def __enter__(self) -> Self:
        self._blocking = True
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_streams()
        text = self._leave(error)
        _in_a_thread(self._settled(text))
        self._raise_miss(error)
        if text is None and error is None:
            self._warn()

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_streams()
        for stream in self.streams:
            await stream.over()
        text = self._leave(error)
        await self._settled(text)
        self._raise_miss(error)
        if text is None and error is None:
            self._warn()

    def _enter(self) -> None:
        outer = _current.get()
        if outer is not None:
            raise UsageError(f"the cassette {outer.path} is open here already: cassettes cannot be nested")
        if self._tape is not None:
            raise UsageError("this cassette was used already: call harness.cassette(...) again")
        project = self._project = open_project(self._start)
        root = project.settings.root
        # Recordings belong to the project, wherever in it the code runs.
        self._path = (root / self._given).resolve()
        if not self._path.is_relative_to(root.resolve()):
            raise UsageError(f"the cassette {self._given} would lie outside the project {root}")
        tape = self._tape = self._opened(self._mode or project.settings.record_mode)
        self._token = _current.set(self)
        self._stack.enter_context(use_tape(tape))
        self._stack.enter_context(use_clock(tape.clock))

    def _opened(self, mode: RecordMode) -> Tape:
        self._mode = mode
        shown, how = self._shown, f"record the block anew with {_ANEW}"
        try:
            cassette = read_cassette(self._path, shown=shown, how=how)
            recording = Recording([RecordedCall.read(one, shown=shown, how=how) for one in cassette.facts.tools])
        except FileNotFoundError:
            if mode != "none":
                return RecordingTape()
            absent = f"{shown} does not exist: nothing is recorded yet. Record it with {self._how}."
            return ReplayTape(None, shown=shown, absent=absent)
        except CassetteDamaged:
            if mode in ("rewrite", "all"):
                return RecordingTape()
            raise
        self._hint = hint = f"Record the block anew with {_ANEW}." if renewable(cassette.facts) else UNRENEWABLE
        if mode in REPLAYING:
            self.recording = recording
            redactor = self._open_clients(live=False).redactor
            normaliser = Normaliser(self._project.settings.normalise) if self._project is not None else None
            return ReplayTape(cassette, shown=shown, hint=lambda: hint, redactor=redactor, normaliser=normaliser)
        if mode == "verify":
            self._verified = cassette
        elif not renewable(cassette.facts):
            raise UsageError(f"{shown} cannot be made again: {SWITCHED_OFF}. Move the file away first if it should go")
        return RecordingTape()

    def _end_streams(self) -> None:
        """End what was not taken to its last piece. How far it came is chance, so that no replay could do the same."""
        for stream in self.streams:
            if stream.partial:
                self._unfinished = "a stream was left before its last piece was taken"
            stream.stop("its cassette was closed")

    def _leave(self, error: BaseException | None) -> str | None:
        """Close the tape; return the cassette's text where there is one to write."""
        # A generator's cleanup may run in another context, where there is nothing to undo.
        with suppress(ValueError):
            self._stack.close()
        if self._token is not None:
            with suppress(ValueError):
                _current.reset(self._token)
        tape = self.tape
        if isinstance(tape, ReplayTape):
            tape.close()
            return None
        tape.close()
        if self._mode == "verify":
            return None
        if error is not None:
            self.failed(error)
        whole = tape.final and not self._unfinished
        if not tape.interactions or not (whole or self._mode == "all"):
            return None
        assert self._project is not None
        prices = self._project.prices()
        cost = cost_today(tape, model=None, prices=prices)
        if cost is not None and cost.estimated:
            tape.noted["cost_basis"] = "estimated"
        facts = facts_of(
            tape,
            model=last_model(tape.interactions),
            cost=None if cost is None else cost.amount,
            prices=prices.id,
            redactor=self._open_clients(live=False).redactor,
            tools=self._kept,
            definitions=self._definitions,
        )
        cassette = Cassette(interactions=tape.interactions, facts=facts)
        text = sealed(cassette, self._open_clients(live=False).redactor, shown=self._shown)
        size = len(text.encode("utf-8"))
        if size > LARGEST:
            raise StorageError(
                f"{self._shown} would have {size:,} bytes, more than the {LARGEST:,} that a cassette may have: use one "
                "for each part of the block"
            )
        return text

    async def _settled(self, text: str | None) -> None:
        try:
            if text is not None:
                async with Writer() as writer:
                    await writer.write(self._path, text)
        except StorageError as error:
            # It is paid, and nobody else has it.
            if text is None or self._project is None:
                raise
            place = Refuge("block", root=self._project.settings.root).keep(self._path, text.encode("utf-8"))
            raise StorageError(f"{error}. The recording is in {place}") from error
        finally:
            if self._clients is not None:
                # Connections of an event loop that is gone cannot be closed any more.
                with suppress(RuntimeError):
                    await self._clients.aclose()

    def _raise_miss(self, error: BaseException | None) -> None:
        """What is not as it was recorded counts, also where the code in the block swallowed the exception."""
        if error is None and self._mode == "verify":
            self._compare()
        if error is None and isinstance(self.tape, ReplayTape):
            if self.tape.missed is not None:
                raise self.tape.missed
            self._refuse_left(self.tape)

    def _refuse_left(self, tape: ReplayTape) -> None:
        """Where that was asked for, hold it against the block that it did not ask for all that is recorded.

        Raises:
            TrialError: It did not.
        """
        assert self._project is not None
        strict = self._project.settings.strict if self._strict is None else self._strict
        left = not_made(tape, self.recording) if strict else ()
        if left:
            raise unused_error(left, shown=tape.shown, who="the block", hint=self._hint)

    def _compare(self) -> None:
        """Hold what was sent against the recording.

        Raises:
            TrialError: It differs, or there is no recording.
        """
        then, now = self._verified, self.tape.interactions
        if then is None and not now:
            return
        found = ["it is not recorded"] if then is None else list(status_changes(then.interactions, now))
        if then is not None:
            before = [str(one["name"]) for one in then.facts.tools]
            called = [one.name for one in self._kept]
            found += [f"recorded tools {before} -> {called}"] if before != called else []
        if found:
            raise TrialError("cassette_differs", f"{self._shown}: {'; '.join(found)}", where=self._shown)

    def _warn(self) -> None:
        """Say why nothing was written, though something was answered."""
        if self.tape.interactions and not self.tape.replays and self._mode != "verify":
            why = self._unfinished or "not every request in it was answered for good"
            warnings.warn(f"{self._shown} was not written: {why}", stacklevel=3)

    @property
    def _shown(self) -> str:
        return self._project.shown(self._path) if self._project is not None else str(self._given)

    def _open_clients(self, *, live: bool | None = None) -> Clients:
        if self._clients is None:
            project = self._project
            if project is None:
                raise UsageError("the cassette is not open: write `with harness.cassette(...):`, or `async with`")
            settings, named = project.settings, self._endpoint.api_key_env
            self._clients = Clients(
                environ=os.environ,
                limiter=self.limiter(settings),
                timeout=settings.timeout,
                # Event loops may come and go in code that blocks: connections must not outlive the calls.
                concurrency=0 if self._blocking else settings.concurrency or LIVE_CONCURRENCY,
                live=not self.tape.replays if live is None else live,
                secrets=[os.environ.get(named, "")] if named else (),
                trusted=settings.trusted_hosts,
                redact=settings.redact,
            )
        return self._clients


_current: ContextVar[Block | None] = ContextVar("harness-block", default=None)


def current_block() -> Block | None:
    """Return the block that the calling task or thread is in."""
    return _current.get()


def cassette(
    path: str | Path,
    record_mode: RecordMode | None = None,
    *,
    base_url: str | None = None,
    api_key_env: str | None = None,
) -> Block:
    """Record a block of code to one cassette, and replay it: `with harness.cassette("cassettes/demo.yaml") as block:`.

    In the block, all that assistants and threads say goes to the file, and so does what is sent with `block.client` and
    `block.sync_client`. The file is written at the end of the block, and only if every answer in it was final; else a
    warning says why not. Threads that the block starts need its context: `contextvars.copy_context().run(...)`.

    Args:
        path: In the project; a relative path starts at the project's folder.
        record_mode: none (replay only), once (replay, or record if there is no file), rewrite (record anew; the old file
            stays until a final answer came), all (keep also what is not final) or verify (send, compare with the file and
            write nothing); default: the settings', which is none. A block runs once, so new_episodes is once.
        base_url: Where the block's clients send to; default: as the SDK reads it.
        api_key_env: Environment variable that holds the key for `base_url`.

    Raises:
        UsageError: The mode or the path is wrong, or a cassette is open already.
        CassetteDamaged: The file is there and cannot be trusted.
        CassetteMiss: A request is not recorded, in a block that replays.
        TrialError: In mode verify: statuses, or the number of requests or tools, are not as recorded. Where the settings
            are strict: something is recorded that the block did not ask for.
        StorageError: The file could not be written.
    """
    return Block(path, mode=record_mode, endpoint=Endpoint(base_url, api_key_env))


def _final(error: BaseException) -> bool:
    """Whether what was answered before an error still stands: it does where the code in the block raised it."""
    return isinstance(error, Exception)


def _in_a_thread(work: Any) -> None:
    """Run a coroutine to its end in a thread of its own: an event loop may be running in this one."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            failures.append(error)

    thread = threading.Thread(target=run, name="harness-cassette")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
