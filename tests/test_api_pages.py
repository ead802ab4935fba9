"""The first suite of each API's page is a suite that works: recorded against the simulator, then replayed without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write

PAGES = Path(__file__).parents[1] / "docs" / "apis"
TOOLS = '''
def order_status(order_id: str) -> dict:
    """Look up an order.

    Args:
        order_id: digits only
    """
    return {"order": order_id, "status": "shipped"}
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(root: Path) -> list[dict[str, Any]]:
    newest = max((root / "reports").glob("*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]


def answer(ask: Ask) -> str | list[Piece]:
    if ask.messages[-1]["role"] == "tool":
        return [Text("It has shipped.")]
    return [Call(name="order_status", arguments='{"order_id": "4711"}')]


@pytest.mark.parametrize("api", ["responses", "chat", "threads"])
def test_the_suite_of_a_page_runs(api: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (PAGES / f"{api}.md").read_text(encoding="utf-8")
    (suite, *_) = re.findall(r"```yaml\n(suite: .*?)```", page, re.DOTALL)
    with served(Simulator(FunctionBrain(answer))) as server:
        url = server.url
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        text = re.sub(r"base_url: \S+", f"base_url: {url}", suite)
        write(project, {"suites/s.yaml": text, "suites/tools.py": TOOLS, "suites/handbook.txt": "Orders ship."})
        harness("record", "--yes")
    recorded = rows(project)
    harness("run")
    assert [row["outcome"] for row in recorded] == [row["outcome"] for row in rows(project)] == ["passed"]
    assert recorded[0]["tool_calls"][-1]["name"] == "order_status"
