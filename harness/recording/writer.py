"""Puts cassettes on disk without the event loop waiting for the disk.

One thread takes whatever has queued up, writes each file beside its place, syncs and renames it, and reports the whole
batch back in one go. A file is either the old one or the new one, never half of either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from pathlib import Path

from harness.errors import StorageError


class Writer:
    """A thread that writes files atomically. Use as an async context manager: leaving it drains the queue."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Path, bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._folders: set[Path] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Writer:
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
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._work, name="harness-writer", daemon=True)
            self._thread.start()
        done = asyncio.get_running_loop().create_future()
        self._queue.put((path, text.encode("utf-8"), done))
        await done

    def _work(self) -> None:
        while True:
            first = self._queue.get()
            batch = [first]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._queue.get_nowait())
            finished: list[tuple[asyncio.Future[None], Exception | None]] = []
            stop = False
            for entry in batch:
                if entry is None:
                    stop = True
                    continue
                path, content, done = entry
                try:
                    self._store(path, content)
                except OSError as error:
                    finished.append((done, StorageError.of(path, error)))
                else:
                    finished.append((done, None))
            if finished and self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(_settle, finished)
            if stop:
                return

    def _store(self, path: Path, content: bytes) -> None:
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        store(path, content)


def store(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, sync it, and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _settle(finished: list[tuple[asyncio.Future[None], Exception | None]]) -> None:
    for done, error in finished:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
