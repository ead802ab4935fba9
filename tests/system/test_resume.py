"""A run that is killed at any moment goes on where it was: what was answered is not asked again."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.loopback import ChatServer, Reply
from tests.projects import faq, harness, write
from tests.system.runs import Killer, cassettes, killed_at, killing, left, manifest, rows, start, suite

_RECORD = ("record", "--yes", "--no-html", "-j", "4")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The rows of a run of a hundred trials that nobody disturbed."""
    root = tmp_path_factory.mktemp("whole")
    with ChatServer(Killer()) as server:
        suite(root, server.url, cases=100)
        process = start(root, *_RECORD)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    return rows(root)


def test_a_killed_run_goes_on_and_says_what_may_be_paid_twice(project: Path) -> None:
    with killing() as (server, killer):
        suite(project, server.url, cases=20)
        dead = killed_at(project, killer, 9, *_RECORD)
        kept = len(cassettes(project))
        sent = len(server.requests)
        assert kept >= 9 - 4
        again = harness(*_RECORD)
        assert again.exit_code == 0, again.output
        assert len(server.requests) == sent + 20 - kept
    lost = sent - kept
    assert 1 <= lost <= 4
    said = re.search(
        r"(\d+) calls? of (\d+) trials? (?:was|were) under way when run (\S+) was killed: \w+ may be paid twice",
        again.stderr,
    )
    assert said is not None, again.stderr
    # Noted before they are sent, so one or another may never have left.
    assert lost <= int(said[1]) == int(said[2]) <= 4
    assert said[3].startswith("20")
    assert [said[0] in note for note in manifest(project)["notes"]] == [True]
    assert "under way" not in harness("run").output
    assert dead.returncode == -9
    assert left(project) == []


def test_a_recording_is_on_disk_before_its_answer_is_scored(project: Path) -> None:
    """P1: the scorer kills the process, so that nothing that came after it could have written the file."""
    check = "import os, signal\ndef last(output):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    with ChatServer(Killer()) as server:
        files = faq(
            server.url, cases="  - {id: one, input: Hi, expected: 5 days, expect: [{python: './checks.py:last'}]}\n"
        )
        write(project, {**files, "suites/checks.py": check})
        process = start(project, "record", "--yes", "--variant", "v1")
        process.communicate(timeout=300)
        assert process.returncode == -9
        assert [path.name for path in cassettes(project)] == ["one.1.yaml"]
        (project / "suites/checks.py").write_text("def last(output):\n    return True\n")
        assert harness("run", "--variant", "v1").exit_code == 0
        assert len(server.requests) == 1


def test_calls_without_an_answer_are_counted_as_maybe_paid(project: Path) -> None:
    def broken(number: int, body: dict[str, object]) -> Reply | None:
        text = str(body)
        if "How long" in text:
            return Reply(200, b"{...}", cut=3)
        return Reply(429, b"{}", {"retry-after-ms": "1"}) if "briefly" in text else None

    with ChatServer(lambda number, body: "5 days", faults=broken) as server:
        write(project, {**faq(server.url), "pyproject.toml": "[tool.harness.retry]\nattempts = 2\nbackoff = 0.01\n"})
        ran = harness("record", "--yes", "--no-html")
    assert ran.exit_code == 3
    # Two attempts of each of two trials broke off; those that were told to wait cost nothing.
    assert manifest(project)["maybe_paid"] == {"calls": 4, "trials": 2}
    assert "4 calls of 2 trials may have been paid" in ran.stderr


def test_a_run_that_goes_well_says_nothing_of_double_payment(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        ran = harness("record", "--yes", "--no-html")
    assert "paid" not in ran.stderr
    assert manifest(project)["maybe_paid"] == {"calls": 0, "trials": 0}
    assert manifest(project)["notes"] == []


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(1, 10))
def test_killed_at_every_tenth_of_a_run(project: Path, whole: list[dict[str, object]], tenth: int) -> None:
    with killing() as (server, killer):
        suite(project, server.url, cases=100)
        killed_at(project, killer, tenth * 10, *_RECORD)
        again = harness(*_RECORD)
        assert again.exit_code == 0, again.output
        assert len(server.requests) <= 100 + 4
    assert rows(project) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_five_times_at_random_moments(project: Path, whole: list[dict[str, object]], seed: int) -> None:
    """A request arrives and the process dies at once, or after the server has waited for a moment of chance."""
    chance = random.Random(seed)
    with killing() as (server, killer):
        suite(project, server.url, cases=100)
        for _ in range(5):
            killed_at(project, killer, len(server.requests) + chance.randint(1, 25), *_RECORD)
        again = harness(*_RECORD)
        assert again.exit_code == 0, again.output
        assert len(server.requests) <= 100 + 5 * 4
    assert rows(project) == whole
    assert left(project) == []
