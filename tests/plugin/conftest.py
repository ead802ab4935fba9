"""A small project for pytest to run: a suite about a Python function, so that nothing needs a recording."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy  # noqa: F401
import pytest
import scipy.special  # noqa: F401

# pytester forgets what the inner run imports, and numpy cannot be imported twice.
import harness.pytesting.collection
import harness.runs.runner  # noqa: F401

AGENT = """
def answer(input, skill):
    if input == "crash":
        raise RuntimeError("the agent broke")
    if input == "wrong" or skill == "low" and input != "a":
        return "no idea"
    return input.upper()
"""

#: `naive` passes one of four cases, `good` three.
SUITE = """\
suite: quiz
api: python
target: ./agent.py:answer
variants:
  naive: {args: {skill: low}}
  good: {args: {skill: high}}
expect: {equals: "{{ expected }}"}
cases:
  - {id: one, input: a, expected: A, tags: [easy]}
  - {id: two, input: b, expected: B, tags: [easy]}
  - {id: three, input: wrong, expected: RIGHT, tags: [hard]}
  - {id: four, input: d, expected: D, tags: [hard, rare]}
"""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HARNESS_", "PYTEST_XDIST")):
            monkeypatch.delenv(name)
    # What pytest prints in full on CI servers it shortens elsewhere.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the project, with the suite's text changed: `write(gates="accuracy: 0.7")`, `write(suite=...)`."""
    # Plugins that happen to be installed too; each inner run would import them anew.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov -p no:anyio")

    def make(*, gates: str = "", suite: str = SUITE, name: str = "quiz") -> Path:
        folder = pytester.path / "suites"
        folder.mkdir(exist_ok=True)
        (pytester.path / "pyproject.toml").write_text("[tool.harness]\n")
        (folder / "agent.py").write_text(AGENT)
        path = folder / f"{name}.yaml"
        path.write_text(suite + (f"gates: {{{gates}}}\n" if gates else ""))
        return path

    return make
