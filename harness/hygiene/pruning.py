"""Recordings that no trial will replay, and what dying processes left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CassetteDamaged, StorageError, UsageError
from harness.hygiene.alone import alone
from harness.hygiene.belonging import belonging
from harness.hygiene.places import empty_folders, leftovers, recordings
from harness.project.project import Project
from harness.recording import Facts, read_cassette
from harness.records import JSON
from harness.runs.facts import SWITCHED_OFF, renewable
from harness.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """A file that nobody needs."""

    path: Path
    shown: str
    #: Why nobody needs it.
    why: str
    #: Why it stays all the same, unless that is overruled; None: it goes.
    kept: str | None = None

    def plain(self) -> dict[str, JSON]:
        return {"path": self.shown, "why": self.why, "kept": self.kept}


def surplus(project: Project, paths: Sequence[Path] = ()) -> list[Surplus]:
    """Return the recordings that belong to no trial, and leftovers, in the folder of recordings.

    What `harness.cassette` recorded for a block of code belongs to no trial and is none of them.

    Args:
        project: The project.
        paths: Look only at these files and folders.

    Raises:
        ConfigError: A suite cannot be loaded, so that nobody knows what belongs to it.
        UsageError: A path does not exist, or lies elsewhere.
    """
    folder = project.settings.cassettes
    known = belonging(project)
    files = recordings(paths, folder)
    for path in files:
        if not path.is_relative_to(folder):
            raise UsageError(f"{project.shown(path)} is not in {project.shown(folder)}: nothing is deleted elsewhere")
    found = []
    for path in files:
        why = known.orphaned(path)
        facts = _facts(path) if why is not None else None
        if why is not None and not (isinstance(facts, Facts) and facts.case_hash is None):
            found.append(Surplus(path=path, shown=project.shown(path), why=why, kept=_kept(facts)))
    left = [
        path for path in leftovers(folder) if not paths or any(path.is_relative_to(one.absolute()) for one in paths)
    ]
    died = "a process died while it wrote this"
    return found + [Surplus(path=path, shown=project.shown(path), why=died) for path in left]


def remove(found: Sequence[Surplus], *, settings: Settings) -> None:
    """Delete files, and the folders that are empty then.

    Raises:
        StorageError: One cannot be deleted, and the message says how many were; or a run records there just now.
    """
    with alone(settings, (one.path for one in found)):
        try:
            for number, one in enumerate(found):
                try:
                    one.path.unlink(missing_ok=True)
                except OSError as error:
                    done = f"{number} of {len(found)} files were deleted before"
                    raise StorageError(f"cannot delete {one.shown}: {error.strerror or error} ({done})") from None
        finally:
            empty_folders({one.path.parent for one in found}, below=settings.cassettes)


def _facts(path: Path) -> Facts | str:
    """Return the facts of a recording, or why they cannot be read."""
    try:
        return read_cassette(path, shown=path.name).facts
    except (CassetteDamaged, OSError):
        return "it cannot be read, so nobody knows whether it could be made again"


def _kept(facts: Facts | str | None) -> str | None:
    if isinstance(facts, str):
        return facts
    return None if facts is None or renewable(facts) else f"it cannot be made again: {SWITCHED_OFF}"
