"""Budgets: what a run may spend, whatever happens to its requests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, TrialError
from harness.events import BudgetExceeded, BudgetWarning
from harness.limits.bounds import Bound
from harness.limits.budget import Account, Ledger
from harness.recording import Interaction
from harness.records import Usage
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.front import faulty
from harness.simulator.script import ScriptBrain
from tests.loopback import ChatServer, Reply, completion, error
from tests.projects import harness, write

#: Twenty tokens of output are the most that is allowed, and what every answer takes: $0.002.
_PRICES = """\
[tool.harness]
concurrency = 100
[tool.harness.retry]
backoff = "1ms"
[tool.harness.prices.test-model]
input = "$0"
output = "$100"
"""
_ANSWER = " ".join(["word"] * 20)


def _suite(url: str, *, name: str = "faq", cases: int = 100, extra: str = "", variant: str = "max_tokens: 20") -> str:
    listed = "\n".join(f"  - {{id: c{number}, input: Question {number}?}}" for number in range(cases))
    return f"""\
suite: {name}
api: chat
model: test-model
base_url: {url}
variants:
  v1: {{system: Answer., {variant}}}
{extra}
expect: {{contains: word}}
cases:
{listed}
"""


def _project(root: Path, *suites: str, settings: str = _PRICES) -> None:
    names = [text.split()[1] for text in suites]
    write(root, {"pyproject.toml": settings, **{f"suites/{n}.yaml": t for n, t in zip(names, suites, strict=True)}})


def _run(root: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    folder = max(path for path in (root / "reports").iterdir() if (path / "run.json").exists())
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    return json.loads((folder / "run.json").read_text()), rows


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_more_is_sent_than_the_budget_pays_for_however_many_trials_run_at_once(here: Path) -> None:
    with ChatServer(lambda number, body: _ANSWER) as server:
        _project(here, _suite(server.url))
        done = harness("record", "--yes", "--no-html", "--budget", "$0.01")
        assert len(server.requests) == 5
        assert done.exit_code == 4, done.output
    manifest, rows = _run(here)
    assert Decimal(manifest["spend"]["total"]) == Decimal("0.01")
    assert manifest["spend"]["budget"] == "0.01"
    assert manifest["outcomes"] == {"passed": 5, "failed": 0, "error": 0, "skipped": 95}
    left = [row["error"] for row in rows if row["outcome"] == "skipped"]
    assert {one["kind"] for one in left} == {"budget"}
    assert all("$0.01" in one["message"] and "$0.002" in one["message"] for one in left)
    assert "spent $0.01 of $0.01" in done.output.replace("$0.0100", "$0.01")
    assert "95 trials skipped" in done.output
    assert done.output.count("no further trial begins") == 1


def test_what_nobody_knows_the_cost_of_counts_as_the_worst_case(here: Path) -> None:
    def hidden(number: int, body: dict[str, Any]) -> Reply | None:
        if number % 2:
            return None
        whole = completion(_ANSWER, number, body)
        whole["usage"] = [None, {"prompt_tokens": -1, "completion_tokens": "7"}][number // 2 % 2]
        return Reply(body=json.dumps(whole).encode())

    with ChatServer(lambda number, body: "word", faults=hidden) as server:
        _project(here, _suite(server.url))
        done = harness("record", "--yes", "--no-html", "--budget", "$0.01")
        sent = len(server.requests)
    manifest, rows = _run(here)
    assert done.exit_code == 4
    # Known answers cost $0.0001 each, hidden ones count as $0.002.
    spend = manifest["spend"]
    assert Decimal(spend["total"]) <= Decimal("0.01")
    assert Decimal(spend["estimated"]) == Decimal("0.002") * (sent // 2)
    passed = [row for row in rows if row["outcome"] == "passed"]
    assert {row["cost"] for row in passed if row["extra"].get("cost_basis") == "estimated"} == {"0.002"}
    assert {row["cost"] for row in passed if "cost_basis" not in row["extra"]} == {"0.0001"}
    assert "estimated" in done.output


def test_failures_that_the_service_reports_cost_nothing_and_broken_answers_the_worst_case(here: Path) -> None:
    def faults(number: int, body: dict[str, Any]) -> Reply | None:
        if number <= 4:
            return Reply(status=[429, 503, 400, 429][number - 1], body=error())
        if number <= 6:
            return Reply(body=b'{"id": "chatcmpl', cut=3, headers={"connection": "close"})
        return None

    with ChatServer(lambda number, body: _ANSWER, faults=faults) as server:
        _project(here, _suite(server.url, cases=4))
        harness("record", "--yes", "--no-html", "--budget", "$1", "-j", "1")
        answered = len(server.requests) - 6
    manifest, _ = _run(here)
    assert Decimal(manifest["spend"]["total"]) == Decimal("0.002") * (answered + 2)
    assert Decimal(manifest["spend"]["estimated"]) == Decimal("0.004")


def test_a_suite_that_spent_its_budget_leaves_the_others_alone_and_a_larger_one_pays_for_the_rest(here: Path) -> None:
    with ChatServer(lambda number, body: _ANSWER) as server:
        small = _suite(server.url, name="small", cases=10, extra="budget: $0.004")
        _project(here, small, _suite(server.url, name="other", cases=3, extra="budget: $1"))
        done = harness("record", "--yes", "--no-html")
        assert done.exit_code == 4, done.output
        assert len(server.requests) == 5
        manifest, rows = _run(here)
        assert {row["suite"] for row in rows if row["outcome"] == "skipped"} == {"small"}
        assert manifest["spend"]["budget"] is None
        assert {name: one["budget"] for name, one in manifest["spend"]["suites"].items()} == {
            "small": "0.004",
            "other": "1",
        }
        path = here / "suites/small.yaml"
        path.write_text(path.read_text().replace("$0.004", "$0.1"))
        again = harness("record", "--yes", "--no-html")
        assert again.exit_code == 0, again.output
        assert len(server.requests) == 13
        # Nothing is left to be paid for, so no budget is in the way.
        assert harness("run", "--no-html", "--budget", "$0").exit_code == 0


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_streams_are_paid_for_too(here: Path, api: str) -> None:
    with ChatServer(lambda number, body: "word word") as server:
        text = _suite(server.url, cases=9, extra="stream: true").replace("api: chat", f"api: {api}")
        _project(here, text)
        done = harness("record", "--yes", "--no-html", "-j", "1", "--budget", "$0.002")
        assert done.exit_code == 4, done.output
    manifest, _ = _run(here)
    # Each costs $0.0002 of the $0.002, and may cost all of it: what is left of it is too little from the second on.
    assert len(server.requests) == 1
    assert Decimal(manifest["spend"]["total"]) == Decimal("0.0002")
    assert Decimal(manifest["spend"]["estimated"]) == 0
    assert "further trial" in done.output


def test_four_fifths_of_a_budget_are_told_once(here: Path) -> None:
    with ChatServer(lambda number, body: _ANSWER) as server:
        _project(here, _suite(server.url, cases=10))
        done = harness("record", "--yes", "--no-html", "--budget", "$0.02")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("budget of the run: $0.0160 of $0.0200 spent") == 1


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("temperature: 0", "max_tokens: 400"),
        ("max_tokens: 20, model: nobody-knows", "no price"),
        ("max_tokens: 20, api: responses, tools: [code_interpreter]", "max_tool_calls"),
    ],
)
def test_with_a_budget_a_run_begins_only_where_every_request_is_bounded(here: Path, variant: str, said: str) -> None:
    with ChatServer() as server:
        _project(here, _suite(server.url, cases=2, variant=variant))
        done = harness("record", "--yes", "--budget", "$1")
        assert done.exit_code == 2
        assert "suites/faq.yaml:6:" in done.output
        assert said in done.output
        assert server.requests == []


def test_functions_send_only_what_is_bounded_and_paid_for(here: Path) -> None:
    code = """
