"""Recordings under other names: what a suite, a variant or a case was called before it was renamed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import StorageError, UsageError, did_you_mean
from harness.hygiene.alone import alone
from harness.hygiene.places import Place, empty_folders, place_of, recordings
from harness.project.project import Project
from harness.records import JSON
from harness.settings import Settings
from harness.suites.suite import slug
from harness.summary import phrases

_GRAMMAR = "write SUITE/VARIANT, SUITE//CASE, SUITE/VARIANT/CASE or SUITE, or paths in the folder of recordings"


_HASHED = re.compile(r"[a-z0-9\-@._,]{1,60}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A file and where it goes."""

    before: Path
    after: Path
    shown: tuple[str, str]

    def plain(self) -> dict[str, JSON]:
        return {"from": self.shown[0], "to": self.shown[1]}


@dataclass(frozen=True, slots=True)
class _Name:
    """What is renamed; an empty part stands for every one."""

    suite: str
    variant: str = ""
    case: str = ""

    @property
    def parts(self) -> tuple[bool, bool]:
        return (bool(self.variant), bool(self.case))

    def holds(self, place: Place) -> bool:
        return self.suite == place.suite and self.variant in ("", place.variant) and self.case in ("", place.case)

    def of(self, place: Place) -> str:
        """Return where a recording goes that gets this name."""
        new = replace(place, suite=self.suite, variant=self.variant or place.variant, case=self.case or place.case)
        return new.path


def renamed(project: Project, old: str, new: str) -> list[Move]:
    """Return which files go where if what was called `old` is called `new` now.

    Args:
        project: Whose recordings.
        old, new: SUITE/VARIANT, SUITE//CASE, SUITE/VARIANT/CASE or SUITE, by their names; or files or folders in the
            folder of recordings, seen from the working folder or from the project's.

    Raises:
        UsageError: Nothing is recorded under the old name, something is under the new one, or they are no such names.
    """
    folder = project.settings.cassettes
    path = _path(project, old)
    if path is not None:
        target = _target(project, new)
        pairs = _of_paths(path, target, folder=folder, shown=(old, new))
    else:
        pairs = _of_names(_name(old), _name(new), folder=folder, shown=(old, new))
    return moves(project, pairs)


def moves(project: Project, pairs: Iterable[tuple[Path, Path]]) -> list[Move]:
    """Return moves of files, checked: nothing is written over.

    Raises:
        UsageError: A file is there already, or two would become one.
    """
    found = [
        Move(before=before, after=after, shown=(project.shown(before), project.shown(after)))
        for before, after in pairs
        if before != after
    ]
    folder = project.settings.cassettes.resolve()
    for one in found:
        if not one.after.resolve().is_relative_to(folder):
            raise UsageError(f"{one.shown[1]} leads out of the folder of recordings; nothing was moved")
    there = [one.shown[1] for one in found if one.after.exists() or one.after.is_symlink()]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UsageError(f"{there[0]}{more} is there already, and nothing is written over; nothing was moved")
    doubled = [path for path, count in Counter(one.after for one in found).items() if count > 1]
    if doubled:
        raise UsageError(f"two recordings would become {project.shown(doubled[0])}; nothing was moved")
    return found


def move(found: Sequence[Move], *, settings: Settings) -> None:
    """Move files, and remove the folders that are empty then.

    Raises:
        StorageError: One could not be moved, and the message says how many were; or a run records there just now.
    """
    with alone(settings, (path for one in found for path in (one.before, one.after))):
        _move(found)
        empty_folders({one.before.parent for one in found}, below=settings.cassettes)


def _move(found: Sequence[Move]) -> None:
    for number, one in enumerate(found):
        try:
            one.after.parent.mkdir(parents=True, exist_ok=True)
            if one.after.exists():
                raise FileExistsError(17, "it is there already")
            one.before.rename(one.after)
        except OSError as error:
            done = f"{number} of {len(found)} files were moved before"
            why = error.strerror or error
            raise StorageError(f"cannot move {one.shown[0]} to {one.shown[1]}: {why} ({done})") from None


