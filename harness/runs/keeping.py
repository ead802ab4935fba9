"""Where a run's rows and reports go: its own folder, or a temporary one where that cannot be written."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.errors import StorageError
from harness.records import Result
from harness.store import RunFolder
from harness.store.space import Refuge

T = TypeVar("T")


class Keeping:
    """The folder of a run that is being written.

    Args:
        reports: The folder of all runs.
        run: The run's id.
        redact: Takes secrets out of text.
        refuge: Takes what cannot be written there.
    """

    def __init__(self, reports: Path, run: str, *, redact: Callable[[str], str], refuge: Refuge) -> None:
        self._reports = reports
        self._redact = redact
        self._refuge = refuge
        self.folder = RunFolder(reports, run, redact=redact)
        #: What could not be written first; None: all was.
        self.trouble: StorageError | None = None

    @property
    def moved(self) -> bool:
        """Whether the folder is a temporary one."""
        return self.folder.path.parent != self._reports

    def writable(self) -> bool:
        """Whether the folder of all runs looks as if it could be written; nothing is tried."""
        there = next(place for place in (self._reports, *self._reports.parents) if place.exists())
        return os.access(there, os.W_OK | os.X_OK)

    def move(self) -> None:
        """Go on in a temporary folder, with the rows that there are.

        Raises:
            StorageError: There is no place for one.
        """
        old = self.folder
        new = RunFolder(self._refuge.place(self._reports), old.run, redact=self._redact)
        with contextlib.suppress(StorageError):
            old.close()
        with contextlib.suppress(OSError):
            # Rows that stand there, and whatever files trials made.
            shutil.copytree(old.path, new.path, dirs_exist_ok=True)
        new.resume(old.unwritten)
        self.folder = new

    def append(self, result: Result) -> None:
        """Add a row.

        Raises:
            StorageError: It can be written nowhere.
        """
        try:
            self.folder.append(result)
        except StorageError as error:
            # The row comes along; its files may not have been written.
            self._leave(error)
            self.folder.keep(result.files)

    def close(self) -> None:
        """Put every row on disk.

        Raises:
            StorageError: They can be written nowhere.
        """
        self.do(RunFolder.close)

    def do(self, write: Callable[[RunFolder], T]) -> T:
        """Write reports into the folder; where that fails, all of them into a temporary one.

        Raises:
            StorageError: They can be written nowhere.
        """
        try:
            return write(self.folder)
        except StorageError as error:
            self._leave(error)
        return write(self.folder)

    def _leave(self, error: StorageError) -> None:
        if self.moved:
            raise error
        self.trouble = self.trouble or error
        self.move()
