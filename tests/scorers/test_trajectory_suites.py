"""Checks of tools and state in suites: with a simulated model, from a recording, and as editors see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.errors import ConfigError
from harness.located import parse_yaml
from harness.project.project import load, open_project
from harness.scorers import default_registry
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from harness.suites.schema import schema
from tests.projects import harness, write

AGENT = """\
def answer(text):
    calls = [{"name": "refund", "arguments": {"order_id": 4712}}] if "refund" in text else []
    return {"output": "Done.", "tool_calls": calls}
"""
HEAD = 'suite: s\nvariants: {a: {api: python, target: "./agent.py:answer"}}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, {"suites/agent.py": AGENT})


def rows(project: Path) -> list[dict[str, Any]]:
    folder = max((project / "reports").glob("2*"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def checks(project: Path) -> dict[str, bool | None]:
    return {check["name"]: check["passed"] for row in rows(project) for check in row["checks"]}


def test_a_value_from_a_template_keeps_its_type(project: Path) -> None:
    suite = """\
vars: {number: 4712, text: "4712", tools: [refund], some: 1}
cases:
  - id: a
    input: A refund please
    expect:
      - {name: number, tool_args: {name: refund, args: {order_id: "{{ number }}"}}}
      - {name: text, tool_args: {name: refund, args: {order_id: "{{ text }}"}}}
      - {name: part, tool_args: {name: refund, args: {order_id: "{{ number }}{{ '' }}"}}}
      - {name: step, trajectory: [{tool: "{{ tools[0] }}", args: {order_id: "{{ number }}"}}]}
      - {name: names, tool_called: "{{ tools }}"}
      - {name: count, tool_count: "{{ some }}"}
"""
    write(project, {"suites/s.yaml": HEAD + suite})
    assert harness("run").exit_code == 1
    assert checks(project) == {
        "number": True, "text": False, "part": False, "step": True, "names": True, "count": True
    }  # fmt: skip


def test_a_case_of_several_turns_looks_at_the_last_or_at_all(project: Path) -> None:
    suite = """\
cases:
  - id: a
    turns:
      - {input: A refund please, expect: [{name: turn, tool_called: refund}]}
      - {input: Thanks, expect: [{name: later, tool_count: 0}]}
    expect:
      - {name: last, not: {tool_called: refund}}
      - {name: all, tool_called: refund, scope: all}
      - {name: turns, turns: {min: 2, max: 2}}
"""
    write(project, {"suites/s.yaml": HEAD + suite})
    assert harness("run").exit_code == 0
    assert checks(project) == dict.fromkeys(("turn", "later", "last", "all", "turns"), True)


@pytest.mark.parametrize("check", ["state: {$.a: 1}", "not: {state: {$.a: 1}}"])
def test_a_state_that_there_is_not_makes_an_error_of_the_trial(project: Path, check: str) -> None:
    write(project, {"suites/s.yaml": f"{HEAD}cases: [{{id: a, input: Hi, expect: {{{check}}}}}]\n"})
    assert harness("run").exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == "ungraded"
    assert "no env" in row["error"]["message"]


SHOP = '''\
from harness.tools import EndRun


class Shop:
    def __init__(self) -> None:
        self.orders = {"4712": {"closed": False}}

    def close(self, order_id: str) -> str:
        """Close an order."""
        self.orders[order_id]["closed"] = True
        return "closed"

    def hand_over(self, to: str) -> EndRun:
        """Hand over to somebody."""
        return EndRun({"to": to, "open": 0})
'''
SUPPORT = """\
suite: support
model: gpt-test
base_url: {url}
system: You answer for a shop.
env: ./shop.py:Shop
tools: [env:close, env:hand_over]
{settings}
cases:
  - id: close
    input: Please close it
    expect:
      - {{name: close called, tool_called: close}}
      - {{name: close args, tool_args: {{name: close, args: {{order_id: "4712"}}, match: exact, all: true}}}}
      - {{name: close invalid, tool_valid: false, threshold: 0.5}}
      - {{name: close state, state: {{"$.orders['4712'].closed": true}}}}
      - {{name: close end, end_run: false}}
      - {{name: close way, trajectory: [{{tool: clse}}, {{tool: close}}, {{say: All closed}}]}}
  - id: human
    input: A human!
    expect:
      - {{name: human end, end_run: {{to: human}}}}
      - {{name: human other, not: {{end_run: {{to: robot}}}}}}
      - {{name: human valid, tool_valid: true}}
      - {{name: human state, state: {{"$.orders[*].closed": false}}}}
      - {{name: human sequence, tool_sequence: {{names: [hand_over], mode: exact}}}}
