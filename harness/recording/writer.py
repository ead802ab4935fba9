"""Puts cassettes on disk without the event loop waiting for the disk.

One thread takes whatever has queued up, writes the files beside their places, syncs and renames them, and reports the
whole batch back in one go. A file is either the old one or the new one, never half of either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import StorageError


@dataclass(slots=True)
class _Job:
    """One file to write, and who waits for it."""

    path: Path
    content: bytes
    done: asyncio.Future[None]
    temporary: str = ""
    file: int = -1
    error: Exception | None = None


class Writer:
    """A thread that writes files atomically. Use as an async context manager: leaving it drains the queue."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._folders: set[Path] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    async def write(self, path: Path, text: str) -> None:
        """Write `text` to `path` (folders are made) and return once it is on disk.

        Raises:
            StorageError: It could not be written. A file that stood there before is untouched.
        """
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, args=(loop,), name="harness-writer", daemon=True)
            self._thread.start()
        done = loop.create_future()
        self._queue.put(_Job(path, text.encode("utf-8"), done))
        await done

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        stopping = False
        while not stopping:
            batch = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._queue.get_nowait())
            stopping = None in batch
            jobs = [job for job in batch if job is not None]
            self._store(jobs)
            if jobs and not loop.is_closed():
                loop.call_soon_threadsafe(_settle, jobs)

    def _store(self, jobs: list[_Job]) -> None:
        """Write all, then sync all, then rename all: the disk works on the whole batch at once."""
        for step in (self._open, _sync, _rename):
            for job in jobs:
                if job.error is None:
                    try:
                        step(job)
                    except Exception as error:  # noqa: BLE001 (whoever waits for the file must hear of it)
                        job.error = error
                        _discard(job)

    def _open(self, job: _Job) -> None:
        folder = job.path.parent
        if folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        job.temporary = f"{folder}/.{job.path.name}.{os.getpid()}.tmp"
        job.file = os.open(job.temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        rest = memoryview(job.content)
        while rest:
            rest = rest[os.write(job.file, rest) :]


def _sync(job: _Job) -> None:
    os.fsync(job.file)
    file, job.file = job.file, -1
    os.close(file)


def _rename(job: _Job) -> None:
    os.replace(job.temporary, job.path)  # noqa: PTH105 (a Path costs more than the call)


def _discard(job: _Job) -> None:
    with contextlib.suppress(OSError):
        if job.file >= 0:
            os.close(job.file)
    with contextlib.suppress(OSError):
        if job.temporary:
            os.unlink(job.temporary)  # noqa: PTH108 (as above)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.done.cancelled():
            continue
        if job.error is None:
            job.done.set_result(None)
        elif isinstance(job.error, OSError):
            job.done.set_exception(StorageError.of(job.path, job.error))
        else:
            job.done.set_exception(job.error)
