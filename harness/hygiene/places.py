"""Files of recordings, and what their places say: `<suite>/<variant>/<case>.<n>.yaml`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

_NAME = re.compile(r"(?P<case>.+?)\.(?P<repeat>[1-9][0-9]{0,5})(?P<judge>\.judge)?\.yaml")
#: What a writer that was killed leaves beside the file that it was about to make.
_LEFTOVER = re.compile(r"\..+\.yaml\.(?P<process>[0-9]+)\.tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the place of a recording says; the names are slugs."""

    suite: str
    variant: str
    case: str
    repeat: int
    #: It holds the calls of a trial's scorers.
    judge: bool = False

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.case}.{self.repeat}{'.judge' if self.judge else ''}.yaml"

    @property
    def path(self) -> str:
        """The file, seen from the folder of recordings."""
        return f"{self.suite}/{self.variant}/{self.name}"


def place_of(path: Path, folder: Path) -> Place | None:
    """Return what the place of a file says, or None where no trial's recording lies.

    Args:
        path: The file.
        folder: The folder of recordings.
    """
    try:
        parts = path.relative_to(folder).parts
    except ValueError:
        return None
    found = _NAME.fullmatch(path.name) if len(parts) == 3 else None
    if found is None:
        return None
    return Place(
        suite=parts[0],
        variant=parts[1],
        case=found["case"],
        repeat=int(found["repeat"]),
        judge=found["judge"] is not None,
    )


def recordings(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return the files of recordings that are meant, sorted: files as they are, folders searched.

    Links are not followed, and hidden files are none of them.

    Args:
        paths: What is meant; nothing: the whole `folder`.

    Raises:
        UsageError: A path does not exist.
    """
    found: dict[Path, None] = {}
    for given in paths or [folder]:
        path = _inside(given, folder)
        if path.is_dir():
            found.update(dict.fromkeys(sorted(one for one in _walk(path) if one.name.endswith(".yaml"))))
        elif path.is_file():
            found[path] = None
        elif paths:
            raise UsageError(f"no such file or folder: {given}")
    return list(found)


def _inside(path: Path, folder: Path) -> Path:
    """Return a path as it is seen through `folder` where it lies there, whatever links lead to both."""
    try:
        return folder / path.resolve().relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):
        return path.absolute()


def leftovers(folder: Path) -> list[Path]:
    """Return files that were being written when a process died, sorted."""
    if not folder.is_dir():
        return []
    return sorted(one for one in _walk(folder, hidden=True) if _abandoned(one))


def _abandoned(path: Path) -> bool:
    found = _LEFTOVER.fullmatch(path.name)
    return found is not None and not _alive(int(found["process"]))


def _alive(process: int) -> bool:
    """Whether a process is running here; where nobody can say, it is not asked: a signal would end it on Windows."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _walk(folder: Path, *, hidden: bool = False) -> Iterator[Path]:
    for root, folders, names in os.walk(folder.absolute()):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(root, name)
            if name.startswith(".") == hidden and not path.is_symlink():
                yield path


def empty_folders(folders: Iterable[Path], *, below: Path) -> None:
    """Remove folders that hold nothing any more, and those above them, up to `below`, which stays."""
    for folder in sorted(set(folders), key=lambda one: len(one.parts), reverse=True):
        here = folder
        while here != below and here.is_relative_to(below):
            try:
                here.rmdir()
            except OSError:
                break
            here = here.parent
