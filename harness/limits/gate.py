"""The gate before one service: who may send now, and from when on nobody may.

All of a run's requests to a service pass one gate, from tasks and threads alike, first come first served; requests that
are sent again go before new ones. The gate keeps the rates, stops everybody when the service says that it is too much,
then lets one request at a time try until one succeeds, and shuts when the service keeps failing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from harness.clock import Clock, LiveClock
from harness.errors import ServiceError
from harness.limits.rates import Rates
from harness.limits.verdicts import Verdict
from harness.settings import Retry

#: Share of answers from which on refusals are taken for chance.
_MOST = 0.5
#: Seconds after which an attempt that is still under way was not refused: an answer may take minutes, a refusal does not,
#: and whoever waits behind one that hangs would wait as long.
_REFUSED_BY = 5.0
#: Seconds after which an attempt that was given up says something of the service: most often its trial's time was over.
_SILENT = 30.0
#: Kinds of failures after which a service is thought to be down, if they go on.
_DOWN = frozenset({"rate_limited", "server", "connection", "timeout"})


class Ticket:
    """One attempt, from its place in the queue to its end."""

    __slots__ = ("_turn", "again", "sent", "tokens")

    def __init__(self, *, tokens: int = 0, again: bool = False) -> None:
        """
        Args:
            tokens: The most that the request may use.
            again: It was sent before, and failed.
        """
        self.tokens = tokens
        self.again = again
        #: When it was let through, seconds on the gate's clock.
        self.sent = -1.0
        #: Done when it is worth asking again; None: it has not been told to wait.
        self._turn: Future[None] | None = None

    @property
    def turn(self) -> Future[None]:
        """Done when it is worth asking again, for who was told to wait."""
        if self._turn is None:
            self._turn = Future()
        return self._turn

    def waits(self) -> None:
        """Note that it has been told to wait, once more."""
        self._turn = Future()

    def call(self) -> None:
        """Say that it is worth asking again."""
        # It may have been told already; a waiter that was cancelled has cancelled its future as well.
        if self._turn is not None:
            with suppress(InvalidStateError):
                self._turn.set_result(None)


class Gate:
    """One service's gate; for use from any thread."""

    def __init__(self, *, name: str, retry: Retry, rates: Rates, clock: Clock | None = None) -> None:
        """
        Args:
            name: What messages call the service.
            retry: How long pauses are, and how many failures shut the gate.
            rates: What the service allows.
            clock: What time it is; the machine's monotonic clock by default.
        """
        self.clock: Clock = clock or LiveClock()
        self.rates = rates
        self._name = name
        self._retry = retry
        self._lock = threading.Lock()
        self._again: deque[Ticket] = deque()
        self._fresh: deque[Ticket] = deque()
        self._sending = 0
        #: When somebody was let through last.
        self._last_sent = 0.0
        #: Requests at the same time; None: as many as come.
        self._width: float | None = None
        #: As many as there were when the service said that it was too much, the first time and the last.
        self._most = self._before = 1.0
        #: How many it answered, and how many it said that of, since it was last found to answer again.
        self._passed = self._refused = 0
        self._paused_at = -1.0
        self._paused_until = -1.0
        #: Pauses in a row after which the service still said that it was too much.
        self._rounds = 0
        #: Calls in a row that ended without an answer.
        self._lost = 0
        self._shut: ServiceError | None = None
        #: Nothing is sent any more, which who passes is told elsewhere.
        self._free = False
        #: When somebody may try whether the service is there again.
        self._try_at: float | None = None

    def join(self, ticket: Ticket) -> None:
        """Take a place in the queue."""
        with self._lock:
            (self._again if ticket.again else self._fresh).append(ticket)

    def ask(self, ticket: Ticket) -> float | None:
        """Ask whether it is a ticket's turn.

        Returns:
            0: it is let through, and `done` must be called when the attempt is over. More: ask again after so many
            seconds, or when `ticket.turn` is done. None: ask again when `ticket.turn` is done.

        Raises:
            ServiceError: Nothing is sent to this service any more; the ticket has lost its place.
        """
        with self._lock:
            now = self.clock.now()
            if self._free:
                return self._through(ticket, now)
            if self._shut is not None and not self._may_try(now):
                self._remove(ticket)
                raise ServiceError(self._shut.kind, self._shut.message)
            if ticket is not self._first():
                ticket.waits()
                return None
            wait = max(self._paused_until - now, self.rates.wait(ticket.tokens, now), 0.0) or self._crowded(now)
            if wait > 0:
                ticket.waits()
                return wait
            if self._shut is not None:
                self._try_at = now + self._retry.budget
            self.rates.take(ticket.tokens, now)
            return self._through(ticket, now)

    def let_go(self) -> None:
        """Let everybody through at once, because whoever passes is told that nothing is sent any more."""
        with self._lock:
            self._free = True
            for ticket in (*self._again, *self._fresh):
                ticket.call()

    def leave(self, ticket: Ticket) -> None:
        """Give up a place in the queue."""
        with self._lock:
            self._remove(ticket)

    def done(self, ticket: Ticket, verdict: Verdict | None, *, pause: float = 0.0, retry: Retry | None = None) -> None:
        """End an attempt.

        Args:
            ticket: The attempt's.
            verdict: What it came to; None: nobody knows.
            pause: Seconds that its own call will wait before it is sent again.
            retry: Its own settings; default: the run's.
        """
        with self._lock:
            self._sending -= 1
            now = self.clock.now()
            if verdict is None:
                if now - ticket.sent >= _SILENT:
                    silent = Verdict(kind="timeout", said=f"no answer in {now - ticket.sent:.0f} s")
                    self._count_lost(silent, now, retry or self._retry)
            elif verdict.kind == "quota":
                self._close(verdict.kind, quota_text(self._name, verdict.said), try_at=None)
            elif verdict.everybody:
                self._too_much(ticket, verdict, max(pause, verdict.asked or 0.0), now, retry or self._retry)
            elif verdict.kind is None:
                self._well(ticket)
            self._wake()

    def lost(self, verdict: Verdict, *, retry: Retry | None = None) -> None:
        """Take note that a call ended without an answer, after all its attempts; args as those of `done`."""
        with self._lock:
            self._count_lost(verdict, self.clock.now(), retry or self._retry)
            self._wake()

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read what the service says of its limits."""
        with self._lock:
            self.rates.learn(headers, self.clock.now())

    def settle(self, ticket: Ticket, used: int) -> None:
        """Take note of how many tokens an attempt used."""
        with self._lock:
            self.rates.settle(ticket.tokens, used)

    def _crowded(self, now: float) -> float:
        """Seconds to wait because as many as may be are under way; those that are long under way were not refused."""
        if self._width is None or self._sending < int(self._width):
            return 0.0
        wait = self._last_sent + _REFUSED_BY - now
        if wait <= 0:
            self._width *= 2
            if self._width >= self._most:
                self._width = None
            return 0.0
        return wait

    def _through(self, ticket: Ticket, now: float) -> float:
        ticket.sent = self._last_sent = now
        self._sending += 1
        self._remove(ticket)
        return 0.0

    def _count_lost(self, verdict: Verdict, now: float, retry: Retry) -> None:
        if verdict.kind not in _DOWN:
            return
        self._lost += 1
        if self._lost >= retry.breaker or self._shut is not None:
            self._fail(verdict, f"{self._lost} calls in a row failed", now)

    def _too_much(self, ticket: Ticket, verdict: Verdict, pause: float, now: float, retry: Retry) -> None:
        assert verdict.kind is not None
        patience = max(retry.budget, self._retry.budget)
        if verdict.asked is not None and verdict.asked > patience:
            self._close(verdict.kind, too_long_text(self._name, verdict, patience), try_at=now + verdict.asked)
            return
        self._refused += 1
        if ticket.sent <= self._paused_at:
            # It was under way already when the pause began, and tells nothing new.
            self._paused_until = max(self._paused_until, now + (verdict.asked or 0.0))
            return
        self._rounds += 1
        if self._width is None:
            self._most = self._before = self._sending + 1
        elif self._rounds == 1:
            self._before = self._width
        self._width = 1
        self._paused_at = now
        self._paused_until = now + (pause if verdict.asked is not None else max(pause, retry.pause(self._rounds)))
        if self._rounds >= retry.breaker or self._shut is not None:
            self._fail(verdict, f"it refused {self._rounds} times in a row, however long we waited", now)

    def _well(self, ticket: Ticket) -> None:
        self._lost = 0
        self._passed += 1
        if ticket.sent <= self._paused_at:
            # Under way already when the pause began: that the service takes more again is not said.
            return
        self._shut = self._try_at = None
        if self._rounds:
            self._rounds = 0
            self._width = self._narrowed()
            self._passed = self._refused = 0
        elif self._width is not None:
            # One more each time that as many as now were answered.
            self._width += 1 / self._width
            if self._width >= self._most:
                self._width = None

    def _narrowed(self) -> float | None:
        """How many may go out at once after a pause: the share of those before it that passed.

        Where most passed, the refusals were no matter of how many there were, or the pause was enough.
        """
        share = self._passed / (self._passed + self._refused)
        width = self._before if share >= _MOST else max(2.0, self._before * share)
        return None if width >= self._most else width

    def _fail(self, verdict: Verdict, why: str, now: float) -> None:
        assert verdict.kind is not None
        text = (
            f"nothing more is sent to {self._name}: {why} (last: {verdict.said}). What was recorded stays: run again when "
            "the service answers."
        )
        self._close(verdict.kind, text, try_at=now + self._retry.budget)

    def _close(self, kind: str, text: str, *, try_at: float | None) -> None:
        self._shut = ServiceError(kind, text)
        self._try_at = try_at
        for ticket in (*self._again, *self._fresh):
            ticket.call()

    def _may_try(self, now: float) -> bool:
        return self._try_at is not None and now >= self._try_at

    def _first(self) -> Ticket | None:
        queue = self._again or self._fresh
        return queue[0] if queue else None

    def _remove(self, ticket: Ticket) -> None:
        queue = self._again if ticket.again else self._fresh
        if queue and queue[0] is ticket:
            queue.popleft()
        elif ticket in queue:
            queue.remove(ticket)
        self._wake()

    def _wake(self) -> None:
        first = self._first()
        if first is not None and (self._width is None or self._sending < int(self._width)):
            first.call()


def quota_text(name: str, said: str) -> str:
    """Say that an account has no money left."""
    return (
        f"the account at {name} has no quota left ({said}): waiting does not help. Add credit or raise its limit, "
        "then run again; what was recorded stays."
    )


def too_long_text(name: str, verdict: Verdict, patience: float) -> str:
    """Say that a service asked for more patience than the settings have."""
    return (
        f"{name} asks to wait {verdict.asked:g} s ({verdict.said}), longer than the {patience:g} s that all waits of "
        "one call may take (`retry.budget`). Run again then: what was recorded stays."
    )
