"""Each scene's suite before it runs: `harness validate`, its full form, and `harness plan`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SourceLocation
from harness.project.project import load, open_project
from harness.suites.suite import Suite
from tests.features import tooling
from tests.features.scene import MODELS, Scene
from tests.features.stage import lay_out
from tests.features.table import SCENES
from tests.projects import harness, write

URL = "http://127.0.0.1:9/v1"
CELLS = [pytest.param(scene, api, id=f"{scene.feature}-{api}") for scene in SCENES for api in scene.apis]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def meaning(value: Any) -> Any:
    """What a suite comes to, without the places where things were written."""
    if isinstance(value, SourceLocation):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        left_out = ("origins", "hash") if isinstance(value, Suite) else ("origins",)
        names = [one.name for one in dataclasses.fields(value) if one.name not in left_out]
        return (type(value).__name__, {name: meaning(getattr(value, name)) for name in names})
    if isinstance(value, dict):
        return {key: meaning(one) for key, one in value.items()}
    return [meaning(one) for one in value] if isinstance(value, (list, tuple)) else (type(value).__name__, repr(value))


def loaded(root: Path) -> Any:
    (suite,) = load(open_project(root), [root / "suites/s.yaml"])
    return meaning(suite)


@pytest.mark.parametrize(("scene", "api"), CELLS)
def test_the_full_form_means_the_same_and_the_plan_counts_its_trials(scene: Scene, api: str, project: Path) -> None:
    lay_out(scene, project, scene.text(api, URL))
    before = loaded(project)
    full = harness("validate", "--explain")
    assert full.exit_code == 0, full.output
    [row] = json.loads(harness("plan", "--json").stdout)
    assert row["missing"] == (0 if api == "outputs" else row["trials"])
    assert row["calls to record"] >= (row["trials"] if api in MODELS else 0)
    write(project, {"suites/s.yaml": full.stdout})
    assert loaded(project) == before


TOOLS = """\
tools:
  - {function: ./tools.py:find_order, name: look, description: Look., parameters: {properties: {order_id: {type: string}}}, pure: true}
  - {function: ./tools.py:slow, replay: verify, strict: true}
  - {env: close, name: shut, description: Shut it.}
  - {name: refund, description: Refund., parameters: {type: object, properties: {id: {type: string}}}, strict: true}
  - {file_search: {files: [shop.py], max_num_results: 3}}
  - code_interpreter
  - {mcp: {command: [server, "--now"], env: {A: b}}, allow: [stock], replay: recorded}
  - {assistant: analyst, description: Ask it.}
env: ./shop.py:Shop
max_steps: 3
tool_timeout: 250ms
parallel_tools: 2
assistant: {base_url: http://127.0.0.1:9/v1}
assistants:
  unused: {system: Nobody asks.}
  analyst: {system: Analyse., preset: factual, tools: [{assistant: other, name: friend}], max_tokens: 30, timeout: 2m}
  other: {model: m, api: chat, stop: [x, y], tools: [./tools.py:slow], tool_timeout: 1.5s}
cases: [{id: a, input: Hi}]
"""


@pytest.mark.parametrize("api", ["responses", "threads"])
def test_every_kind_of_tool_and_assistant_is_written_out(api: str, project: Path) -> None:
    for name, text in {"tools.py": tooling.TOOLS, "shop.py": tooling.SHOP}.items():
        write(project, {f"suites/{name}": text})
    write(project, {"suites/s.yaml": f"suite: s\napi: {api}\nmodel: test-model\n{TOOLS}"})
    before = loaded(project)
    full = harness("validate", "--explain")
    assert full.exit_code == 0, full.output
    write(project, {"suites/s.yaml": full.stdout})
    assert loaded(project) == before
