"""Where prompt files are: the working tree, or any commit of the repository around it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harness.templates import inside_folder

_FILE = re.compile(r"(?P<name>[^/].*?)/(?P<version>[0-9]+(?:\.[0-9]+)*(?:[-+.][0-9A-Za-z.\-+]+)?)\.j2\Z")
_REF = re.compile(r"[A-Za-z0-9][\w./~^@{}\-]*\Z")


class PromptFiles:
    """Reads files below the prompts folder, as they are now or as of a git ref."""

    def __init__(self, *, root: Path, folder: Path) -> None:
        """
        Args:
            root: The project's folder.
            folder: The prompts folder in it.
        """
        self._root = root
        self._folder = folder
        self._lists: dict[str | None, list[tuple[str, str]]] = {}
        try:
            self.shown = folder.relative_to(root).as_posix()
        except ValueError:
            self.shown = str(folder)

    def list(self, git: str | None) -> list[tuple[str, str]]:
        """Return the (name, version) of every prompt file.

        Raises:
            LookupError: `git` names no commit, or this is no repository.
        """
        if git not in self._lists:
            if git is None:
                names = [path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.j2")]
            else:
                out = self._git("ls-tree", "-r", "--name-only", "-z", self._commit(git), "--", ".")
                names = [name for name in out.split("\0") if name]
            matches = [_FILE.match(name) for name in sorted(names)]
            self._lists[git] = [(match["name"], match["version"]) for match in matches if match]
        return self._lists[git]

    def read(self, name: str, git: str | None) -> str | None:
        """Return the text of a file below the folder; None where there is none, or it is outside, or not UTF-8."""
        if git is None:
            path = inside_folder(self._folder, name)
            try:
                raw = None if path is None else path.read_bytes()
            except OSError:
                return None
        else:
            if ".." in name.split("/"):
                return None
            done = self._run("show", f"{self._commit(git)}:./{name}")
            raw = done.stdout if done.returncode == 0 else None
        try:
            return None if raw is None else raw.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            return None

    def path(self, name: str, version: str, git: str | None) -> str:
        """Return how messages name a prompt's file."""
        base = f"{self.shown}/{name}/{version}.j2"
        return base if git is None else f"{git}:{base}"

    def _commit(self, ref: str) -> str:
        if not _REF.match(ref):
            raise LookupError(f"'{ref}' is no git ref.")
        if self._run("rev-parse", "--git-dir").returncode != 0:
            raise LookupError(f"'git:{ref}' needs a git repository, and {self._root} is in none.")
        done = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if done.returncode != 0:
            shallow = self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
            hint = " This clone is shallow: fetch its history (fetch-depth: 0)." if shallow else ""
            raise LookupError(f"git knows no '{ref}'.{hint}")
        return done.stdout.decode().strip()

    def _git(self, *arguments: str) -> str:
        return self._run(*arguments).stdout.decode("utf-8", errors="surrogateescape")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        # A ref is passed as one argument after its form was checked, so it can be no option.
        folder = self._folder if self._folder.is_dir() else self._root
        try:
            return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=60)
        except OSError:
            raise LookupError("git is not installed, and a git ref needs it.") from None
