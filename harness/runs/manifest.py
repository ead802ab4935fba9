"""What run.json holds: everything needed to know what a run was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from harness import __version__
from harness.records import JSON, Outcome, Result
from harness.runs.budgets import plain_spend
from harness.runs.outline import outlined
from harness.settings import Settings
from harness.suites.suite import Suite
from harness.summary import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a run was made with."""

    versions: Mapping[str, str]
    #: Commit and dirty flag; None outside a repository.
    git: Mapping[str, JSON] | None

    def facts(self) -> dict[str, str]:
        """Return what the page says of it."""
        facts: dict[str, str] = dict(self.versions)
        if self.git:
            facts["commit"] = f"{str(self.git['commit'])[:12]}{' with changes' if self.git['dirty'] else ''}"
        return facts


def origin(root: Path) -> Origin:
    """Look up versions and the commit of the project at `root`."""
    return Origin(versions=_versions(), git=_commit(root))


def manifest(
    summary: RunSummary,
    results: Sequence[Result],
    *,
    suites: Sequence[Suite],
    settings: Settings,
    argv: Sequence[str],
    made: Origin,
) -> dict[str, JSON]:
    """Return the manifest of a run that ends now; amounts are US dollars as text."""
    costs = [result.cost for result in results if result.cost is not None]
    by_name = {suite.name: suite for suite in summary.suites}
    return {
        "run": summary.run,
        "argv": list(argv),
        "versions": dict(made.versions),
        "git": None if made.git is None else dict(made.git),
        "suites": [outlined(suite, by_name.get(suite.name)) for suite in suites],
        "settings": settings.shown(),
        "prices": summary.prices,
        "started": summary.started,
        "ended": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "outcomes": {outcome.value: sum(result.outcome is outcome for result in results) for outcome in Outcome},
        "cost": format(sum(costs, Decimal(0)), "f") if costs else None,
        "spend": plain_spend(summary.spend),
        "gates": [gate.text for suite in summary.suites for gate in suite.gates],
        "comparisons": [one.text for suite in summary.suites for one in suite.comparisons],
        "reasons": list(summary.reasons),
        "exit_code": int(summary.exit_code),
    }


def _versions() -> dict[str, str]:
    return {"harness": __version__, "python": sys.version.split()[0], "openai": version("openai")}


def _commit(root: Path) -> dict[str, JSON] | None:
    """Return the commit of the project and whether the tree differs from it; None outside a repository."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True, timeout=5
        )
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}
