"""Where prompt files are: the working tree, or any commit of the repository around it."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import ConfigError, Problem, SourceLocation
from harness.prompts.gittree import GitTree

_LARGEST = 1_000_000
_FILE = re.compile(r"(?P<name>.+)/(?P<version>[0-9][^/]*)\.j2\Z", re.DOTALL)
_NUMBER = r"(?:0|[1-9][0-9]*)"
# https://semver.org/spec/v2.0.0.html, and plain integers.
_VERSION = re.compile(
    rf"(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<pre>(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?)?\Z",
    re.ASCII,
)


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
        self._names: dict[str | None, list[str]] = {}
        self._trees: dict[str, GitTree] = {}
        #: How messages name the folder.
        self.shown = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)

    def names(self, git: str | None) -> list[str]:
        """Return the paths of all template files below the folder, sorted.

        Raises:
            ConfigError: `git` names no commit, or this is no repository.
        """
        if git not in self._names:
            found = (
                [path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file()]
                if git is None
                else self._tree(git).names()
            )
            self._names[git] = sorted(name for name in found if name.endswith(".j2"))
        return self._names[git]

    def versions(self, git: str | None) -> list[tuple[str, str]]:
        """Return the (name, version) of every prompt file: those whose name is a version.

        Raises:
            ConfigError: `git` names no commit, or this is no repository.
        """
        matches = [_FILE.match(name) for name in self.names(git)]
        return [(one["name"], one["version"]) for one in matches if one and _VERSION.match(one["version"])]

    def misnamed(self, name: str, git: str | None) -> list[Problem]:
        """Return what is wrong with files of a prompt that are named nearly like a version, such as 2.1.j2."""
        problems = []
        for match in map(_FILE.match, self.names(git)):
            if match and match["name"] == name and not _VERSION.match(match["version"]):
                location = SourceLocation(self.path(f"{name}/{match['version']}.j2", git))
                message = f"'{match['version']}' is no version."
                problems.append(Problem(message=message, location=location, hint="Name it like 2.j2 or 2.1.0.j2."))
        return problems

    def read(self, name: str, git: str | None) -> str | None:
        """Return the text of a file below the folder, with plain line ends; None where there is none.

        Raises:
            ConfigError: It is outside the folder, or no text, or too large.
        """
        raw = self._raw(name) if git is None else self._tree(git).read(name)
        if raw is None:
            return None
        if len(raw) > _LARGEST:
            raise self._problem(name, git, f"{len(raw):,} bytes; a prompt may have {_LARGEST:,}.")
        try:
            return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise self._problem(name, git, "this is not UTF-8 text.", raw.count(b"\n", 0, error.start) + 1) from None

    def path(self, name: str, git: str | None) -> str:
        """Return how messages name a file."""
        shown = f"{self.shown}/{name}"
        return shown if git is None else f"{git}:{shown}"

    def commit(self, git: str) -> str:
        """Return the full hash of the commit that a git ref names.

        Raises:
            ConfigError: It names none, or this is no repository.
        """
        return self._tree(git).commit

    def _raw(self, name: str) -> bytes | None:
        if name.startswith(("/", "\\")) or ".." in name.split("/"):
            return None
        path = self._folder / name
        try:
            real = path.resolve(strict=True)
            if not real.is_file():
                return None
        except (OSError, RuntimeError, ValueError):
            # Not there, a link to itself, or no path at all.
            return None
        if not real.is_relative_to(self._folder.resolve()):
            raise self._problem(name, None, f"this leads out of {self.shown}/, and nothing outside is read.")
        try:
            return real.read_bytes()
        except OSError as error:
            raise self._problem(name, None, f"cannot be read: {error.strerror or error}.") from None

    def _tree(self, git: str) -> GitTree:
        if git not in self._trees:
            self._trees[git] = GitTree(folder=self._folder, root=self._root, ref=git)
        return self._trees[git]

    def _problem(self, name: str, git: str | None, message: str, line: int = 1) -> ConfigError:
        return ConfigError(Problem(message=message, location=SourceLocation(self.path(name, git), line)))


def order(version: str) -> tuple[tuple[int, int, int], tuple[tuple[int, int, str], ...], int]:
    """Return what versions are sorted by: the precedence of semver (§11), an integer before the same with points."""
    match = _VERSION.match(version)
    if match is None:
        return (-1, 0, 0), (), 0
    numbers = (int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0))
    if match["pre"] is None:
        return numbers, ((2, 0, ""),), int(match["minor"] is not None)
    parts = ((0, int(part), "") if part.isdigit() else (1, 0, part) for part in match["pre"].split("."))
    return numbers, tuple(parts), 1
