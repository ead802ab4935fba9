"""What a person sees while a run is under way, on stderr: a bar on a terminal, a line per trial with -v."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.events import Event, TrialFinished

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """An event subscriber; use as a context manager."""

    def __init__(self, total: int, *, shown: bool, verbose: bool) -> None:
        """
        Args:
            total: Trials of the run.
            shown: Draw a bar.
            verbose: Print a line for each finished trial.
        """
        self._total = total
        self._shown = shown
        self._verbose = verbose
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._failed = 0

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
            )
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("trials", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TrialFinished):
            return
        result = event.result
        if self._verbose:
            latency = "" if result.latency is None else f"  {result.latency:.2f} s"
            line = f"{result.outcome.value:8}{result.id}{latency}\n"
            if self._bar is not None:
                self._bar.console.print(line, end="", markup=False, highlight=False, emoji=False)
            else:
                sys.stderr.write(line)
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)
