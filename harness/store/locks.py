"""Files that one process holds at a time. The system lets go of them when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


class FileLock:
    """A lock on a file, which says who holds it.

    Where a file system knows no locks, everybody gets them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def take(self, holder: str) -> bool:
        """Take the lock if nobody has it, and write into it who does.

        Raises:
            OSError: The file cannot be made or written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            # The last holder has just taken the empty folder away.
            return False
        # The last holder may have taken the file away between the two calls: then this lock is on nothing.
        if not lock(file) or not is_at(file, self.path):
            os.close(file)
            return False
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, holder.encode("utf-8", "backslashreplace"), 0)
        except OSError:
            os.close(file)
            raise
        self._file = file
        return True

    def holder(self) -> str:
        """Return what the holder wrote; nothing where there is none."""
        try:
            return self.path.read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def release(self) -> None:
        """Let go, and take the file away."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._file)
            self._file = -1


def lock(file: int) -> bool:
    """Lock an open file for this process; False: another has it."""
    if sys.platform == "win32":  # pragma: no cover
        import msvcrt

        try:
            # Far behind whatever is in it: there, locks are on bytes, and others could not read these.
            os.lseek(file, 1 << 30, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_at(file: int, path: Path) -> bool:
    """Whether an open file is the one that a path names now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False
