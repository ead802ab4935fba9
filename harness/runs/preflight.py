"""What a run sees to before it sends anything: room to write, nobody else recording the same, and what was left behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness.errors import StorageError
from harness.plan import Trial
from harness.runs.sending import Sending
from harness.runs.stop import Stop
from harness.settings import Settings
from harness.store.journal import Journal, Killed, killed_runs
from harness.store.locks import FileLock
from harness.store.space import check_writable
from harness.suites.names import slug
from harness.summary.phrases import count

#: Below the project's folder.
_FOLDER = Path(".harness") / "live"
#: Bytes that the recording and the row of a trial may well take.
_ROOM = 10_000
#: Seconds to wait for another process, and between two looks.
PATIENCE = 3.0
_PAUSE = 0.05


@asynccontextmanager
async def going_live(
    settings: Settings, live: Sequence[Trial], *, run: str, stop: Stop, tell: Callable[[str], None]
) -> AsyncIterator[Sending]:
    """See to everything that can be seen to before money is spent, and note what is sent meanwhile.

    Args:
        settings: The project's.
        live: The trials that may send something.
        run: The run's id.
        stop: Says when nothing more may be sent.
        tell: Gets what a person should know, a line each.

    Raises:
        StorageError: There is no room, or another process is recording the same.
    """
    if not live:
        yield Sending(None, stop)
        return
    folder = settings.root / _FOLDER
    _check_room(settings, live, folder)
    locks = await _locked(settings.root, live, run=run, tell=tell)
    try:
        _sweep({trial.cassette.parent for trial in live})
        wanted = {trial.cassette for trial in live}
        killed = [one for one in killed_runs(folder, root=settings.root) if one.open.keys() & wanted]
        for told in map(left_behind, killed):
            tell(told)
        journal = Journal(folder, run, root=settings.root)
        try:
            yield Sending(journal, stop)
        finally:
            journal.close()
        for one in killed:
            if one.open.keys() <= wanted:
                one.path.unlink(missing_ok=True)
    finally:
        for taken in locks:
            taken.release()
        tidied(settings.root)


def lock_of(root: Path, *, suite: str, variant: str) -> FileLock:
    """Return the lock of whoever changes the recordings of a variant.

    Args:
        root: The project's folder.
        suite, variant: Slugs, as the folders of recordings are called.
    """
    return FileLock(root / _FOLDER / f"{suite}--{variant}.lock")


def tidied(root: Path) -> None:
    """Remove the folders of locks and journals, unless something lies there."""
    for place in (root / _FOLDER, (root / _FOLDER).parent):
        with suppress(OSError):
            place.rmdir()


def _check_room(settings: Settings, live: Sequence[Trial], folder: Path) -> None:
    """Raises:
    StorageError: Something that a recording needs cannot be written.
    """
    try:
        if settings.record_mode != "verify":
            check_writable(settings.cassettes, need=_ROOM * len(live))
        check_writable(settings.reports, need=_ROOM * len(live))
        check_writable(folder)
    except StorageError as error:
        raise StorageError(f"{error}. Nothing was sent.") from None


async def _locked(root: Path, live: Iterable[Trial], *, run: str, tell: Callable[[str], None]) -> list[FileLock]:
    """Take the lock of every variant that goes live, in one order everywhere: nobody waits for each other."""
    variants = {(trial.suite.name, trial.variant.name) for trial in live}
    taken: list[FileLock] = []
    try:
        for suite, variant in sorted(variants):
            lock = lock_of(root, suite=slug(suite), variant=slug(variant))
            await _take(lock, f"run {run}, process {os.getpid()}", what=f"{suite}/{variant}", tell=tell)
            taken.append(lock)
    except BaseException:
        for lock in taken:
            lock.release()
        raise
    return taken


async def _take(lock: FileLock, holder: str, *, what: str, tell: Callable[[str], None]) -> None:
    until = time.monotonic() + PATIENCE
    told = False
    while True:
        try:
            if lock.take(holder):
                return
        except OSError as error:
            raise StorageError.of(lock.path, error) from error
        other = lock.holder() or "another process"
        if time.monotonic() > until:
            raise StorageError(
                f"{other} is recording {what} just now: both would pay for the same calls. Nothing was sent. Run this "
                "again when that has ended: what it recorded is replayed then."
            )
        if not told:
            tell(f"waiting for {other}, which is recording {what}")
        told = True
        await asyncio.sleep(_PAUSE)


def _sweep(folders: Iterable[Path]) -> None:
    """Remove halves of recordings that a killed process was writing; whoever holds the locks is alone there."""
    for folder in folders:
        with suppress(OSError):
            for half in folder.glob(".*.yaml.*.tmp"):
                half.unlink()


def left_behind(one: Killed) -> str:
    """Say what a killed run may have paid for in vain."""
    calls = sum(one.open.values())
    were = "was" if calls == 1 else "were"
    they = "it" if calls == 1 else "they"
    return (
        f"{count(calls, 'call')} of {count(len(one.open), 'trial')} {were} under way when run {one.run} was killed: "
        f"{they} may be paid twice"
    )
