"""The gate before a service: many tasks, one clock that the test holds, no network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from harness.errors import ServiceError
from harness.limits.gate import Gate, Ticket
from harness.limits.rates import Rates
from harness.limits.verdicts import ANSWERED, Verdict
from harness.settings import Retry
from tests.limits.clocks import HandClock

TOO_MUCH = Verdict(kind="rate_limited", said="HTTP 429", again=True, everybody=True)
RETRY = Retry(attempts=3, backoff=1.0, factor=2.0, jitter=0.0, longest=8.0, breaker=6)


class Callers:
    """Calls that pass a gate, each up to three times; the answers come from a function of the request's number."""

    def __init__(self, answer: Callable[[int, float], Verdict], *, rates: Rates | None = None, takes: float = 0.1):
        self.clock = HandClock()
        self.gate = Gate(name="http://service", retry=RETRY, rates=rates or Rates(), clock=self.clock)
        self.answer = answer
        self.takes = takes
        #: Requests, by their number, that take another time.
        self.slow: dict[int, float] = {}
        self.sent: list[float] = []
        self.ends: list[str] = []

    async def turn(self, ticket: Ticket, wait: float | None) -> None:
        turn = asyncio.wrap_future(ticket.turn)
        sleep = asyncio.ensure_future(self.clock.sleep(100_000 if wait is None else wait))
        await asyncio.wait({turn, sleep}, return_when=asyncio.FIRST_COMPLETED)
        turn.cancel()
        sleep.cancel()

    async def call(self) -> None:
        for attempt in range(RETRY.attempts):
            ticket = Ticket(again=attempt > 0)
            self.gate.join(ticket)
            try:
                while (wait := self.gate.ask(ticket)) != 0:
                    await self.turn(ticket, wait)
            except ServiceError as error:
                self.ends.append(f"{error.kind}: {error.message}")
                return
            self.sent.append(self.clock.now())
            number = len(self.sent)
            verdict = self.answer(number, self.clock.now())
            await self.clock.sleep(self.slow.get(number, self.takes))
            last = attempt + 1 == RETRY.attempts or not verdict.again
            self.gate.done(ticket, verdict, pause=0.0 if last else RETRY.pause(attempt + 1))
            if verdict.kind is None or last:
                if verdict.kind is not None and not verdict.everybody:
                    self.gate.lost(verdict)
                self.ends.append(verdict.kind or "ok")
                return
            await self.clock.sleep(RETRY.pause(attempt + 1))

    def run(self, calls: int, *, concurrency: int) -> None:
        async def main() -> None:
            waiting = iter(range(calls))

            async def work() -> None:
                for _ in waiting:
                    await self.call()

            async def all_of_it() -> None:
                await asyncio.gather(*(work() for _ in range(concurrency)))

            await self.clock.run(asyncio.create_task(all_of_it()))

        asyncio.run(main())


def test_a_service_that_refuses_for_ever_is_left_alone() -> None:
    callers = Callers(lambda number, now: TOO_MUCH)
    callers.run(200, concurrency=100)
    assert len(callers.sent) <= 110
    assert len(callers.ends) == 200
    assert all(end.startswith("rate_limited") for end in callers.ends)
    assert "6 times in a row" in callers.ends[-1]
    assert callers.clock.now() < 90


def test_nobody_else_sends_while_a_service_is_paused_and_then_one_after_the_other() -> None:
    callers = Callers(lambda number, now: TOO_MUCH if now < 2 else ANSWERED)
    callers.run(40, concurrency=10)
    assert callers.ends == ["ok"] * 40
    first_wave, later = callers.sent[:10], callers.sent[10:]
    assert max(first_wave) < 0.1
    # The pause is a second; one tries, in vain; then two seconds more, and one tries again.
    assert later[0] >= 1.1
    assert later[1] - later[0] >= 2
    # Its success lets two go at once, and each of theirs one more.
    assert later[2] - later[1] >= 0.1
    assert later[2] == later[3]


def test_refusals_by_chance_do_not_make_everybody_queue() -> None:
    chance = random.Random(1)
    callers = Callers(lambda number, now: TOO_MUCH if chance.random() < 0.2 else ANSWERED)
    callers.run(1000, concurrency=100)
    assert callers.ends.count("ok") >= 950
    # One at a time, a thousand would take 100 seconds without any pause.
    assert callers.clock.now() < 90


def test_a_service_that_takes_few_at_once_is_asked_by_few() -> None:
    callers = Callers(lambda number, now: ANSWERED)
    under_way: list[float] = []

    def answer(number: int, now: float) -> Verdict:
        under_way[:] = [sent for sent in under_way if sent > now - callers.takes]
        under_way.append(now)
        return ANSWERED if len(under_way) <= 4 else TOO_MUCH

    callers.answer = answer
    callers.run(200, concurrency=20)
    assert callers.ends.count("ok") >= 180


def test_what_was_under_way_before_a_pause_does_not_end_it() -> None:
    callers = Callers(lambda number, now: TOO_MUCH if number == 1 else ANSWERED)
    callers.run(20, concurrency=5)
    assert callers.ends.count("ok") == 20
    assert [moment for moment in callers.sent if 0.1 < moment < 1.0] == []


