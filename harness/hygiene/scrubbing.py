"""Today's redaction applied to recordings that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CassetteDamaged, TrialError
from harness.hygiene.alone import alone
from harness.hygiene.belonging import belonging
from harness.hygiene.inspecting import secrets
from harness.hygiene.places import recordings
from harness.project.project import Project
from harness.recording import Redactor, read_cassette
from harness.recording.seal import sealed, without_secrets
from harness.records import JSON
from harness.runs.opening import assistants_of, redactor_of
from harness.store import write_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """What was found in a file: what would change, or what is in the way."""

    path: str
    changed: tuple[str, ...] = ()
    #: Why nothing can be done about it.
    problem: str | None = None

    @property
    def text(self) -> str:
        return f"{self.path}: {self.problem or ', '.join(self.changed)}"

    def plain(self) -> dict[str, JSON]:
        return {"path": self.path, "changed": list(self.changed), "problem": self.problem}


def scrub(project: Project, paths: Sequence[Path], *, write: bool) -> list[Scrubbed]:
    """Take secrets out of recordings; return those that hold any.

    Requests lose them in the same way before they are matched, so what is scrubbed replays as before.

    Args:
        project: Whose recordings; its suites name further secrets.
        paths: Files and folders; none: all recordings.
        write: False: only say what would change.

    Raises:
        UsageError: A path does not exist.
        ConfigError: The suites, which may name secrets, cannot be loaded.
        StorageError: A file could not be written, or a run records there just now.
    """
    redactor = redactor_of(project.settings, assistants_of(belonging(project).trials.values()))
    files = recordings(paths, project.settings.cassettes)
    # From before a file is read: what a run records in between would be written over with what was there before it.
    with alone(project.settings, files if write else ()):
        return [one for path in files if (one := _scrubbed(project, path, redactor, write=write)) is not None]


def _scrubbed(project: Project, path: Path, redactor: Redactor, *, write: bool) -> Scrubbed | None:
    shown = project.shown(path)
    try:
        before = read_cassette(path, shown=shown)
    except FileNotFoundError:
        # Somebody took it away since the folder was read.
        return None
    except CassetteDamaged as error:
        return Scrubbed(path=shown, problem=error.message.removeprefix(f"{shown} "))
    changed = tuple(secrets(before, without_secrets(before, redactor)))
    if not changed:
        return None
    try:
        text = sealed(before, redactor, shown=shown)
    except TrialError as error:
        return Scrubbed(path=shown, problem=error.message)
    if write:
        write_file(path, text)
    return Scrubbed(path=shown, changed=changed)
