"""Turns that depend on one another: what one saves, later ones say, and checks and mocks use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import Served, served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Piece
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write

TOOLS = """
from harness import EndRun

def find(name: str) -> dict:
    \"\"\"Find a customer.\"\"\"
    return {"id": f"id-{name}", "price": 3.456}

def stop() -> str:
    \"\"\"Stop here.\"\"\"
    raise EndRun({"why": "asked to"})
"""


def answer(ask: Ask) -> str | list[Piece]:
    said = [message["content"] for message in ask.messages if message["role"] == "user"][-1]
    if ask.messages[-1]["role"] == "tool":
        return f"found {ask.messages[-1]['content']}"
    if said.startswith("Find"):
        return [Call(name="find", arguments='{"name": "bo"}')]
    if said.startswith("Stop"):
        return [Call(name="stop", arguments="{}")]
    return f"said {said}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Served]:
    with served(Simulator(FunctionBrain(answer))) as running:
        yield running


def rows(root: Path) -> dict[str, dict[str, Any]]:
    newest = max((root / "reports").glob("*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    found = map(json.loads, newest.read_text(encoding="utf-8").splitlines())
    return {row["case"]: row for row in found}


def suite(url: str, cases: str) -> dict[str, str]:
    text = f"suite: s\napi: chat\nmodel: m\nbase_url: {url}\ntools: [./tools.py:find, ./tools.py:stop]\ncases:\n{cases}"
    return {"suites/s.yaml": text, "suites/tools.py": TOOLS}


SAVED = """\
  - id: a
    turns:
      - {input: Find, save: {found: "$.tool_calls[0].output"}}
      - input: "It is {{ found.id }} for {{ '%.1f' % found.price }}, {{ found.price > 2 }}"
    expect: [{contains: "{{ found.id }}"}, {numeric: {value: "{{ found.price | round(1) }}", tolerance: 0.1}}]
"""


def test_a_saved_value_is_data_in_later_turns_and_checks(project: Path, server: Served) -> None:
    write(project, suite(server.url, SAVED))
    assert harness("validate").exit_code == 0
    harness("record", "--yes")
    row = rows(project)["a"]
    assert row["outcome"] == "passed", row["checks"]
    assert row["output"] == "said It is id-bo for 3.5, True"
    assert row["input"] == ["Find", "It is id-bo for 3.5, True"]


def test_a_name_that_nothing_saves_is_found_before_anything_is_sent(project: Path, server: Served) -> None:
    write(project, suite(server.url, SAVED.replace("{{ found.id }} for", "{{ fond.id }} for")))
    result = harness("validate")
    assert result.exit_code == 2
    assert "fond" in result.output


def test_mocks_are_played_before_the_values_of_later_turns_are_there(project: Path, server: Served) -> None:
    case = """\
  - id: a
    mocks: {find: {id: 7}}
    turns: [{input: Find, save: {ref: "$.tool_calls[0].output.id"}}, {input: "And {{ ref }}?"}]
"""
    write(project, suite(server.url, case))
    assert harness("record", "--yes").exit_code == 0
    assert rows(project)["a"]["output"] == "said And 7?"


def test_a_run_that_a_tool_ends_early_is_a_result_like_any_other(project: Path, server: Served) -> None:
    case = """\
  - {id: before, input: Hello}
  - id: ended
    turns: [{input: Stop, save: {ref: $.output}}, {input: "And {{ ref }}?"}]
    expect: [{end_run: {why: asked to}}]
  - {id: later, input: Hello again}
"""
    write(project, suite(server.url, case))
    assert harness("record", "--yes").exit_code == 0
    recorded = rows(project)
    assert [row["outcome"] for row in recorded.values()] == ["passed"] * 3
    assert recorded["ended"]["input"] == ["Stop", "And {{ ref }}?"]
    assert harness("run").exit_code == 0
    assert rows(project)["ended"]["extra"]["end_run"] == {"data": {"why": "asked to"}}


def test_a_template_that_fails_on_what_was_saved_is_an_error_of_its_trial(project: Path, server: Served) -> None:
    case = """\
  - id: odd
    turns: [{input: Hi, save: {ref: $.output}}, {input: "And {{ ref.id }}?"}]
  - {id: later, input: Hello again}
"""
    write(project, suite(server.url, case))
    assert harness("record", "--yes").exit_code == 3
    found = rows(project)
    assert found["odd"]["error"]["kind"] == "template"
    assert found["odd"]["error"]["where"] == "suites/s.yaml:8:57"
    assert found["later"]["outcome"] == "passed"
