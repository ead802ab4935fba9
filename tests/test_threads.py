"""What is special about the Assistants API: it is gone at OpenAI, its runs are looked at many times, and recordings of it cannot be made again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import Served, served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call
from harness.simulator.front import faulty
from harness.simulator.function import FunctionBrain, Said
from harness.simulator.script import ScriptBrain
from harness.simulator.upstream import UpstreamBrain
from tests.loopback import ChatServer
from tests.projects import harness, write
from tests.recorded_twice import rows

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


@pytest.fixture
def staged() -> Iterator[Served]:
    """A model behind the simulator: what it answers is no script's, and the protocol is not the service's own."""
    with ChatServer(lambda number, body: "Hello") as model, served(Simulator(UpstreamBrain(model.url))) as running:
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


def test_what_cannot_be_recorded_again_is_never_recorded_over(project: Path, staged: Served) -> None:
    write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {staged.url}")})
    harness("record", "--yes")
    cassette = project / "cassettes/s/m/one.1.yaml"
    before = cassette.read_bytes()
    assert "renewable: false" in before.decode()
    result = harness("record", "--rewrite", "--yes")
    assert result.exit_code == 2
    assert "s/one/m/1 cannot be made again" in result.output
    assert cassette.read_bytes() == before


def test_what_an_assistant_that_serves_another_cannot_record_again_is_kept_too(project: Path) -> None:
    def asks(ask: Ask) -> Said:
        return "Hello" if ask.messages[-1]["role"] == "tool" else [Call(name="helper", arguments='{"message": "Hi"}')]

    helper = "{helper: {api: threads, model: m, base_url: STAGE}}"
    settings = f"api: chat\nbase_url: URL\ntools: [{{assistant: helper}}]\nassistants: {helper}"
    text = SUITE.replace("api: threads\n", "").format(settings=settings)
    with (
        served(Simulator(FunctionBrain(asks))) as front,
        ChatServer() as model,
        served(Simulator(UpstreamBrain(model.url))) as stage,
    ):
        write(project, {"suites/s.yaml": text.replace("URL", front.url).replace("STAGE", stage.url)})
        assert harness("record", "--yes").exit_code == 0
        again = harness("record", "--rewrite", "--yes")
    assert again.exit_code == 2
    assert "s/one/m/1 cannot be made again" in again.output


def test_reports_say_that_it_cannot_be_made_again(project: Path, staged: Served) -> None:
    write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {staged.url}")})
    harness("record", "--yes")
    said = " ".join(harness("run").output.split())
    assert "through a simulated protocol in 1 trial" in said
    assert "recordings that cannot be made again in 1 trial" in said


def test_what_a_script_answered_can_be_recorded_again(project: Path, server: Served) -> None:
    write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {server.url}")})
    harness("record", "--yes")
    assert harness("record", "--rewrite", "--yes").exit_code == 0
    assert "simulated by a script in 1 trial" in " ".join(harness("run").output.split())


def test_a_refused_request_is_no_recording_that_anybody_would_miss(project: Path, staged: Served) -> None:
    settings = f"base_url: {staged.url}\nmax_tokens: 50"
    write(project, {"suites/s.yaml": SUITE.format(settings=settings)})
    assert harness("record", "--yes").exit_code == 3
    write(project, {"suites/s.yaml": SUITE.format(settings=settings.replace("50", "500"))})
    again = harness("record", "--rewrite", "--yes")
    assert again.exit_code == 0, again.output


def test_a_look_that_had_to_be_repeated_leaves_the_recording_whole(project: Path) -> None:
    simulator = Simulator(ScriptBrain([{"delay": 0.5, "reply": "Hello"}]))
    inner, looks = simulator.app, [0]

    async def flaky(scope: Any, receive: Any, send: Any) -> None:
        looks[0] += scope["method"] == "GET"
        if scope["method"] == "GET" and looks[0] == 4:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await inner(scope, receive, send)

    simulator.app = flaky
    with served(simulator) as running:
        write(project, {"suites/s.yaml": SUITE.format(settings=f"base_url: {running.url}\npoll_interval: 5ms")})
        assert harness("record", "--yes").exit_code == 0
    recorded = row(project)
    assert harness("run").exit_code == 0
    assert recorded["messages"] == row(project)["messages"]


def test_a_file_that_two_turns_need_is_replayed(project: Path, server: Served) -> None:
    turns = "turns: [{input: Hi, images: a.png}, {input: Hello, images: a.png}]"
    text = SUITE.format(settings=f"base_url: {server.url}").replace("input: Hi, expect", f"{turns}, expect")
    write(project, {"suites/s.yaml": text, "suites/a.png": "no image, and nobody looks"})
    assert harness("record", "--yes").exit_code == 0
    assert harness("run").exit_code == 0


def test_a_file_that_several_trials_share_and_the_service_refuses_is_refused_on_replay(project: Path) -> None:
    rules = [{"match": {"path": "/v1/files"}, "fault": {"status": 400}}]
    with faulty(Simulator(ScriptBrain()), rules) as front:
        settings = f"base_url: {front.url}\ntools: [{{file_search: [data/handbook.txt]}}]\nrepeats: 3"
        files = {"suites/data/handbook.txt": "Shipping takes five days."}
        write(project, {"suites/s.yaml": SUITE.format(settings=settings), **files})
        assert harness("record", "--yes").exit_code == 3
    recorded = rows(project)
    assert {one["error"]["kind"] for one in recorded} == {"bad_request"}
    assert harness("run").exit_code == 3
    for before, now in zip(recorded, rows(project), strict=True):
        assert {**before, "run": "", "cassette": {}} == {**now, "run": "", "cassette": {}}
