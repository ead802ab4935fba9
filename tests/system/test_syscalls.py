"""A process that is killed at any write, sync or rename, or whose disk fails there, has lost nothing that was answered."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.loopback import ChatServer
from tests.projects import harness
from tests.system.runs import Killer, cassettes, left, rows, start, suite

pytestmark = pytest.mark.slow
_NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
_CASES = 4
_CONCURRENCY = 2
_RECORD = ("record", "--yes", "--no-html", "-j", str(_CONCURRENCY))
#: More than any run here makes of any of them.
_MOST = 400


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def traced(calls: str, fault: str, number: str) -> list[str]:
    """What runs a command under strace and does something to it at the n-th of certain calls."""
    inject = f"inject={calls}:{fault}:when={number}"
    return ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject]


@_NEEDS_STRACE
@pytest.mark.parametrize("calls", ["fsync", "rename", "write"])
def test_killed_at_every_call_of_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: str) -> None:
    """At the n-th call of any one thread, whatever it is for.

    Python writes for many reasons before a run begins; recordings, rows and reports come late.
    """
    step = 1 if calls != "write" else 3
    whole: list[dict[str, object]] | None = None
    survived = 0
    for number in range(1, _MOST, step):
        root = tmp_path / str(number)
        root.mkdir()
        monkeypatch.chdir(root)
        with ChatServer(Killer()) as server:
            suite(root, server.url, cases=_CASES)
            process = start(root, *_RECORD, before=traced(calls, "signal=KILL", str(number)))
            _, said = process.communicate(timeout=300)
            killed, kept = process.returncode != 0, len(cassettes(root))
            again = harness(*_RECORD)
            assert again.exit_code == 0, (number, said, again.output)
            assert len(server.requests) <= _CASES + _CONCURRENCY
        whole = whole or rows(root)
        assert rows(root) == whole
        assert len(cassettes(root)) == _CASES
        assert kept == _CASES or left(root) == []
        survived += not killed
        if survived:
            break
    assert survived, "the run makes more of these calls than the test tried"


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_killed_at_every_step_of_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """Counted over all threads of the process, the one that writes recordings among them."""
    number = 0
    killed = True
    while killed and number < _MOST:
        number += 1
        root = tmp_path / str(number)
        root.mkdir()
        monkeypatch.chdir(root)
        with ChatServer(Killer()) as server:
            suite(root, server.url, cases=_CASES)
            environ = {**os.environ, "DIE_AT": str(number), "DIE_AFTER": "yes" if after else ""}
            process = start(root, *_RECORD, program=[str(Path(__file__).with_name("dying.py"))], env=environ)
            _, said = process.communicate(timeout=300)
            killed = process.returncode == -signal.SIGKILL
            assert killed or process.returncode == 0, said
            kept = len(cassettes(root))
            sent = len(server.requests)
            assert sent - kept <= _CONCURRENCY
            again = harness(*_RECORD)
            assert again.exit_code == 0, (number, said, again.output)
            assert len(server.requests) == sent + _CASES - kept
        assert len(cassettes(root)) == _CASES
        # Where all was recorded the second run only replays, and leaves a dead lock to the next that goes live.
        assert kept == _CASES or left(root) == []
    # Each recording alone is opened, written, synced and renamed.
    assert 4 * _CASES < number < _MOST


@_NEEDS_STRACE
@pytest.mark.parametrize("calls, error", [("fsync", "EIO"), ("fsync", "ENOSPC"), ("rename", "EROFS")])
def test_a_disk_that_fails_for_good_ends_the_run_with_6(project: Path, calls: str, error: str) -> None:
    with ChatServer(Killer()) as server:
        suite(project, server.url, cases=12)
        process = start(project, *_RECORD, before=traced(calls, f"error={error}", "4+"))
        out, said = process.communicate(timeout=300)
        assert process.returncode == 6, said
        assert "Traceback" not in out + said
        assert "harness-" in out + said
        # What was on its way when the disk failed, and nothing after it.
        assert len(server.requests) <= 4 + 2 * _CONCURRENCY
        again = harness(*_RECORD)
        assert again.exit_code == 0, again.output
    assert len(cassettes(project)) == 12