"""
SCRIPT = [
    {"match": {"contains": "close", "after": 0}, "call": {"name": "clse", "arguments": {"order_id": "4712"}}},
    {"match": {"contains": "close", "after": 1}, "call": {"name": "close", "arguments": {"order_id": "4712"}}},
    {"match": {"contains": "close", "after": 2}, "reply": "All closed."},
    {"match": {"contains": "human"}, "call": {"name": "hand_over", "arguments": {"to": "human"}}},
]


@pytest.mark.parametrize("settings", ["api: responses", "api: chat", "{api: chat, stream: true}"])
def test_tools_state_and_ends_are_scored_alike_live_and_from_the_recording(project: Path, settings: str) -> None:
    settings = settings.strip("{}").replace(", ", "\n")
    with served(Simulator(ScriptBrain(SCRIPT))) as server:
        suite = SUPPORT.format(url=server.url, settings=settings)
        write(project, {"suites/shop.py": SHOP, "suites/support.yaml": suite})
        recorded = harness("record", "--yes")
    live = checks(project)
    assert recorded.exit_code == 0, (recorded.output, rows(project))
    assert len(live) == 11
    assert set(live.values()) == {True}
    assert harness("run").exit_code == 0
    assert checks(project) == live


REGISTRY = default_registry(entry_points=False)
EDITOR = Draft202012Validator(schema("suite", REGISTRY))


def agreed(project: Path, check: str) -> bool:
    """Whether a suite with this check is right; editors and the reader are of one mind."""
    text = f"{HEAD}vars: {{n: 1, names: [a]}}\ncases: [{{id: a, input: Hi}}]\nexpect: {check}\n"
    path = write(project, {"suites/s.yaml": text}) / "suites/s.yaml"
    try:
        load(open_project(project), [path])
        read = True
    except ConfigError:
        read = False
    assert EDITOR.is_valid(parse_yaml(text, shown="s.yaml").value) is read
    return read


@pytest.mark.parametrize(
    "check",
    [
        "{tool_called: a}",
        "{tool_called: [a, b]}",
        "{tool_called: {name: [a, b], times: 0}}",
        "{tool_called: '{{ names }}'}",
        "{tool_sequence: [a, b]}",
        "{tool_sequence: {names: [a], mode: exact}}",
        "{tool_args: {name: a, args: {b: {c: ['{{ n }}', null]}}, match: exact, all: true}}",
        "{tool_count: 2}",
        "{tool_count: '{{ n }}'}",
        "{tool_count: {name: a, min: '{{ n }}'}}",
        "{tool_valid: true}",
        "{state: {$.a: 1, \"$.b['c d']\": null}}",
        "{end_run: true}",
        "{end_run: {a: [1]}}",
        "{turns: 3}",
        "{turns: {min: 1, max: 3}}",
        "{trajectory: [{tool: a}, {tool: a, args: {b: 1}}, {say: 5 days}, {say: 5}]}",
    ],
)
def test_what_is_right_is_right_to_editors_too(project: Path, check: str) -> None:
    assert agreed(project, check)


@pytest.mark.parametrize(
    "check",
    [
        "{tool_called: 3}",
        "{tool_called: []}",
        "{tool_called: {times: 2}}",
        "{tool_called: {nam: a}}",
        "{tool_sequence: a}",
        "{tool_sequence: {names: [a], mode: odd}}",
        "{tool_args: a}",
        "{tool_args: {name: a}}",
        "{tool_args: {name: a, args: {}, match: all}}",
        "{tool_count: -1}",
        "{tool_count: some}",
        "{tool_valid: maybe}",
        "{state: $.a}",
        "{state: {}}",
        "{turns: [1]}",
        "{trajectory: []}",
        "{trajectory: {tool: a}}",
        "{trajectory: [{tol: a}]}",
        "{end_run: }",
    ],
)
def test_mistakes_are_refused_by_editor_and_reader(project: Path, check: str) -> None:
    assert not agreed(project, check)


def test_a_mistake_is_shown_with_its_place(project: Path) -> None:
    write(project, {"suites/s.yaml": HEAD + "cases:\n  - id: a\n    input: Hi\n    expect: {state: {orders: 1}}\n"})
    result = harness("validate")
    assert result.exit_code == 2
    assert "suites/s.yaml:6:14: state: 'orders' is no JSONPath" in result.stderr


@pytest.mark.parametrize(
    "name",
    [
        "tool_called",
        "tool_sequence",
        "tool_args",
        "tool_count",
        "tool_valid",
        "state",
        "end_run",
        "turns",
        "trajectory",
    ],
)
def test_the_list_of_scorers_shows_them(project: Path, name: str) -> None:
    (line,) = (row for row in json.loads(harness("list", "scorers", "--json").stdout) if row["scorer"] == name)
    assert line["from"] == "built-in"
