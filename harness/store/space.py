"""Whether there is room to write, asked before anything is paid; and where things go when there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from harness.errors import StorageError


def check_writable(folder: Path, *, need: int = 0) -> None:
    """See whether files can be made in a folder; where it does not exist, in the one that it would be made in.

    Args:
        folder: The folder.
        need: Bytes that will be written.

    Raises:
        StorageError: They cannot, or there is too little room.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    probe = there / f".writable.{os.getpid()}.tmp"
    try:
        with open(probe, "wb") as file:
            file.write(b"\0" * 512)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError.of(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    free = free_bytes(folder)
    if free is not None and free < need:
        raise StorageError(f"cannot write {folder}: {free:,} bytes are free there, and about {need:,} are needed")


def free_bytes(path: Path) -> int | None:
    """Return how many bytes are free where a path lies; None: nobody knows."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return None


class Refuge:
    """A temporary folder for what cannot be written where it belongs; it is made when it is first needed.

    Args:
        run: The run's id.
        root: The project's folder: paths keep their names below it.
    """

    def __init__(self, run: str, *, root: Path) -> None:
        self._run = run
        self._root = root
        self._folder: Path | None = None

    @property
    def used(self) -> Path | None:
        """The folder; None: nothing is in it."""
        return self._folder

    def folder(self) -> Path:
        """Return the folder, which only this user may read.

        Raises:
            StorageError: There is no place for it either.
        """
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix=f"harness-{self._run}-"))
            except OSError as error:
                raise StorageError(f"there is no temporary folder either: {error.strerror or error}") from error
        return self._folder

    def place(self, path: Path) -> Path:
        """Return where a path of the project lies in the folder."""
        inside = path.relative_to(self._root) if path.is_relative_to(self._root) else Path(path.name)
        return self.folder() / inside

    def keep(self, path: Path, content: bytes) -> Path:
        """Write what could not be written to `path`; return where it is now.

        Raises:
            StorageError: It cannot be written there either.
        """
        place = self.place(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError as error:
            raise StorageError.of(place, error) from error
        return place
