"""The entries as a table in Markdown."""

from __future__ import annotations

from tests.faults.entries import Ends, Fault
from tests.faults.rows import ROWS


def table() -> str:
    """Return the table of `docs/faults.md`."""
    lines = ["| | fault | the harness | the bare SDK |", "| --- | --- | --- | --- |"]
    lines += [f"| {one.id} | {one.what} | {_harness(one)} | {_bare(one)} |" for one in ROWS]
    return "\n".join(lines)


def _harness(fault: Fault) -> str:
    ends = fault.harness
    if fault.held_by and not ends.outcome:
        return ends.words
    parts = [_outcome(ends), "" if fault.held_by else _times(ends)]
    if ends.outcome == "error" and not fault.held_by:
        parts.append("kept" if ends.kept else "tried again by the next run")
    if ends.exit not in (None, 3 if ends.outcome == "error" else 0):
        parts.append(f"exit code {ends.exit}")
    said = ", ".join(part for part in parts if part)
    return f"{said}; {ends.words}" if ends.words else said


def _outcome(ends: Ends) -> str:
    if ends.kind is None:
        return {"passed": "the answer counts", "failed": "the answer counts, and fails"}.get(ends.outcome, ends.outcome)
    return f"{ends.outcome} `{ends.kind}`"


def _times(ends: Ends) -> str:
    if ends.requests is None:
        return _attempts(ends.attempts)
    fewest, most = ends.requests
    return f"{most} requests" if fewest == most else f"at most {most} requests"


def _attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


def _bare(fault: Fault) -> str:
    bare = fault.bare
    if bare is None:
        return ""
    # A run takes several requests, whatever happens.
    times = f"{bare.attempts} requests" if fault.api == "threads" else _attempts(bare.attempts)
    ends = f"raises `{bare.raises}`" if bare.raises is not None else f"returns {bare.returns}"
    return f"{times}, {ends}"
