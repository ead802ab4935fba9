"""Files of a folder as they were in a commit, read straight from git's objects: nothing is checked out."""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.errors import ConfigError, Problem, did_you_mean

_LINK = "120000"
#: Symbolic links that are followed one after another.
_HOPS = 10
#: Seconds that git may take for one answer.
_PATIENCE = 60
# A hook that git runs inherits these, and they would point away from the project's own repository.
_POINTERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


class GitTree:
    """One folder of one commit."""

    def __init__(self, *, folder: Path, root: Path, ref: str) -> None:
        """
        Args:
            folder: The folder, as a path in the working tree; it need not exist there.
            root: A folder at or above it that exists, inside the repository.
            ref: A branch, tag, commit or anything else that git resolves: `main`, `HEAD~3`.

        Raises:
            ConfigError: The ref names no commit, or there is no git or no repository.
        """
        self.ref = ref
        self._root = root
        self.commit = self._resolve(ref)
        self._entries = self._list(os.path.relpath(folder, root))
        self._texts: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """Return the paths of all files, relative to the folder, sorted."""
        return sorted(self._entries)

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is none, or a symbolic link leads out of the folder."""
        for _ in range(_HOPS):
            entry = self._entries.get(name)
            if entry is None:
                return None
            mode, blob = entry
            if blob not in self._texts:
                self._texts[blob] = self._must("cat-file", "blob", blob)
            if mode != _LINK:
                return self._texts[blob]
            target = os.fsdecode(self._texts[blob])
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        return None

    def _resolve(self, ref: str) -> str:
        if self._run("rev-parse", "--git-dir").returncode != 0:
            said = _message(self._run("rev-parse", "--git-dir"))
            raise _problem(f"'git:{ref}' needs a git repository around {self._root.name or self._root}: {said}.")
        # A ref that looked like an option would be one.
        found = None if ref.startswith("-") else self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if found is not None and found.returncode == 0:
            return found.stdout.decode("ascii").strip()
        raise _problem(f"git knows no commit '{ref}'.", hint=self._hint(ref))

    def _hint(self, ref: str) -> str | None:
        if self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            return "This clone is shallow: run `git fetch --unshallow`, or check out with fetch-depth: 0."
        refs = self._run("for-each-ref", "--format=%(refname:short)").stdout.decode("utf-8", "replace").splitlines()
        remote = next((name for name in refs if name.endswith(f"/{ref}")), None)
        return f"Did you mean '{remote}'?" if remote else did_you_mean(ref, refs)

    def _list(self, folder: str) -> Mapping[str, tuple[str, str]]:
        prefix = "" if folder == "." else folder.replace(os.sep, "/") + "/"
        listing = self._must("ls-tree", "-r", "-z", self.commit, "--", prefix or ".")
        entries: dict[str, tuple[str, str]] = {}
        for line in os.fsdecode(listing).split("\0"):
            about, _, path = line.partition("\t")
            if path and path.startswith(prefix):
                mode, kind, blob = about.split()
                if kind == "blob":
                    entries[path.removeprefix(prefix)] = (mode, blob)
        return entries

    def _must(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise _problem(f"git cannot read '{self.ref}': {_message(done)}.")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        kept = {name: value for name, value in os.environ.items() if name not in _POINTERS}
        # A partial clone would fetch what it lacks over the network.
        quiet = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self._root,
                env={**kept, **quiet},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_PATIENCE,
            )
        except FileNotFoundError:
            raise _problem(f"'git:{self.ref}' needs git, and there is no command `git`.") from None
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise _problem(f"git cannot be asked for '{self.ref}': {error}.") from None


def _problem(message: str, *, hint: str | None = None) -> ConfigError:
    return ConfigError(Problem(message=message, hint=hint))


def _message(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ").rstrip(".") if lines else "git gives no reason"
