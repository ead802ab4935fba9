"""Money that a run may spend: the worst case is reserved before a request is sent, and settled when it is over.

There is one purse for the run and one for each of its suites; a request is paid out of both. A reservation that does
not fit waits while others are in flight, because most of them turn out cheaper than they might have been. Where nothing
is in flight that could still make room, the trial is over, and no further trial of that purse is begun.

Amounts are USD as `Decimal`. Everything may be called from tasks and from threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, Self

from harness.errors import HarnessError, TrialError
from harness.events import BudgetExceeded, BudgetWarning
from harness.limits.bounds import Bound, bound_of
from harness.recording import Interaction
from harness.records import Usage

#: Share of a budget at which people are warned.
WARNING = Decimal("0.8")
_NOTHING = Decimal(0)


class Pricing(Protocol):
    """What requests may cost, and did."""

    def most(self, bound: Bound) -> Decimal:
        """Return what a request may cost at most.

        Raises:
            TrialError: It is not bounded, or has no price.
        """

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """Return what tokens of a model cost; None where its price, or how many they are, is not known."""

    def paid(self, interaction: Interaction) -> Decimal | None:
        """Return what an attempt cost; None where nobody knows, so that the worst must be assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was spent out of a purse; `estimated` is the part of it that was only assumed, at the worst case."""

    amount: Decimal
    estimated: Decimal
    #: None: no limit was set.
    budget: Decimal | None


class _Purse:
    """One amount that must last; guarded by its ledger's lock."""

    def __init__(self, suite: str | None, budget: Decimal | None) -> None:
        #: None: the whole run's.
        self.suite = suite
        self.budget = budget
        self.spent = _NOTHING
        self.estimated = _NOTHING
        self.reserved = _NOTHING
        self.warned = False
        #: What the first request came to that did not fit.
        self.exceeded: str | None = None

    def short(self, need: Decimal) -> bool:
        return self.budget is not None and self.spent + self.reserved + need > self.budget

    def explain(self, need: Decimal) -> str:
        of = "of the run" if self.suite is None else f"of suite '{self.suite}'"
        more = "`--budget`" if self.suite is None else "`budget:` in the suite"
        return (
            f"the budget {of} is ${self.budget:f}: ${self.spent:f} is spent, and the next request may cost up to "
            f"${need:f}. Give more with {more} and run again: what is recorded is not paid for twice."
        )


