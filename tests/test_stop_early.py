"""`--stop-early`: a suite stops once its comparisons are decided, at the same trial whatever the concurrency."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness as library
from harness.store import latest_run
from tests.projects import harness, write


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


Passing = Callable[[int, int], bool]


def project(arms: dict[str, Passing], *, cases: int = 100, repeats: int = 1, top: str = "", case: str = "") -> None:
    """A suite of answers that exist: `arms` say which (case, repeat) of each variant pass; the first is the baseline."""
    files = {
        f"suites/data/{name}.jsonl": "".join(
            json.dumps({"id": f"case-{number:03}", "output": "yes" if passes(number, repeat) else "no"}) + "\n"
            for number in range(cases)
            for repeat in range(repeats)
        )
        for name, passes in arms.items()
    }
    variants = "".join(f"  {name}: {{outputs: data/{name}.jsonl}}\n" for name in arms)
    listed = "".join(
        f"  - {{id: case-{number:03}, input: Question {number}?, tags: [{'even' if number % 2 == 0 else 'odd'}]{case}}}\n"
        for number in range(cases)
    )
    text = f"suite: s\nrepeats: {repeats}\n{top}variants:\n{variants}expect: {{equals: 'yes'}}\ncases:\n{listed}"
    write(Path(), {"suites/s.yaml": text, **files})


def rows() -> list[dict[str, Any]]:
    folder = latest_run(Path("reports"))
    assert folder is not None
    return [json.loads(line) for line in (folder.path / "results.jsonl").read_text("utf-8").splitlines()]


def stopping(variant: str = "b") -> dict[str, Any]:
    found: list[dict[str, Any]] = manifest()["suites"][0]["stopping"]
    return next(one for one in found if one["candidate"] == variant)


def manifest() -> dict[str, Any]:
    folder = latest_run(Path("reports"))
    assert folder is not None
    return dict(folder.read_manifest())


def comparisons(run: library.Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.plain()["suites"][0]["comparisons"]
    return found


def better(number: int, repeat: int) -> bool:
    return number % 7 != 0


def bad(number: int, repeat: int) -> bool:
    return number % 3 == 0


def as_bad(number: int, repeat: int) -> bool:
    return bad(number, repeat) if number % 10 else number % 20 == 0


GATED = "gates: {accuracy: 0.5, better_than_baseline: true}\n"


def test_a_clear_difference_stops_the_suite_at_the_same_case_whatever_the_concurrency() -> None:
    project({"a": bad, "b": better}, top=GATED)
    seen = []
    for concurrency in ("1", "64"):
        ran = harness("run", "--stop-early", "--no-html", "-j", concurrency)
        assert ran.exit_code == 0
        assert "b is better (stopped early after 40 of 100 cases): +50.0 pp (95% CI " in " ".join(ran.stdout.split())
        assert "82.5%, 40 of 100 cases" in ran.stdout
        found = rows()
        assert stopping() == {
            "candidate": "b",
            "planned": 100,
            "used": 40,
            "looks": [20, 30, 40],
            "reason": "difference",
        }
        seen.append([{**row, "run": ""} for row in found])
    assert seen[0] == seen[1]
    spared = [row for row in seen[0] if row["outcome"] == "skipped"]
    assert len(spared) == 120
    assert {row["error"]["kind"] for row in spared} == {"stopped_early"}
    assert "decided after 40 of 100 cases" in spared[0]["error"]["message"]


def test_without_it_every_case_runs_in_the_order_of_the_suite() -> None:
    project({"a": bad, "b": better}, top=GATED)
    ran = harness("run", "--no-html")
    assert ran.exit_code == 0
    assert "stopped" not in ran.stdout
    assert [row["case"] for row in rows()[::2]] == [f"case-{number:03}" for number in range(100)]
    assert "stop_early" not in manifest()["suites"][0]


def test_the_first_cases_are_a_sample_of_all() -> None:
    project({"a": bad, "b": better})
    harness("run", "--stop-early", "--no-html")
    cases = list(dict.fromkeys(row["case"] for row in rows()))
    assert cases != sorted(cases)
    assert sorted(cases) == [f"case-{number:03}" for number in range(100)]
    for size in range(2, 101, 2):
        even = sum(int(case[-3:]) % 2 == 0 for case in cases[:size])
        assert abs(even - size / 2) <= 1


def test_what_a_run_kept_is_decided_in_the_same_way_again(monkeypatch: pytest.MonkeyPatch) -> None:
    project({"a": bad, "b": better}, top=GATED)
    monkeypatch.setenv("HARNESS_STOP_EARLY", "1")
    ran = harness("run", "--no-html")
    assert harness("report").exit_code == 0
    Path("suites/s.yaml").unlink()
    again = harness("report", "--format", "md")
    assert again.exit_code == 0
    folder = latest_run(Path("reports"))
    assert folder is not None
    assert "stopped early after 40 of 100 cases" in (folder.path / "summary.md").read_text("utf-8")
    assert ran.exit_code == 0


def test_a_comparison_that_the_looks_were_not_taken_for_says_so() -> None:
    project({"a": bad, "b": better, "c": better})
    harness("run", "--stop-early", "--no-html")
    assert "stopped early after 40 of 100 cases" in " ".join(harness("compare").stdout.split())
    told = " ".join(harness("compare", "b", "c").stdout.split())
    assert "120 trials of these arms did not run, since a run was stopped early" in told
    assert "left out" not in told


def test_going_on_with_the_rest_says_that_looks_were_taken_before() -> None:
    project({"a": bad, "b": better}, cases=60)
    first = harness("run", "--stop-early", "--no-html")
    assert "looked at" not in first.stderr
    rest = harness("run", "--no-html")
    (note,) = manifest()["notes"]
    assert "stopped after 30 of 60 cases" in note
    assert "do not allow for those looks" in note
    assert note in rest.stderr
    assert "looks" not in harness("run", "--no-html").stderr


def test_no_difference_to_be_seen_stops_as_hopeless_and_fails_the_gate_aloud() -> None:
    project({"a": bad, "b": as_bad}, top="gates: {better_than_baseline: true}\n")
    run = library.run(stop_early=True, html=False)
    (comparison,) = comparisons(run)
    assert comparison["stopping"]["reason"] == "futility"
    assert 40 <= comparison["stopping"]["used"] < 100
    assert "Going on was hopeless" in comparison["text"]
    assert comparison["verdict"]["kind"] == "not_enough_data"
    assert run.exit_code == 1


def test_a_gate_that_asks_for_not_worse_is_not_given_up_as_hopeless() -> None:
    project({"a": bad, "b": as_bad}, top="gates: {not_worse_than_baseline: true}\nmargin: 0.15\n")
    run = library.run(stop_early=True)
    assert run.report is not None
    assert "excluded anything worse by more than the margin" in run.report.read_text("utf-8")
    (comparison,) = comparisons(run)
    assert comparison["stopping"]["reason"] == "not_worse"
    assert comparison["stopping"]["used"] < 100
    assert comparison["difference"]["interval"]["low"] > -0.15
    assert run.exit_code == 0


def test_three_variants_with_repeats_stop_when_both_are_decided() -> None:
    project({"a": bad, "b": better, "c": lambda n, r: n % 11 != 0 and n % 5 != r}, cases=60, repeats=3)
    run = library.run(stop_early=True, html=False, concurrency=5)
    used = {one["stopping"]["used"] for one in comparisons(run)}
    assert len(used) == 1
    assert 20 <= min(used) < 60
    assert all("for all 2 candidates together" in one["text"] for one in comparisons(run))
    trials = [row for row in rows() if row["outcome"] != "skipped"]
    assert len(trials) == min(used) * 9


def test_a_candidate_that_is_undecided_keeps_the_others_running() -> None:
    top = "gates: {better_than_baseline: true}\nmargin: 0.2\n"
    project({"a": bad, "b": better, "c": lambda n, r: bad(n, r) if n % 4 else n % 12 != 0}, top=top)
    run = library.run(stop_early=True, html=False)
    both = [one["stopping"]["used"] for one in comparisons(run)]
    (alone,) = comparisons(library.run(stop_early=True, html=False, variants=["a", "b"]))
    assert both[0] == both[1] > alone["stopping"]["used"]


def test_required_cases_run_whatever_is_decided() -> None:
    project({"a": bad, "b": better}, case="")
    text = Path("suites/s.yaml").read_text("utf-8")
    for number in (8, 9, 17, 33, 51, 80):
        text = text.replace(f"{{id: case-{number:03},", f"{{id: case-{number:03}, required: true,")
    Path("suites/s.yaml").write_text(text, "utf-8")
    harness("run", "--stop-early", "--no-html")
    outcomes = {(row["case"], row["variant"]): row["outcome"] for row in rows()}
    for number in (8, 9, 17, 33, 51, 80):
        assert outcomes[f"case-{number:03}", "b"] == "passed"
    assert "skipped" in outcomes.values()
    assert stopping()["used"] == 40


@pytest.mark.parametrize("cases", [8, 20])
def test_a_suite_that_is_too_small_for_looks_runs_as_ever(cases: int) -> None:
    project({"a": bad, "b": better}, cases=cases)
    (stopped,) = comparisons(library.run(stop_early=True, html=False))
    (whole,) = comparisons(library.run(html=False))
    assert stopped["stopping"] is None
    assert stopped == whole


TARGETS = """
import json

