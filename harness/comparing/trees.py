"""The project's folder as it was in a commit, unpacked beside the project: the user's own tree is never touched."""

from __future__ import annotations

import os
import posixpath
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from harness.errors import ConfigError, Problem, StorageError
from harness.repository import LINK, SUBMODULE, Entry, Repository

#: Below the project's folder.
FOLDER = Path(".harness") / "trees"
#: Trees that are kept, and seconds in which one may be in use by another process.
_KEPT = 3
_IN_USE = 3600
_POINTER = b"version https://git-lfs.github.com/spec/"
#: Bytes of the largest pointer.
_SMALL = 1024
_NOTES = ".harness-notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """An unpacked tree."""

    #: How it was asked for, and what stands for it: `main`, or `origin/main` where there is no branch of that name.
    ref: str
    commit: str
    #: The project's folder in it.
    root: Path
    #: What a reader should know of it, one line each.
    notes: tuple[str, ...] = ()


def resolve(repository: Repository, ref: str) -> tuple[str, str]:
    """Return the name that a ref goes by, and its commit; `main` is `origin/main` where there is no such branch here.

    Raises:
        ConfigError: It names no commit; in a shallow clone the message says how to get it.
    """
    for name in (ref, f"origin/{ref}"):
        commit = repository.known(name)
        if commit is not None:
            return name, commit
    try:
        return ref, repository.commit(ref)
    except ConfigError as error:
        if "shallow" not in str(error):
            raise
        raise ConfigError(
            Problem(
                message=f"this clone is shallow and holds no commit '{ref}'.",
                hint="Run `git fetch --unshallow`, or in a workflow: `uses: actions/checkout` with `fetch-depth: 0`.",
            )
        ) from None


def unpack(root: Path, repository: Repository, ref: str) -> Tree:
    """Unpack the project's folder of a commit into `.harness/trees/<commit>/`, unless it is there already.

    Symbolic links that lead out of it are left out, and so is what git does not hold itself.

    Args:
        root: The project's folder.
        repository: The repository around it.
        ref: As in `resolve`.

    Raises:
        ConfigError: The ref names no commit, or the project's folder is not in it.
        StorageError: It cannot be written.
    """
    name, commit = resolve(repository, ref)
    folder = root / FOLDER
    place = folder / commit
    try:
        if not (place / _NOTES).is_file():
            _write(repository, name, commit, place)
        os.utime(place)
        _prune(folder, keep=place)
        notes = (place / _NOTES).read_text("utf-8").splitlines()
    except OSError as error:
        raise StorageError.of(place, error) from error
    return Tree(ref=name, commit=commit, root=place, notes=tuple(f"{name}: {note}" for note in notes))


def _write(repository: Repository, ref: str, commit: str, place: Path) -> None:
    """Write a tree; one that stands there is a whole one."""
    entries = list(repository.entries(commit, "."))
    if not entries:
        raise ConfigError(Problem(message=f"the folder {repository.root.name}/ is not in {ref}."))
    place.parent.mkdir(parents=True, exist_ok=True)
    (place.parent / ".gitignore").write_text("*\n", "utf-8")
    building = place.parent / f".{commit[:12]}.{uuid4().hex[:8]}"
    try:
        notes = _fill(repository, [one for one in entries if _sound(one.path)], building)
        (building / _NOTES).write_text("".join(f"{note}\n" for note in notes), "utf-8")
        if place.exists():
            shutil.rmtree(place, ignore_errors=True)
        with suppress(FileExistsError):
            # Another process may have been as quick.
            building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _fill(repository: Repository, entries: Sequence[Entry], folder: Path) -> list[str]:
    """Write files, then links; return what could not be had."""
    files = [one for one in entries if one.mode not in (LINK, SUBMODULE)]
    links = [one for one in entries if one.mode == LINK]
    pointers: list[str] = []
    for entry, content in zip(files, repository.contents([one.blob for one in files]), strict=True):
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if len(content) <= _SMALL and content.startswith(_POINTER):
            pointers.append(entry.path)
    astray: list[str] = []
    made: list[str] = []
    for entry, content in zip(links, repository.contents([one.blob for one in links]), strict=True):
        target = os.fsdecode(content)
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
        if target.startswith("/") or inside.split("/")[0] == "..":
            astray.append(entry.path)
            continue
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        made.append(entry.path)
    # Each link may stay inside by its own words, and lead out by way of another.
    top = os.path.realpath(folder)
    for name in [name for name in made if os.path.commonpath([top, os.path.realpath(folder / name)]) != top]:
        (folder / name).unlink()
        astray.append(name)
    modules = [one.path for one in entries if one.mode == SUBMODULE]
    return [
        *_told(pointers, "held by Git LFS, and only a pointer is in git"),
        *_told(modules, "a submodule, and nothing of it is unpacked"),
        *_told(astray, "a symbolic link out of the project, and left out"),
    ]


def _told(paths: Sequence[str], what: str) -> list[str]:
    more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
    return [f"{paths[0]}{more} is {what}"] if paths else []


def _sound(path: str) -> bool:
    """Whether a path stays where it is written; git's own tools make no others."""
    return not {"", ".", "..", ".git"} & set(path.split("/"))


def _prune(folder: Path, *, keep: Path) -> None:
    """Remove all but the trees that were used last, and those that may be in use."""
    trees = sorted(_folders(folder), key=_used, reverse=True)
    for old in trees[_KEPT:]:
        if old != keep and time.time() - _used(old) > _IN_USE:
            shutil.rmtree(old, ignore_errors=True)


def _folders(folder: Path) -> Iterable[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