class Reservation:
    """The worst case of one request, out of the purses of its trial, until it is settled.

    As a context manager it gives all of itself back where the block fails before anything is settled.
    """

    def __init__(self, account: Account, amount: Decimal) -> None:
        self.amount = amount
        self.account = account
        #: The request may go out now.
        self.sent = False
        #: The request is over, and what it cost is told by a later one.
        self.held = False

    def settle(self, interaction: Interaction | None) -> None:
        """Replace the worst case by what an attempt cost; None: it was abandoned, and may have cost anything."""
        ledger = self.account.ledger
        ledger.settle(self, None if interaction is None else ledger.pricing.paid(interaction))

    def release(self) -> None:
        """Give all of it back: nothing was sent."""
        self.account.ledger.settle(self, _NOTHING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self.release()


class _Waiter:
    """A request that waits for room."""

    def __init__(self, account: Account, amount: Decimal) -> None:
        self.account = account
        self.amount = amount
        self.future: Future[Reservation] = Future()
        #: What it was given, whether or not it still wants it.
        self.given: Reservation | None = None


class Account:
    """One trial's way to the purses of its run and its suite."""

    def __init__(self, ledger: Ledger, purses: tuple[_Purse, ...], stopped: Callable[[], bool]) -> None:
        self.ledger = ledger
        self.purses = purses
        self.stopped = stopped
        #: Settled so far.
        self.spent = _NOTHING
        #: Why a request was not sent, so that it counts also where the code under test swallowed the exception.
        self.refused: TrialError | None = None
        self.open: set[Reservation] = set()
        #: Requests that wait for room.
        self.waiting = 0
        #: The trial is over, and pays for nothing more.
        self.over = False

    @property
    def closed(self) -> TrialError | None:
        """Why no trial of this purse is begun any more; None where one may be."""
        told = next((purse.exceeded for purse in self.purses if purse.exceeded is not None), None)
        return None if told is None else TrialError("budget", told)

    def needed(self, method: str, path: str, body: bytes) -> Decimal | None:
        """Return what a request may cost at most; None: nothing is asked for it.

        Raises:
            TrialError: It is not bounded, which ends the trial; has no price; or another of this trial was refused.
        """
        with self.noting_refusals():
            bound = bound_of(method, path, body)
        return None if bound is None else self.most(bound)

    @contextmanager
    def noting_refusals(self) -> Iterator[None]:
        """Remember a trial's error that ends the block: a request that cannot be bounded ends the trial."""
        try:
            yield
        except TrialError as error:
            self.refused = self.refused or error
            raise

    def most(self, bound: Bound) -> Decimal:
        """Return what a request within a bound may cost; raises as `needed` does."""
        if self.refused is not None:
            raise self.refused
        with self.noting_refusals():
            return self.ledger.pricing.most(bound)

    async def reserve(self, amount: Decimal, *, held: Callable[[], AbstractContextManager[None]]) -> Reservation:
        """Reserve an amount; waits while there may still be room.

        Args:
            amount: The worst case of a request.
            held: Says to the trial's clock that we make it wait.

        Raises:
            TrialError: There is no room, of kind `budget`.
        """
        found = self.ledger.ask(self, amount)
        if isinstance(found, Reservation):
            return found
        try:
            with held():
                return await asyncio.wrap_future(found.future)
        except BaseException:
            self.ledger.give_up(found)
            raise

    def reserve_sync(self, amount: Decimal, *, held: Callable[[], AbstractContextManager[None]]) -> Reservation:
        """The same for code that is not async."""
        found = self.ledger.ask(self, amount)
        if isinstance(found, Reservation):
            return found
        try:
            with held():
                return found.future.result()
        except BaseException:
            self.ledger.give_up(found)
            raise

    def close(self) -> None:
        """Settle what is still open, at its worst case if it was sent: the trial is over, and nobody waits for it."""
        self.ledger.close(self)
        for one in tuple(self.open):
            if one.sent:
                one.settle(None)
            else:
                one.release()


class Ledger:
    """What a run spends.

    Args:
        budget: Of the run; None: no limit.
        pricing: What requests may cost, and did.
        tell: Hears of budgets that are nearly, or not, enough; called from any thread.
    """

    def __init__(
        self,
        budget: Decimal | None,
        *,
        pricing: Pricing,
        tell: Callable[[BudgetWarning | BudgetExceeded], None] = lambda event: None,
    ) -> None:
        self.pricing = pricing
        self.tell = tell
        self._run = _Purse(None, budget)
        self._suites: dict[str, _Purse] = {}
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._held: set[Reservation] = set()

    def account(
        self, suite: str, budget: Decimal | None, *, stopped: Callable[[], bool] = lambda: False
    ) -> Account | None:
        """Return an account for one trial; None where there is no budget that it could exceed.

        Args:
            suite: The trial's.
            budget: What the suite may spend; None: no limit of its own.
            stopped: Says whether nothing more is sent. Who has the money is told so; it is not waited for then.
        """
        if budget is None and self._run.budget is None:
            return None
        with self._lock:
            return Account(self, (self._run, self._suites.setdefault(suite, _Purse(suite, budget))), stopped)

    @property
    def total(self) -> Spent:
        """What trials with a budget spent."""
        return self._spent(self._run)

    @property
    def by_suite(self) -> Mapping[str, Spent]:
        """What each suite with a budget, of its own or of the run, spent."""
        return {name: self._spent(purse) for name, purse in self._suites.items()}

    def _spent(self, purse: _Purse) -> Spent:
        with self._lock:
            return Spent(amount=purse.spent, estimated=purse.estimated, budget=purse.budget)

    def ask(self, account: Account, amount: Decimal) -> Reservation | _Waiter:
        """Return a reservation, or who waits for it: its future gets the reservation or why there is none.

        Raises:
            HarnessError: The trial is over.
        """
        with self._lock:
            if account.over:
                raise _over()
            if self._fits(account, amount):
                return self._reserved(account, amount)
            waiter = _Waiter(account, amount)
            account.waiting += 1
            self._waiters.append(waiter)
            # What it holds already will not come free before it goes on, which others may be waiting for.
            events = self._serve()
        self._tell(events)
        return waiter

    def let_go(self) -> None:
        """Let those wait no longer whose run has stopped."""
        with self._lock:
            events = self._serve()
        self._tell(events)

    @staticmethod
    def _fits(account: Account, amount: Decimal) -> bool:
        return account.stopped() or not any(purse.short(amount) for purse in account.purses)

    def _reserved(self, account: Account, amount: Decimal) -> Reservation:
        for purse in account.purses:
            purse.reserved += amount
        found = Reservation(account, amount)
        account.open.add(found)
        return found

    def _serve(self) -> list[BudgetWarning | BudgetExceeded]:
        """Give to those who wait what fits now, and refuse those for whom there will never be room.

        It is decided here for all of them at once: who was only told to ask again would see what others had before they
        asked again themselves.
        """
        for one in tuple(self._waiters):
            if self._fits(one.account, one.amount):
                self._leave(one)
                one.given = self._reserved(one.account, one.amount)
                _resolve(one.future, one.given)
        events: list[BudgetWarning | BudgetExceeded] = []
        for one in tuple(self._waiters):
            hopeless = [
                purse
                for purse in one.account.purses
                if purse.short(one.amount) and not self._may_fit(purse, one.account, one.amount)
            ]
            if hopeless:
                self._leave(one)
                events += self._refuse(one, hopeless)
        return events

    @staticmethod
    def _refuse(waiter: _Waiter, hopeless: list[_Purse]) -> Iterator[BudgetExceeded]:
        account, amount = waiter.account, waiter.amount
        for purse in hopeless:
            if purse.exceeded is None and purse.budget is not None:
                purse.exceeded = purse.explain(amount)
                yield BudgetExceeded(suite=purse.suite, budget=purse.budget, spent=purse.spent, needed=amount)
        account.refused = account.refused or TrialError("budget", hopeless[0].explain(amount))
        _resolve(waiter.future, account.refused)

    def _leave(self, waiter: _Waiter) -> None:
        self._waiters.remove(waiter)
        waiter.account.waiting -= 1

    def _may_fit(self, purse: _Purse, account: Account, amount: Decimal) -> bool:
        """Whether an amount fits once all that is in flight is over. What waits itself is in flight for nobody."""
        stuck = sum(
            (
                one.amount
                for one in self._held
                if purse in one.account.purses and (one.account is account or one.account.waiting)
            ),
            _NOTHING,
        )
        assert purse.budget is not None
        return purse.spent + stuck + amount <= purse.budget

    def give_up(self, waiter: _Waiter) -> None:
        """Note that nobody wants any more what a request waits for, or was given meanwhile."""
        with self._lock:
            if waiter in self._waiters:
                self._leave(waiter)
        if waiter.given is not None:
            waiter.given.release()

    def close(self, account: Account) -> None:
        """Note that a trial is over; threads that it left behind wait for nothing any more."""
        with self._lock:
            account.over = True
            for one in tuple(self._waiters):
                if one.account is account:
                    self._leave(one)
                    _resolve(one.future, _over())

    def hold(self, reservation: Reservation) -> None:
        """Keep a reservation although its request is over: a later one tells what it cost."""
        with self._lock:
            if reservation in reservation.account.open:
                reservation.held = True
                self._held.add(reservation)

    def settle(self, reservation: Reservation, cost: Decimal | None) -> None:
        """Replace a reservation by what was paid; None: nobody knows, so all of it. Later calls change nothing."""
        account = reservation.account
        with self._lock:
            if reservation not in account.open:
                return
            account.open.discard(reservation)
            self._held.discard(reservation)
            paid = reservation.amount if cost is None else cost
            account.spent += paid
            events: list[BudgetWarning | BudgetExceeded] = []
            for purse in account.purses:
                purse.reserved -= reservation.amount
                purse.spent += paid
                purse.estimated += paid if cost is None else _NOTHING
                if purse.budget is not None and not purse.warned and _NOTHING < purse.budget * WARNING <= purse.spent:
                    purse.warned = True
                    events.append(BudgetWarning(suite=purse.suite, budget=purse.budget, spent=purse.spent))
            events += self._serve()
        self._tell(events)

    def _tell(self, events: Iterable[BudgetWarning | BudgetExceeded]) -> None:
        for event in events:
            self.tell(event)


def _resolve(future: Future[Reservation], found: Reservation | Exception) -> None:
    # Whoever waited may have given up a moment ago.
    with suppress(InvalidStateError):
        if isinstance(found, Reservation):
            future.set_result(found)
        else:
            future.set_exception(found)


def _over() -> HarnessError:
    return HarnessError("the trial that this request belongs to is over")


_current: ContextVar[Account | None] = ContextVar("harness-account", default=None)


def current_account() -> Account | None:
    """Return the account that pays for what the calling task or thread sends; None: nobody counts."""
    return _current.get()


@contextmanager
def use_account(account: Account | None) -> Iterator[None]:
    """Let `account` pay for what the calling task, and everything it starts, sends."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)
