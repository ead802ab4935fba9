"""How a trial that did not pass is shown by pytest: no traceback, but what was expected, what came, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from harness.plan import Trial
from harness.records import Outcome, Result
from harness.summary import differences_of


class Writer(Protocol):
    """The part of pytest's terminal writer that is used here."""

    def line(self, s: str = "") -> None: ...


class FailedTrialError(Exception):
    """Carries the result of a trial that did not pass out of pytest's call of the item."""

    def __init__(self, trial: Trial, result: Result, *, missed: bool) -> None:
        super().__init__(result.id)
        self.trial = trial
        self.result = result
        #: It does not decide by itself.
        self.missed = missed


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest's short summary, `--tb=line` and JUnit read: one line, and its place."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A failure as pytest's `longrepr`."""

    text: str
    reprcrash: Crash
    #: For --tb=line pytest prints the crash by itself.
    brief: bool = False

    def toterminal(self, tw: Writer) -> None:
        for line in () if self.brief else self.text.splitlines():
            tw.line(line)

    def __str__(self) -> str:
        return self.text


def shown(text: str, config: pytest.Config, *, message: str, path: str, line: int) -> Any:
    """Return a failure whose `text` is printed whole and whose `message` stands in summaries, on one line."""
    brief = config.getoption("tbstyle", "auto") == "line"
    return Shown(text, Crash(path, line, first_line(message)), brief)


def describe(trial: Trial, result: Result, *, like: str | None = None) -> str:
    """Return everything about a trial that did not pass: place, transcript, each failing check.

    Args:
        trial: The trial.
        result: What came of it.
        like: An earlier trial that ended in the very same error, which is not told twice.
    """
    from harness.reports import clean
    from harness.reports.text import render_trial

    if like is not None:
        return f"{trial.case.where}\n{result.id}: the same error as {like}"
    differs = "".join(f"\ndiffers from its recording: {clean.line(one)}" for one in differences_of(result))
    return f"{trial.case.where}\n{render_trial(result)}{differs}"


def reason(result: Result) -> str:
    """Return on one line why a trial did not pass."""
    if result.error is not None:
        return first_line(f"{result.error.kind}: {result.error.message}")
    if result.outcome is Outcome.SKIPPED:
        return "not started"
    failing = [check for check in result.checks if not check.soft and check.passed is not True]
    if not failing and (differs := differences_of(result)):
        more = f" (and {len(differs) - 1} more)" if len(differs) > 1 else ""
        return first_line(f"differs from its recording: {differs[0]}") + more
    for check in failing:
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        return first_line(f"{check.name}: {check.reason}") + more
    return f"score {result.score}"


def first_line(text: str) -> str:
    """Return the first line of a text that has something in it."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
