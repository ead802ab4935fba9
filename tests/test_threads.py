"""What is special about the Assistants API: it is gone at OpenAI, its runs are looked at many times, and recordings of it cannot be made again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import Served, served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.projects import harness, write

SUITE = """\
suite: s
api: threads
model: m
{settings}
system: You help.
cases: [{{id: one, input: Hi, expect: {{contains: Hello}}}}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Served]:
    with served(Simulator(ScriptBrain([{"delay": 0.5, "reply": "Hello"}]))) as running:
        yield running


def row(root: Path) -> dict[str, Any]:
    newest = max((root / "reports").glob("*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return dict(json.loads(newest.read_text(encoding="utf-8")))


def test_a_run_that_is_looked_at_many_times_is_kept_once_for_each_change(project: Path, server: Served) -> None:
    settings = f"base_url: {server.url}\npoll_interval: 5ms"
    write(project, {"suites/s.yaml": SUITE.format(settings=settings)})
    assert harness("record", "--yes").exit_code == 0
    recorded = row(project)
    text = (project / "cassettes/s/m/one.1.yaml").read_text(encoding="utf-8")
    looks = [line for line in text.splitlines() if "uri:" in line and "/runs/" in line]
    assert 1 <= len(looks) <= 3
    assert recorded["latency"] >= 0.5
    assert harness("run").exit_code == 0
    replayed = row(project)
    same = ("output", "messages", "latency", "usage", "attempts", "extra", "response_ids")
    assert {key: recorded[key] for key in same} == {key: replayed[key] for key in same}


def test_recording_at_openai_is_refused_and_told_why(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    write(project, {"suites/s.yaml": SUITE.format(settings="temperature: 0")})
    result = harness("record", "--yes")
    assert result.exit_code == 2
    assert "suites/s.yaml:1:1: variant" in result.output
    for said in ("2026-08-26", "`api: responses`", "still replay"):
        assert said in result.output


def test_a_recording_of_it_is_never_recorded_over(project: Path, server: Served) -> None:
    write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {server.url}")})
    harness("record", "--yes")
    cassette = project / "cassettes/s/m/one.1.yaml"
    before = cassette.read_bytes()
    assert "renewable: false" in before.decode()
    result = harness("record", "--rewrite", "--yes")
    assert result.exit_code == 2
    assert "s/one/m/1 cannot be made again" in result.output
    assert cassette.read_bytes() == before


def test_reports_say_that_it_cannot_be_made_again(project: Path, server: Served) -> None:
    write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {server.url}")})
    harness("record", "--yes")
    said = " ".join(harness("run").output.split())
    assert "simulated by a script in 1 trial" in said
    assert "recordings that cannot be made again in 1 trial" in said
