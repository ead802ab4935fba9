"""What a CI job's step is told: $GITHUB_STEP_SUMMARY, written once by what ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.reports.github import artifacts
from tests.projects import harness, write

PROJECT = {
    "suites/data/answers.jsonl": '{"id": "a", "output": "5 days"}\n{"id": "b", "output": "::error::no"}\n',
    "suites/faq.yaml": """\
suite: faq
variants: {old: {outputs: data/answers.jsonl}}
expect: {contains: days}
cases: [{id: a, input: How long?}, {id: b, input: How much?}]
""",
}


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's step in a project; the file that takes its summary."""
    monkeypatch.chdir(write(tmp_path, PROJECT))
    for name, value in (("SERVER_URL", "https://github.com"), ("REPOSITORY", "o/r"), ("RUN_ID", "17")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    return tmp_path / "step.md"


def test_a_run_adds_its_summary_once(step: Path) -> None:
    step.write_text("# before\n")
    assert harness("run", "-q").exit_code == 1
    (run,) = (path for path in Path("reports").iterdir() if path.is_dir())
    summary = (run / "summary.md").read_text()
    assert summary.startswith("<!-- harness:faq -->\n## ❌ failed\n")
    assert "(https://github.com/o/r/actions/runs/17#artifacts)" in summary
    assert step.read_text() == f"# before\n\n{summary}"
    harness("report", "--format", "md")
    assert step.read_text() == f"# before\n\n{summary}", "looking at a run again is no news"
    harness("run", "-q")
    assert step.read_text() == f"# before\n\n{summary}", "nor is the same once more"
    harness("run", "-q", "--case", "b")
    assert step.read_text().count("<!-- harness:faq -->") == 2
    assert not Path("output").exists()
    assert not any(line.lstrip().startswith("::") for line in step.read_text().splitlines())


def test_slices_that_were_asked_for_are_told_to_the_step_too(step: Path) -> None:
    assert harness("run", "-q", "--by", "case", "-o", "mine.md").exit_code == 1
    assert "### By case" in step.read_text()
    assert step.read_text() == Path("mine.md").read_text()


def test_a_comparison_adds_its_own(step: Path) -> None:
    harness("run", "-q")
    first = step.read_text()
    write(step.parent, {"suites/data/answers.jsonl": PROJECT["suites/data/answers.jsonl"].replace("no", "in 3 days")})
    harness("run", "-q")
    runs = sorted(path.name for path in Path("reports").iterdir() if path.is_dir())
    step.write_text(first)
    assert harness("compare", *runs).exit_code == 0
    added = step.read_text().removeprefix(first)
    assert added.count("<!-- harness:faq -->") == 1
    assert "- **fixed:** b" in added


def test_a_summary_that_cannot_be_written_is_said_and_changes_no_verdict(
    step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step.parent / "nowhere" / "step.md"))
    found = harness("run", "-q")
    assert found.exit_code == 1
    assert "the step's summary ($GITHUB_STEP_SUMMARY) cannot be written: " in found.stderr
    step.write_text("x" * 1_048_000)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    assert "it would be larger than 1 MiB" in harness("run", "-q").stderr
    assert step.stat().st_size == 1_048_000


@pytest.mark.parametrize(
    "changed",
    [
        {"GITHUB_SERVER_URL": "javascript:alert(1)"},
        {"GITHUB_REPOSITORY": "o/r) ![x](http://evil"},
        {"GITHUB_RUN_ID": "1)"},
        {"GITHUB_RUN_ID": ""},
    ],
)
def test_no_address_is_made_of_what_is_none(changed: dict[str, str]) -> None:
    job = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "1"}
    assert artifacts(job) == "https://github.com/o/r/actions/runs/1#artifacts"
    assert artifacts(job | changed) == ""


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)], ids=["plain", "-n 2"])
def test_pytest_adds_it_once_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    write(pytester.path, PROJECT)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    pytester.runpytest("suites", *workers)
    assert (pytester.path / "step.md").read_text().count("<!-- harness:faq -->") == 1
