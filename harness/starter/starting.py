"""Writing a new project into a folder, next to what is there already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StorageError, UsageError
from harness.starter.advice import advice
from harness.starter.content import contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What became of a new project's files; all paths are relative to `root`, with slashes."""

    root: Path
    #: Files that were not there.
    written: tuple[str, ...]
    #: Files that were there with other content, and still are.
    kept: tuple[str, ...]
    #: What a person is to do about files of their own, a paragraph each.
    advice: tuple[str, ...]


def start_project(folder: Path, *, minimal: bool = False) -> Started:
    """Write a working project into a folder; nothing that is there is changed.

    Args:
        folder: Where; made if it is not there.
        minimal: Prompts, a suite and its recordings only.

    Raises:
        ConfigError: An installed plugin cannot be used.
        UsageError: The folder, or one that is needed in it, is a file or a link that leads out of it. Nothing was written.
        StorageError: A file could not be written.
    """
    content = contents(minimal=minimal)
    root = folder.absolute()
    _check(folder, root, content)
    written: list[str] = []
    kept: list[str] = []
    for name, data in content.items():
        there = _write(root / name, data)
        if there is None:
            written.append(name)
        elif there != data:
            kept.append(name)
    return Started(
        root=root,
        written=tuple(written),
        kept=tuple(kept),
        advice=advice(root, kept, content),
    )


def _check(shown: Path, root: Path, names: Iterable[str]) -> None:
    """Refuse what would stop the work half-way, before its beginning."""
    for place in (root, *root.parents):
        _check_link(place, shown if place == root else place)
        if _is_file(place):
            where = shown if place == root else place
            raise UsageError(f"{where} is a file, so no project can be written there; name a folder")
    for name in names:
        for parent in (root / name).relative_to(root).parents:
            folder = root / parent
            _check_link(folder, shown / parent)
            if _is_file(folder):
                raise UsageError(f"{shown / parent} is a file, and a project needs a folder there; move it away")
            if not folder.resolve().is_relative_to(root.resolve()):
                raise UsageError(f"{shown / parent} leads out of {shown}, and nothing is written outside; move it away")


def _check_link(place: Path, shown: Path) -> None:
    """Refuse a link to nowhere, or to itself, where a folder has to be."""
    try:
        if not place.is_symlink():
            return
    except OSError:
        return
    try:
        place.resolve(strict=True)
    except (OSError, RuntimeError):
        raise UsageError(f"{shown} is a link that leads nowhere; move it away") from None


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        # Not to be looked at, let alone written to: the attempt to write says why.
        return False


def _write(path: Path, data: bytes) -> bytes | None:
    """Write a file unless something is there; return the content that is there, or None if it was written.

    Raises:
        StorageError: It can be neither written nor read.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive, so that not even a file made this very moment, or a link to nowhere, is written over.
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return _there(path)
    except OSError as error:
        raise StorageError.of(path, error) from None
    return None


def _there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # A folder, a link to nowhere, a file of somebody else: it is there, it stays, and it is not ours.
        return b""
