"""One folder per run: its rows, its manifest, its reports."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from harness.errors import StorageError, UsageError, did_you_mean
from harness.records import JSON, Result
from harness.store.rows import decode, encode, plain

RESULTS = "results.jsonl"
MANIFEST = "run.json"

_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
#: Rows wait in memory until there are this many, or for this many seconds.
_BATCH = 64
_PATIENCE = 1.0


def read_results(path: Path) -> Iterator[Result]:
    """Yield the results of a run in plan order; `path` is the run's folder or its results.jsonl.

    A last line that was cut short, as a killed run leaves it, is passed over.

    Raises:
        StorageError: The file cannot be read, or a line is damaged; the message names both.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        with open(file, encoding="utf-8", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    result = decode(line)
                except ValueError as error:
                    if not line.endswith("\n"):
                        return
                    raise StorageError(f"{file}:{number}: damaged row: {error}") from error
                yield result
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror or error}") from error


def new_run_id(now: datetime | None = None, entropy: bytes | None = None) -> str:
    """Return a run id such as `20261121-143205-ab12`: UTC time and four hexadecimal digits, so that ids sort by time.

    Args:
        now: The run's start; a time without a zone counts as local. Default: the current time.
        entropy: At least two bytes. Default: random ones.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{(entropy or os.urandom(2))[:2].hex()}"


def list_runs(reports: Path) -> list[str]:
    """Return the ids of the runs under a reports folder that hold results, oldest first."""
    found = []
    try:
        for entry in os.scandir(reports):
            if _RUN_ID.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    results = (Path(entry.path) / RESULTS).stat()
                    # Two runs may start in one second, and the digits after it are random.
                    found.append((entry.name.rpartition("-")[0], results.st_mtime_ns, entry.name))
    except OSError:
        return []
    return [name for _, _, name in sorted(found)]


def latest_run(reports: Path) -> RunFolder | None:
    """Return the newest run under a reports folder, or None if there is none."""
    runs = list_runs(reports)
    return RunFolder(reports, runs[-1]) if runs else None


def find_run(reports: Path, name: str) -> RunFolder:
    """Return the run that `name` means: `latest`, an id, the unambiguous start of an id, or the path of a run's folder.

    Raises:
        UsageError: There is no such run, or several.
    """
    known = list_runs(reports)
    if name == "latest" and known:
        return RunFolder(reports, known[-1])
    if name in known:
        return RunFolder(reports, name)
    folder = Path(name).resolve()
    folder = folder.parent if folder.name == RESULTS else folder
    if name and (folder / RESULTS).is_file():
        return RunFolder(folder.parent, folder.name)
    found = [run for run in known if name and run.startswith(name)]
    if len(found) == 1:
        return RunFolder(reports, found[0])
    if found:
        raise UsageError(f"run '{name}' could be any of {', '.join(found[-5:])}")
    hint = did_you_mean(name, known)
    raise UsageError(f"no run '{name}' under {reports}." + (f" {hint}" if hint else ""))


class RunFolder:
    """One run's folder, `<reports>/<run id>/`; it is made when the first file is written.

    Use as a context manager: leaving it puts every row on disk.

    Args:
        reports: The folder of all runs.
        run: The run's id.
        redact: Applied to everything that is written; takes secrets out of text.
    """

    def __init__(self, reports: Path, run: str, *, redact: Callable[[str], str] | None = None) -> None:
        self.run = run
        self.path = reports / run
        self._redact = redact
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        #: Rows that could not be written.
        self.unwritten: list[bytes] = []
        self._flushed = time.monotonic()

    @property
    def results(self) -> Path:
        return self.path / RESULTS

    @property
    def manifest(self) -> Path:
        return self.path / MANIFEST

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, result: Result) -> None:
        """Add one row. Rows stand in the order of the calls; they reach the disk in batches.

        Raises:
            StorageError: The file cannot be written.
        """
        line = encode(result)
        if self._redact is not None:
            line = _redacted(line, self._redact)
        self._waiting.append(line.encode("ascii") + b"\n")
        self.keep(result.files)
        if len(self._waiting) >= _BATCH or time.monotonic() - self._flushed > _PATIENCE:
            self.flush()

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Write files that a trial made, by their paths in the folder.

        Raises:
            StorageError: One cannot be written.
        """
        for name, content in files.items():
            path = self.path / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise StorageError.of(path, error) from error

    def resume(self, rows: Iterable[bytes]) -> None:
        """Go on behind the rows that stand in the file, with rows that another folder could not take.

        Raises:
            StorageError: The file cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._file = open(self.results, "ab", buffering=0)  # noqa: SIM115 (as in `flush`)
            _append(self._file, b"".join(rows))
        except OSError as error:
            raise StorageError.of(self.results, error) from error

    def touch(self) -> None:
        """Make the file of rows where there is none, as of a run that was stopped before its first result.

        Raises:
            StorageError: It cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.results.touch()
        except OSError as error:
            raise StorageError.of(self.results, error) from error

    def flush(self) -> None:
        """Hand all rows to the operating system, which keeps them even if this process dies."""
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        try:
            if self._file is None:
                self.path.mkdir(parents=True, exist_ok=True)
                # Never on top of another run's rows.
                self._file = open(self.results, "xb", buffering=0)  # noqa: SIM115 (as in `flush`)
            _append(self._file, b"".join(self._waiting))
        except OSError as error:
            self.unwritten += self._waiting
            raise StorageError.of(self.results, error) from error
        finally:
            self._waiting.clear()

    def close(self) -> None:
        """Write the rows that still wait, and sync the file.

        Raises:
            StorageError: The file cannot be written.
        """
        try:
            self.flush()
            if self._file is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError.of(self.results, error) from error
        finally:
            if self._file is not None:
                file, self._file = self._file, None
                file.close()

    def read(self) -> Iterator[Result]:
        """Yield the results on disk; see `read_results`."""
        return read_results(self.results)

    def write_manifest(self, manifest: Mapping[str, JSON]) -> Path:
        """Write run.json whole or not at all; paths, times and decimals in it become strings."""
        text = json.dumps(plain(manifest), indent=2, ensure_ascii=False, allow_nan=False)
        return self.write(MANIFEST, text + "\n")

    def read_manifest(self) -> dict[str, Any]:
        """Return run.json; empty if the run was killed before it was written.

        Raises:
            StorageError: The file is there and cannot be read.
        """
        try:
            found = json.loads(self.manifest.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"cannot read {self.manifest}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            reason = getattr(error, "msg", "") or type(error).__name__
            raise StorageError(f"{self.manifest}:{line}: run.json is damaged: {reason}") from error
        if not isinstance(found, dict):
            raise StorageError(f"{self.manifest}:1: run.json is damaged: it is no JSON object")
        return found

    def write(self, name: str, text: str, *, ours: re.Pattern[str] | None = None) -> Path:
        """Write a report into the folder, whole or not at all, and return its path.

        Args:
            name: The file's name: `report.html`, `summary.md`, `junit.xml`.
            text: What it holds.
            ours: Finds, as its only group, what holds nothing of others or was made of redacted results: it is not
                redacted, since a rule about long words would find one in anything packed.

        Raises:
            StorageError: It could not be written. A file that stood there before is untouched.
        """
        if self._redact:
            parts = ours.split(text) if ours else [text]
            text = "".join(part if number % 2 else self._redact(part) for number, part in enumerate(parts))
        return write_file(self.path / name, text)


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file, whole or not at all, and return its path; text as UTF-8; folders are made.

    Raises:
        StorageError: It could not be written. A file that stood there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lone surrogate, which a model may well send, has no UTF-8.
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError.of(path, error) from error
    return path


def _append(file: BinaryIO, content: bytes) -> None:
    start = file.tell()
    rest = memoryview(content)
    try:
        # An unbuffered file may take less than all of it.
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(start)
        raise


def _redacted(line: str, redact: Callable[[str], str]) -> str:
    if redact(line) == line:
        return line
    # By value, since a match in the encoded text might begin inside an escape.
    return json.dumps(_redacted_value(json.loads(line), redact), separators=(",", ":"))


def _redacted_value(value: JSON, redact: Callable[[str], str]) -> JSON:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _redacted_value(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted_value(item, redact) for item in value]
    return value
