"""Sending: a transport between the SDK (whose own retries are off) and the recording.

It waits until a request may go out, sends it, and sends it again while the failure looks passing and the settings allow
it. Every attempt is a request of its own and is recorded as one; all attempts of one call carry the same mark, so that
replay can tell retries from repeats. What is replayed passes straight through.

This is a loop and not a retry library because it stands in the path of every request, also of those that succeed at
once; a general engine there costs more than the rest of this transport.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar

import httpx2

from harness.clock import Clock, current_clock, on_loop
from harness.limits.budget import Reservation
from harness.limits.gate import Gate, Ticket
from harness.limits.paying import paid_for, paid_for_sync
from harness.limits.rates import Rates, used_tokens, worst_tokens
from harness.limits.verdicts import Verdict, of_answer, of_error, wants_body
from harness.recording import CALL, DEADLINE, RecordingTape, current_tape
from harness.settings import Retry

_retry: ContextVar[Retry | None] = ContextVar("harness-retry", default=None)


@contextmanager
def use_retry(retry: Retry | None) -> Iterator[None]:
    """Send again by settings of one's own, for the calling task and everything it starts; None: by the run's."""
    token = _retry.set(retry)
    try:
        yield
    finally:
        # What was left behind is tidied up in another context, where there is nothing to undo.
        with suppress(ValueError):
            _retry.reset(token)


class Limiter:
    """The gates of a run, one for each service and account."""

    def __init__(
        self,
        *,
        retry: Retry,
        rpm: float | None = None,
        tpm: float | None = None,
        attempt_timeout: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """
        Args:
            retry: When to send again.
            rpm: Requests a minute to one service; None: any.
            tpm: Tokens a minute to one service; None: any.
            attempt_timeout: Seconds that one attempt may take as a whole, where its answer is not streamed.
            clock: Of the gates; the machine's monotonic clock by default.
        """
        self._settings = retry
        self._rpm = rpm
        self._tpm = tpm
        self._clock = clock
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, str], Gate] = {}
        self.attempt_timeout = attempt_timeout

    @property
    def retry(self) -> Retry:
        """The settings of the trial under way, on top of the run's."""
        return self._settings.under(_retry.get())

    def gate(self, url: httpx2.URL, account: str = "") -> Gate:
        """Return the gate before a service.

        Args:
            url: Any address at it.
            account: What tells apart those who ask there.
        """
        name = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
        with self._lock:
            found = self._gates.get((name, account))
            if found is None:
                rates = Rates(rpm=self._rpm, tpm=self._tpm, patience=max(self._settings.longest, 0.001))
                found = Gate(name=name, retry=self._settings, rates=rates, clock=self._clock)
                self._gates[name, account] = found
            return found

    def let_go(self) -> None:
        """Hold nothing back any more: whoever keeps requests from being sent at all is to be reached at once."""
        with self._lock:
            gates = tuple(self._gates.values())
        for gate in gates:
            gate.let_go()


class _Call:
    """One logical call: its attempts so far, and whether there is to be another."""

    def __init__(self, limiter: Limiter, account: str, request: httpx2.Request) -> None:
        self.gate = limiter.gate(request.url, account)
        self._request = request
        self._retry = limiter.retry
        self._left = self._retry.budget
        self._attempt = 0
        self._mark = object()
        self._deadline = limiter.attempt_timeout
        self.ticket = Ticket()

    @property
    def counts_tokens(self) -> bool:
        return self.gate.rates.counts_tokens

    def queue(self) -> Ticket:
        """Take a place in the queue for the next attempt."""
        counted = self.counts_tokens and "json" in self._request.headers.get("content-type", "")
        tokens = worst_tokens(self._request.content) if counted else 0
        self.ticket = Ticket(tokens=tokens, again=self._attempt > 0)
        self.gate.join(self.ticket)
        return self.ticket

    def begin(self, payment: Reservation | None) -> None:
        """Mark the request as the next attempt, which is sent now."""
        if payment is not None:
            payment.sent = True
        self._attempt += 1
        marks = {CALL: (self._mark, self._attempt), DEADLINE: self._deadline}
        self._request.extensions = {**self._request.extensions, **marks}

    def reads(self, response: httpx2.Response) -> bool:
        """Whether an answer's body is looked at here. What is streamed as events is not."""
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return False
        return self.counts_tokens or wants_body(response)

    def answered(self, response: httpx2.Response, body: bytes) -> float | None:
        """Return seconds to wait before sending again, or None where this answer is the one to hand on."""
        self.gate.learn(response.headers)
        if self.counts_tokens and (used := used_tokens(body)) is not None:
            self.gate.settle(self.ticket, used)
        return self._over(of_answer(response, body))

    def broke(self, error: httpx2.TransportError) -> float | None:
        """Return seconds to wait before sending again, or None where this failure is the last word."""
        return self._over(of_error(error, self._retry))

    def abandoned(self) -> None:
        """End an attempt of which nothing is known, if it was let through at all."""
        if self.ticket.sent >= 0:
            self.gate.done(self.ticket, None)

    def _over(self, verdict: Verdict) -> float | None:
        wait = self._wait(verdict)
        self.gate.done(self.ticket, verdict, pause=wait or 0.0, retry=self._retry)
        if wait is None:
            if not verdict.everybody:
                self.gate.lost(verdict, retry=self._retry)
            return None
        self._left -= wait
        return wait

    def _wait(self, verdict: Verdict) -> float | None:
        if not verdict.again or self._attempt >= self._retry.attempts:
            return None
        wait = self._retry.pause(self._attempt) if verdict.asked is None else verdict.asked
        return wait if wait <= self._left else None


