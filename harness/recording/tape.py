"""One trial's recording while it is being made.

A tape numbers logical calls as *slots* in the order in which they start; retries join the slot of the call they repeat.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from harness.clock import Clock, LiveClock
from harness.errors import HarnessError
from harness.recording.cassette import Interaction, Key, request_key
from harness.recording.marks import Step
from harness.records import JSON

_DIGITS = 6
#: What stands in every answer about something that is not finished.
_UNFINISHED = re.compile(rb"queued|in_progress|cancelling")


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
        #: Whether they hold back all that it sends, and whose trials wait for what it sends.
        self._standing = False
        self._waiting: list[RecordingTape] = []
        self._unheard = 0
        self._closed = False
        #: Calls under way, and how to put them on the tape as what nobody waited for.
        self._calls: dict[object, Callable[[], None]] = {}
        #: Why whatever is under way is being stopped, as `kind: message`; None: nobody but the code under test stops it.
        self.over: str | None = None
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

    @contextmanager
    def behind(self, other: RecordingTape) -> Iterator[None]:
        """Say that this trial waits for what is sent on another tape while the block runs: it stands still with it."""
        with other._lock:
            other._waiting.append(self)
            if other._standing:
                self._hold(1)
        try:
            yield
        finally:
            with other._lock:
                other._waiting.remove(self)
                if other._standing:
                    self._hold(-1)

    def _run_clock(self) -> None:
        standing = self._open == 0 and self._held > 0
        if standing == self._standing:
            return
        self._standing = standing
        for one in self._waiting:
            one._hold(1 if standing else -1)
        if isinstance(self.clock, LiveClock):
            self.clock.run(not standing)

    @property
    def waited(self) -> float:
        """Seconds that the trial's clock has stood still; its times do not hold them."""
        return round(self.clock.stood, _DIGITS) if isinstance(self.clock, LiveClock) else 0.0

    def close(self) -> None:
        """Let nothing more be sent: code that outlives its trial must not go on spending. What is under way is abandoned."""
        with self._lock:
            self._closed = True
        self.leave_streams()
        with self._lock:
            left = [*self._calls.values()]
        for leave in left:
            leave()

    def leave_streams(self) -> None:
        """End the recording of streams that were left before their end, and that nobody has closed."""
        with self._lock:
            left = [*self._streams.values()]
        for leave in left:
            leave()

    def calling(self, call: object, leave: Callable[[], None] | None) -> None:
        """Take note of a call under way, and how to end its recording when the trial is over; None: it has ended."""
        with self._lock:
            if leave is None:
                self._calls.pop(call, None)
            else:
                self._calls[call] = leave

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
            if not interaction.abandoned:
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
        return sum(not one.abandoned for one in self._entries)

    @property
    def unfinished(self) -> int:
        """HTTP requests that were sent and are under way, or of which nothing will be known: nobody waits any more."""
        with self._lock:
            return self._abandoned + self._open + sum(one.abandoned for one in self._entries)

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What was recorded, ordered by start."""
        return tuple(sorted(self._entries, key=lambda one: (one.start, one.slot, one.attempt)))

    @property
    def final(self) -> bool:
        """Whether the service answered every call for good that the trial did not itself give up, and one at least."""
        last: dict[int, Interaction] = {}
        for one in self.interactions:
            last[one.slot] = one
        ends = last.values()
        return self._open == 0 and any(one.final for one in ends) and all(one.final or one.abandoned for one in ends)

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
