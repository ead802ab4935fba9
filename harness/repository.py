"""A git repository, asked and never changed: commits by name, files of a commit, how two commits stand to each other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, Problem, did_you_mean

#: Modes of entries that are no plain files.
LINK, SUBMODULE = "120000", "160000"
#: Seconds that git may take for one answer.
_PATIENCE = 60
#: Files that are asked for at once.
_BATCH = 200
# A hook that git runs inherits these, and they would point away from the project's own repository.
_POINTERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
# A partial clone would fetch what it lacks over the network.
_QUIET = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit: its mode, the name of its content, and its path from the listed folder."""

    mode: str
    blob: str
    path: str


class Repository:
    """The repository around a folder."""

    def __init__(self, root: Path, *, word: str) -> None:
        """
        Args:
            root: A folder that exists, inside the repository.
            word: What was written that needs a repository, for messages.
        """
        self.root = root
        self._word = word

    def commit(self, ref: str) -> str:
        """Return the full hash of the commit that a branch, tag or anything else names that git resolves.

        Raises:
            ConfigError: It names none, or there is no git or no repository.
        """
        inside = self._run("rev-parse", "--git-dir")
        if inside.returncode != 0:
            place = self.root.name or self.root
            raise _problem(f"'{self._word}' needs a git repository around {place}: {_message(inside)}.")
        found = self.known(ref)
        if found is None:
            raise _problem(f"git knows no commit '{ref}'.", hint=self._hint(ref))
        return found

    def known(self, ref: str) -> str | None:
        """Return the full hash of the commit that a ref names; None: it names none, or there is no repository.

        Raises:
            ConfigError: There is no git.
        """
        # A ref that looked like an option would be one.
        if ref.startswith("-") or "\0" in ref:
            return None
        found = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        return found.stdout.decode("ascii").strip() if found.returncode == 0 else None

    def refs(self) -> list[str]:
        """Return the short names of all branches and tags, remote ones too."""
        told = self._run("for-each-ref", "--format=%(refname:short)")
        return told.stdout.decode("utf-8", "replace").splitlines()

    @property
    def shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def entries(self, commit: str, folder: str) -> Iterator[Entry]:
        """Yield the files of a commit below a folder, submodules too.

        Args:
            commit: A full hash.
            folder: Path from the root; `.` is the root itself.

        Raises:
            ConfigError: git cannot read it.
        """
        prefix = "" if folder == "." else folder.replace(os.sep, "/") + "/"
        listing = self._must("ls-tree", "-r", "-z", commit, "--", prefix or ".")
        for line in os.fsdecode(listing).split("\0"):
            about, _, path = line.partition("\t")
            if path and path.startswith(prefix):
                mode, _, blob = about.split()
                yield Entry(mode, blob, path.removeprefix(prefix))

    def content(self, blob: str) -> bytes:
        """Return the content of a file.

        Raises:
            ConfigError: git cannot read it.
        """
        return self._must("cat-file", "blob", blob)

    def contents(self, blobs: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of many files, in order.

        Raises:
            ConfigError: git cannot read one of them.
        """
        for start in range(0, len(blobs), _BATCH):
            chosen = blobs[start : start + _BATCH]
            told = self._must("cat-file", "--batch", given="\n".join(chosen).encode("ascii") + b"\n")
            place = 0
            for blob in chosen:
                end = told.index(b"\n", place)
                head = told[place:end].split()
                if len(head) != 3:
                    raise _problem(f"git cannot read '{self._word}': {blob} is missing.")
                size = int(head[2])
                yield told[end + 1 : end + 1 + size]
                place = end + size + 2

    def apart(self, a: str, b: str) -> tuple[int, int] | None:
        """Return how many commits only `a` has and how many only `b` has; None: they have nothing in common."""
        if self._run("merge-base", a, b).returncode != 0:
            return None
        found = self._run("rev-list", "--left-right", "--count", f"{a}...{b}", "--")
        counts = found.stdout.split()
        return (int(counts[0]), int(counts[1])) if found.returncode == 0 and len(counts) == 2 else None

    def changed(self, commit: str) -> list[str]:
        """Return the paths below the root that differ between a commit and the working tree, as far as git tracks them."""
        found = self._run("diff", "--name-only", "--relative", "--no-ext-diff", "-z", commit, "--")
        return [path for path in os.fsdecode(found.stdout).split("\0") if path] if found.returncode == 0 else []

    def _hint(self, ref: str) -> str | None:
        if self.shallow:
            return "This clone is shallow: run `git fetch --unshallow`, or check out with fetch-depth: 0."
        refs = self.refs()
        remote = next((name for name in refs if name.endswith(f"/{ref}")), None)
        return f"Did you mean '{remote}'?" if remote else did_you_mean(ref, refs)

    def _must(self, *arguments: str, given: bytes | None = None) -> bytes:
        done = self._run(*arguments, given=given)
        if done.returncode != 0:
            raise _problem(f"git cannot read '{self._word.removeprefix('git:')}': {_message(done)}.")
        return done.stdout

    def _run(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self.root,
                env=_environment(),
                # Nothing is typed into it: where it is given nothing, its input is empty.
                input=given or b"",
                capture_output=True,
                check=False,
                timeout=_PATIENCE,
            )
        except FileNotFoundError:
            raise _problem(f"'{self._word}' needs git, and there is no command `git`.") from None
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise _problem(f"git cannot be asked for '{self._word.removeprefix('git:')}': {error}.") from None


def _environment() -> Mapping[str, str]:
    return {**{name: value for name, value in os.environ.items() if name not in _POINTERS}, **_QUIET}


def _problem(message: str, *, hint: str | None = None) -> ConfigError:
    return ConfigError(Problem(message=message, hint=hint))


def _message(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ").rstrip(".") if lines else "git gives no reason"