def a(input):
    return "yes" if number(input) % 3 == 0 else "no"

def b(input):
    return "yes" if number(input) % 7 != 0 else "no"

def number(input):
    with open(COUNT, "a") as file:
        file.write("x")
    return int(input.split()[1].rstrip("?"))
"""


def test_what_is_under_way_at_a_look_ends_normally_and_counts_for_nothing(tmp_path: Path) -> None:
    count = tmp_path / "count"
    cases = "".join(f"  - {{id: case-{number:03}, input: Question {number}?}}\n" for number in range(60))
    variants = "".join(f"  {name}: {{target: ./agent.py:{name}}}\n" for name in "ab")
    suite = f"suite: s\napi: python\n{GATED}variants:\n{variants}expect: {{equals: 'yes'}}\ncases:\n{cases}"
    write(Path(), {"suites/s.yaml": suite, "suites/agent.py": f"COUNT = {str(count)!r}\n{TARGETS}"})
    ran = harness("run", "--stop-early", "--no-html", "-j", "8", "--record-mode", "once")
    assert ran.exit_code == 0
    done = [row for row in rows() if row["outcome"] != "skipped"]
    assert len(done) == len(count.read_text()) < 120
    used = stopping()["used"]
    assert len(done) >= 2 * used
    assert f"of {used}. The interval" in " ".join(ran.stdout.split())
