"""One trial's recording while it is being made or played.

The transport asks `current_tape()` which one it is: a ContextVar, so that hundreds of trials share one client in one
process and none sees another's. A tape numbers logical calls as *slots* in the order in which they start; retries join
the slot of the call they repeat. On replay the n-th call with the same key gets the n-th recorded slot of that key,
and its last attempt is the answer: failed attempts are time that has passed, not failures to live through again.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from harness.clock import Clock, LiveClock, VirtualClock
from harness.errors import CassetteMiss, HarnessError
from harness.recording.cassette import Cassette, Interaction, Key, Request, request_key
from harness.recording.explain import explain_miss
from harness.recording.matching import Call, Shelf
from harness.recording.normalise import Normaliser
from harness.recording.redact import Redactor
from harness.records import JSON

#: How limits tell the transport which logical call a request belongs to: any hashable, and the attempt from 1.
CALL = "harness.call"
#: How limits tell the transport how many seconds the attempt may take, as far as its answer is not streamed.
DEADLINE = "harness.deadline"
#: How a caller tells the transport that the address's whole query is part of what is asked.
QUERY = "harness.query"
#: How limits hear that a live attempt is over: a callable that gets the `Interaction`, or None where the attempt was
#: abandoned and nothing is known. It is called once.
SETTLE = "harness.settle"
#: Where the transport leaves the headers of a replayed answer as they were recorded.
RECORDED = "harness.recorded"
#: Where the transport leaves a `Step` for whoever made the call.
STEP = "harness.step"

_DIGITS = 6
#: What stands in every answer about something that is not finished.
_UNFINISHED = re.compile(rb"queued|in_progress|cancelling")


@dataclass(slots=True, kw_only=True)
class Step:
    """Times of one logical call, seconds from trial start; live ones grow while the response arrives."""

    start: float
    end: float = 0.0
    events: list[float] = field(default_factory=list)
    attempts: int = 1


class RecordingTape:
    """Collects what is sent and received, in the order in which calls start."""

    replays = False

    def __init__(self, *, clock: Clock | None = None, sent: Callable[[], None] | None = None) -> None:
        """
        Args:
            clock: Default: a live one that starts now.
            sent: Called right before anything but a look (GET) is sent; what it raises keeps the request from being sent.
        """
        self.clock: Clock = clock or LiveClock()
        self.sent = sent
        self._lock = threading.Lock()
        self._slots: dict[object, int] = {}
        self._first_start: dict[int, float] = {}
        self._entries: list[Interaction] = []
        #: What was last seen of things that were not finished.
        self._polls: dict[Key, bytes] = {}
        self._open = 0
        self._abandoned = 0
        #: Streams that are not at their end, and how to leave them.
        self._streams: dict[object, Callable[[], None]] = {}
        #: Requests that our own limits hold back.
        self._held = 0
        self._unheard = 0
        self._closed = False
        #: Facts that whoever makes the calls needs again on replay; they stand in the recording's `source`.
        self.noted: dict[str, JSON] = {}

    def now(self) -> float:
        """Seconds since the trial started, as precise as they are stored."""
        return round(self.clock.now(), _DIGITS)

    def begin(self, call: object, *, attempt: int, looks: bool = False) -> tuple[int, float, Step]:
        """Open an attempt of a logical call; return its slot, its start, and the step that its caller will read.

        Args:
            call: Which call.
            attempt: From 1.
            looks: It only looks at something (GET), which nobody charges for.
        """
        if self.sent is not None and not looks and not self._closed:
            self.sent()
        start = self.now()
        with self._lock:
            if self._closed:
                raise HarnessError("the trial that this request belongs to is over")
            self._open += 1
            self._run_clock()
            self._unheard += not looks
            slot = self._slots.setdefault(call, len(self._slots) + 1)
            first = self._first_start.setdefault(slot, start)
        return slot, start, Step(start=first, attempts=attempt)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Say that our own limits hold a request back while the block runs.

        The trial's clock stands still as long as nothing else of the trial is under way at a service: what we make
        it wait for is not the service's time.
        """
        self._hold(1)
        try:
            yield
        finally:
            self._hold(-1)

    def _hold(self, change: int) -> None:
        with self._lock:
            self._held += change
            self._run_clock()

    def _run_clock(self) -> None:
        if isinstance(self.clock, LiveClock):
            self.clock.run(self._open > 0 or self._held == 0)

    @property
    def waited(self) -> float:
        """Seconds that the trial's clock has stood still; its times do not hold them."""
        return round(self.clock.stood, _DIGITS) if isinstance(self.clock, LiveClock) else 0.0

    def close(self) -> None:
        """Let nothing more be sent: code that outlives its trial must not go on spending."""
        with self._lock:
            self._closed = True
        self.leave_streams()

    def leave_streams(self) -> None:
        """End the recording of streams that were left before their end, and that nobody has closed."""
        with self._lock:
            left = [*self._streams.values()]
        for leave in left:
            leave()

    def streaming(self, stream: object, leave: Callable[[], None] | None) -> None:
        """Take note of a stream that goes on after its call, and how to end its recording; None: it has ended."""
        with self._lock:
            if leave is None:
                self._streams.pop(stream, None)
            else:
                self._streams[stream] = leave

    def end(self, interaction: Interaction | None) -> None:
        """Close an attempt; None where it was abandoned before anything was known about it.

        Looking again at something that is not finished, and has not changed, is not kept: replay goes on at once to the
        moment at which it had changed.
        """
        poll = None if interaction is None else _poll(interaction)
        with self._lock:
            self._open -= 1
            self._run_clock()
            if interaction is None:
                self._abandoned += 1
                return
            self._unheard -= interaction.request.method != "GET"
            if poll is not None and self._polls.get(poll) == interaction.body:
                # Nor are attempts at it that failed: without an answer they would be the call's last word.
                self._entries = [one for one in self._entries if one.slot != interaction.slot]
                return
            if poll is not None:
                self._polls[poll] = interaction.body
            self._entries.append(interaction)

    def adopt(self, interactions: Iterable[Interaction], *, start: float) -> None:
        """Add what was sent once for several trials, so that this recording is whole by itself.

        Args:
            interactions: What was sent, as another tape has it.
            start: When this trial began to need it, seconds from its start; it ends now.
        """
        end = self.now()
        asked = object()
        with self._lock:
            for one in interactions:
                call = (asked, one.slot)
                slot = self._slots.setdefault(call, len(self._slots) + 1)
                self._entries.append(replace(one, slot=slot, start=start, first_byte=end, end=end))

    @property
    def unheard(self) -> int:
        """Requests that were sent and given up, or are still under way; looks (GET) are not counted."""
        return self._unheard

    @property
    def attempts(self) -> int:
        """HTTP requests sent so far of which something is known."""
        return len(self._entries)

    @property
    def abandoned(self) -> int:
        """HTTP requests that were sent, and of which nothing will be known: nobody waits for them any more."""
        with self._lock:
            return self._abandoned + self._open

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What was recorded, ordered by start."""
        return tuple(sorted(self._entries, key=lambda one: (one.start, one.slot, one.attempt)))

    @property
    def final(self) -> bool:
        """Whether the service answered every call for good, and nothing is still under way."""
        last: dict[int, Interaction] = {}
        for one in self.interactions:
            last[one.slot] = one
        return bool(last) and self._open == 0 and all(one.final for one in last.values())

    @property
    def latency(self) -> float | None:
        """Trial start to the end of the last call, seconds; None if none was made."""
        return max((one.end for one in self._entries), default=None)


def _poll(interaction: Interaction) -> Key | None:
    """Return what was looked at, where the answer is that it is not finished."""
    if interaction.request.method != "GET" or interaction.status != 200 or not _UNFINISHED.search(interaction.body):
        return None
    try:
        body = json.loads(interaction.body)
    except (ValueError, RecursionError):
        return None
    unfinished = isinstance(body, dict) and body.get("status") in ("queued", "in_progress", "cancelling")
    return request_key(interaction.request) if unfinished else None


class ReplayTape:
    """Plays a cassette to one trial, on a clock that never waits."""

    replays = True
    abandoned = 0

    def __init__(
        self,
        cassette: Cassette | None,
        *,
        shown: str,
        hint: Callable[[], str] = lambda: "",
        absent: str | None = None,
        elsewhere: Callable[[Request], str | None] = lambda request: None,
        redactor: Redactor | None = None,
        normaliser: Normaliser | None = None,
    ) -> None:
        """
        Args:
            cassette: What to play; None where nothing was recorded, so that the first request is a miss.
            shown: How messages name the file.
            hint: What a message about a missing recording ends with; called only when one is needed.
            absent: The whole message of a miss where there is no cassette; None: one that names the file.
            elsewhere: Says of a request that has no cassette where it is recorded under another name, and what to do.
            redactor: What requests pass before they are matched. Recorded ones pass it too: what is a secret here may
                be a plain word where the recording was made.
            normaliser: Says what does not matter in requests.
        """
        self.clock = VirtualClock()
        self.cassette = cassette
        self._played: list[Interaction] = []
        #: Slots of which something was played.
        self._heard: set[int] = set()
        #: The first miss, so that it counts also where the code under test swallowed the exception.
        self.missed: CassetteMiss | None = None
        #: How messages name the file.
        self.shown = shown
        self._hint = hint
        self._absent = absent
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._slots: dict[int, list[Interaction]] = defaultdict(list)
        for one in cassette.interactions if cassette else ():
            self._slots[one.slot].append(one)
        self._shelf = Shelf(
            (
                Call(slot=slot, request=_clean(group[0].request, redactor), conversation=group[0].conversation)
                for slot, group in sorted(self._slots.items())
            ),
            normaliser=normaliser,
        )
        #: Calls that were found only after normalising.
        self.normalised = 0

    @property
    def attempts(self) -> int:
        """HTTP requests that the played calls had needed."""
        return len(self._played)

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What was played so far, in recorded order."""
        return tuple(sorted(self._played, key=lambda one: (one.start, one.slot, one.attempt)))

    @property
    def latency(self) -> float | None:
        """The recorded latency, seconds; None if nothing was played.

        Of a trial that makes fewer calls than were recorded: until the last of those that it makes ended.
        """
        if self.cassette is None or not self._played:
            return None
        return self.cassette.facts.latency if self.whole else max(one.end for one in self._played)

    @property
    def whole(self) -> bool:
        """Whether every recorded call was played."""
        return self._heard == self._slots.keys()

    @property
    def unused(self) -> tuple[Request, ...]:
        """What was recorded and never asked for, one request for each call, in recorded order."""
        return tuple(self._slots[slot][0].request for slot in sorted(self._slots.keys() - self._heard))

    def play(self, request: Request) -> tuple[Interaction, Step]:
        """Return the recorded answer to `request`.

        Raises:
            CassetteMiss: Nothing was recorded for it, or fewer times than it is asked now.
        """
        if self.cassette is None:
            raise self._miss(self._unrecorded(request))
        with self._lock:
            match = self._shelf.take(request, _conversation.get())
            if match is None:
                raise self._miss(self._explain(request))
            self.normalised += match.normalised
            attempts = self._slots[match.slot]
            self._played.extend(attempts)
            self._heard.add(match.slot)
        last = attempts[-1]
        return last, Step(start=attempts[0].start, end=last.end, events=list(last.events), attempts=last.attempt)

    def _unrecorded(self, request: Request) -> str:
        elsewhere = self._elsewhere(request)
        if elsewhere is None and self._absent is not None:
            return self._absent
        return f"{self.shown} does not exist: this trial is not recorded. {elsewhere or self._hint()}".rstrip()

    def _miss(self, message: str) -> CassetteMiss:
        miss = CassetteMiss(message, where=self.shown)
        self.missed = self.missed or miss
        return miss

    def _explain(self, request: Request) -> str:
        played = self._shelf.count(request)
        # Only where it was never recorded is there something to compare it with.
        recorded = [] if played else [*self._shelf.left()] or [group[0].request for group in self._slots.values()]
        return explain_miss(request, recorded, shown=self.shown, played=played, hint=self._hint())


def _clean(request: Request, redactor: Redactor | None) -> Request:
    if redactor is None:
        return request
    body = redactor.body(request.body) if request.body else request.body
    return replace(request, uri=redactor.text(request.uri), body=body)


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
