"""Recordings are changed while no run records the same variants: one of the two would undo what the other does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import StorageError
from harness.runs.preflight import lock_of, tidied
from harness.settings import Settings
from harness.store.locks import FileLock


@contextmanager
def alone(settings: Settings, files: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of the variants that files in the folder of recordings belong to, or would; others need none.

    Args:
        settings: The project's.
        files: What is about to be changed, made or deleted.

    Raises:
        StorageError: A run is recording one of the variants, or no lock can be made.
    """
    taken: list[FileLock] = []
    try:
        for suite, variant in sorted(_variants(settings.cassettes, files)):
            lock = lock_of(settings.root, suite=suite, variant=variant)
            _take(lock, f"{suite}/{variant}")
            taken.append(lock)
        yield
    finally:
        for lock in taken:
            lock.release()
        tidied(settings.root)


def _take(lock: FileLock, what: str) -> None:
    try:
        if lock.take(f"`harness cassettes`, process {os.getpid()}"):
            return
    except OSError as error:
        raise StorageError.of(lock.path, error) from error
    other = lock.holder() or "another process"
    raise StorageError(
        f"{other} is at work on the recordings of {what}. Nothing was changed; run this again when that has ended."
    )


def _variants(folder: Path, files: Iterable[Path]) -> set[tuple[str, str]]:
    inside = (path.relative_to(folder).parts for path in files if path.is_relative_to(folder))
    return {(parts[0], parts[1]) for parts in inside if len(parts) == 3}
