"""Where results live: one folder per run, one line of JSON per trial."""

from __future__ import annotations

from harness.store.folder import (
    MANIFEST,
    RESULTS,
    RunFolder,
    find_run,
    latest_run,
    list_runs,
    new_run_id,
    read_results,
    write_file,
)
from harness.store.rows import decode, encode

__all__ = [
    "MANIFEST",
    "RESULTS",
    "RunFolder",
    "decode",
    "encode",
    "find_run",
    "latest_run",
    "list_runs",
    "new_run_id",
    "read_results",
    "write_file",
]
