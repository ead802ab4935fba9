"""The runs of a project, one after the other: all trials in one frame, and how each variant went over time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from harness.errors import StorageError
from harness.library.results import Run
from harness.records import Result
from harness.runs.loaded import read_run
from harness.store import RunFolder, list_runs
from harness.summary.history import History, history

if TYPE_CHECKING:
    from pandas import DataFrame


class Runs(Sequence[Run]):
    """Stored runs, the oldest first; each is read when it is first asked for something.

    Args:
        reports: The folder of all runs.
    """

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._runs = [Run(RunFolder(reports, name)) for name in list_runs(reports)]

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> list[Run]: ...
    def __getitem__(self, place: int | slice) -> Run | list[Run]:
        return self._runs[place]

    def __repr__(self) -> str:
        return f"<harness.Runs {len(self)} under {self._reports}>"

    @cached_property
    def history(self) -> History:
        """What each variant of each suite came to in every run, and the runs that cannot be read."""
        return history(self._reports, decide=lambda folder: read_run(folder).summary)

    def frame(self) -> DataFrame:
        """Return the trials of all runs as one pandas DataFrame, with the columns of `Run.frame`.

        A run that is damaged is left out, with a warning that names its file and line.

        Raises:
            UsageError: pandas is not installed.
        """
        from harness.library import frames

        return frames.of_results(self._results())

    def trend(self) -> DataFrame:
        """Return one row per run, suite and variant as a pandas DataFrame: how accuracy, latency and cost went.

        It is read from run.json alone, where that keeps the numbers. Columns are in docs/how-to/python.md. A run that is
        damaged is left out, with a warning.

        Raises:
            UsageError: pandas is not installed.
        """
        from harness.library import frames

        for _, why in self.history.damaged:
            _left_out(why)
        return frames.of_points(self.history.points)

    def _results(self) -> Iterator[Result]:
        for run in self._runs:
            try:
                found = run.results
            except StorageError as error:
                _left_out(str(error))
            else:
                yield from found


def _left_out(why: str) -> None:
    warnings.warn(f"a run is left out: {why}", stacklevel=4)
