"""Modes and strictness under pytest."""

from __future__ import annotations

from pathlib import Path

import numpy  # noqa: F401
import pytest

# pytester forgets what the inner run imports, and some of it cannot be imported twice.
import harness.pytesting.collection
import harness.recording
import harness.runs.runner  # noqa: F401
from tests.loopback import ChatServer
from tests.modes.test_modes import recorded, suite
from tests.projects import harness as command
from tests.projects import write

TWO = "[{id: a, turns: [{input: One}, {input: Two}]}]"
ONE = "[{id: a, turns: [{input: One}]}]"


def test_strictly_by_option_and_ini_and_replay_on_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(pytester.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov -p no:anyio -p no:recording")
    with ChatServer() as server:
        recorded(root, server, cases=TWO)
        write(root, {"suites/s.yaml": suite(server.url, cases=ONE)})
        result = pytester.runpytest("suites")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["*did not make every recorded call*"])
        strict = pytester.runpytest("suites", "--harness-strict")
        strict.assert_outcomes(failed=1)
        strict.stdout.fnmatch_lines(["*holds a recorded call that the trial did not make*"])
        write(root, {"pytest.ini": "[pytest]\nharness_strict = true\nharness_record_mode = new_episodes\n"})
        monkeypatch.setenv("CI", "1")
        forced = pytester.runpytest("suites")
        forced.assert_outcomes(failed=1)
        forced.stdout.fnmatch_lines(["harness: CI is set, so recordings are only replayed*"])
        assert len(server.requests) == 2
        pytester.runpytest("suites", "--record-mode", "new_episodes").assert_outcomes(passed=1)
        assert len(server.requests) == 3


def test_cassettes_of_tests_are_held_to_it_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov -p no:anyio -p no:recording")
    test = """
def test_it(harness_session):
    with harness_session.trial(base_url="{url}") as trial:
        for number in range({times}):
            trial.sync_client.chat.completions.create(model="m", messages=[dict(role="user", content=f"Hi {{number}}")])
"""
    write(Path(pytester.path), {})
    with ChatServer() as server:
        pytester.makepyfile(test_one=test.format(url=server.url, times=2))
        pytester.runpytest("--record-mode", "once").assert_outcomes(passed=1)
        pytester.makepyfile(test_one=test.format(url=server.url, times=1))
    pytester.runpytest().assert_outcomes(passed=1)
    strict = pytester.runpytest("--harness-strict")
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines(["*holds a recorded call that the block did not make*"])


def test_a_trial_that_differs_from_its_recording_is_the_test_that_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(pytester.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov -p no:anyio -p no:recording")
    monkeypatch.chdir(root)
    with ChatServer() as server:
        recorded(root, server, cases="[{id: a, turns: [{input: One}, {input: Two}]}, {id: b, input: Hi}]")
        write(root, {"suites/s.yaml": suite(server.url, cases="[{id: a, input: One}, {id: b, input: Hi}]")})
        result = pytester.runpytest("suites", "--harness-record-mode", "verify", "--junitxml", "out.xml")
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["FAILED suites/s.yaml::a?v-1? - differs from its recording: recorded*"])
        again = pytester.runpytest("suites", "--harness-record-mode", "verify", "--lf")
        again.assert_outcomes(failed=1)
        asked = len(server.requests)
        first = command("run", "--record-mode", "verify", "-x", "-j", "1", "--no-html", "-o", "junit.xml")
        assert first.exit_code == 1
        assert len(server.requests) == asked + 1
    for name in ("out.xml", "junit.xml"):
        assert "differs from its recording: recorded and not made now" in (root / name).read_text("utf-8"), name
