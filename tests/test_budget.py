"""Budgets: what a run may spend, whatever happens to its requests."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

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
    assert manifest["spend"]["total"] == "0.010" or Decimal(manifest["spend"]["total"]) == Decimal("0.01")
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


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("temperature: 0", "max_tokens: 400"),
        ("max_tokens: 20, model: nobody-knows", "no price"),
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
    assert {row["error"]["kind"] for row in rows if row["variant"] == "a"} == {"unbounded", "budget"} or {
        row["error"]["kind"] for row in rows if row["variant"] == "a"
    } == {"unbounded"}
    assert sorted(row["outcome"] for row in rows if row["variant"] == "b") == ["passed", "passed", "skipped"]
