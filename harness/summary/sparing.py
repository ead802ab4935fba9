"""Trials that are not started because the comparisons of their suite are decided: which those are, and what it means."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import Outcome, Result
from harness.suites.suite import Case

#: Kind of the error in their results.
STOPPED = "stopped_early"


def spared(result: Result) -> bool:
    """Whether a trial was not started because all comparisons of its suite were decided."""
    return result.outcome is Outcome.SKIPPED and result.error is not None and result.error.kind == STOPPED


def always_runs(case: Case) -> bool:
    """Whether a case decides by itself, so that no comparison can spare it."""
    return case.required or case.must_pass is not None


def part_of_cases(results: Sequence[Result]) -> str:
    """Say which part of a variant's cases ran before an early stop: "64 of 100 cases"; empty: all of them."""
    if not any(spared(result) for result in results):
        return ""
    there = {result.case for result in results}
    ran = there - {result.case for result in results if spared(result)}
    return f"{len(ran)} of {len(there)} cases"
