"""Signals and closed pipes: nothing more is sent, what is finished is kept, and the exit code says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import ChatServer, Reply
from tests.projects import harness, write
from tests.system.runs import cassettes, left, manifest, rows, start, suite


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


#: What records: a program, its arguments, and its exit code after an interrupt.
_HARNESS = (("-m", "harness"), ("record", "--yes", "--no-html"), 130)
_PYTEST = (("-m", "pytest"), ("suites", "-p", "no:cacheprovider", "--harness-record-mode=once"), 2)


class Turnstile:
    """Holds back the answers from a certain request on; two are held when it is reached."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reached = threading.Event()

    def __call__(self, number: int, body: dict[str, Any]) -> Reply | None:
        if number < self.number:
            return None
        if number > self.number:
            # At the first one, the other of two trials may be between its answer and the next request.
            self.reached.set()
        return Reply(200, b"", delay=600)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_asked_to_end_by_the_system_a_run_ends_as_on_ctrl_c(project: Path, number: signal.Signals) -> None:
    arrived = threading.Event()

    def answer(count: int, body: dict[str, Any]) -> str:
        if count == 3:
            arrived.set()
        return "5 days"

    with ChatServer(answer, delay=0.3) as server:
        suite(project, server.url, cases=50)
        process = start(project, "record", "--yes", "--no-html", "-j", "2")
        assert arrived.wait(300)
        process.send_signal(number)
        out, said = process.communicate(timeout=300)
        assert process.returncode == 130, said
        assert len(server.requests) <= 6
    assert "interrupted" in out
    found = rows(project)
    assert len(found) == 50
    assert sum(row["outcome"] == "passed" for row in found) == len(cassettes(project)) >= 2
    skipped = [row for row in found if row["outcome"] == "skipped"]
    assert {row["error"]["kind"] for row in skipped} == {"interrupted"}
    assert left(project) == []


@pytest.mark.slow
def test_a_command_that_was_started_with_nohup_outlives_its_terminal(project: Path) -> None:
    arrived = threading.Event()

    def answer(count: int, body: dict[str, Any]) -> str:
        if count == 2:
            arrived.set()
        return "5 days"

    with ChatServer(answer, delay=0.1) as server:
        suite(project, server.url, cases=8)
        process = start(project, "record", "--yes", "--no-html", "-j", "1", before=["nohup"])
        assert arrived.wait(300)
        process.send_signal(signal.SIGHUP)
        out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "8 passed" in out


def test_a_second_signal_ends_a_run_within_a_second(project: Path) -> None:
    turnstile = Turnstile(3)
    with ChatServer(lambda number, body: "5 days", faults=turnstile) as server:
        suite(project, server.url, cases=6)
        process = start(project, "record", "--yes", "--no-html", "-j", "2")
        assert turnstile.reached.wait(300)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "once more stops at once" not in process.stderr.readline():
            pass
        start_of_end = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        took = time.monotonic() - start_of_end
    assert process.returncode == 130
    # The report is written in that time, and this machine may be busy: the point is that nobody waits for 600 s, or 10.
    assert took < 8
    assert "interrupted" in out
    assert len(rows(project)) == 6
    assert manifest(project)["maybe_paid"] == {"calls": 2, "trials": 2}


@pytest.mark.slow
@pytest.mark.parametrize(("program", "arguments", "code"), [_HARNESS, _PYTEST], ids=["harness", "pytest"])
def test_what_is_in_flight_gets_ten_seconds(
    project: Path, program: tuple[str, ...], arguments: tuple[str, ...], code: int
) -> None:
    turnstile = Turnstile(3)
    with ChatServer(lambda number, body: "5 days", faults=turnstile) as server:
        suite(project, server.url, cases=6)
        process = start(project, *arguments, program=program, env={**os.environ, "HARNESS_CONCURRENCY": "2"})
        assert turnstile.reached.wait(300)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
        assert 9 < time.monotonic() - begun < 25
    assert process.returncode == code
    assert manifest(project)["maybe_paid"]["calls"] == 2


@pytest.mark.parametrize(("program", "arguments", "code"), [_HARNESS, _PYTEST], ids=["harness", "pytest"])
def test_a_conversation_sends_nothing_more_after_an_interrupt(
    project: Path, program: tuple[str, ...], arguments: tuple[str, ...], code: int
) -> None:
    """The first of two turns is answered after the signal: the second is not asked."""
    arrived, signalled = threading.Event(), threading.Event()

    def answer(number: int, body: dict[str, Any]) -> str:
        arrived.set()
        signalled.wait(300)
        return "5 days"

    with ChatServer(answer) as server:
        suite(project, server.url, cases=0)
        text = (project / "suites/faq.yaml").read_text()
        case = "  - {id: two, turns: [{input: One}, {input: Two}], expected: 5 days}\n"
        write(project, {"suites/faq.yaml": text + case})
        process = start(project, *arguments, program=program, stderr=subprocess.STDOUT)
        assert arrived.wait(300)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        while "once more stops at once" not in process.stdout.readline():
            pass
        signalled.set()
        process.communicate(timeout=300)
        assert len(server.requests) == 1
    assert process.returncode == code
    (row,) = rows(project)
    assert (row["outcome"], row["error"]["kind"]) == ("skipped", "interrupted")
    assert manifest(project)["maybe_paid"] == {"calls": 1, "trials": 1}
    assert cassettes(project) == left(project) == []


@pytest.mark.parametrize(
    "redirected, code",
    [
        ("run -v 2>&1 | head -1", 0),
        ("run > /dev/full", 6),
        pytest.param("run --json | true", 0, marks=pytest.mark.slow),
        pytest.param("run >&-", 0, marks=pytest.mark.slow),
        pytest.param("run 2>&-", 0, marks=pytest.mark.slow),
        pytest.param("run 2> /dev/full", 0, marks=pytest.mark.slow),
    ],
)
def test_whoever_stops_reading_changes_nothing(recorded: Path, redirected: str, code: int) -> None:
    command = redirected.replace("run", f"{sys.executable} -m harness run", 1)
    script = f"{command}; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", script], cwd=recorded, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "Exception ignored" not in ran.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that only replays."""
    root = tmp_path_factory.mktemp("recorded")
    with ChatServer(lambda number, body: "5 days") as server:
        suite(root, server.url, cases=3)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            assert harness("record", "--yes", "--no-html").exit_code == 0
    return root
