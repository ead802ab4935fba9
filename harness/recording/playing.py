"""One trial's recording while it is being played.

The n-th call with the same key gets the n-th recorded slot of that key, and its last attempt is the answer: failed
attempts are time that has passed, not failures to live through again. Who gave up waiting when it was recorded waits
again, until the code under test gives up or its trial is over: what that code does then is its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from harness.clock import VirtualClock
from harness.errors import CassetteMiss, HarnessError, ServiceError
from harness.recording.cassette import Cassette, Interaction, Request
from harness.recording.explain import explain_miss
from harness.recording.marks import Step
from harness.recording.matching import Call, Shelf
from harness.recording.normalise import Normaliser
from harness.recording.redact import Redactor


class ReplayTape:
    """Plays a cassette to one trial, on a clock that never waits."""

    replays = True

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
        #: Those that wait for what never came.
        self._waiting: set[Future[None]] = set()
        self._closed = False
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
        """HTTP requests that the played calls had needed, of which something is known."""
        return sum(not one.abandoned for one in self._played)

    @property
    def unfinished(self) -> int:
        """HTTP requests that were given up when they were recorded, and that somebody waits or has waited for again."""
        with self._lock:
            return len(self._waiting) + sum(one.abandoned for one in self._played)

    @property
    def waits(self) -> bool:
        """Whether a call was given up when it was recorded, so that whoever makes it again must give it up again."""
        return any(group[-1].abandoned for group in self._slots.values())

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
        return not self._unheard

    @property
    def unused(self) -> tuple[Request, ...]:
        """What was recorded and never asked for, one request for each call, in recorded order."""
        return tuple(self._slots[slot][0].request for slot in self._unheard)

    @property
    def _unheard(self) -> list[int]:
        """Calls that nobody has made so far and that had an answer: without one, nothing came of them."""
        left = self._slots.keys() - self._heard
        return sorted(slot for slot in left if not self._slots[slot][-1].abandoned)

    def play(self, request: Request, conversation: str | None = None) -> tuple[Interaction, Step]:
        """Return the recorded answer to `request`.

        Args:
            request: What is asked.
            conversation: Which of the trial's conversations asks; None: its own.

        Raises:
            CassetteMiss: Nothing was recorded for it, or fewer times than it is asked now.
        """
        if self.cassette is None:
            raise self._miss(self._unrecorded(request))
        with self._lock:
            match = self._shelf.take(request, conversation)
            if match is None:
                raise self._miss(self._explain(request))
            self.normalised += match.normalised
            attempts = self._slots[match.slot]
            last = attempts[-1]
            # What is waited for is on the tape when it has been given up, as it was when it was recorded.
            self._played.extend(attempts[:-1] if last.abandoned else attempts)
            self._heard.add(match.slot)
        return last, Step(start=attempts[0].start, end=last.end, events=list(last.events), attempts=last.attempt)

    async def wait(self, one: Interaction) -> None:
        """Wait for an answer that did not come when it was recorded, until the caller gives up again or the trial is over.

        Raises:
            ServiceError: It was the end of the trial that the caller did not wait longer for.
        """
        with self._vainly(one) as never:
            await asyncio.wrap_future(never)

    def wait_sync(self, one: Interaction) -> None:
        """The same for a thread, which ends only with the trial.

        Raises:
            ServiceError: It was the end of the trial that the caller did not wait longer for.
            HarnessError: The trial is over.
        """
        with self._vainly(one) as never:
            try:
                never.result()
            except FutureCancelledError:
                raise HarnessError("the trial that this request belongs to is over") from None

    @contextmanager
    def _vainly(self, one: Interaction) -> Iterator[Future[None]]:
        _, _, why = (one.error or "").partition(": ")
        never: Future[None] = Future()
        with self._lock:
            if self._closed:
                never.cancel()
            self._waiting.add(never)
        try:
            if why:
                kind, _, message = why.partition(": ")
                raise ServiceError(kind, message)
            yield never
        finally:
            self.clock.advance_to(one.end)
            with self._lock:
                self._waiting.discard(never)
                self._played.append(one)

    def close(self) -> None:
        """Let nobody wait any longer: the trial is over."""
        with self._lock:
            self._closed = True
            left = [*self._waiting]
        for never in left:
            never.cancel()

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
