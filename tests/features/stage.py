"""Putting scenes on: recorded against a simulator on loopback, replayed when it is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from tests.features.scene import JSON, Scene, Seen
from tests.projects import harness, write

SETTINGS = "[tool.harness]\n[tool.harness.retry]\nattempts = 1\n"


def lay_out(scene: Scene, root: Path, text: str) -> Path:
    """Write a scene's project; return the suite's path."""
    for name, content in scene.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    write(root, {"pyproject.toml": SETTINGS, "suites/s.yaml": text})
    return root / "suites/s.yaml"


def simulator(scene: Scene) -> Simulator:
    """The service that a scene talks to."""
    brain = FunctionBrain(scene.script) if callable(scene.script) else ScriptBrain(list(scene.script))
    found = Simulator(brain)
    if scene.script_of is not None:
        found.brain = FunctionBrain(scene.script_of(found))
    return found


def play(scene: Scene, api: str, root: Path) -> Seen:
    """Record a scene, stop the service, and replay it."""
    service = simulator(scene)
    with served(service) as server:
        text = scene.text(api, server.url)
        for name, value in (scene.before(server.url, api) if scene.before else {}).items():
            text = text.replace(name, value)
        lay_out(scene, root, text)
        known = len(service.requests)
        said = harness("record", "--yes")
        assert said.exit_code in (0, 1, 3), said.output
        requests = service.requests[known:]
        total = len(service.requests)
    recorded = newest(root)
    again = harness("run", "--no-html")
    assert again.exit_code in (0, 1, 3), again.output
    # Were anything sent now, nobody would answer, and the rows would not be the same.
    assert len(service.requests) == total
    folders = [recorded, newest(root)]
    live, replayed = map(rows, folders)
    return Seen(api=api, root=root, live=live, replayed=replayed, requests=requests, folders=folders)


def newest(root: Path) -> Path:
    """The folder of the last run."""
    return max(root.glob("reports/*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns).parent


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run."""
    found = [json.loads(line) for line in (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    return sorted(found, key=lambda row: (row["case"], row["variant"], row["repeat"]))


def comparable(found: Sequence[Mapping[str, JSON]], *, api: str = "") -> list[JSON]:
    """Rows without what must differ between recording and replay.

    That is the run's id and the cassette's mode. A function under test (`api: python`) gives its first piece a moment
    after the event that it was made of, and only the event's time is recorded.
    """
    shown = []
    for row in found:
        same = {**row, "run": None, "cassette": row["cassette"] and {**row["cassette"], "mode": None}}
        if api == "python" and row["ttft"] is not None:
            same["ttft"] = "some time"
            same["turns"] = [{**turn, "ttft": "some time"} for turn in row["turns"]]
        shown.append(same)
    return shown
