"""What the page of `api: python` shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write
from tests.recorded_twice import both, rows

PAGE = (Path(__file__).parents[2] / "docs" / "apis" / "python.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look_up(ask: Ask) -> list[Piece]:
    if ask.messages[-1]["role"] == "tool":
        return [Text(f"{ask.messages[-1]['content']}.")]
    return [Call(name="order_status", arguments='{"order": "4711"}')]


def test_the_suite_and_its_function_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (suite, *_) = re.findall(r"```yaml\n(suite: .*?)```", PAGE, re.DOTALL)
    with served(Simulator(FunctionBrain(look_up))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        write(project, {"suites/s.yaml": suite, "suites/agent.py": CODE[0]})
        recorded = harness("record", "--yes")
    assert recorded.exit_code == 0, recorded.output
    assert harness("run").exit_code == 0
    today, brief = rows(project)
    assert (today["variant"], brief["variant"]) == ("today", "brief")
    for row in (today, brief):
        assert (row["outcome"], row["output"]) == ("passed", "4711 has shipped.")
        assert [call["output"] for call in row["tool_calls"]] == ["4711 has shipped"]


def test_the_agent_of_the_sdk_runs(project: Path) -> None:
    pytest.importorskip("agents", reason="openai-agents comes with the extra `test`")
    support = """
from agents import Agent, function_tool


@function_tool
def order_status(order: str) -> str:
    return f"{order} has shipped"


support = Agent(name="Support", instructions="You help.", tools=[order_status])
"""
    (row,) = both(project, look_up, CODE[1], files={"suites/my_agents.py": support})
    assert row["output"] == "4711 has shipped."
    assert [call["name"] for call in row["tool_calls"]] == ["order_status"]
