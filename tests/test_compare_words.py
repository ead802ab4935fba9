"""What can stand after `harness compare`: variants, prompts, APIs and runs, each with its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.projects import harness, write

ANSWERS = {
    "suites/a.jsonl": "".join(json.dumps({"id": f"c{n}", "output": "no"}) + "\n" for n in range(12)),
    "suites/b.jsonl": "".join(json.dumps({"id": f"c{n}", "output": "yes"}) + "\n" for n in range(12)),
}
SUITE = """\
suite: s
variants:
  v1: {outputs: a.jsonl}
  v2: {outputs: b.jsonl}
  code: {api: python, target: ./agent.py:answer, report_only: true}
expect: {contains: yes}
cases:
""" + "".join(f"  - {{id: c{n}, input: Question {n}}}\n" for n in range(12))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # What lies around a temporary folder is nobody's business.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    agent = "def answer(input: str) -> str:\n    return 'no'\n"
    return write(tmp_path, {"suites/s.yaml": SUITE, "suites/agent.py": agent, **ANSWERS})


def written(run: Path) -> int:
    return (run / "results.jsonl").stat().st_mtime_ns


def test_variants_of_a_suite_are_replayed_by_name_and_by_api(project: Path) -> None:
    result = harness("compare", "--suite", "s", "v1", "python", "--no-html")
    assert result.exit_code == 0, result.output
    assert "Not enough data to tell code from v1" in result.output
    worse = harness("compare", "--suite", "s", "v2", "v1", "--no-html")
    assert worse.exit_code == 1
    assert "v1 is worse" in worse.output
    reported = harness("compare", "--suite", "s", "v2", "code", "--no-html")
    assert "code is worse" in reported.output and reported.exit_code == 0
    several = harness("compare", "--suite", "s", "outputs", "code")
    assert (several.exit_code, "'outputs' could be any of s:v1, s:v2" in several.output) == (2, True)


def test_stored_arms_have_a_page_in_the_later_runs_folder(project: Path) -> None:
    harness("run", "-q", "--no-html")
    write(project, {"suites/b.jsonl": ANSWERS["suites/a.jsonl"]})
    harness("run", "-q", "--no-html")
    # Two runs of one second are told apart by their files.
    first, second = (path.name for path in sorted((project / "reports").glob("2*"), key=written))
    result = harness("compare", first, "-o", "out.csv")
    assert result.exit_code == 1
    # One verdict, adjusted for what both runs hold, in what is read and in what is data.
    data = json.loads(harness("compare", first, "--json", "--no-html").stdout)["comparisons"]
    assert len(data) == 3
    for one in data:
        assert one["text"] in " ".join(result.output.split())
        assert one["adjusted"] == ("2 candidates" if one["candidate"].startswith("v") else "3 variants")
    assert f"v2 of {second[-4:]} is worse" in " ".join(result.output.split())
    page = project / "reports" / second / "compare.html"
    assert f"v2 of {first[-4:]}" in page.read_text()
    assert len((project / "out.csv").read_text().splitlines()) == 1 + 2 * 3 * 12
    assert not list((project / "reports" / first).glob("compare*"))


def test_nothing_named_is_the_last_run(project: Path) -> None:
    harness("run", "-q", "--no-html")
    found = harness("compare", "--no-html", "--suite", "s")
    assert found.exit_code == 0
    assert "v2 is better" in found.output
    plain = json.loads(harness("compare", "--json", "--no-html").stdout)
    assert [one["candidate"] for one in plain["comparisons"]] == ["v2", "code"]
    wrong = harness("compare", "--suite", "t")
    assert (wrong.exit_code, "nothing of 't' can be compared" in wrong.output) == (2, True)


def test_without_git_a_commit_cannot_be_meant_and_it_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    result = harness("compare", "main")
    assert result.exit_code == 2
    assert "no run 'main' under" in result.output and ".." not in result.output
    assert "'main' needs git, and there is no command `git`" in result.output
