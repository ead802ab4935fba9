"""Paying for a request: the worst case is reserved before each attempt is sent.

That comes before the gate of the service it goes to. A request that waited for money inside the gate would keep out
those that it waits for. Where no trial pays (outside runs, on replay, without a budget) nothing happens here.
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


async def paid_for(request: httpx2.Request) -> Reservation | None:
    """Reserve what an attempt at a request may cost, and leave word with it how that is settled; waits for room.

    Returns:
        What was reserved; None: it costs nothing, or nobody counts.

    Raises:
        TrialError: It cannot be paid for.
    """
    account = current_account()
    if account is None:
        return None
    await request.aread()
    amount = _needed(account, request)
    return None if amount is None else _marked(request, await account.reserve(amount, held=_held))


def paid_for_sync(request: httpx2.Request) -> Reservation | None:
    """The same for code that is not async."""
    account = current_account()
    if account is None:
        return None
    request.read()
    amount = _needed(account, request)
    return None if amount is None else _marked(request, account.reserve_sync(amount, held=_held))


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


def _marked(request: httpx2.Request, reservation: Reservation) -> Reservation:
    run = _run.get()
    if run is not None and is_run(request.method, request.url.path):

        def settle(interaction: Interaction | None) -> None:
            run.settled(reservation, interaction)
    else:
        settle = reservation.settle
    request.extensions = {**request.extensions, SETTLE: settle}
    return reservation
