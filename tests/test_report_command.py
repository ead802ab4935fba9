"""`harness report` from the outside: the reports of a stored run, whatever became of its suites."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.loopback import ChatServer
from tests.projects import faq, harness, write

EXTRA = """\
margin: 0.2
gates: {accuracy: 0.9, latency_p95: 60s, cost_per_trial: $1, tags: {policy: {pass^2: 0.1}}}
repeats: 2
"""
CASES = """\
  - {id: shipping, tags: [policy, time], metadata: {lang: en}, input: How long does shipping take?, expected: 5 days}
  - {id: price, tags: [policy], required: true, must_pass: 1/2, input: What does it cost?, expected: 5 days}
"""


def answer(number: int, body: dict[str, Any]) -> str:
    return "=SECRET <b>word</b>" if "cost" in json.dumps(body) else "It takes 5 days."


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a recorded suite whose runs fail."""
    folder = tmp_path_factory.mktemp("recorded")
    with ChatServer(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(folder, faq(server.url, extra=EXTRA, cases=CASES))
        assert harness("record", "--yes").exit_code == 1
    return folder


@pytest.fixture
def project(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(project: Path) -> Path:
    """The newest run's."""
    return max((project / "reports").glob("2*"), key=lambda path: (path / "results.jsonl").stat().st_mtime_ns)


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_the_reports_of_the_last_run_are_made_again_to_the_byte(project: Path) -> None:
    printed = harness("run")
    run = folder(project)
    before = contents(run)
    assert {"report.html", "summary.md", "junit.xml"} <= set(before)
    for name in ("report.html", "summary.md", "junit.xml"):
        (run / name).unlink()
    again = harness("report")
    assert again.stdout == printed.stdout
    assert again.exit_code == printed.exit_code == 1
    assert contents(run) == before
    assert f"report: reports/{run.name}/report.html" in again.stderr
    case = next(
        one for one in ElementTree.parse(run / "junit.xml").iter("testcase") if one.get("name") == "price[v2-1]"
    )
    line = 1 + next(n for n, text in enumerate(Path("suites/faq.yaml").read_text().splitlines()) if "id: price" in text)
    assert (case.get("file"), case.get("line")) == ("suites/faq.yaml", str(line))
    assert case.findtext("system-out") == "=SECRET <b>word</b>"


@pytest.mark.parametrize("options", [("--variant", "v2"), ("--limit", "1"), ("-x",), ("--baseline", "v2")])
def test_a_run_of_a_part_is_decided_as_it_was(project: Path, options: tuple[str, ...]) -> None:
    printed = harness("run", *options)
    again = harness("report", folder(project).name)
    assert (again.stdout, again.exit_code) == (printed.stdout, printed.exit_code)


def test_a_run_whose_suite_changed_or_went_away_is_reported_as_it_was(project: Path) -> None:
    printed = harness("run")
    suite = project / "suites/faq.yaml"
    text = suite.read_text()
    suite.write_text(text.replace("accuracy: 0.9", "accuracy: 0.1").replace("margin: 0.2", "margin: 0.9"))
    again = harness("report")
    assert (again.stdout, again.exit_code) == (printed.stdout, 1)
    assert "suites/faq.yaml has changed since: suite 'faq' is reported as it was run." in again.stderr
    suite.write_text("suite: [")
    assert harness("report").stdout == printed.stdout
    suite.unlink()
    again = harness("report")
    assert (again.stdout, again.exit_code) == (printed.stdout, 1)
    assert "suites/faq.yaml is gone: suite 'faq' is reported as it was run." in again.stderr
    suite.write_text(text)
    assert "faq.yaml" not in harness("report").stderr


def test_a_run_that_was_killed_before_its_end_is_reported_as_interrupted(project: Path) -> None:
    harness("run")
    run = folder(project)
    (run / "run.json").unlink()
    file = run / "results.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    again = harness("report")
    assert again.exit_code == 130
    assert "interrupted" in again.stdout
    assert f"{run.name} has no run.json: it was cut off" in again.stderr
    assert "today's are applied" in again.stderr
    (project / "suites/faq.yaml").unlink()
    again = harness("report")
    assert again.exit_code == 130
    assert "Nothing is known of the gates and roles of suite 'faq'" in again.stderr


def test_formats_and_files_are_chosen(project: Path) -> None:
    run = folder(project)
    found = harness("report", "--format", "csv,json")
    assert found.stderr.splitlines() == [
        f"report: reports/{run.name}/{name}" for name in ("results.csv", "report.json")
    ]
    outputs = [project / f"out{suffix}" for suffix in (".html", ".md", ".xml", ".csv", ".json")]
    (run / "summary.md").unlink()
    found = harness("report", *(word for path in outputs for word in ("-o", str(path))))
    assert found.stderr.splitlines() == [f"report: {path.name}" for path in outputs]
    assert not (run / "summary.md").exists()
    assert (project / "out.html").read_bytes() == (run / "report.html").read_bytes()
    assert (project / "out.xml").read_bytes() == (run / "junit.xml").read_bytes()
    data = json.loads((project / "out.json").read_text())
    assert (data["exit_code"], data["run"], len(data["trials"])) == (1, run.name, 8)
    shown = json.loads(harness("report", "--json").stdout)
    assert shown == {key: value for key, value in data.items() if key != "trials"}
    ran = json.loads(harness("run", "--json").stdout)
    assert {key: shown[key] for key in ("suites", "reasons", "exit_code")} == {
        key: ran[key] for key in ("suites", "reasons", "exit_code")
    }


def test_a_table_holds_no_formula(project: Path) -> None:
    harness("report", "-o", "out.csv")
    with open(project / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    first, second = rows[0], rows[4]
    assert (first["case"], first["tags"], first["metadata.lang"], first["passed"]) == (
        "shipping",
        "policy, time",
        "en",
        "true",
    )
    assert float(first["latency"]) > 0
    assert (second["output"], second["passed"], second["metadata.lang"]) == ("'=SECRET <b>word</b>", "false", "")


def test_parquet_has_the_columns_of_csv_with_their_types(project: Path) -> None:
    from pyarrow import parquet

    harness("report", "--format", "parquet", "-o", "out.csv")
    table = parquet.read_table(folder(project) / "results.parquet")
    with open(project / "out.csv", newline="") as file:
        assert next(csv.reader(file)) == table.column_names
    rows = table.to_pylist()
    assert len(rows) == 8
    assert (rows[0]["tags"], rows[0]["passed"], rows[4]["metadata.lang"]) == (["policy", "time"], True, None)
    assert rows[4]["output"] == "=SECRET <b>word</b>", "it is no spreadsheet"
    assert {name: str(table.schema.field(name).type) for name in ("latency", "attempts", "recorded_at")} == {
        "latency": "double",
        "attempts": "int64",
        "recorded_at": "timestamp[us, tz=UTC]",
    }


def test_without_pyarrow_nothing_is_run_and_the_command_that_gets_it_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for arguments in (("report", "--format", "parquet"), ("run", "-o", "out.parquet")):
        found = harness(*arguments)
        assert (found.exit_code, found.stdout) == (2, "")
        assert 'pip install "prompt-agent-harness[parquet]"' in found.stderr


def test_results_are_broken_down_by_tag_and_metadata(project: Path) -> None:
    found = harness("report", "--by", "tag,metadata.lang", "-o", "out.md", "-o", "out.json")
    table = found.stdout.split("by tag, metadata.lang\n\n")[1].splitlines()
    assert table[0].split()[:6] == ["tag", "metadata.lang", "variant", "n", "passed", "accuracy"]
    assert [line.split()[:5] for line in table[2:8]] == [
        ["policy", "en", "v1", "2", "2"],
        ["policy", "en", "v2", "2", "2"],
        ["time", "en", "v1", "2", "2"],
        ["time", "en", "v2", "2", "2"],
        ["policy", "-", "v1", "2", "0"],
        ["policy", "-", "v2", "2", "0"],
    ]
    assert "### By tag, metadata.lang\n\n| tag | metadata.lang | variant |" in (project / "out.md").read_text()
    rows = json.loads((project / "out.json").read_text())["breakdown"]["rows"]
    assert (rows[0]["tag"], rows[0]["accuracy"], rows[4]["metadata.lang"]) == ("policy", 1.0, None)
    wrong = harness("report", "--by", "tags")
    assert (wrong.exit_code, "Did you mean 'tag'?" in wrong.stderr) == (2, True)


def test_without_outputs_nothing_that_was_said_is_in_any_report(project: Path) -> None:
    formats = ("--format", "html,md,junit,csv,json")
    run = folder(project)
    rows = (run / "results.jsonl").read_text().splitlines()
    # An error that quotes an answer, and a trial that differs from its recording and says how.
    wrong = json.loads(rows[-1]) | {
        "outcome": "error",
        "error": {"kind": "no_output", "message": "SECRET", "where": None},
    }
    wrong["extra"]["verify"] = {"differences": ["it says SECRET"]}
    (run / "results.jsonl").write_text("\n".join([*rows[:-1], json.dumps(wrong)]) + "\n")
    found = harness("report", *formats)
    made = [path for path in run.iterdir() if path.name not in ("results.jsonl", "run.json")]
    assert len(made) == 5
    assert all("SECRET" in path.read_text() for path in made)
    assert "SECRET" in found.stdout
    rows = (run / "results.jsonl").read_text()
    found = harness("report", *formats, "--no-outputs")
    assert not any("SECRET" in path.read_text() for path in made)
    assert "SECRET" not in found.stdout
    assert found.exit_code == 3
    assert all("price" in path.read_text() for path in made)
    assert "SECRET" not in harness("report", "--json", "--no-outputs").stdout
    harness("report", "--no-outputs", "-o", "out.jsonl")
    assert "SECRET" not in (project / "out.jsonl").read_text()
    assert (run / "results.jsonl").read_text() == rows, "a report changes no result"


def test_the_report_is_opened_in_the_browser(project: Path) -> None:
    browser = project / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{project}/opened"\n')
    browser.chmod(0o755)
    found = subprocess.run(
        [sys.executable, "-m", "harness", "report", "--open", "--format", "md"],
        env={**os.environ, "BROWSER": str(browser)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 1, found.stderr
    assert (project / "opened").read_text().strip() == (folder(project) / "report.html").as_uri()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "no run 'nonsense'"),
        (("--format", "htlm"), "'htlm' is no format. Did you mean 'html'?"),
        (("-o", "x.pdf"), "the suffix says what to write; known are .html, .md, .xml, .csv, .json, .jsonl, .parquet"),
        (("-o", "nowhere/x.md"), "there is no folder nowhere"),
    ],
)
def test_what_is_asked_wrongly_is_said(project: Path, arguments: tuple[str, ...], message: str) -> None:
    found = harness("report", *arguments)
    assert (found.exit_code, found.stdout) == (2, "")
    assert message in found.stderr


def test_without_a_run_the_command_that_makes_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path, {}))
    found = harness("report")
    assert (found.exit_code, "there is no run under reports: `harness run` makes one" in found.stderr) == (2, True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "run.json is damaged"),
        (lambda text: "[]", "run.json:1: run.json is damaged: it is no JSON object"),
        (lambda text: text.replace('"repeats": 2', '"repeats": "two"'), "suites[0]: invalid literal"),
        (
            lambda text: text.replace('"baseline": "v1"', '"baseline": "v9"'),
            "its baseline 'v9' is none of its variants",
        ),
        (lambda text: text.replace('"name": "v2"', '"name": "v3"'), "it lacks the variant 'v2'"),
        (lambda text: text.replace('"accuracy": 0.9', '"accuracy": 9'), "suites[0]"),
        (lambda text: text.replace('"must_pass": "1/2"', '"must_pass": "1/0"'), "suites[0]"),
    ],
)
def test_a_damaged_manifest_is_named_and_hides_no_other_run(project: Path, damage: Any, message: str) -> None:
    good = folder(project).name
    harness("run")
    bad = folder(project)
    text = (bad / "run.json").read_text()
    changed = damage(text)
    assert changed != text
    (bad / "run.json").write_text(changed)
    found = harness("report")
    assert (found.exit_code, found.stdout) == (6, "")
    assert message in found.stderr
    assert f"{bad.name}/run.json:" in found.stderr
    assert harness("report", good).exit_code == 1
    listed = harness("list", "runs")
    assert listed.exit_code == 0
    assert good in listed.stdout
    assert bad.name in listed.stdout


def test_a_run_whose_manifest_is_no_json_is_listed_as_damaged(project: Path) -> None:
    (folder(project) / "run.json").write_text("{")
    rows = json.loads(harness("list", "runs", "--json").stdout)
    assert [(row["run"], row["exit"]) for row in rows] == [(folder(project).name, "damaged")]


def test_a_damaged_row_is_named(project: Path) -> None:
    file = folder(project) / "results.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:2], "{}\n", *lines[2:]]))
    found = harness("report")
    assert (found.exit_code, found.stdout) == (6, "")
    assert f"{file}:3: damaged row" in found.stderr
