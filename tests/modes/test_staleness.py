"""What changed since a recording was made, is not seen in its requests, and is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loopback import ChatServer
from tests.modes.test_modes import TOOL, _tool_answer, recorded, suite
from tests.projects import harness, write
from tests.recorded_twice import rows

TOOLS = "tools: ['./tools.py:weather']"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(root: Path) -> list[str]:
    assert harness("run", "--no-html").exit_code == 0
    found: list[str] = rows(root)[0]["extra"].get("stale", [])
    return found


def test_code_of_a_tool_and_settings_that_no_request_shows(project: Path) -> None:
    with ChatServer(faults=_tool_answer('{"city": "Rome"}', "Hello")) as server:
        write(project, {"suites/tools.py": TOOL})
        recorded(project, server, extra=TOOLS)
    assert told(project) == []
    write(project, {"suites/tools.py": TOOL.replace("return", "# as it was\n    return")})
    assert told(project) == []
    write(project, {"suites/tools.py": TOOL.replace("18", "19")})
    code = "the code of the tool weather changed since its results were recorded"
    assert told(project) == [code]
    result = harness("run", "--no-html")
    assert f"recordings: v: {code} (1 trial)" in " ".join(result.stdout.split())
    write(project, {"suites/tools.py": TOOL, "suites/s.yaml": suite(server.url, extra=f"{TOOLS}\nmax_steps: 3")})
    assert told(project) == [
        "the assistant's definition changed since it was recorded, in what its requests do not show"
    ]
    planned = harness("plan")
    assert planned.exit_code == 0
    assert "s v: the assistant's definition changed since it was recorded" in planned.stderr
    # Where it is asked, and for how long, is no part of what it is.
    elsewhere = suite("http://127.0.0.1:9/v1", extra=f"{TOOLS}\ntimeout: 9s")
    write(project, {"suites/s.yaml": elsewhere})
    assert told(project) == []


def test_recordings_from_before_definitions_had_versions_are_not_suspected(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
    path = project / "cassettes/s/v/a.1.yaml"
    text = path.read_text("utf-8")
    start = text.index('assistant_hash: "2:')
    path.write_text(text[:start] + 'assistant_hash: "0123456789abcdef"' + text[text.index(",", start) :], "utf-8")
    assert told(project) == []


def test_old_recordings_and_different_snapshots_of_a_model_are_pointed_out(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server, cases="[{id: a, input: Hi}, {id: b, input: Bye}]")
    for number, path in enumerate(sorted((project / "cassettes/s/v").iterdir())):
        text = path.read_text("utf-8")
        head, tail = text.split("  response:", 1)
        tail = tail.replace("test-model", f"test-model-2026-0{number + 1}-01")
        path.write_text(head + "  response:" + tail, "utf-8")
    path = project / "cassettes/s/v/a.1.yaml"
    text = path.read_text("utf-8")
    start = text.index('recorded_at: "') + len('recorded_at: "')
    path.write_text(text[:start] + "2020" + text[start + 4 :], "utf-8")
    result = harness("run", "--no-html")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "v: answered by different snapshots of test-model: test-model-2026-01-01, test-model-2026-02-01" in said
    assert "v: 1 recording older than 90 days (cassette_max_age)" in said
    write(project, {"pyproject.toml": '[tool.harness]\ncassette_max_age = "36500d"\n'})
    assert "older than" not in harness("run", "--no-html").stdout
