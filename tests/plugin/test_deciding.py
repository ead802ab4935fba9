"""What makes pytest fail: the same that makes `harness run` fail."""

from __future__ import annotations

import json

import pytest

from harness.errors import ExitCode

from .conftest import SUITE, Write

WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "-n 2"])


def verdict(pytester: pytest.Pytester) -> int:
    """The exit code that the newest run's manifest holds."""
    manifests = sorted((pytester.path / "reports").glob("*/run.json"))
    return int(json.loads(manifests[-1].read_text())["exit_code"])


def test_the_naive_baseline_never_fails(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE.replace("{id: three, input: wrong", "{id: three, input: right"))
    result = pytester.runpytest("suites")
    assert result.parseoutcomes() == {"passed": 5, "missed": 3}
    assert (result.ret, verdict(pytester)) == (0, ExitCode.PASSED)


def test_the_baseline_fails_where_it_is_told_to_decide(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE + "gate_baseline: true\n")
    result = pytester.runpytest("suites")
    assert result.parseoutcomes() == {"passed": 4, "failed": 4}
    assert (result.ret, verdict(pytester)) == (1, ExitCode.FAILED)


def test_report_only_variants_never_fail(pytester: pytest.Pytester, write: Write) -> None:
    write(suite=SUITE.replace("good: {args: {skill: high}}", "good: {args: {skill: high}, report_only: true}"))
    result = pytester.runpytest("suites", "-k", "three and good")
    assert result.parseoutcomes() == {"missed": 1, "deselected": 7}
    assert (result.ret, verdict(pytester)) == (0, ExitCode.PASSED)


def test_required_cases_decide_whatever_the_gates(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.1", suite=SUITE.replace("{id: three,", "{id: three, required: true,"))
    result = pytester.runpytest("suites")
    assert result.parseoutcomes() == {"passed": 5, "failed": 1, "missed": 3}
    assert (result.ret, verdict(pytester)) == (1, ExitCode.FAILED)


def test_gates_that_are_not_about_correctness_hide_no_failure(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="latency_p95: 10s")
    result = pytester.runpytest("suites")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED suites/quiz.yaml::three[[]good-1]*"])


@WORKERS
def test_a_gate_that_does_not_hold_fails_like_a_test(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]
) -> None:
    write(gates="accuracy: 0.9")
    result = pytester.runpytest("suites", "--junitxml=out.xml", *workers)
    assert result.parseoutcomes() == {"passed": 4, "failed": 1, "missed": 4}
    assert (result.ret, verdict(pytester)) == (1, ExitCode.FAILED)
    result.stdout.fnmatch_lines(
        ["*_ gates[[]good] _*", "*accuracy*75*90*", "FAILED suites/quiz.yaml::gates[[]good] - *accuracy*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_gate_against_the_baseline_needs_the_whole_baseline(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="not_worse_than_baseline: true")
    result = pytester.runpytest("suites", "--deselect", "suites/quiz.yaml::one[naive-1]")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED suites/quiz.yaml::three[[]good-1]*"])


@pytest.mark.parametrize("share, code", [("1/2", 0), ("2/2", 1)])
def test_repeats_of_a_case_decide_together(pytester: pytest.Pytester, write: Write, share: str, code: int) -> None:
    path = write(suite=SUITE.replace("{id: three,", f"{{id: three, must_pass: {share},") + "repeats: 2\n")
    (path.parent / "agent.py").write_text(
        "seen = []\n"
        "def answer(input, skill):\n"
        "    seen.append((input, skill))\n"
        "    if input == 'wrong':\n"
        "        return 'RIGHT' if seen.count((input, skill)) == 1 else 'no idea'\n"
        "    return input.upper()\n"
    )
    result = pytester.runpytest("suites", "--harness-concurrency", "1", "-v")
    assert (result.ret, verdict(pytester)) == (code, code)
    word = "FAILED" if code else "PASSED"
    result.stdout.fnmatch_lines([f"suites/quiz.yaml::gates[[]good] {word}*"])


@WORKERS
def test_errors_decide_everywhere(pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]) -> None:
    write(gates="accuracy: 0.1", suite=SUITE.replace("input: d", "input: crash"))
    result = pytester.runpytest("suites", *workers)
    assert result.parseoutcomes() == {"passed": 4, "failed": 2, "missed": 3}
    assert (result.ret, verdict(pytester)) == (1, ExitCode.ERRORS)
    result.stdout.fnmatch_lines(["*the agent broke*", "*quiz/four/good/1: the same error as quiz/four/naive/1"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_an_error_rate_gate_replaces_that_rule(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.1, error_rate: 0.5", suite=SUITE.replace("input: d", "input: crash"))
    result = pytester.runpytest("suites")
    assert "failed" not in result.parseoutcomes()
    assert (result.ret, verdict(pytester)) == (0, ExitCode.PASSED)


def test_a_missing_recording_is_an_error_that_ends_with_the_command(pytester: pytest.Pytester, write: Write) -> None:
    write(
        suite="""\
suite: live
model: gpt-4.1-mini
system: Answer briefly.
expect: {contains: a}
cases:
  - {id: one, input: Hello}
  - {id: two, input: Goodbye}
"""
    )
    result = pytester.runpytest("suites")
    assert result.parseoutcomes() == {"failed": 2}
    assert (result.ret, verdict(pytester)) == (1, ExitCode.ERRORS)
    result.stdout.fnmatch_lines(["*cassette_miss*", "*harness record suites/quiz.yaml*"])
