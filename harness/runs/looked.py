"""Looks that were taken before: what a run over all cases should say when the last one stopped early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import StorageError
from harness.store import latest_run
from harness.suites.suite import Suite


def looked_before(reports: Path, suites: Sequence[Suite]) -> Iterator[str]:
    """Yield a line for each suite that runs to its end now, and was looked at and stopped early by the last run.

    Args:
        reports: The folder of all runs.
        suites: Those of this run.
    """
    last = latest_run(reports)
    if last is None:
        return
    try:
        manifest = last.read_manifest()
    except StorageError:
        # Whoever asks for that run hears of it.
        return
    entries = manifest.get("suites")
    before = {one.get("hash"): one for one in entries if isinstance(one, dict)} if isinstance(entries, list) else {}
    for suite in suites:
        told = "" if suite.stop_early else _stopped(before.get(suite.hash, {}))
        if told:
            yield (
                f"{suite.name}: the last run, {last.run}, looked at this comparison and stopped after {told} cases. "
                "Verdicts of this run are over all cases, and do not allow for those looks"
            )


def _stopped(entry: Mapping[str, Any]) -> str:
    """How far a suite came that was stopped early: "64 of 100"; empty: it was not."""
    found = entry.get("stopping")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict) and one.get("reason"):
            return f"{one.get('used')} of {one.get('planned')}"
    return ""
