"""The workflows that `harness init` writes, and the action of this repository: what they may do, and their commands tried."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .projects import harness

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / "harness/starter/files/github/workflows"
ACTION = ROOT / "action.yml"
BIN = Path(sys.executable).parent


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def definitions() -> dict[str, list[dict[str, Any]]]:
    """The steps of every job, by workflow and job."""
    found = {"action": load(ACTION)["runs"]["steps"]}
    for path in sorted(WORKFLOWS.iterdir()):
        found |= {f"{path.stem}:{name}": job["steps"] for name, job in load(path)["jobs"].items()}
    return found


def step(where: str, begins: str) -> dict[str, Any]:
    """The one step whose name begins so."""
    (found,) = (one for one in definitions()[where] if one.get("name", "").startswith(begins))
    return found


def git(folder: Path, *arguments: str) -> str:
    told = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *told, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def execute(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's command as the service does: bash, ended by the first command that fails."""
    kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    path = os.pathsep.join([*filter(None, [environment.pop("TOOLS", "")]), str(BIN), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env={**kept, "CI": "true", "PATH": path, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds a new project on its branch main."""
    folder = tmp_path_factory.mktemp("service")
    assert harness("init", str(folder / "work")).exit_code == 0
    work = folder / "work"
    git(work, "init", "-q")
    git(work, "add", "--all")
    git(work, "commit", "-q", "-m", "Begin")
    git(folder, "clone", "-q", "--bare", "work", "origin.git")
    return folder / "origin.git"


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A working copy of a branch of one's own, in an own copy of the repository."""
    shutil.copytree(origin, tmp_path / "origin.git")
    git(tmp_path, "clone", "-q", "origin.git", "clone")
    git(tmp_path / "clone", "checkout", "-q", "-b", "shorter")
    git(tmp_path / "clone", "push", "-q", "origin", "shorter")
    return tmp_path / "clone"


# -- what they may do -------------------------------------------------------------------------------------------


def test_only_the_step_that_records_sees_a_secret() -> None:
    holders = [
        (where, one.get("name"))
        for where, steps in definitions().items()
        for one in steps
        if "secrets." in yaml.safe_dump(one)
    ]
    assert holders == [("record:record", "Record what is missing or stale")]
    for path in (*WORKFLOWS.iterdir(), ACTION):
        outside = {name: part for name, part in load(path).items() if name not in ("jobs", "runs")}
        assert "secrets." not in yaml.safe_dump(outside), path.name
    for job in load(WORKFLOWS / "record.yml")["jobs"].values():
        assert "secrets." not in yaml.safe_dump({name: part for name, part in job.items() if name != "steps"})


def test_nothing_is_permitted_but_what_a_job_asks_for() -> None:
    granted: dict[str, Mapping[str, str]] = {}
    for path in WORKFLOWS.iterdir():
        workflow = load(path)
        assert workflow["permissions"] == {}, path.name
        granted |= {f"{path.stem}:{name}": job["permissions"] for name, job in workflow["jobs"].items()}
    assert granted == {
        "evals:suites": {"contents": "read"},
        "record:record": {"contents": "read"},
        "record:commit": {"contents": "write", "pull-requests": "write", "actions": "write"},
        "record:fork": {},
    }


def test_the_job_that_may_write_runs_nothing_of_the_pull_request() -> None:
    commands = "\n".join(one.get("run", "") for one in definitions()["record:commit"])
    for word in ("python", "pip", "harness", "pytest", "make"):
        assert word not in commands.replace("$RUNNER_TEMP", "")
    assert not any(one.get("uses", "").startswith("./") for one in definitions()["record:commit"])


def test_a_fork_never_gets_the_key() -> None:
    workflow = load(WORKFLOWS / "record.yml")
    assert list(workflow["on"]) == ["pull_request"]
    mine = "github.event.pull_request.head.repo.full_name == github.repository"
    assert mine in workflow["jobs"]["record"]["if"]
    assert mine.replace("==", "!=") in workflow["jobs"]["fork"]["if"]
    assert "pull_request_target" not in (WORKFLOWS / "evals.yml").read_text(encoding="utf-8")


def test_other_peoples_steps_are_pinned_and_checkouts_keep_no_token() -> None:
    for where, steps in definitions().items():
        for one in steps:
            if "uses" in one:
                assert len(one["uses"].partition("@")[2]) == 40, (where, one["uses"])
            if one.get("uses", "").startswith("actions/checkout@"):
                assert one["with"]["persist-credentials"] == "false", where


def test_an_audit_finds_nothing() -> None:
    files = [str(path) for path in (*sorted(WORKFLOWS.iterdir()), ACTION)]
    done = subprocess.run(
        [BIN / "zizmor", "--offline", "--no-progress", "--persona=auditor", *files],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("where", definitions())
def test_the_shell_in_them_is_sound(where: str, tmp_path: Path) -> None:
    for number, one in enumerate(one for one in definitions()[where] if "run" in one):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/bin/bash\n{one['run']}\n", encoding="utf-8")
        done = subprocess.run([BIN / "shellcheck", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


# -- their commands ---------------------------------------------------------------------------------------------


def recorded(tmp_path: Path, clone: Path) -> Path:
    """What the first job hands on: the recordings, one of them new, and the verdict."""
    shutil.copytree(clone / "cassettes", tmp_path / "runner/recorded/cassettes")
    new = tmp_path / "runner/recorded/cassettes/reply/v3/late.1.yaml"
    new.parent.mkdir()
    new.write_text("interactions: []\nversion: 1\n", encoding="utf-8")
    (tmp_path / "runner/recorded/cassettes/leads-out").symlink_to("/etc")
    (tmp_path / "runner/recorded/evals.md").write_text("v2 is better\n", encoding="utf-8")
    return tmp_path / "runner"


def service(tmp_path: Path) -> Path:
    """A folder with a `gh` that writes down what it was asked for."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\n', encoding="utf-8")
    (tools / "gh").chmod(0o755)
    return tools


def test_recordings_are_committed_to_the_branch_and_the_verdict_is_said(clone: Path, tmp_path: Path) -> None:
    runner, tools = recorded(tmp_path, clone), service(tmp_path)
    for begins in ("Commit the recordings", "Say the verdict"):
        done = execute(
            clone,
            step("record:commit", begins)["run"],
            RUNNER_TEMP=str(runner),
            BRANCH="shorter",
            BASE="main",
            NUMBER="7",
            TOOLS=str(tools),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    changed = git(clone, "diff", "--name-only", "origin/main", "origin/shorter").splitlines()
    assert changed == ["cassettes/reply/v3/late.1.yaml"]
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[0] == "workflow run evals.yml --ref shorter -f base=main"
    assert asked[1].startswith("pr comment 7 --edit-last --create-if-none --body-file ")
    assert asked[2:] == ["pr edit 7 --remove-label record"]


def test_where_nothing_new_was_recorded_nothing_is_committed(clone: Path, tmp_path: Path) -> None:
    runner, tools = tmp_path / "runner", service(tmp_path)
    shutil.copytree(clone / "cassettes", runner / "recorded/cassettes")
    before = git(clone, "rev-parse", "HEAD")
    command = step("record:commit", "Commit the recordings")["run"]
    done = execute(clone, command, RUNNER_TEMP=str(runner), BRANCH="shorter", BASE="main", TOOLS=str(tools))
    assert (done.returncode, done.stdout.strip()) == (0, "nothing new was recorded")
    assert git(clone, "rev-parse", "HEAD") == before
    assert not (tmp_path / "asked").exists()


def test_a_branch_that_moved_meanwhile_is_not_written_over(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", "-b", "shorter", "origin.git", "other")
    git(other, "commit", "-q", "--allow-empty", "-m", "Meanwhile")
    git(other, "push", "-q")
    command = step("record:commit", "Commit the recordings")["run"]
    done = execute(
        clone,
        command,
        RUNNER_TEMP=str(recorded(tmp_path, clone)),
        BRANCH="shorter",
        BASE="main",
        TOOLS=str(service(tmp_path)),
    )
    assert done.returncode != 0
    assert git(other, "ls-remote", "origin", "shorter").split()[0] == git(other, "rev-parse", "HEAD")


def test_a_pull_request_of_a_fork_is_told_why_nothing_is_recorded(clone: Path) -> None:
    done = execute(clone, step("record:fork", "Say why")["run"])
    assert done.returncode == 1
    assert done.stdout.startswith("::error::")


def test_the_suites_replay_without_a_key_and_the_reports_are_kept(clone: Path) -> None:
    done = execute(clone, step("evals:suites", "Replay the suites")["run"])
    assert done.returncode == 0, done.stdout + done.stderr
    kept = step("evals:suites", "Keep the report")["with"]["path"]
    assert list((clone / kept).glob("*/report.html"))


def test_a_branch_that_changed_nothing_is_compared_with_its_base_and_has_no_verdict(
    clone: Path, tmp_path: Path
) -> None:
    commands = [step(where, "Compare with the base branch")["run"] for where in ("evals:suites", "record:record")]
    # The second does the same and keeps what is said for the comment, also where something is worse.
    assert commands[1] == f"{commands[0]} -o evals.md || [ $? -eq 1 ]"
    summary = tmp_path / "step.md"
    done = execute(clone, commands[1], BASE="main", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stdout + done.stderr
    told = "v2 replays the same recordings as v2 (origin/main), with the same outcomes"
    for said in (done.stdout, summary.read_text(encoding="utf-8"), (clone / "evals.md").read_text(encoding="utf-8")):
        assert told in " ".join(said.split()).replace("**", "")
    assert "ot enough data" not in done.stdout


@pytest.mark.parametrize(
    ("before", "after", "expected"), [("short", "long", 3), pytest.param("", "", 0, marks=pytest.mark.slow)]
)
def test_the_action_runs_the_suites_and_hands_on_the_exit_code(
    clone: Path, tmp_path: Path, before: str, after: str, expected: int
) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner/harness").symlink_to(BIN.parent)
    prompt = clone / "prompts/reply/2.j2"
    prompt.write_text(prompt.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    output = tmp_path / "output"
    done = execute(
        clone,
        step("action", "Replay the suites")["run"],
        SUITES="suites/reply.yaml",
        RUNNER_TEMP=str(tmp_path / "runner"),
        GITHUB_OUTPUT=str(output),
    )
    assert done.returncode == expected, done.stdout + done.stderr
    assert output.read_text(encoding="utf-8") == f"exit-code={expected}\n"


def test_the_action_compares_no_other_suites_than_it_runs(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner/harness").symlink_to(BIN.parent)
    (clone / "suites/short.py").write_text("def answer(text):\n    return 'yes'\n", encoding="utf-8")
    (clone / "suites/short.yaml").write_text(
        "suite: short\napi: python\ntarget: ./short.py:answer\nexpect: {contains: yes}\ncases: [{id: a, input: One}]\n",
        encoding="utf-8",
    )
    git(clone, "add", "--all")
    git(clone, "commit", "-q", "-m", "Add a suite")
    (clone / "suites/draft.yaml").write_text("suite: draft\nexpct: broken\n", encoding="utf-8")
    command = step("action", "Compare with the base branch")["run"]
    told = {"REF": "HEAD", "SUITES": "suites/short.yaml", "RUNNER_TEMP": str(tmp_path / "runner")}
    done = execute(clone, command, **told)
    assert done.returncode == 0, done.stdout + done.stderr


def test_recording_with_nothing_stale_spends_nothing(clone: Path) -> None:
    command = step("record:record", "Record what is missing")["run"]
    done = execute(clone, command, BUDGET="2.00", OPENAI_API_KEY="none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(clone, "status", "--porcelain", "cassettes") == ""


def test_only_scripts_are_executable() -> None:
    for path in (*WORKFLOWS.iterdir(), ACTION):
        assert not path.stat().st_mode & stat.S_IXUSR
