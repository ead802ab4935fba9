"""The one command that is worth typing after a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from harness.errors import ExitCode
from harness.summary import Comparison, RunSummary, SuiteSummary


def advice(comparison: Comparison) -> str:
    """The most useful sentence of a comparison's advice: the first with a command, or the first; empty without any."""
    return next((text for text in comparison.advice if "`harness " in text), next(iter(comparison.advice), ""))


def next_command(summary: RunSummary, messages: Iterable[str] = ()) -> str:
    """What to do next, as one short sentence with a command in it; empty where the text above says it already.

    Args:
        summary: The run.
        messages: What the reader was told of errors; those of recordings that are missing end with a command.
    """
    told = [*messages, *(advice(one) for suite in summary.suites for one in suite.comparisons)]
    if any("harness " in text for text in told) or not summary.suites:
        return ""
    if summary.exit_code in (ExitCode.INTERRUPTED, ExitCode.BUDGET, ExitCode.STORAGE):
        return ""
    if any(remark for suite in summary.suites for remark in _stale(suite)):
        return "`harness record --only-stale` makes the recordings anew that no longer match."
    if summary.exit_code in (ExitCode.FAILED, ExitCode.ERRORS):
        return "`harness report --open` shows every trial that did not pass."
    open_one = next((suite for suite in summary.suites if _undecided(suite)), None)
    if open_one is not None:
        margin = next(one.margin for one in open_one.comparisons)
        return f"`harness plan {shlex.quote(open_one.shown)} --effect {margin:g}` says what it takes to tell."
    if any(one.verdict is not None for suite in summary.suites for one in suite.comparisons):
        return "`harness report --open` shows the cases behind the verdict."
    return ""


def _stale(suite: SuiteSummary) -> Iterable[str]:
    return (one for variant in suite.variants for one in variant.remarks if "did not make every recorded call" in one)


def _undecided(suite: SuiteSummary) -> bool:
    return any(one.verdict is not None and one.verdict.kind == "not_enough_data" for one in suite.comparisons)
