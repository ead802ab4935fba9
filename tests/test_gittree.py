"""Prompts as of a commit: read from git's objects, the working tree untouched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ConfigError, SourceLocation
from harness.prompts.files import PromptFiles
from harness.prompts.library import PromptLibrary

WHERE = SourceLocation("suites/s.yaml", 3, 13)


@pytest.fixture
def project(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository whose project lies in a folder of its own: two commits on main, then changes that are in none."""
    root = tmp_path / "repo" / "project"
    write(root, "faq/1.j2", "Old. {% include 'part.j2' %}")
    write(root, "part.j2", "Part one.")
    git("init", "-q", "-b", "main", cwd=root.parent)
    commit(root, git)
    write(root, "faq/2.j2", "Newer.")
    write(root, "part.j2", "Part two.")
    commit(root, git)
    git("branch", "feature/x", cwd=root)
    git("tag", "v1", "HEAD~1", cwd=root)
    write(root, "faq/1.j2", "Edited.")
    write(root, "faq/3.j2", "Not committed.")
    return root


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs git as nobody in particular, without anybody's settings."""
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, cwd: Path) -> str:
        return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()

    return run


def write(root: Path, name: str, text: str) -> None:
    path = root / "prompts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(root: Path, git: Callable[..., str]) -> None:
    git("add", "-A", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)


def library(root: Path) -> PromptLibrary:
    return PromptLibrary(PromptFiles(root=root, folder=root / "prompts"))


def system(root: Path, ref: str) -> str:
    rendered = library(root).opening(
        ref, system=None, input=["Hi"], history=(), variables={}, assistant={}, where=WHERE
    )
    return rendered.messages[0].content


def complaint(root: Path, ref: str) -> str:
    with pytest.raises(ConfigError) as caught:
        library(root).get(ref, where=WHERE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ref", "text", "full"),
    [
        ("faq", "Not committed.", "faq@3"),
        ("faq@1", "Edited.", "faq@1"),
        ("faq@git:main", "Newer.", "faq@2@git:main"),
        ("faq@latest@git:main", "Newer.", "faq@2@git:main"),
        ("faq@1@git:main", "Old. Part two.", "faq@1@git:main"),
        ("faq@git:HEAD~1", "Old. Part one.", "faq@1@git:HEAD~1"),
        ("faq@git:v1", "Old. Part one.", "faq@1@git:v1"),
        ("faq@git:feature/x", "Newer.", "faq@2@git:feature/x"),
        ("faq@git:main@{0}", "Newer.", "faq@2@git:main@{0}"),
    ],
)
def test_a_reference_takes_the_prompt_and_its_parts_from_that_commit(
    project: Path, ref: str, text: str, full: str
) -> None:
    assert system(project, ref) == text
    assert library(project).get(ref).ref == full


def test_the_commit_is_known(project: Path, git: Callable[..., str]) -> None:
    assert library(project).get("faq@git:v1").commit == git("rev-parse", "HEAD~1", cwd=project)
    assert library(project).get("faq@1").commit is None
    short = git("rev-parse", "--short", "HEAD", cwd=project)
    assert library(project).get(f"faq@git:{short}").version == "2"


def test_a_folder_that_is_gone_now_is_still_there_in_the_commit(project: Path) -> None:
    for path in sorted((project / "prompts").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (project / "prompts").rmdir()
    assert system(project, "faq@git:main") == "Newer."


def test_errors_name_ref_and_file(project: Path, git: Callable[..., str]) -> None:
    write(project, "faq/4.j2", "---\ndescripton: x\n---\n")
    commit(project, git)
    assert complaint(project, "faq@git:HEAD").startswith("HEAD:prompts/faq/4.j2:2:1: unknown key 'descripton'.")


def test_a_prompt_that_was_not_there_yet(project: Path) -> None:
    message = complaint(project, "faq@3@git:main")
    assert message == "suites/s.yaml:3:13: prompt 'faq' has no version 3 in git:main. There are: 1, 2."
    assert "no prompt 'fax' in prompts/ in git:main. Did you mean 'faq'?" in complaint(project, "fax@git:main")


@pytest.mark.parametrize("ref", ["mian", "HEAD~99", "--help", "-n", "main:prompts", "feature/x y", "a..b", "main\x00x"])
def test_an_unknown_ref_is_a_problem_at_the_place_that_names_it(project: Path, ref: str) -> None:
    assert complaint(project, f"faq@git:{ref}").startswith("suites/s.yaml:3:13: ")


def test_a_misspelt_branch_is_suggested(project: Path, git: Callable[..., str]) -> None:
    assert "git knows no commit 'mian'. Did you mean 'main'?" in complaint(project, "faq@git:mian")
    git("update-ref", "refs/remotes/origin/release", "HEAD", cwd=project)
    assert "Did you mean 'origin/release'?" in complaint(project, "faq@git:release")


def test_a_shallow_clone_says_how_to_get_the_rest(project: Path, git: Callable[..., str], tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", "--depth", "1", f"file://{project.parent}", str(clone), cwd=tmp_path)
    assert system(clone / "project", "faq@git:main") == "Newer."
    assert "This clone is shallow" in complaint(clone / "project", "faq@git:HEAD~1")


def test_without_a_repository(tmp_path: Path, git: Callable[..., str]) -> None:
    write(tmp_path, "faq/1.j2", "a")
    assert "'git:main' needs a git repository around" in complaint(tmp_path, "faq@git:main")


def test_without_git(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "'git:main' needs git, and there is no command `git`." in complaint(project, "faq@git:main")


def test_a_repository_without_commits(tmp_path: Path, git: Callable[..., str]) -> None:
    write(tmp_path, "faq/1.j2", "a")
    git("init", "-q", cwd=tmp_path)
    assert "git knows no commit 'HEAD'." in complaint(tmp_path, "faq@git:HEAD")


def test_what_a_hook_inherits_from_git_does_not_lead_elsewhere(
    project: Path, git: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert system(project, "faq@git:main") == "Newer."


def test_links_are_followed_inside_the_folder_and_nowhere_else(project: Path, git: Callable[..., str]) -> None:
    (project / "secret.j2").write_text("s3cret")
    os.symlink("../../secret.j2", project / "prompts" / "faq" / "5.j2")
    os.symlink("1.j2", project / "prompts" / "faq" / "4.j2")
    os.symlink("b.j2", project / "prompts" / "a.j2")
    os.symlink("a.j2", project / "prompts" / "b.j2")
    write(project, "loop/1.j2", "{% include 'a.j2' %}")
    commit(project, git)
    assert system(project, "faq@4@git:HEAD") == "Edited."
    assert "this cannot be read" in complaint(project, "faq@5@git:HEAD")
    with pytest.raises(ConfigError, match=r"'a\.j2' is not in prompts/"):
        system(project, "loop@git:HEAD")


def test_names_that_git_would_quote(project: Path, git: Callable[..., str]) -> None:
    write(project, 'größe "x"/1.j2'.replace(" ", "_"), "Ja.")
    commit(project, git)
    assert system(project, 'größe_"x"@git:HEAD') == "Ja."
