"""What GitHub's CI, and those that do as it does, tell a job about itself, and where a job may say what it found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

#: Bytes that one step's summary may hold; with more of them nothing of it is shown.
_LARGEST = 1_048_576
_SERVER = re.compile(r"https://[a-zA-Z0-9.-]+(?::\d+)?")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def artifacts(environ: Mapping[str, str]) -> str:
    """Return the address of the artifacts of the job's run; empty outside of a job, or where it cannot be told.

    Args:
        environ: The environment; GITHUB_SERVER_URL, GITHUB_REPOSITORY and GITHUB_RUN_ID are read.
    """
    server, repository, run = (environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    told = _SERVER.fullmatch(server) and _REPOSITORY.fullmatch(repository) and run.isascii() and run.isdecimal()
    return f"{server}/{repository}/actions/runs/{run}#artifacts" if told else ""


def publish(summary: Path, environ: Mapping[str, str]) -> str:
    """Append a run's summary.md to the summary of the job's step, unless it stands there already.

    Args:
        summary: The file.
        environ: The environment; GITHUB_STEP_SUMMARY names the file to add to, and without it nothing is done.

    Returns:
        Why it could not be done, on one line; empty where it was, or where nobody asked for it.
    """
    name = environ.get("GITHUB_STEP_SUMMARY", "")
    if not name:
        return ""
    path = Path(name)
    try:
        text = summary.read_text("utf-8")
        before = path.read_text("utf-8", errors="replace") if path.exists() else ""
        if text in before:
            return ""
        added = ("\n" if before else "") + text
        if len(before.encode()) + len(added.encode()) > _LARGEST:
            return (
                "nothing was added to the step's summary: it would be larger than 1 MiB, and then none of it is shown"
            )
        with path.open("a", encoding="utf-8") as file:
            file.write(added)
    except (OSError, ValueError) as error:
        return f"the step's summary ($GITHUB_STEP_SUMMARY) cannot be written: {error}"
    return ""
