"""What a person sees while a run is under way, on stderr: a bar on a terminal, and with -v what happens in each trial."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.events import (
    BudgetExceeded,
    BudgetWarning,
    CallCompleted,
    CallFailed,
    Event,
    Noted,
    ToolReturned,
    TrialFinished,
)
from harness.records import JSON, Result, ToolCall, Usage
from harness.reports import clean, words

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

#: Cells of a line where there is no terminal that would say how many there are.
_WIDE = 240
#: Characters that can matter for one line.
_MOST = 4000


class Progress:
    """An event subscriber; use as a context manager."""

    def __init__(
        self,
        total: int,
        *,
        shown: bool,
        verbose: bool,
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        """
        Args:
            total: Trials of the run.
            shown: Draw a bar.
            verbose: Print a line for each model call, each tool call and each finished trial, as they end.
            redact: Takes secrets out of what is printed.
        """
        self._total = total
        self._shown = shown
        self._verbose = verbose
        self._redact = redact
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        #: What happens inside conversations is only told to who prints it.
        self.live = verbose

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
        if isinstance(event, Noted):
            self._print(event.text)
        elif (told := _budget(event)) is not None:
            self._print(told)
        elif self._verbose and (line := _line(event)) is not None:
            self._print(line)
        if isinstance(event, TrialFinished) and self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def _print(self, line: str) -> None:
        width = _WIDE if self._bar is None else self._bar.console.width
        line = clean.line(self._redact(line)[:_MOST], width)
        if self._bar is None:
            sys.stderr.write(f"{line}\n")
        else:
            self._bar.console.print(line, markup=False, highlight=False, emoji=False, no_wrap=True)


def _line(event: Event) -> str | None:
    """Return what is printed of an event, its trial first; None: nothing."""
    match event:
        case CallCompleted():
            return f"{event.trial}: {event.model}, {event.latency:.2f} s{_tokens(event.usage)}"
        case CallFailed():
            return f"{event.trial}: {event.model}, {event.kind}: {event.message}"
        case ToolReturned():
            return f"{event.trial}: {_call(event.call)}"
        case TrialFinished():
            return _finished(event.result)
    return None


def _budget(event: Event) -> str | None:
    """Return what is printed of a budget, on any terminal and in any log."""
    if not isinstance(event, BudgetWarning | BudgetExceeded):
        return None
    of = "the run" if event.suite is None else event.suite
    spent = f"{words.money(event.spent)} of {words.money(event.budget)}"
    if isinstance(event, BudgetWarning):
        return f"budget of {of}: {spent} spent"
    needed = words.money(event.needed)
    return f"budget of {of}: {spent} spent, and the next request may cost {needed}: no further trial begins"


def _finished(result: Result) -> str:
    latency = "" if result.latency is None else f", {result.latency:.2f} s"
    return f"{result.id}: {result.outcome.value}{latency}"


def _tokens(usage: Usage) -> str:
    if usage.input is None or usage.output is None:
        return ""
    return f", {usage.input:,} + {usage.output:,} tokens"


def _call(call: ToolCall) -> str:
    given = call.error if call.error is not None else _short(call.output)
    told = "failed: " if call.error is not None else ""
    return f"{call.name}({_short(call.arguments)}) -> {told}{given}"


def _short(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
