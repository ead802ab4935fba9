"""The page of all runs, written anew after each of them."""

from __future__ import annotations

from pathlib import Path

from harness.errors import StorageError
from harness.store import MANIFEST, list_runs, write_file
from harness.summary.history import history

INDEX = "index.html"
#: How often a page is made anew because another run ended meanwhile.
_AGAIN = 5


def write_index(reports: Path) -> Path:
    """Write the page of all runs beside their folders, whole or not at all, and return its path.

    Runs that end at the same time each write it: whoever is last reads again, so that it holds all of them.

    Args:
        reports: The folder of all runs.

    Raises:
        StorageError: It could not be written. A page that stood there before is untouched.
    """
    from harness.reports import index

    path = reports / INDEX
    for _ in range(_AGAIN):
        seen = _stamps(reports)
        links = {run: f"{run}/report.html" for run in seen if (reports / run / "report.html").is_file()}
        write_file(path, index.render(history(reports), links=links))
        if _stamps(reports) == seen:
            break
    return path


def indexed(reports: Path) -> list[str]:
    """Write the page of all runs; say why where that fails: a run does not end otherwise because of it."""
    try:
        write_index(reports)
    except StorageError as error:
        return [f"the page of all runs was not written: {error}"]
    return []


def _stamps(reports: Path) -> dict[str, int]:
    """When the run.json of each run was written last; 0: there is none."""
    found = {}
    for run in list_runs(reports):
        try:
            found[run] = (reports / run / MANIFEST).stat().st_mtime_ns
        except OSError:
            found[run] = 0
    return found