def told(found: Iterable[Move]) -> list[str]:
    """Return a line for each move; those of files that keep their name are told by folder."""
    lines: dict[str, int] = {}
    for one in found:
        before, after = (Path(shown) for shown in one.shown)
        if before.name == after.name:
            key = f"{before.parent.as_posix()}/ -> {after.parent.as_posix()}/"
        else:
            key = f"{before.as_posix()} -> {after.as_posix()}"
        lines[key] = lines.get(key, 0) + 1
    return [
        f"{line} ({phrases.count(number, 'recording')})" if line.endswith("/") else line
        for line, number in lines.items()
    ]


# -- names


def _name(text: str) -> _Name:
    parts = text.rstrip("/").split("/")
    if not 1 <= len(parts) <= 3 or not parts[0] or not parts[-1]:
        raise UsageError(f"'{text}' names nothing that is recorded: {_GRAMMAR}")
    return _Name(*(_slug(part) if part else "" for part in parts))


def _slug(name: str) -> str:
    # Messages name what is there: a slug with its hash is longer than what would be slugged again.
    return name if _HASHED.fullmatch(name) else slug(name)


def _of_names(old: _Name, new: _Name, *, folder: Path, shown: tuple[str, str]) -> list[tuple[Path, Path]]:
    if old.parts != new.parts:
        raise UsageError(f"'{shown[0]}' and '{shown[1]}' are not of one kind: {_GRAMMAR}")
    pairs = []
    places = [(path, place) for path in recordings([], folder) if (place := place_of(path, folder)) is not None]
    for path, place in places:
        if old.holds(place):
            pairs.append((path, folder / new.of(place)))
    if not pairs:
        names = sorted({_written(old, place) for _, place in places})
        hint = did_you_mean(_joined(old), names) or f"There are: {', '.join(names[:10]) or 'none'}."
        raise UsageError(f"nothing is recorded under '{shown[0]}'. {hint}")
    return pairs


def _written(like: _Name, place: Place) -> str:
    return _joined(_Name(place.suite, place.variant if like.variant else "", place.case if like.case else ""))


def _joined(name: _Name) -> str:
    return "/".join((name.suite, name.variant, name.case)).rstrip("/")


# -- paths


def _path(project: Project, text: str) -> Path | None:
    """Return the file or folder of recordings that a text names; None where it names none."""
    folder = project.settings.cassettes
    for start in (Path.cwd(), project.settings.root):
        path = Path(os.path.normpath(start / text))
        if path.is_relative_to(folder) and path != folder and not path.is_symlink() and path.exists():
            return path
    return None


def _target(project: Project, text: str) -> Path:
    folder = project.settings.cassettes
    for start in (Path.cwd(), project.settings.root):
        path = Path(os.path.normpath(start / text))
        if path.is_relative_to(folder) and path != folder:
            return path
    raise UsageError(f"'{text}' is not in {project.shown(folder)}: recordings are moved from path to path there")


def _of_paths(old: Path, new: Path, *, folder: Path, shown: tuple[str, str]) -> list[tuple[Path, Path]]:
    if len(old.relative_to(folder).parts) != len(new.relative_to(folder).parts):
        raise UsageError(f"'{shown[0]}' and '{shown[1]}' do not lie equally deep: <suite>/<variant>/<case>.<n>.yaml")
    if old.is_dir():
        pairs = [(path, new / path.relative_to(old)) for path in recordings([old], folder)]
        if not pairs:
            raise UsageError(f"there are no recordings in '{shown[0]}'")
        return pairs
    place = place_of(old, folder)
    if place is None:
        return [(old, new)]
    if place_of(new, folder) is None:
        raise UsageError(f"'{shown[1]}' is no name of a recording: <case>.<n>.yaml")
    pairs = [(old, new)]
    judge = old.with_name(f"{place.case}.{place.repeat}.judge.yaml")
    if not place.judge and judge.exists():
        pairs.append((judge, new.with_name(f"{new.name.removesuffix('.yaml')}.judge.yaml")))
    return pairs
