"""`harness init`: a project that works at once, offline, and never at the cost of files that are there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.errors import ExitCode

from .projects import harness, write


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in a folder, with no proxy to reach a network by and no key."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    environ = {**kept, "COLUMNS": "200", "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def suite(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "suites/reply.yaml").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_new_project_passes_at_once_offline(here: Path) -> None:
    assert harness("init", "demo").exit_code == ExitCode.PASSED
    result = run(here / "demo", "pytest", "suites/")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"v1 +10 +3 ", result.stdout)
    assert re.search(r"v2 +10 +8 ", result.stdout)
    assert "v2 is better" in result.stdout
    assert re.search(r"pass +v2 +accuracy", result.stdout)


def test_the_command_line_says_the_same(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harness("init", "demo")
    monkeypatch.chdir(here / "demo")
    assert "suites/reply.yaml: ok (10 cases, 2 variants, 20 trials)" in harness("validate").stdout
    result = harness("run")
    assert result.exit_code == ExitCode.PASSED
    assert "v2 is better" in result.stdout
    assert "v2 is better" in harness("compare").stdout


@pytest.mark.slow
def test_the_smallest_project_passes_at_once_and_holds_nothing_else(here: Path) -> None:
    assert harness("init", "demo", "--minimal").exit_code == ExitCode.PASSED
    found = set(files(here / "demo"))
    assert {name for name in found if not name.startswith("cassettes/")} == {
        "prompts/reply/1.j2",
        "prompts/reply/2.j2",
        "suites/reply.yaml",
    }
    assert len(found) == 3 + 2 * len(suite(here / "demo")["cases"])
    result = run(here / "demo", "pytest", "suites/")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"v2 +3 +3 ", result.stdout)


def test_a_changed_prompt_names_its_stale_recordings_and_the_command(here: Path) -> None:
    harness("init", "demo")
    prompt = here / "demo/prompts/reply/2.j2"
    prompt.write_text(prompt.read_text(encoding="utf-8").replace("one or two short", "two short"), encoding="utf-8")
    result = run(here / "demo", "pytest", "suites/")
    assert result.returncode == 1
    for case in suite(here / "demo")["cases"]:
        assert f"cassettes/reply/v2/{case['id']}.1.yaml" in result.stdout
    assert "cassettes/reply/v1/" not in result.stdout
    assert "`harness record suites/reply.yaml --variant v2 --only-stale`" in result.stdout


def test_the_recordings_say_who_answered_and_nothing_of_the_machine(here: Path) -> None:
    harness("init", "demo")
    recordings = {name: data for name, data in files(here / "demo").items() if name.startswith("cassettes/")}
    assert len(recordings) == 20
    for data in recordings.values():
        mark = yaml.safe_load(data)["interactions"][-1]["response"]["recorder"]["cassette"]
        assert mark["source"] == {"host": "127.0.0.1:8089", "model": "qwen2.5-coder-1.5b-instruct"}
        assert not re.search(rb"authorization|api[_-]?key|/home/|/root|/tmp|/work|\r", data, re.IGNORECASE)


@pytest.mark.parametrize("name", ["README.md", "suites/reply.yaml"])
def test_it_says_whose_answers_these_are_and_how_to_get_others(here: Path, name: str) -> None:
    harness("init", "demo")
    text = (here / "demo" / name).read_text(encoding="utf-8")
    for word in ("Qwen2.5-Coder-1.5B-Instruct", "loopback", "OPENAI_API_KEY", "harness record --rewrite"):
        assert word in text


@pytest.mark.slow
def test_the_readme_tells_what_is_measured(here: Path) -> None:
    harness("init", "demo")
    readme = (here / "demo/README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 20
    told = re.search(r"Version 1 passed (\d+) of 10, version 2 passed (\d+)\.", readme)
    run(here / "demo", "pytest", "suites/")
    (results,) = (here / "demo/reports").glob("*/results.jsonl")
    rows = [yaml.safe_load(line) for line in results.read_text(encoding="utf-8").splitlines()]
    passed = [sum(row["variant"] == name and row["outcome"] == "passed" for row in rows) for name in ("v1", "v2")]
    assert told
    assert [int(count) for count in told.groups()] == passed


def test_editors_find_the_schema_that_the_suite_names_and_the_suite_keeps_it(here: Path) -> None:
    harness("init", "demo")
    text = (here / "demo/suites/reply.yaml").read_text(encoding="utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named
    schema = json.loads((here / "demo/suites" / named[1]).read_text(encoding="utf-8"))
    jsonschema.validate(suite(here / "demo"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**suite(here / "demo"), "expct": []}, schema)


def test_it_says_what_was_written_and_what_comes_next(here: Path) -> None:
    result = harness("init", "my demo")
    said = result.stdout.splitlines()
    for name in files(here / "my demo"):
        shown = f"{name.rpartition('/')[0]}/ (10 recordings)" if name.startswith("cassettes/") else name
        assert f"  {shown}" in said
    assert "  cd 'my demo'" in said
    assert any(line.startswith("  pytest suites/") for line in said)
    assert any(line.startswith("  harness record") for line in said)


def test_without_a_folder_it_is_the_working_folder(here: Path) -> None:
    result = harness("init")
    assert result.exit_code == ExitCode.PASSED
    assert (here / "suites/reply.yaml").is_file()
    assert "cd " not in result.stdout


def test_twice_changes_nothing(here: Path) -> None:
    harness("init", "demo")
    before = files(here / "demo")
    result = harness("init", "demo")
    assert result.exit_code == ExitCode.PASSED
    assert files(here / "demo") == before
    assert "nothing to write" in result.stdout
    assert "kept" not in result.stdout


@pytest.mark.slow
def test_after_the_smallest_project_the_full_one_keeps_its_suite(here: Path) -> None:
    harness("init", "demo", "--minimal")
    before = files(here / "demo")
    result = harness("init", "demo")
    assert "kept suites/reply.yaml as it is" in result.stdout.splitlines()
    after = files(here / "demo")
    assert {name: after[name] for name in before} == before
    assert run(here / "demo", "pytest", "suites/").returncode == 0


def test_files_that_are_there_are_kept_and_named(here: Path) -> None:
    mine = {"README.md": b"mine\n", "suites/checks.py": b"x = 1\n", "suites/other.yaml": b"suite: other\n"}
    for name, data in mine.items():
        path = here / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    result = harness("init", "demo")
    assert result.exit_code == ExitCode.PASSED
    after = files(here / "demo")
    assert {name: after[name] for name in mine} == mine
    said = result.stdout.splitlines()
    assert "kept README.md as it is" in said
    assert "kept suites/checks.py as it is" in said
    assert "suites/other.yaml" not in result.stdout
    assert "prompts/reply/2.j2" in after


@pytest.mark.slow
def test_a_pyproject_of_another_kind_is_not_edited_and_the_lines_are_shown(here: Path) -> None:
    text = '[project]\nname = "shop"\n'
    (here / "pyproject.toml").write_text(text)
    result = harness("init")
    assert (here / "pyproject.toml").read_text() == text
    _, _, after = result.stdout.partition("add to pyproject.toml:\n")
    lines = "\n".join(line.strip() for line in after.splitlines()[:3])
    assert tomllib.loads(lines) == {"tool": {"harness": {"suites": "suites", "prompts": "prompts"}}}
    assert run(here, "pytest", "suites/").returncode == 0
    (here / "pyproject.toml").write_text(text + lines)
    assert "add to pyproject.toml" not in harness("init").stdout
    assert run(here, "pytest", "suites/").returncode == 0


def test_an_unreadable_pyproject_is_no_reason_to_stop(here: Path) -> None:
    (here / "pyproject.toml").write_text("[project\n")
    result = harness("init")
    assert result.exit_code == ExitCode.PASSED
    assert "add to pyproject.toml, once it can be read" in result.stdout


def test_lines_that_ignore_files_are_shown_where_they_are_missing(here: Path) -> None:
    (here / ".gitignore").write_text(".venv/\n.env\n")
    (here / ".gitattributes").write_text("*.png binary\n")
    result = harness("init")
    assert (here / ".gitignore").read_text() == ".venv/\n.env\n"
    assert "    reports/*\n" in result.stdout
    assert "    .venv/\n" not in result.stdout
    assert "add to .gitattributes:\n    cassettes/** linguist-generated=true text eol=lf diff=cassette" in result.stdout


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("repos: []\n", "    exclude: ^(cassettes|reports)/\n"),
        ("exclude: ^docs/\nrepos: []\n", "    ^(cassettes|reports)/\n  which is now:\n    ^docs/\n"),
        ("exclude: ^cassettes/\nrepos: []\n", None),
    ],
)
def test_hooks_of_ones_own_are_told_what_to_leave_alone(here: Path, there: str, said: str | None) -> None:
    (here / ".pre-commit-config.yaml").write_text(there)
    result = harness("init")
    assert (here / ".pre-commit-config.yaml").read_text() == there
    assert "kept .pre-commit-config.yaml as it is" in result.stdout
    if said is None:
        assert "add to .pre-commit-config.yaml" not in result.stdout
    else:
        assert said in result.stdout


def test_the_written_hooks_leave_recordings_alone(here: Path) -> None:
    harness("init")
    config = yaml.safe_load((here / ".pre-commit-config.yaml").read_text())
    names = list(files(here))
    assert {name for name in names if re.search(config["exclude"], name)} == {
        name for name in names if name.startswith("cassettes/")
    }


def test_git_keeps_the_bytes_of_recordings_and_ignores_what_is_made(here: Path) -> None:
    harness("init")
    git = ("git", "-c", "core.autocrlf=true")
    subprocess.run([*git, "init", "-q"], cwd=here, check=True)
    name = "cassettes/reply/v1/chain.1.yaml"
    attributes = subprocess.run(
        [*git, "check-attr", "eol", "diff", "linguist-generated", "--", name],
        cwd=here,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"{name}: eol: lf" in attributes
    assert f"{name}: linguist-generated: true" in attributes
    made = ["reports/20260101-1/report.html", ".harness/suite.schema.json", ".venv/bin/python", ".env"]
    ignored = subprocess.run(
        [*git, "check-ignore", *made, "reports/sample/report.html", name],
        cwd=here,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert ignored == made


def test_inside_another_project_it_says_whose_settings_count(here: Path) -> None:
    (here / "pyproject.toml").write_text("[tool.harness]\n")
    result = harness("init", "demo", "--minimal")
    assert result.exit_code == ExitCode.PASSED
    assert f"{here / 'pyproject.toml'} has [tool.harness]" in result.stdout
    assert "has [tool.harness]" not in harness("init", "own").stdout


@pytest.mark.parametrize("where", ["taken", "taken/inside"])
def test_a_file_is_no_folder(here: Path, where: str) -> None:
    (here / "taken").write_text("mine")
    result = harness("init", where)
    assert result.exit_code == ExitCode.USAGE
    assert "taken is a file" in result.stderr
    assert files(here) == {"taken": b"mine"}


def test_a_file_where_a_folder_is_needed_stops_before_anything_is_written(here: Path) -> None:
    (here / "cassettes").write_text("mine")
    result = harness("init")
    assert result.exit_code == ExitCode.USAGE
    assert "cassettes is a file" in result.stderr
    assert files(here) == {"cassettes": b"mine"}


def test_nothing_is_written_through_a_link_that_leads_out(here: Path) -> None:
    (here / "elsewhere").mkdir()
    (here / "demo").mkdir()
    (here / "demo/suites").symlink_to(here / "elsewhere")
    result = harness("init", "demo")
    assert result.exit_code == ExitCode.USAGE
    assert "leads out of demo" in result.stderr
    assert files(here) == {}


@pytest.mark.parametrize("leads_to", ["/nowhere/at/all", "demo"])
def test_a_link_that_leads_nowhere_is_no_folder(here: Path, leads_to: str) -> None:
    (here / "demo").symlink_to(leads_to)
    result = harness("init", "demo")
    assert result.exit_code == 2
    assert "demo is a link that leads nowhere" in result.output


def test_settings_that_name_other_folders_are_pointed_out(here: Path) -> None:
    write(here, {"pyproject.toml": '[tool.harness]\nsuites = "evals"\n'})
    result = harness("init")
    assert "suites = 'evals'" in result.output


def test_settings_that_name_the_same_folders_otherwise_are_fine(here: Path) -> None:
    write(here, {"pyproject.toml": '[tool.harness]\nsuites = "./suites"\nprompts = "prompts/"\n'})
    assert "folders that fit" not in harness("init").output


def test_what_was_kept_may_not_match_the_recordings(here: Path) -> None:
    write(here / "demo", {"prompts/reply/2.j2": "Mine."})
    result = harness("init", "demo")
    assert "prompts/reply/2.j2 is yours and not the starter's" in result.output


def test_a_link_to_nowhere_is_kept(here: Path) -> None:
    (here / "README.md").symlink_to(here / "gone.md")
    result = harness("init")
    assert result.exit_code == ExitCode.PASSED
    assert "kept README.md as it is" in result.stdout
    assert not (here / "gone.md").exists()


def test_a_folder_that_cannot_be_made_is_a_storage_error(here: Path) -> None:
    result = harness("init", "x" * 300)
    assert result.exit_code == ExitCode.STORAGE
    assert "cannot write" in result.stderr
    assert "Traceback" not in result.stderr
    assert files(here) == {}


def test_a_folder_that_may_not_be_written_to_is_a_storage_error(here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    if os.access(here / "locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    result = harness("init", "locked")
    assert result.exit_code == ExitCode.STORAGE
    assert "Permission denied" in result.stderr
