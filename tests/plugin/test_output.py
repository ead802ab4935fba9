"""What pytest prints and writes for suites."""

from __future__ import annotations

import json
import re
import tempfile
from xml.etree import ElementTree

import pytest

from .conftest import SUITE, Write

WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "-n 2"])


@WORKERS
def test_the_heading_names_suites_mode_and_prices(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]
) -> None:
    write()
    result = pytester.runpytest("suites", *workers)
    result.stdout.fnmatch_lines(["harness: suite quiz; record mode none (replay only); prices genai-prices *"])


@WORKERS
def test_a_failure_shows_what_was_expected_where_and_the_transcript(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]
) -> None:
    write()
    result = pytester.runpytest("suites", *workers)
    result.stdout.fnmatch_lines(
        [
            "*_ three[[]good-1] _*",
            "suites/quiz.yaml:11:5",
            "*user*wrong",
            "*assistant*no idea",
            "*equals*suites/quiz.yaml:7:*",
            "*expected 'RIGHT'*'no idea'*",
            "FAILED suites/quiz.yaml::three[[]good-1] - equals: expected 'RIGHT'*",
        ]
    )
    for line in ("*Traceback*", "*TrialFailed*", "*harness/*.py*"):
        result.stdout.no_fnmatch_line(line)


@WORKERS
def test_short_summaries_stay_short_on_ci(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    write()
    result = pytester.runpytest("suites", *workers)
    assert result.stdout.str().count("user      |") == 1


def test_tb_line_is_one_line(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "--tb=line")
    result.stdout.fnmatch_lines(["suites/quiz.yaml:11: equals: expected 'RIGHT'*"])
    result.stdout.no_fnmatch_line("*user*wrong*")


@WORKERS
def test_the_summary_has_a_row_per_variant_and_the_reports_path(
    pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]
) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites", *workers)
    result.stdout.fnmatch_lines(["*= harness =*", "*naive*25.0%*", "*good*75.0%*", "report: reports/*"])
    shown = re.search(r"^report: (.+)$", result.stdout.str(), re.MULTILINE)
    assert shown is not None
    assert (pytester.path / shown[1]).is_file()


def test_missed_trials_are_listed_when_asked(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites")
    result.stdout.no_fnmatch_line("*no idea*")
    result = pytester.runpytest("suites", "-rm")
    result.stdout.fnmatch_lines(["*quiz/three/good/1*", "*no idea*"])


def test_errors_that_a_gate_judges_still_say_what_to_do(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="error_rate: 0.1", suite=SUITE.replace("input: d", "input: crash"))
    result = pytester.runpytest("suites")
    result.stdout.fnmatch_lines(["*= harness =*", "*error target (2 trials*", "*the agent broke*"])


def test_missed_says_why_in_verbose_output(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites", "-vv")
    result.stdout.fnmatch_lines(["suites/quiz.yaml::three[[]good-1] MISSED (missed: equals: expected*"])


@WORKERS
def test_the_run_is_on_disk_in_plan_order(pytester: pytest.Pytester, write: Write, workers: tuple[str, ...]) -> None:
    write()
    write(name="another", suite=SUITE.replace("suite: quiz", "suite: another"))
    pytester.runpytest("suites", *workers)
    (run,) = (pytester.path / "reports").glob("2*")
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    assert {row["run"] for row in rows} == {run.name}
    assert [f"{row['suite']}/{row['case']}/{row['variant']}" for row in rows] == [
        f"{suite}/{case}/{variant}"
        for suite in ("another", "quiz")
        for case in ("one", "two", "three", "four")
        for variant in ("naive", "good")
    ]
    assert {path.name for path in run.iterdir()} >= {"run.json", "summary.md", "junit.xml"}


def test_reports_go_where_they_are_told(pytester: pytest.Pytester, write: Write) -> None:
    write()
    pytester.runpytest("suites", "--harness-report", "out/here")
    assert not (pytester.path / "reports").exists()
    assert len(list((pytester.path / "out" / "here").glob("*/results.jsonl"))) == 1


def test_reports_that_cannot_be_written_are_elsewhere_and_the_verdict_stays(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(pytester.mkdir("elsewhere")))
    write(gates="accuracy: 0.1")
    (pytester.path / "reports").write_text("a file, not a folder")
    result = pytester.runpytest("suites")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"reports/ cannot be written: the reports of this run are in {tempfile.tempdir}/*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert list((pytester.path / "elsewhere").rglob("report.html"))


def test_junit_of_a_failed_gate_and_trial(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.9", suite=SUITE.replace("{id: three,", "{id: three, required: true,"))
    pytester.runpytest("suites", "--junitxml=out.xml")
    root = ElementTree.parse(pytester.path / "out.xml").getroot()
    failures = {case.get("name"): case.find("failure") for case in root.iter("testcase")}
    trial, gate = failures["three[good-1]"], failures["gates[good]"]
    assert trial is not None
    assert gate is not None
    assert str(trial.get("message")).startswith("equals: expected 'RIGHT'")
    assert "assistant | no idea" in str(trial.text)
    assert "accuracy" in str(gate.get("message"))
    counts = next(root.iter("testsuite")).attrib
    assert (counts["tests"], counts["failures"], counts["skipped"]) == ("9", "2", "3")


def test_quiet_prints_no_table(pytester: pytest.Pytester, write: Write) -> None:
    write()
    result = pytester.runpytest("suites", "-qq")
    result.stdout.no_fnmatch_line("*= harness =*")


def test_progress_ends_at_100_percent(pytester: pytest.Pytester, write: Write) -> None:
    write(gates="accuracy: 0.7")
    result = pytester.runpytest("suites")
    result.stdout.fnmatch_lines(["suites/quiz.yaml ..m.mmm.. *100%]"])
