"""The transport at which a request is paid for: the worst case is reserved before each attempt is sent.

It stands right above the recording, so that every attempt is paid for by itself, and below everything that decides
whether and when one is sent. Where no trial pays (outside runs, on replay, without a budget) it does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from decimal import Decimal

import httpx2

from harness.limits.bounds import is_run
from harness.limits.budget import Account, Reservation, current_account
from harness.recording import SETTLE, Interaction, RecordingTape, current_tape


class AsyncPayingTransport(httpx2.AsyncBaseTransport):
    """Sends what can be paid for."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        account = current_account()
        if account is None:
            return await self._inner.handle_async_request(request)
        await request.aread()
        amount = _needed(account, request)
        if amount is None:
            return await self._inner.handle_async_request(request)
        reservation = await account.reserve(amount, held=_held)
        _mark(request, reservation)
        try:
            return await self._inner.handle_async_request(request)
        except BaseException:
            # Settled by now, where anything was sent.
            reservation.release()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()


class PayingTransport(httpx2.BaseTransport):
    """The same for code that is not async."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        account = current_account()
        if account is None:
            return self._inner.handle_request(request)
        request.read()
        amount = _needed(account, request)
        if amount is None:
            return self._inner.handle_request(request)
        reservation = account.reserve_sync(amount, held=_held)
        _mark(request, reservation)
        try:
            return self._inner.handle_request(request)
        except BaseException:
            reservation.release()
            raise

    def close(self) -> None:
        self._inner.close()


class RunPayment:
    """Pays for one run of the Assistants API, whose requests name neither their messages nor their model.

    Who makes the run says what its next request may cost. What it did cost is told when the run has ended, for all of
    its requests together; until then their reservations are held.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._held: list[Reservation] = []
        #: What the next request may cost at most.
        self.next = Decimal(0)

    @property
    def begun(self) -> bool:
        """Whether the service has taken a request of the run."""
        return bool(self._held)

    def settled(self, reservation: Reservation, interaction: Interaction | None) -> None:
        """Note that an attempt is over; if the service took it, its cost is told later."""
        if interaction is not None and interaction.error is None and interaction.status < 300:
            self._held.append(reservation)
            self._account.ledger.hold(reservation)
        else:
            reservation.settle(interaction)

    def ended(self, cost: Decimal | None) -> None:
        """Settle the run.

        Args:
            cost: Of all its requests; None: nobody knows, so the worst case of each.
        """
        ledger = self._account.ledger
        held, self._held = self._held, []
        for number, one in enumerate(held):
            ledger.settle(one, None if cost is None else Decimal(0) if number else cost)


_run: ContextVar[RunPayment | None] = ContextVar("harness-run-payment", default=None)


@contextmanager
def use_run_payment(payment: RunPayment | None) -> Iterator[None]:
    """Let `payment` pay for runs of the Assistants API that the calling task starts or goes on with."""
    token = _run.set(payment)
    try:
        yield
    finally:
        _run.reset(token)


def _held() -> AbstractContextManager[None]:
    tape = current_tape()
    return tape.held() if isinstance(tape, RecordingTape) else nullcontext()


def _needed(account: Account, request: httpx2.Request) -> Decimal | None:
    """Return what a request may cost; None: nothing is asked for it."""
    run = _run.get()
    if run is not None and is_run(request.method, request.url.path):
        return run.next
    return account.needed(request.method, request.url.path, request.content)


def _mark(request: httpx2.Request, reservation: Reservation) -> None:
    run = _run.get()
    if run is not None and is_run(request.method, request.url.path):

        def settle(interaction: Interaction | None) -> None:
            run.settled(reservation, interaction)
    else:
        settle = reservation.settle
    request.extensions = {**request.extensions, SETTLE: settle}