def test_nobody_waits_for_an_answer_that_takes_long() -> None:
    callers = Callers(lambda number, now: TOO_MUCH if number <= 10 else ANSWERED)
    callers.slow[11] = 600
    callers.run(40, concurrency=10)
    assert callers.ends == ["ok"] * 40
    # A refusal comes at once: after five seconds the one that tries was not refused, and two go.
    tries, following = callers.sent[10], callers.sent[11]
    assert following - tries == pytest.approx(5)
    assert callers.sent[-1] < 20


@pytest.mark.parametrize("kind", ["server", "connection", "timeout"])
def test_calls_that_fail_in_a_row_shut_the_gate(kind: str) -> None:
    callers = Callers(lambda number, now: Verdict(kind=kind, said="Trouble", again=True))
    callers.run(50, concurrency=1)
    assert len(callers.sent) == 6 * 3
    assert callers.ends[:6] == [kind] * 6
    assert all(end.startswith(f"{kind}: nothing more is sent to http://service") for end in callers.ends[6:])
    assert "last: Trouble" in callers.ends[-1]


def test_a_service_that_never_answers_shuts_the_gate_though_its_calls_are_given_up() -> None:
    clock = HandClock()
    gate = Gate(name="http://service", retry=RETRY, rates=Rates(), clock=clock)

    def given_up(after: float) -> None:
        ticket = Ticket()
        gate.join(ticket)
        assert gate.ask(ticket) == 0
        clock.time += after
        gate.done(ticket, None)

    for _ in range(10):
        given_up(2)  # somebody's own patience, which says nothing
    for _ in range(6):
        given_up(120)
    last = Ticket()
    gate.join(last)
    with pytest.raises(ServiceError, match=r"6 calls in a row failed \(last: no answer in 120 s\)") as raised:
        gate.ask(last)
    assert raised.value.kind == "timeout"


def test_one_success_between_failures_keeps_the_gate_open() -> None:
    broken = Verdict(kind="server", said="HTTP 500")
    callers = Callers(lambda number, now: ANSWERED if number % 6 == 0 else broken)
    callers.run(60, concurrency=1)
    assert len(callers.sent) == 60


def test_a_service_that_comes_back_is_found_again() -> None:
    callers = Callers(lambda number, now: TOO_MUCH if now < 30 else ANSWERED, takes=1)
    callers.run(10, concurrency=1)
    assert "rate_limited" in callers.ends[-1]
    callers.clock.time += RETRY.budget
    callers.run(10, concurrency=4)
    # One tries; while it does, the others are still told that nothing is sent.
    assert callers.ends[-1] == "ok"


def test_the_one_that_tries_whether_a_service_is_back_may_wait_for_its_rate() -> None:
    clock = HandClock()
    gate = Gate(name="x", retry=Retry(breaker=1, budget=1.0), rates=Rates(rpm=6), clock=clock)
    broken = Verdict(kind="server", said="HTTP 500")
    first, second = Ticket(), Ticket()
    gate.join(first)
    assert gate.ask(first) == 0
    gate.done(first, broken)
    gate.lost(broken)
    clock.time += 2
    gate.join(second)
    assert gate.ask(second) == pytest.approx(8)
    clock.time += 8.1
    assert gate.ask(second) == 0
    # One at a time: nobody else tries before it is known what became of that.
    third = Ticket()
    gate.join(third)
    with pytest.raises(ServiceError, match="nothing more is sent"):
        gate.ask(third)


def test_an_empty_account_stops_everything_at_once() -> None:
    callers = Callers(lambda number, now: Verdict(kind="quota", said="HTTP 429, insufficient_quota"))
    callers.run(10, concurrency=1)
    assert len(callers.sent) == 1
    assert all(end.startswith("quota") for end in callers.ends)
    assert "Add credit" in callers.ends[-1]


def test_a_wait_longer_than_the_budget_is_nobodys_to_wait() -> None:
    asked = Verdict(kind="rate_limited", said="HTTP 429", again=False, asked=3600, everybody=True)
    callers = Callers(lambda number, now: asked)
    callers.run(10, concurrency=1)
    assert len(callers.sent) == 1
    assert callers.clock.now() < 1
    assert "asks to wait 3600 s" in callers.ends[-1]


def test_first_come_first_served_within_the_rate() -> None:
    callers = Callers(lambda number, now: ANSWERED, rates=Rates(rpm=60))
    callers.run(6, concurrency=6)
    assert callers.sent == pytest.approx([0, 1, 2, 3, 4, 5])


def test_who_gives_up_holds_nobody_back() -> None:
    gate = Gate(name="x", retry=RETRY, rates=Rates(rpm=1), clock=HandClock())
    first, second, third = Ticket(), Ticket(), Ticket()
    for ticket in (first, second, third):
        gate.join(ticket)
    assert gate.ask(first) == 0
    wait = gate.ask(second)
    assert wait is not None and wait > 0
    assert gate.ask(third) is None
    gate.leave(second)
    assert third.turn.done()
    assert gate.ask(third) == pytest.approx(wait)
