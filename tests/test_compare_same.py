"""The working tree against a commit with the same recordings: nothing to tell apart, and no verdict; else one."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

import harness as lib
from tests.projects import harness, write
from tests.test_compare_tree import GIT, commit, git

SUITE = """\
suite: s
variants: {v1: {outputs: a.jsonl}, v2: {outputs: b.jsonl}, v3: {outputs: a.jsonl, vars: {tone: warm}}, v4: {outputs: d.jsonl}}
expect: {contains: "yes"}
cases:
""" + "".join(f"  - {{id: c{n}, input: Question {n}}}\n" for n in range(6))


def rows(*outputs: str) -> str:
    return "".join(json.dumps({"id": f"c{n}", "output": said}) + "\n" for n, said in enumerate(outputs))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("same") / "repo"
    said = ("yes", "no", "yes", "yes", "no", "yes")
    write(
        root,
        {
            "suites/s.yaml": SUITE,
            "suites/a.jsonl": rows(*said),
            "suites/b.jsonl": rows(*said),
            "suites/d.jsonl": rows(*said[:5]),
            ".gitignore": ".harness/\nreports/\n",
        },
    )
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    return root


def test_the_same_recordings_with_the_same_outcomes_get_no_verdict_and_others_do(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repo"
    shutil.copytree(origin, root)
    monkeypatch.chdir(root)
    # v2 answers in other words, which come to the same; v3 was told something else, and nobody asked it again.
    write(
        root,
        {
            "suites/b.jsonl": rows("yes!", "no", "yes", "yes", "no", "yes"),
            "suites/s.yaml": SUITE.replace("warm", "dry"),
            "suites/d.jsonl": rows("yes", "no", "yes", "yes", "no", "yes"),
        },
    )
    # Trees of five days; one of them was looked at a minute ago, perhaps by another process.
    trees = [root / ".harness" / "trees" / f"{age:040}" for age in range(1, 6)]
    for age, tree in enumerate(trees):
        tree.mkdir(parents=True)
        used = time.time() - (60 if age == 0 else age * 86400)
        os.utime(tree, (used, used))
    result = harness("compare", "main", "--format", "md")
    assert [tree.exists() for tree in trees] == [True, True, False, False, False]
    assert result.exit_code == 0, result.output
    said = "v1 replays the same recordings as v1 (main), with the same outcomes: 6 cases, and nothing to tell apart."
    printed = " ".join(result.output.split())
    assert said in printed
    for other in ("v2", "v3", "v4"):
        # Adjusted for those three: what has no verdict is not tested.
        assert f"Not enough data to tell {other} from {other} (main): +0.0 pp (98.3% CI" in printed
    assert "adjusted for 3 candidates" in printed
    # What is missing over there can be neither added nor recorded here.
    assert "s: 1 trial of main ended in error there, and stays without a counterpart" in printed
    assert "tell v1 from" not in printed
    (run,) = (root / "reports").glob("2*")
    for file in ("summary.md", "report.html"):
        shown = (run / file).read_text()
        assert "replays the same recordings as v1" in shown
        assert "tell v1 from" not in shown
    # Made again from what is stored, it says the same; so it does as data.
    (first, second, third, fourth) = json.loads(harness("report", "--json").stdout)["suites"][0]["comparisons"]
    assert (first["verdict"], first["difference"], first["same"], first["text"]) == (None, None, True, said)
    advice = " ".join(fourth["advice"])
    assert "Errors on the other side took c5 out of both arms: nothing recorded here changes that." in advice
    assert "Add answers" not in advice and "harness record" not in advice
    # What was set side by side stays so: nothing of the commit becomes a candidate.
    again = json.loads(harness("compare", "--json", "--no-html").stdout)["comparisons"]
    assert [(one["baseline"], one["candidate"], one["text"]) for one in again] == [
        (one["baseline"], one["candidate"], one["text"]) for one in (first, second, third, fourth)
    ]
    page = harness("compare", "--no-html")
    assert said in " ".join(page.output.split())
    assert "adjusted for 3 candidates" in " ".join(page.output.split())
    alone = json.loads(harness("compare", "s:v1", "--json", "--no-html").stdout)["comparisons"]
    assert [one["text"] for one in alone] == [said]
    assert lib.load(run).compare(b="v1").verdict == said
    for other in (second, third, fourth):
        assert (other["verdict"]["kind"], other["same"]) == ("not_enough_data", False)
