"""The working tree against a commit: both replayed, both by the working tree's checks, in a real repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.projects import harness, write

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}
#: One module of the same name in both trees, which knows other answers in each.
FACTS = "CAPITALS = {capitals}\n"
AGENT = """\
from facts import CAPITALS

def answer(input: str, brief: bool = False) -> str:
    return next((CAPITALS[name] for name in CAPITALS if name in input), "I do not know")
"""
SUITE = """\
suite: capitals
api: python
target: ./agent.py:answer
variants: {variants}
expect: {{contains: "{{{{ expected }}}}"}}
cases:
{cases}
"""
BEFORE = {"france": "Paris", "italy": "Milan", "spain": "Madrid", "peru": "Lima", "japan": "Kyoto"}
AFTER = {"france": "Paris", "italy": "Rome", "spain": "Madrid", "peru": "Cusco", "japan": "Tokyo"}
CASES = {"france": "Paris", "italy": "Rome", "spain": "Madrid", "peru": "Lima", "japan": "Tokyo"}


def cases(found: dict[str, str], *, asked: str = "What is the capital of {}?") -> str:
    lines = [f"  - {{id: {one}, input: '{asked.format(one)}', expected: {answer}}}" for one, answer in found.items()]
    return "\n".join(lines)


def suite(listed: str = "", variants: str = "{v1: {}}", name: str = "capitals") -> str:
    return SUITE.format(variants=variants, cases=listed or cases(CASES)).replace("suite: capitals", f"suite: {name}")


def git(*arguments: str, cwd: Path) -> str:
    environ = {**os.environ, **GIT}
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True, env=environ)
    return done.stdout.strip()


def commit(root: Path) -> None:
    git("add", "-A", cwd=root)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=root)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose project lies in a folder of its own: what `main` was before anything was changed."""
    root = tmp_path_factory.mktemp("origin") / "repo"
    files = {
        "suites/capitals.yaml": suite(),
        "suites/agent.py": AGENT,
        "suites/facts.py": FACTS.format(capitals=BEFORE),
        ".gitignore": ".harness/\nreports/\n",
    }
    project = write(root / "bot", files)
    (project / "suites" / "out").symlink_to("../../../elsewhere")
    # Inside by its own words, outside by way of the other: two steps up from the top.
    (project / "suites" / "deep" / "er").mkdir(parents=True)
    (project / "suites" / "deep" / "er" / "top").symlink_to("../../..")
    (project / "suites" / "way").symlink_to("deep/er/top/../..")
    (project / "suites" / "large.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    git("init", "-q", "-b", "main", cwd=root)
    commit(root)
    head = git("rev-parse", "HEAD", cwd=project)
    git("update-index", "--add", "--cacheinfo", f"160000,{head},bot/lib", cwd=project)
    git("commit", "-q", "-m", "submodule", cwd=project)
    return root


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's git settings, and no module of another test's."""
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "facts", raising=False)


@pytest.fixture
def project(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which answers have changed and nothing is committed."""
    return copied(origin, tmp_path, monkeypatch)


def copied(origin: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(origin, to / "repo", symlinks=True)
    project = to / "repo" / "bot"
    monkeypatch.chdir(project)
    write(project, {"suites/facts.py": FACTS.format(capitals=AFTER)})
    return project


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One comparison after many changes: what was printed, and what was written."""

    project: Path
    code: int
    output: str
    run: Path
    rows: list[dict[str, Any]]
    manifest: dict[str, Any]
    #: `git status` before and after.
    status: tuple[str, str]


@pytest.fixture(scope="module")
def shown(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """`harness compare main` where answers, an expectation and a text changed, and cases, a variant and a suite are new."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT.items():
            patch.setenv(name, value)
        patch.delitem(sys.modules, "facts", raising=False)
        project = copied(origin, tmp_path_factory.mktemp("shown"), patch)
        git("checkout", "-q", "-b", "work", cwd=project)
        commit(project)
        git("checkout", "-q", "main", cwd=project)
        commit(project)
        git("checkout", "-q", "work", cwd=project)
        known = {name: answer for name, answer in CASES.items() if name not in ("peru", "japan")}
        listed = "\n".join(
            [
                cases({**known, "france": "Lyon"}),
                cases({"japan": "Tokyo"}, asked="Capital of {}, please?"),
                cases({"chile": "Santiago"}),
            ]
        )
        files = {
            "suites/capitals.yaml": suite(listed, "{v1: {}, v2: {args: {brief: true}}}"),
            "suites/more.yaml": suite(name="more"),
        }
        write(project, files)
        before = git("status", "--porcelain", cwd=project)
        result = harness("compare", "main")
        (run,) = (project / "reports").glob("2*")
        yield Shown(
            project=project,
            code=result.exit_code,
            output=result.output,
            run=run,
            rows=[json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()],
            manifest=json.loads((run / "run.json").read_text()),
            status=(before, git("status", "--porcelain", cwd=project)),
        )


def outcomes(shown: Shown, variant: str) -> dict[str, str]:
    return {
        row["case"]: row["outcome"] for row in shown.rows if (row["suite"], row["variant"]) == ("capitals", variant)
    }


def test_each_side_has_the_code_of_its_own_tree_and_the_checks_of_the_working_tree(shown: Shown) -> None:
    # Paris was expected of France over there, and is wrong in both by what is expected now.
    assert outcomes(shown, "v1 (main)") == {"france": "failed", "italy": "failed", "spain": "passed"}
    assert outcomes(shown, "v1")["italy"] == "passed"
    assert "1 fixed, 0 broken of 3" in " ".join(shown.output.split())
    assert {row["run"] for row in shown.rows} == {shown.run.name}


def test_the_users_own_tree_is_left_alone(shown: Shown) -> None:
    assert shown.status[0] == shown.status[1]


def test_what_is_not_compared_is_named(shown: Shown) -> None:
    for said in (
        "capitals: not compared, 1 case with another text: japan",
        "capitals: not compared, 1 case not in main: chile",
        "capitals: not compared, 1 case only in main: peru",
        "capitals: not in main, and compared with its baseline v1 (main): v2",
        "more: not in main: all of it is new, and there is nothing to compare it with",
        "1 commit ahead of what this branch began with",
        "main: suites/out (and 1 more) is a symbolic link out of the project, and left out",
        "main: suites/large.csv is held by Git LFS, and only a pointer is in git",
        "main: lib is a submodule, and nothing of it is unpacked",
    ):
        assert said in shown.output
        assert said in "\n".join(shown.manifest["comparison"]["notes"])


def test_what_merely_fails_decides_nothing(shown: Shown) -> None:
    assert shown.code == 0, shown.output


def test_it_is_a_run_that_reports_show_again(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"report.html", "summary.md", "run.json"} <= {path.name for path in shown.run.iterdir()}
    assert shown.manifest["comparison"]["commit"] == git("rev-parse", "main", cwd=shown.project)
    monkeypatch.chdir(shown.project)
    again = harness("report", "--json")
    assert again.exit_code == 0
    compared = [(one["baseline"], one["candidate"]) for one in json.loads(again.stdout)["suites"][0]["comparisons"]]
    assert compared == [("v1 (main)", "v1"), ("v1 (main)", "v2")]
    assert "v1 (main)" in (shown.run / "summary.md").read_text()


def test_what_differs_is_said(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shown.project)
    (first, second) = json.loads(harness("report", "--json").stdout)["suites"][0]["comparisons"]
    assert ("Python files", "suites/facts.py") in [(one["name"], one["b"]) for one in first["changes"]]
    assert ("cases with another text", "japan") in [(one["name"], one["b"]) for one in first["changes"]]
    assert ("args.brief", "true") in [(one["name"], one["b"]) for one in second["changes"]]


def test_what_stands_against_the_working_tree_has_no_history(shown: Shown) -> None:
    kept = {one["name"]: one["summary"] for one in shown.manifest["suites"][0]["variants"]}
    assert kept["v1 (main)"] is None
    assert kept["v1"]["role"] == "candidate"


def test_trees_are_kept_for_the_next_time_and_ignored_by_git(shown: Shown) -> None:
    (tree,) = (path for path in (shown.project / ".harness" / "trees").iterdir() if path.is_dir())
    assert tree.name == git("rev-parse", "main", cwd=shown.project)
    assert (tree / "suites" / "facts.py").read_text() == FACTS.format(capitals=BEFORE)
    assert not any(os.path.lexists(tree / "suites" / name) for name in ("out", "way"))
    assert (tree / "suites" / "deep" / "er" / "top").resolve() == tree.resolve()
    assert (tree.parent / ".gitignore").read_text() == "*\n"


def test_being_worse_fails(project: Path) -> None:
    listed = {f"c{number}x": "Yes" for number in range(30)}
    write(project, {"suites/capitals.yaml": suite(cases(listed)), "suites/facts.py": FACTS.format(capitals=listed)})
    commit(project)
    write(project, {"suites/facts.py": FACTS.format(capitals={})})
    result = harness("compare", "HEAD", "--no-html", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["reasons"] == ["capitals: v1 is worse"]
    assert found["suites"][0]["comparisons"][0]["baseline"] == "v1 (HEAD)"


def test_gates_of_the_working_tree_decide_and_a_broken_suite_over_there_does_not(project: Path) -> None:
    sound = (project / "suites" / "capitals.yaml").read_text()
    write(project, {"suites/capitals.yaml": sound.replace("contains", "contians")})
    commit(project)
    write(project, {"suites/capitals.yaml": sound + "gates: {accuracy: 0.95}\n"})
    result = harness("compare", "main", "--no-html")
    assert result.exit_code == 1
    assert "capitals: broken in main, so nothing is compared: main:suites/capitals.yaml:5:" in result.output
    assert "capitals: gate failed" in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_code_of_the_other_tree_can_be_refused(project: Path) -> None:
    result = harness("compare", "main", "--no-code", "--no-html")
    assert result.exit_code == 2
    assert "main:suites/capitals.yaml:3:9: './agent.py:answer' is Python code: --no-code forbids to run it" in (
        result.output
    )


@pytest.mark.slow
def test_a_detached_worktree_of_a_clone_that_has_no_branch_main(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", f"file://{origin}", str(clone), cwd=tmp_path)
    git("checkout", "-q", "--detach", cwd=clone)
    git("branch", "-q", "-D", "main", cwd=clone)
    git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), cwd=clone)
    monkeypatch.chdir(tmp_path / "tree" / "bot")
    found = json.loads(harness("compare", "main", "--json", "--no-html").stdout)
    (one,) = found["suites"][0]["comparisons"]
    assert (one["baseline"], one["cases"]) == ("v1 (origin/main)", 5)


def test_a_shallow_clone_says_what_a_workflow_needs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("commit", "-qam", "y", cwd=project)
    clone = tmp_path / "clone"
    git("clone", "-q", "--depth", "1", f"file://{project.parent}", str(clone), cwd=tmp_path)
    monkeypatch.chdir(clone / "bot")
    result = harness("compare", "HEAD~1")
    assert result.exit_code == 2
    assert "fetch-depth: 0" in result.output


def test_without_a_repository_and_in_one_that_lacks_the_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = write(project.parent / "new", {"suites/s.yaml": suite(), "suites/agent.py": AGENT, "suites/facts.py": ""})
    monkeypatch.chdir(new)
    result = harness("compare", "main")
    assert (result.exit_code, "the folder new/ is not in main" in result.output) == (2, True)
    bare = write(tmp_path / "bare", {"suites/s.yaml": suite()})
    monkeypatch.chdir(bare)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    result = harness("compare", "main")
    assert (result.exit_code, "no run 'main'" in result.output) == (2, True)


def test_words_that_mean_several_things_or_none(project: Path) -> None:
    assert harness("run", "-q", "--no-html").exit_code == 1
    git("branch", "v1", cwd=project)
    for words, said in (
        (("v1",), "'v1' could be the variant capitals:v1 of the last run, or a commit"),
        (("mian",), "Did you mean 'main'?"),
        (("main", "v1"), "'main' is a commit, which is compared with the working tree: leave the other word out"),
        (("--suite", "capitols", "main"), "no suite is called 'capitols'. Did you mean 'capitals'?"),
        (("a@1", "b@2"), "is called 'a@1', or has that prompt or API"),
    ):
        result = harness("compare", *words)
        assert result.exit_code == 2, result.output
        assert said in result.output


@pytest.mark.slow
def test_settings_that_were_wrong_over_there_are_named_without_a_traceback(project: Path) -> None:
    write(project, {"pyproject.toml": "[tool.harness]\nsuits = 'x'\n"})
    commit(project)
    write(project, {"pyproject.toml": "[tool.harness]\n"})
    result = harness("compare", "main", "--no-html")
    assert result.exit_code == 2
    assert "main cannot be replayed: main:pyproject.toml:2:1: unknown setting 'tool.harness.suits'" in result.output
    assert "Traceback" not in result.output
