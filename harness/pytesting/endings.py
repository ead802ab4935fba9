"""What is reported like a test once all trials are in: each variant's gates, and the verdict if nothing else fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from harness.errors import ExitCode
from harness.pytesting.failures import shown
from harness.summary import GateResult, RunSummary, SuiteSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One report made up at the end of a run."""

    nodeid: str
    path: str
    name: str
    passed: bool
    #: What to print when it did not pass, and its one-line form.
    text: str = ""
    message: str = ""

    @classmethod
    def of_run(cls, name: str, text: str) -> Ending:
        """Return a failure of the run as a whole."""
        return cls(nodeid=f"harness::{name}", path="harness", name=name, passed=False, text=text, message=text)

    def report(self, config: pytest.Config) -> pytest.TestReport:
        """Return it as pytest's own."""
        text = None if self.passed else shown(self.text, config, message=self.message, path=self.path, line=1)
        return pytest.TestReport(
            nodeid=self.nodeid,
            location=(self.path, None, self.name),
            keywords={},
            outcome="passed" if self.passed else "failed",
            longrepr=text,
            when="call",
        )


def endings(summary: RunSummary, nodeids: Mapping[str, str], *, already_failed: bool) -> Iterator[Ending]:
    """Yield the reports that a run ends with.

    Gates that were not evaluated, since a selection left something out, have none: skipped would make --lf forget
    that they failed.

    Args:
        summary: The run.
        nodeids: Ids of the suites' files in pytest, by the suites' names.
        already_failed: Whether a trial was reported as failed.
    """
    failed = already_failed
    for suite in summary.suites:
        for ending in _gates(suite, nodeids[suite.name]):
            failed = failed or not ending.passed
            yield ending
    if not failed and summary.exit_code not in (ExitCode.PASSED, ExitCode.NOTHING):
        # The verdict is that of `harness run`, whatever the reports of single trials came to.
        yield Ending.of_run("verdict", "\n".join(summary.reasons) or "the run did not pass")


def _gates(suite: SuiteSummary, nodeid: str) -> Iterator[Ending]:
    variants: dict[str, list[GateResult]] = {}
    for gate in suite.gates:
        if gate.passed is not None:
            variants.setdefault(gate.variant, []).append(gate)
    for variant, gates in variants.items():
        broken = [gate.text for gate in gates if not gate.passed]
        name = f"gates[{variant}]"
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        yield Ending(
            nodeid=f"{nodeid}::{name}",
            path=nodeid,
            name=name,
            passed=not broken,
            text="\n".join(gate.text for gate in gates),
            message=broken[0] + more if broken else "",
        )
