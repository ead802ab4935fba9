"""Everything that can go wrong, as one tree, with the exit code each leaf means.

    HarnessError                      2
    ├── UsageError                    2   the command line or the Python API was used wrongly
    ├── NothingSelected               5   a selection matched no trial
    ├── ConfigError                   2   something in a file is wrong; holds every problem found
    ├── CredentialsError              2   a key is missing, or the service refused it
    ├── StorageError                  6   a file could not be written
    └── TrialError                    3   one trial ended without an answer; the run goes on
        ├── CassetteMiss                  a request has no recording
        ├── CassetteDamaged               a recording is there and cannot be trusted
        └── ServiceError                  the service failed, or sent what nobody can read

Trial errors are recorded values: the runner turns them into results of outcome `error`, never into a pass or a fail.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of every command. Which one wins: `PRECEDENCE`."""

    #: All that was asked for holds.
    PASSED = 0
    #: A gate or a deciding check failed.
    FAILED = 1
    #: Usage, configuration or credentials.
    USAGE = 2
    #: Some trials ended in error.
    ERRORS = 3
    #: The budget stopped the run.
    BUDGET = 4
    #: Nothing was selected.
    NOTHING = 5
    #: A file could not be written.
    STORAGE = 6
    #: Interrupted by the user or the system.
    INTERRUPTED = 130


#: The first of these that applies is the exit code of a run.
PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.STORAGE,
    ExitCode.BUDGET,
    ExitCode.ERRORS,
    ExitCode.FAILED,
    ExitCode.NOTHING,
    ExitCode.PASSED,
)


#: Not on every system: quotas are not known to Windows.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """A place in a file: `line` and `column` count from 1; `path` is shown as given."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in one place: what, where, and what to do about it."""

    message: str
    location: SourceLocation | None = None
    hint: str | None = None
    #: The offending source line, so that a caret can point into it.
    source: str | None = None

    def __str__(self) -> str:
        head = f"{self.location}: {self.message}" if self.location else self.message
        lines = [head if not self.hint else f"{head} {self.hint}"]
        if self.source is not None and self.location is not None:
            shown = self.source.rstrip("\n").replace("\t", " ")
            lines.append(f"    {shown}")
            lines.append("    " + " " * min(self.location.column - 1, len(shown)) + "^")
        return "\n".join(lines)


class HarnessError(Exception):
    """Base class of every error that this package raises on purpose."""

    exit_code = ExitCode.USAGE


class UsageError(HarnessError):
    """The command line or the Python API was used wrongly."""


class NothingSelected(HarnessError):
    """A selection matched no trial."""

    exit_code = ExitCode.NOTHING


class ConfigError(HarnessError):
    """A suite, prompt, dataset or settings file is wrong; every problem found is in `problems`, in file order."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        found = [problems] if isinstance(problems, Problem) else list(problems)
        self.problems: tuple[Problem, ...] = tuple(sorted(found, key=_file_order))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CredentialsError(HarnessError):
    """A key is missing, or the service refused the one it got. The key itself is never part of the message."""


class StorageError(HarnessError):
    """A result, report or recording could not be written."""

    exit_code = ExitCode.STORAGE

    @classmethod
    def of(cls, path: Path, error: OSError) -> StorageError:
        """Say what could not be written and why, and how much room there is where that is the trouble."""
        room = ""
        if error.errno in _FULL:
            with contextlib.suppress(OSError):
                room = f" ({shutil.disk_usage(path.parent).free:,} bytes are free there)"
        return cls(f"cannot write {path}: {error.strerror or error}{room}")


class TrialError(HarnessError):
    """One trial ended without an answer. `kind` is the word in results, `message` is for a person."""

    exit_code = ExitCode.ERRORS

    def __init__(self, kind: str, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.where = where


class CassetteMiss(TrialError):
    """A request has no recording; the message names the field that differs from the nearest one."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__("cassette_miss", message, where=where)


class CassetteDamaged(TrialError):
    """A recording exists and is incomplete, edited or unreadable. It is never recorded over by itself."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__("cassette_damaged", message, where=where)


class ServiceError(TrialError):
    """The service failed for good: `kind` is one of rate_limited, timeout, connection, bad_request, authentication,
    permission, server, protocol, too_large, unknown."""


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """Return "did you mean 'x'?" for the nearest of `known`, or None when nothing is near."""
    close = difflib.get_close_matches(word.lower(), [name.lower() for name in known], n=1, cutoff=0.6)
    if not close:
        return None
    original = next(name for name in known if name.lower() == close[0])
    return f"Did you mean '{original}'?"


def _file_order(problem: Problem) -> tuple[str, int, int]:
    place = problem.location
    return (place.path, place.line, place.column) if place else ("", 0, 0)
