"""A project whose suite is recorded against a simulator, and replayed when the simulator is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask
from harness.simulator.function import FunctionBrain, Said
from tests.projects import harness, write

#: What may differ between a recording and its replay.
_OF_THE_RUN = ("run", "cassette")


def both(
    root: Path,
    brain: Callable[[Ask], Said],
    target: str,
    *,
    cases: str = "[{id: one, input: Where is order 4711?}]",
    function: str = "answer",
    extra: str = "",
    files: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Record a suite of one Python target, then replay it with nobody at the other end.

    Returns the rows of the replay, which are those of the recording.
    """
    with served(Simulator(FunctionBrain(brain))) as server:
        suite = f"""\
suite: s
variants: {{agent: {{api: python, target: "./agent.py:{function}", base_url: "{server.url}"}}}}
{extra}
cases: {cases}
"""
        write(root, {"suites/s.yaml": suite, "suites/agent.py": target, **(files or {})})
        recorded = harness("record", "--yes")
    assert recorded.exit_code in (0, 1), recorded.output
    first = rows(root)
    replayed = harness("run")
    assert replayed.exit_code == recorded.exit_code, replayed.output
    second = rows(root)
    assert list(map(lasting, first)) == list(map(lasting, second))
    return second


def rows(root: Path) -> list[dict[str, Any]]:
    """The rows of the newest run."""
    newest = max((root / "reports").glob("*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _OF_THE_RUN}
