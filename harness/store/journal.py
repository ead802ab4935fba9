"""What a live run has sent, so that the next one can say what a killed one may have paid for in vain.

One file a run, only ever appended to, with one write for each request that is sent and one for each trial that is
settled. What was handed to the system survives the process, so nothing is synced here. The file is locked while its
process lives, and removed when its run ends by itself.

    {"run": "20261121-143205-ab12", "pid": 4711}
    trial 1 "-" "cassettes/faq/v1/price.1.yaml"     the first request of a trial; what its recording was before
    sent 1
    settled 1
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StorageError
from harness.store.locks import is_at, lock

_SUFFIX = ".journal"
#: Seconds that another process may look at a file.
_MOMENT = 0.001


class Journal:
    """The journal of a run that is under way; safe to use from threads.

    Args:
        folder: Where journals are.
        run: The run's id.
        root: The project's folder; recordings are named from there.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, folder: Path, run: str, *, root: Path) -> None:
        self.path = folder / f"{run}{_SUFFIX}"
        self._root = f"{root}{os.sep}"
        self._numbers: dict[Path, int] = {}
        #: Requests of trials that are not settled, by trial.
        self._open: dict[Path, int] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _made(self.path)
            self._write(json.dumps({"run": run, "pid": os.getpid()}))
        except OSError as error:
            raise StorageError.of(self.path, error) from error

    def sent(self, cassette: Path) -> None:
        """Note that a request of the trial with this recording is about to be sent.

        Raises:
            StorageError: It cannot be noted, so nothing should be sent.
        """
        number = self._numbers.get(cassette)
        try:
            if number is None:
                number = self._numbers[cassette] = len(self._numbers) + 1
                # Path.relative_to would cost more than all the rest.
                place = json.dumps(str(cassette).removeprefix(self._root))
                self._write(f'trial {number} "{_identity(str(cassette))}" {place}\nsent {number}')
            else:
                self._write(f"sent {number}")
        except OSError as error:
            raise StorageError.of(self.path, error) from error
        self._open[cassette] = self._open.get(cassette, 0) + 1

    def settled(self, cassette: Path) -> None:
        """Note that nothing of what this trial sent would be sent again, or that its run has counted it."""
        if self._open.pop(cassette, None) is not None:
            # At worst the next run counts what is on disk; the trial itself is safe.
            with contextlib.suppress(OSError):
                self._write(f"settled {self._numbers[cassette]}")

    @property
    def open(self) -> Mapping[Path, int]:
        """Requests of trials that were never settled, by trial."""
        return self._open

    def close(self) -> None:
        """Remove the file: its run has ended by itself."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._file)
            # Windows removes nothing that is open.
            self.path.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        line = f"{text}\n".encode("utf-8", "backslashreplace")
        if os.write(self._file, line) < len(line):
            raise OSError(28, "No space left on device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A run whose process died while requests were under way."""

    run: str
    path: Path
    #: Requests of trials that have left no recording since, by the path of that.
    open: Mapping[Path, int] = field(default_factory=dict)


def _made(path: Path) -> int:
    """Make a file and lock it before anything is in it.

    Between the two, another process may take it for that of a dead one, and remove it.
    """
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if lock(file) and is_at(file, path):
            return file
        os.close(file)
        time.sleep(_MOMENT)


def killed_runs(folder: Path, *, root: Path) -> list[Killed]:
    """Return the runs whose processes died while something was under way, oldest first.

    Journals of runs that go on are left alone; those that have nothing to say any more are removed.
    """
    found: list[Killed] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    except OSError:
        return []
    for path in paths:
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if lock(file):
                    calls = _open(path.read_text("utf-8", "replace").splitlines(), root)
                    if calls:
                        found.append(Killed(run=path.stem, path=path, open=calls))
                    else:
                        path.unlink()
            finally:
                os.close(file)
    return found


def _open(lines: Iterable[str], root: Path) -> dict[Path, int]:
    """Count what was sent for trials whose recordings are today what they were before."""
    places: dict[str, tuple[str, Path]] = {}
    counts: dict[str, int] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "trial":
            # A killed process may leave half a line, and only the last.
            with contextlib.suppress(ValueError):
                number, _, told = rest.partition(" ")
                before, _, place = told.partition(" ")
                places[number] = (json.loads(before), root / json.loads(place))
        elif word == "sent" and rest in places:
            counts[rest] = counts.get(rest, 0) + 1
        elif word == "settled":
            counts.pop(rest, None)
    found = ((*places[number], count) for number, count in counts.items())
    return {path: count for before, path, count in found if _identity(str(path)) == before}


def _identity(path: str) -> str:
    """What tells a recording from one that has taken its place: every one is a file of its own."""
    try:
        stat = os.stat(path)  # noqa: PTH116 (a Path costs more than the call)
    except OSError:
        return "-"
    return f"{stat.st_ino}.{stat.st_mtime_ns}"
