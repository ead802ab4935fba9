"""`harness doctor` on what would run offline."""

from __future__ import annotations

import json
import re
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ExitCode
from tests.projects import harness, write

_SUITE = """\
suite: plain
variants: {agent: {api: python, target: "./agent.py:answer"}}
cases: [{id: one, input: Hello}, {id: two, input: Bye}]
"""


def offline() -> tuple[int, dict[str, Any]]:
    result = harness("doctor", "--json")
    return result.exit_code, next(one for one in json.loads(result.stdout) if one["what"] == "offline")


def test_a_function_that_calls_no_model_needs_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {"suites/s.yaml": _SUITE, "suites/agent.py": "def answer(input): return input"}))
    code, found = offline()
    assert (code, found[""]) == (ExitCode.PASSED, "ok")
    assert found["state"].startswith("2 trials of Python targets left no recording, and need none unless")
    assert harness("run").exit_code == ExitCode.PASSED


def test_what_is_not_recorded_is_missing(shop: Path) -> None:
    assert offline()[1]["state"] == "2 of 2 trials are recorded"
    Path("cassettes/shop/shop/chat.1.yaml").unlink()
    code, found = offline()
    assert (code, found[""], found["do"]) == (ExitCode.USAGE, "MISSING", "harness record")
    assert found["state"] == "1 of 2 trials are recorded"


def test_no_package_is_missed_that_an_installation_does_not_bring(shop: Path) -> None:
    listed = [one["what"] for one in json.loads(harness("doctor", "--json").stdout)]
    packages = set(listed[listed.index("harness") + 1 : listed.index("project")])
    assert packages >= {"openai", "pytest"}
    assert packages <= _brought("prompt-agent-harness") | _brought("scipy")


def _brought(package: str) -> set[str]:
    """What is installed with a package that is installed without extras."""
    needed = [one for one in requires(package) or () if "extra ==" not in one]
    return {found[0] for one in needed if (found := re.match(r"[A-Za-z0-9._-]+", one))}