def unbounded(question, session):
    try:
        session.sync_client.chat.completions.create(model="test-model", messages=[{"role": "user", "content": question}])
    except Exception:
        return "word"

def bounded(question, session):
    kept = session.sync_client.chat.completions.create(
        model="test-model", max_tokens=20, messages=[{"role": "user", "content": question}]
    )
    return kept.choices[0].message.content
"""
    with ChatServer(lambda number, body: _ANSWER) as server:
        variants = "{a: {target: ./agent.py:unbounded}, b: {target: ./agent.py:bounded}}"
        text = (
            f"suite: own\napi: python\nbase_url: {server.url}\nvariants: {variants}\nexpect: {{contains: word}}\n"
            "cases: [{id: one, input: One?}, {id: two, input: Two?}, {id: three, input: Three?}]\n"
        )
        write(here, {"pyproject.toml": _PRICES, "suites/own.yaml": text, "suites/agent.py": code})
        done = harness("record", "--yes", "--no-html", "--budget", "$0.004")
        assert len(server.requests) == 2, done.output
    _, rows = _run(here)
    assert {(row["outcome"], row["error"]["kind"]) for row in rows if row["variant"] == "a"} == {("error", "unbounded")}
    assert sorted(row["outcome"] for row in rows if row["variant"] == "b") == ["passed", "passed", "skipped"]


def test_deployed_services_are_refused_where_there_is_a_budget(here: Path) -> None:
    text = (
        "suite: own\napi: http\nurl: http://127.0.0.1:9/ask\nbody: {q: '{{ input }}'}\noutput: $.a\n"
        "cases: [{id: one, input: Hi}]\nexpect: {contains: a}\n"
    )
    write(here, {"pyproject.toml": _PRICES, "suites/own.yaml": text})
    done = harness("record", "--yes", "--budget", "$1")
    assert done.exit_code == 2
    assert "suites/own.yaml:" in done.output
    assert "deployed service" in done.output


def test_a_conversation_that_can_be_paid_for_no_longer_is_skipped_whole(here: Path) -> None:
    with ChatServer(lambda number, body: _ANSWER) as server:
        text = _suite(server.url, cases=0) + "  - {id: long, turns: [{input: One}, {input: Two}, {input: Three}]}\n"
        _project(here, text)
        done = harness("record", "--yes", "--no-html", "--budget", "$0.005")
        assert (done.exit_code, len(server.requests)) == (4, 2)
    _, [row] = _run(here)
    assert row["outcome"] == "skipped"
    assert "had spent $0.004" in row["error"]["message"]
    assert not list((here / "cassettes").rglob("*.yaml"))


def test_waiting_for_room_is_no_latency(here: Path) -> None:
    with ChatServer(lambda number, body: "word", delay=0.2) as server:
        _project(here, _suite(server.url, cases=5))
        assert harness("record", "--yes", "--no-html", "--budget", "$0.0025").exit_code == 0
    _, rows = _run(here)
    # They were asked one after the other; each took as long as the service did.
    assert max(row["latency"] for row in rows) < 0.6


def test_runs_of_the_assistants_api_are_paid_for_when_they_end(here: Path) -> None:
    rules = [
        {"match": {"tool": "look"}, "reply": "word", "usage": {"input": 10, "output": 156}},
        {"call": {"name": "look", "arguments": {}}, "usage": {"input": 10, "output": 100}},
    ]
    tools = 'def look() -> str:\n    """Look it up."""\n    return "found"\n'
    with served(Simulator(ScriptBrain(rules))) as server:
        more = "tools: ['./tools.py:look']\npoll_interval: 5ms"
        text = _suite(server.url, cases=6, extra=more)
        text = text.replace("api: chat", "api: threads").replace("max_tokens: 20", "max_tokens: 256")
        write(here, {"pyproject.toml": _PRICES, "suites/faq.yaml": text, "suites/tools.py": tools})
        # A run may cost $0.0256, and does; only its end tells.
        done = harness("record", "--yes", "--no-html", "--budget", "$0.06")
    manifest, rows = _run(here)
    assert done.exit_code == 4, done.output
    assert sorted(row["outcome"] for row in rows) == ["passed"] * 2 + ["skipped"] * 4
    assert {row["cost"] for row in rows if row["outcome"] == "passed"} == {"0.0256"}
    # Those that were skipped had made no more than a thread, which is free.
    assert "may have been paid" not in done.output
    assert Decimal(manifest["spend"]["total"]) == Decimal("0.0512")
    assert Decimal(manifest["spend"]["estimated"]) == 0


def test_who_waits_for_money_does_not_keep_out_those_it_waits_for(here: Path) -> None:
    rules = [
        {"match": {"tool": "look"}, "reply": "word", "usage": {"input": 10, "output": 20}},
        {"call": {"name": "look", "arguments": {}}, "usage": {"input": 10, "output": 10}},
    ]
    tools = 'def look() -> str:\n    """Look it up."""\n    return "found"\n'
    # After so many refusals only a few requests go out at once; one run at a time can be paid for until it has ended.
    refused = {"match": {"path": "/v1/threads"}, "times": 8, "fault": {"status": 429}}
    with faulty(Simulator(ScriptBrain(rules)), [refused]) as server:
        text = _suite(server.url, cases=8, extra="tools: ['./tools.py:look']\npoll_interval: 5ms")
        text = text.replace("api: chat", "api: threads").replace("max_tokens: 20", "max_tokens: 256")
        write(here, {"pyproject.toml": _PRICES, "suites/faq.yaml": text, "suites/tools.py": tools})
        done = harness("record", "--yes", "--no-html", "--budget", "$0.05", "--run-timeout", "60s")
    assert done.exit_code == 0, done.output
    assert Decimal(_run(here)[0]["spend"]["total"]) == Decimal("0.024")
    assert "may have been paid" not in done.output


def test_plan_and_record_say_what_it_may_cost_before_anything_is_sent(here: Path) -> None:
    with ChatServer() as server:
        _project(here, _suite(server.url, cases=10))
        planned = harness("plan", "--budget", "$0.01")
        # Ten answers of $0.002 each, and every one of three attempts may be paid for.
        assert "$0.06" in planned.output
        assert "the budget, $0.010, is less than the expected cost" in planned.output
        asked = harness("record", "--budget", "$0.01")
        assert asked.exit_code == 2
        assert "at worst $0.06" in asked.output
        assert server.requests == []


def test_budgets_in_pytest(pytester: pytest.Pytester) -> None:
    with ChatServer(lambda number, body: _ANSWER) as server:
        write(pytester.path, {"pyproject.toml": _PRICES, "suites/faq.yaml": _suite(server.url, cases=8)})
        done = pytester.runpytest_inprocess("suites", "--record-mode", "once", "--harness-budget", "$0.004")
        assert len(server.requests) == 2
    assert done.ret == 1
    done.assert_outcomes(passed=2, skipped=6, failed=1)
    done.stdout.fnmatch_lines(["*budget of the run is $0.004*"])


class _Fixed:
    """Prices of one model: a token of output costs $1."""

    def most(self, bound: Bound) -> Decimal:
        return Decimal(bound.output)

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return None

    def paid(self, interaction: Interaction) -> Decimal | None:
        return None


@settings(max_examples=60, deadline=None)
@given(
    budget=st.integers(0, 40),
    own=st.none() | st.integers(0, 40),
    requests=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 100), st.booleans(), st.integers(0, 3)), max_size=25
    ),
)
def test_in_any_order_no_more_is_spent_than_there_is(
    budget: int, own: int | None, requests: list[tuple[int, int, bool, int]]
) -> None:
    told: list[BudgetWarning | BudgetExceeded] = []
    refused: list[Account] = []
    ledger = Ledger(Decimal(budget), pricing=_Fixed(), tell=told.append)

    async def trial(number: int, worst: int, share: int, hidden: bool, turns: int) -> None:
        suite = "a" if number % 2 else "b"
        account = ledger.account(suite, None if own is None or suite == "b" else Decimal(own))
        assert account is not None
        try:
            reservation = await account.reserve(Decimal(worst), held=nullcontext)
        except TrialError:
            refused.append(account)
            return
        for _ in range(turns):
            await asyncio.sleep(0)
        ledger.settle(reservation, None if hidden else Decimal(worst) * share / 100)
        reservation.release()

    async def run() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*(trial(number, *request) for number, request in enumerate(requests)))

    asyncio.run(run())
    total, suites = ledger.total, ledger.by_suite
    assert total.amount <= budget
    assert total.amount == sum((one.amount for one in suites.values()), Decimal(0))
    assert total.estimated <= total.amount
    if own is not None and "a" in suites:
        assert suites["a"].amount <= own
    assert all(one.closed is not None and one.closed.kind == "budget" for one in refused)
    assert len(told) == len({(type(one), one.suite) for one in told})


def test_trials_that_hold_money_and_need_more_wait_without_waking_each_other() -> None:
    waits: list[int] = []

    @contextmanager
    def held() -> Iterator[None]:
        waits.append(1)
        yield

    async def main() -> None:
        ledger = Ledger(Decimal(10), pricing=_Fixed())
        trials = [account for _ in range(3) if (account := ledger.account("s", None)) is not None]
        for account in trials[:2]:
            ledger.hold(await account.reserve(Decimal(2), held=held))
        under_way = await trials[2].reserve(Decimal(5), held=held)
        both = [asyncio.create_task(account.reserve(Decimal(3), held=held)) for account in trials[:2]]
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(waits) == 2
        under_way.release()
        await asyncio.gather(*both)

    asyncio.run(main())


def test_a_thread_that_outlives_its_trial_waits_for_no_money() -> None:
    told: list[BudgetWarning | BudgetExceeded] = []
    ledger = Ledger(Decimal(3), pricing=_Fixed(), tell=told.append)
    other, left = ledger.account("s", None), ledger.account("s", None)
    assert other is not None
    assert left is not None
    waiting = threading.Event()

    @contextmanager
    def held() -> Iterator[None]:
        waiting.set()
        yield

    async def main() -> None:
        under_way = await other.reserve(Decimal(2), held=nullcontext)
        thread = asyncio.create_task(asyncio.to_thread(left.reserve_sync, Decimal(2), held=held))
        await asyncio.to_thread(waiting.wait, 10)
        left.close()
        with pytest.raises(HarnessError, match="is over"):
            await asyncio.wait_for(thread, 10)
        under_way.settle(None)

    asyncio.run(main())
    # Nobody needs what it asked for, so no budget was too small.
    assert [type(one) for one in told] == []
    assert other.closed is None


def test_who_is_given_room_and_was_cancelled_meanwhile_gives_it_back() -> None:
    ledger = Ledger(Decimal(2), pricing=_Fixed())
    one, two = ledger.account("s", None), ledger.account("s", None)
    assert one is not None
    assert two is not None

    async def main() -> None:
        first = await one.reserve(Decimal(2), held=nullcontext)
        second = asyncio.create_task(two.reserve(Decimal(2), held=nullcontext))
        await asyncio.sleep(0)
        first.release()
        second.cancel()
        await asyncio.wait([second])
        async with asyncio.timeout(5):
            await one.reserve(Decimal(2), held=nullcontext)

    asyncio.run(main())
    assert ledger.total.amount == 0


def test_who_waits_for_money_when_a_run_stops_waits_no_longer() -> None:
    told: list[BudgetWarning | BudgetExceeded] = []
    ledger = Ledger(Decimal(2), pricing=_Fixed(), tell=told.append)
    stopped = threading.Event()
    other = ledger.account("s", None)
    one = ledger.account("s", None, stopped=stopped.is_set)
    assert one is not None
    assert other is not None

    async def main() -> None:
        async with asyncio.timeout(10):
            under_way = await other.reserve(Decimal(2), held=nullcontext)
            waiting = asyncio.create_task(one.reserve(Decimal(2), held=nullcontext))
            waiting_too = asyncio.create_task(other.reserve(Decimal(1), held=nullcontext))
            await asyncio.sleep(0)
            stopped.set()
            ledger.let_go()
            # What it asks for next is refused elsewhere, before it is sent.
            (await waiting).release()
            # Another part of the run goes on, within the same budget.
            assert not waiting_too.done()
            under_way.release()
            await waiting_too

    asyncio.run(main())
    assert told == []
