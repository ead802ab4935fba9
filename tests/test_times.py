"""Where the time of a trial went, and what it was recorded with: the same when it is replayed."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness as run
from harness.simulator.brain import Ask, Call
from harness.simulator.function import Said
from tests.loopback import ChatServer, Reply, error
from tests.projects import faq, harness, write
from tests.recorded_twice import rows
from tests.test_tools_replay import helped, results, twice

#: One runs again on replay, one does not.
TOOLS = '''
from harness import tool
@tool(pure=True)
def square(n: int) -> int:
    """Square a number."""
    return n * n
def now() -> str:
    """Tell the time."""
    return "noon"
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def both_tools(ask: Ask) -> Said:
    if results(ask):
        return "done"
    return [Call(name="square", arguments='{"n": 3}', id="a"), Call(name="now", arguments="{}", id="b")]


SUITE = """\
tools: ['./tools.py:square', './tools.py:now']
variants: {a: {api: %s, model: m, base_url: URL}}
cases: [{id: one, input: Ask}]
"""


@pytest.mark.parametrize("api", ["chat", "responses", "threads"])
def test_the_parts_of_a_trial_s_time_add_up_to_its_latency(project: Path, api: str) -> None:
    row = twice(project, both_tools, SUITE % api, tools=TOOLS)
    time = row["extra"]["time"]
    assert sum(time.values()) == pytest.approx(row["latency"], abs=2e-6)
    assert time["retries"] == 0
    assert time["model"] > 0
    calls = {call["name"]: call["seconds"] for call in row["tool_calls"]}
    assert calls.keys() == {"square", "now"}
    frame = run.load().frame()
    assert frame[["model_time", "tool_time", "retry_time"]].iloc[0].tolist() == list(time.values())
    # What ran between the calls is no time of the model's.
    assert 0 < max(calls.values()) <= time["tools"]


def test_an_assistant_that_serves_as_a_tool_takes_the_time_of_its_model(project: Path) -> None:
    def brain(ask: Ask) -> Said:
        if ask.model == "outer":
            return results(ask)[0] if results(ask) else [Call(name="helper", arguments='{"message": "x"}', id="a")]
        return results(ask)[0] if results(ask) else [Call(name="square", arguments='{"n": 3}', id="a")]

    row = twice(project, brain, helped(tools="['./tools.py:square']"), tools=TOOLS)
    [helper] = row["tool_calls"]
    assert 0 < helper["seconds"] < row["latency"]
    assert row["extra"]["time"]["model"] > row["latency"] - helper["seconds"]
    file = next(project.glob("cassettes/**/*.yaml"))
    facts = yaml.safe_load(file.read_text())["interactions"][-1]["response"]["recorder"]["cassette"]
    assert facts["seconds"].keys() == {"1", "1.1"}


def test_failed_attempts_and_the_waits_after_them_are_apart(project: Path) -> None:
    def busy(number: int, body: dict[str, Any]) -> Reply | None:
        return Reply(503, error("busy")) if number == 1 else None

    with ChatServer(lambda number, body: "5 days", faults=busy) as server:
        write(project, faq(server.url, extra="retry: {backoff: 20ms, jitter: 0}"))
        harness("record", "--yes", "-j", "1")
    recorded = rows(project)
    harness("run")
    times = [row["extra"]["time"] for row in rows(project)]
    assert times == [row["extra"]["time"] for row in recorded]
    assert times[0]["retries"] > 0.02
    assert [time["retries"] for time in times[1:]] == [0, 0, 0]


def test_a_recording_says_what_it_was_made_with_but_not_on_which_machine(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        harness("record", "--yes", "-j", "3")
    recorded = rows(project)
    # However it is replayed.
    harness("run", "-j", "1")
    told = [row["extra"]["recorded"] for row in rows(project)]
    assert told == [row["extra"]["recorded"] for row in recorded]
    assert told[0].keys() == {"host", "concurrency", "machine", "harness", "openai"}
    assert told[0]["concurrency"] == 3
    assert told[0]["host"] in server.url
    assert platform.node() not in json.dumps(told)


def test_early_recordings_say_as_much_as_they_hold(project: Path) -> None:
    row = twice(project, both_tools, SUITE % "chat", tools=TOOLS)
    file = next(project.glob("cassettes/**/*.yaml"))
    text = file.read_text()
    start = text.index(", conditions: {")
    text = text[:start] + text[text.index("}", start) + 1 :]
    start = text.index("seconds: {")
    text = text[: text.rindex(",", 0, start)] + text[text.index("}", start) + 1 :]
    file.write_text(text)
    harness("run")
    [early] = rows(project)
    assert early["extra"]["time"] == row["extra"]["time"]
    assert early["extra"]["recorded"].keys() == {"host", "harness", "openai"}
    assert all("seconds" not in call for call in early["tool_calls"])
    assert early["outcome"] == "passed"


def test_times_of_arms_that_were_recorded_side_by_side_and_one_by_one_are_not_compared(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        harness("record", "--yes", "-j", "3", "--variant", "v1")
        harness("record", "--yes", "-j", "1")
    [found] = json.loads(harness("run", "--json").stdout)["suites"][0]["comparisons"]
    assert "concurrency (3 and 1)" in found["latency_withheld"]
    assert found["latency"] is None
    told = [(one["name"], one["a"], one["b"]) for one in found["changes"] if one["kind"] == "recording"]
    assert ("concurrency", "3", "1") in told


@pytest.mark.parametrize("said", ["10**400", "float('nan')", "-1", "'long'"])
def test_what_a_target_of_one_s_own_says_of_its_time_is_no_trouble(project: Path, said: str) -> None:
    code = f"def answer(input):\n    return {{'output': 'ok', 'extra': {{'time': dict(model={said}, tools=1, retries=0)}}}}\n"
    suite = "suite: s\nvariants: {a: {api: python, target: './agent.py:answer'}}\ncases: [{id: one, input: Ask}]\n"
    write(project, {"suites/s.yaml": suite, "suites/agent.py": code})
    assert harness("run").exit_code == 0
    assert run.load().frame().model_time.isna().all()
