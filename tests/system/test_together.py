"""Several runs on one project at once, and clocks that are set while a run is under way."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

import harness as product
from harness.runs import preflight
from harness.store.locks import FileLock
from tests.loopback import ChatServer
from tests.projects import harness
from tests.system.runs import cassettes, folders, left, rows, start, suite

_RECORD = ("record", "--yes", "--no-html", "-j", "2")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_runs_that_would_record_the_same_pay_once(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days", delay=0.01) as server:
        suite(project, server.url, cases=4)
        processes = [start(project, *_RECORD, "-j", "4") for _ in range(2)]
        ended = [(*process.communicate(timeout=300), process.returncode) for process in processes]
        assert len(server.requests) == 4
    assert [code for _, _, code in ended] == [0, 0], ended
    assert len(folders(project)) == 2
    assert [len((folder / "results.jsonl").read_text().splitlines()) for folder in folders(project)] == [4, 4]
    assert left(project) == []


def test_a_run_that_waits_for_another_too_long_names_it_and_sends_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "PATIENCE", 0.2)
    with ChatServer(lambda number, body: "5 days") as server:
        suite(project, server.url, cases=1)
        other = FileLock(project / ".harness/live/faq--v1.lock")
        assert other.take("run 20261121-143205-ab12, process 4711")
        ran = harness(*_RECORD)
        other.release()
        assert ran.exit_code == 6
        assert not server.requests
        assert "waiting for run 20261121-143205-ab12, process 4711, which is recording faq/v1" in ran.stderr
        assert "both would pay" in ran.stderr
        # The lock of a process that is gone is no lock.
        (project / ".harness/live").mkdir(parents=True, exist_ok=True)
        (project / ".harness/live/faq--v1.lock").write_text("run of old, process 1")
        assert harness(*_RECORD).exit_code == 0
        assert len(server.requests) == 1


def test_replays_at_once_keep_their_own_results(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        suite(project, server.url, cases=30)
        assert harness(*_RECORD).exit_code == 0

    def replay() -> None:
        product.run("suites/faq.yaml", html=False, root=project)

    threads = [threading.Thread(target=replay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(folders(project)) == 5
    lines = {(folder / "results.jsonl").read_text().replace(folder.name, "") for folder in folders(project)[1:]}
    assert [text.count("\n") for text in lines] == [30]


@pytest.mark.parametrize("jump", [-3600.0, 86_400.0], ids=["an hour back", "a day ahead"])
def test_a_clock_that_is_set_changes_no_duration(project: Path, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    """Every look at the wall clock finds that it was set again; only dates may show it."""
    set_by = [0.0]
    real = time.time

    def stepping() -> float:
        set_by[0] += jump
        return real() + set_by[0]

    with ChatServer(lambda number, body: "5 days", delay=0.01) as server:
        suite(project, server.url, cases=12)
        monkeypatch.setattr(time, "time", stepping)
        ran = harness(*_RECORD, "--timeout", "30s")
        monkeypatch.undo()
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in (folders(project)[-1] / "results.jsonl").read_text().splitlines()]
    assert [row["case"] for row in found] == [f"c{number}" for number in range(12)]
    assert all(0 < row["latency"] < 30 for row in found)


def test_repeats_replay_their_own_recordings_in_any_order(project: Path) -> None:
    with ChatServer(lambda number, body: f"{number}: 5 days") as server:
        suite(project, server.url, cases=3, extra="repeats: 5")
        assert harness("record", "--yes", "--no-html", "-j", "3").exit_code == 0
        sent = len(server.requests)
    assert sent == len(cassettes(project)) == 15
    recorded = rows(project)
    assert len({row["output"] for row in recorded}) == 15
    for concurrency in ("1", "7"):
        assert harness("run", "--no-html", "-j", concurrency).exit_code == 0
        assert rows(project) == recorded


def test_a_prompt_that_changed_by_a_letter_is_a_miss_that_shows_it(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        suite(project, server.url, cases=1)
        assert harness(*_RECORD).exit_code == 0
        sent = len(server.requests)
        prompt = project / "prompts/faq/1.j2"
        prompt.write_text(prompt.read_text().replace("briefly", "briefly!"))
        ran = harness("run")
        assert len(server.requests) == sent
    assert ran.exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == "cassette_miss"
    assert "briefly!" in row["error"]["message"]