class AsyncSendingTransport(httpx2.AsyncBaseTransport):
    """Sends within the limits."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, limiter: Limiter, account: str = "") -> None:
        """
        Args:
            inner: The recording.
            limiter: The run's.
            account: What tells those who ask a service with different keys apart.
        """
        self._inner = inner
        self._limiter = limiter
        self._account = account

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        tape = current_tape()
        if not isinstance(tape, RecordingTape):
            return await self._inner.handle_async_request(request)
        call = _Call(self._limiter, self._account, request)
        if call.counts_tokens:
            await request.aread()
        while True:
            payment = await paid_for(request)
            try:
                with payment or nullcontext():
                    await self._admitted(call, tape)
                    call.begin(payment)
                    response = await self._inner.handle_async_request(request)
                body = await response.aread() if call.reads(response) else b""
            except httpx2.TransportError as error:
                wait = call.broke(error)
                if wait is None:
                    raise
            except BaseException:
                call.abandoned()
                raise
            else:
                wait = call.answered(response, body)
                if wait is None:
                    return response
                await response.aclose()
            await current_clock().sleep(wait)

    @staticmethod
    async def _admitted(call: _Call, tape: RecordingTape) -> None:
        gate, ticket = call.gate, call.queue()
        wait = gate.ask(ticket)
        if wait != 0:
            with tape.held():
                try:
                    while wait != 0:
                        await _until(gate.clock, ticket, wait)
                        wait = gate.ask(ticket)
                except BaseException:
                    gate.leave(ticket)
                    raise

    async def aclose(self) -> None:
        await self._inner.aclose()


class SendingTransport(httpx2.BaseTransport):
    """The same for code that is not async."""

    def __init__(self, inner: httpx2.BaseTransport, *, limiter: Limiter, account: str = "") -> None:
        self._inner = inner
        self._limiter = limiter
        self._account = account

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        tape = current_tape()
        if not isinstance(tape, RecordingTape) or on_loop():
            # Nothing is sent from an event loop's own thread: the recording says so.
            return self._inner.handle_request(request)
        call = _Call(self._limiter, self._account, request)
        if call.counts_tokens:
            request.read()
        while True:
            payment = paid_for_sync(request)
            try:
                with payment or nullcontext():
                    self._admitted(call, tape)
                    call.begin(payment)
                    response = self._inner.handle_request(request)
                body = response.read() if call.reads(response) else b""
            except httpx2.TransportError as error:
                wait = call.broke(error)
                if wait is None:
                    raise
            except BaseException:
                call.abandoned()
                raise
            else:
                wait = call.answered(response, body)
                if wait is None:
                    return response
                response.close()
            current_clock().sleep_sync(wait)

    @staticmethod
    def _admitted(call: _Call, tape: RecordingTape) -> None:
        gate, ticket = call.gate, call.queue()
        wait = gate.ask(ticket)
        if wait != 0:
            with tape.held():
                try:
                    while wait != 0:
                        concurrent.futures.wait([ticket.turn], timeout=wait)
                        wait = gate.ask(ticket)
                except BaseException:
                    gate.leave(ticket)
                    raise

    def close(self) -> None:
        self._inner.close()


async def _until(clock: Clock, ticket: Ticket, seconds: float | None) -> None:
    """Wait until it is a ticket's turn, or so long."""
    turn = asyncio.wrap_future(ticket.turn)
    if seconds is None:
        await turn
        return
    sleep = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({turn, sleep}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        turn.cancel()
        sleep.cancel()
