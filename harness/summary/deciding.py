"""What decides a run: gates, required cases and, where no gate on correctness stands, every trial of the candidates.

The baseline and `report_only` variants never decide, unless `gate_baseline` is set. Errors decide everywhere, unless an
`error_rate` gate replaces that rule. A gate that a selection leaves only part of is not evaluated, and then failing
trials decide by themselves. The functions here say so of one trial, so that pytest can while others still run.

Where variants from elsewhere stand beside a suite's own (`harness compare main`), a verdict `worse` on one of its own
that is not `report_only` decides, and so do gates, required cases and errors of its own variants; what merely fails in
both does not.
"""

from __future__ import annotations

from collections.abc import Container

from harness.records import Outcome, Result
from harness.suites.gates import TagGates
from harness.suites.suite import Case, Suite
from harness.summary.measuring import own_role, role
from harness.summary.remarks import differences_of
from harness.summary.view import Comparison


def fails_alone(suite: Suite, result: Result, *, whole: Container[tuple[str, str]]) -> bool:
    """Whether a trial makes the run fail by itself; `whole` as in `missed`."""
    wrong = result.outcome in (Outcome.FAILED, Outcome.ERROR) or bool(differences_of(result))
    return wrong and not missed(suite, result, whole=whole)


def missed(suite: Suite, result: Result, *, whole: Container[tuple[str, str]]) -> bool:
    """Whether a trial that failed or ended in error does not make the run fail by itself.

    One that differs from its recording does, in every variant, where that was looked for.

    Args:
        suite: The trial's suite.
        result: The trial.
        whole: The (suite, variant) of which every trial is selected.
    """
    if differences_of(result):
        return False
    case = suite.case_by_id.get(result.case)
    own_whole = (suite.name, result.variant) in whole
    if result.outcome is Outcome.ERROR:
        return not error_decides(suite, result.variant, case, whole=own_whole)
    baseline_whole = suite.baseline is None or (suite.name, suite.baseline) in whole
    return not failure_decides(suite, result.variant, case, whole=own_whole, baseline_whole=baseline_whole)


def variant_decides(suite: Suite, variant: str) -> bool:
    """Whether gates and failing trials of a variant count."""
    if suite.against is not None and (variant in suite.against.others or not suite.against.gates):
        return False
    found = own_role(suite, variant)
    return found == "candidate" or (found == "baseline" and suite.gate_baseline)


def failure_decides(suite: Suite, variant: str, case: Case | None, *, whole: bool, baseline_whole: bool) -> bool:
    """Whether a failing trial makes the run fail by itself.

    `whole` and `baseline_whole` say of its variant and of the baseline whether every trial is selected.
    """
    if not variant_decides(suite, variant):
        return False
    if suite.against is not None:
        # What failed elsewhere as well says nothing of a change: the verdict is about that, and gates.
        return case is not None and case.required and case.must_pass is None
    if not whole:
        return True
    if case is not None and case.must_pass is not None:
        # Its repeats decide together (or the gates, where it is not required): never one by one.
        return False
    if case is not None and case.required:
        return True
    return not gated_on_correctness(suite, variant, baseline_whole=baseline_whole)


def worse_decides(suite: Suite, comparison: Comparison) -> bool:
    """Whether a verdict makes a comparison fail by itself."""
    if suite.against is None or comparison.candidate not in suite.by_name:
        return False
    found = comparison.verdict is not None and comparison.verdict.kind == "worse"
    return found and role(suite, comparison.candidate) == "candidate"


def error_decides(suite: Suite, variant: str, case: Case | None, *, whole: bool) -> bool:
    """Whether a trial that ended in error makes the run end so: required cases always, others without `error_rate`."""
    if suite.against is not None and (variant in suite.against.others or not suite.against.gates):
        return False
    if suite.gates.error_rate is None or not whole:
        return True
    return case is not None and case.required and variant_decides(suite, variant)


def must_pass_decides(suite: Suite, variant: str, case: Case, *, baseline_whole: bool) -> bool:
    """Whether `must_pass` of a case of a whole variant decides: of required cases, and without gates on correctness."""
    if case.must_pass is None or not variant_decides(suite, variant):
        return False
    if suite.against is not None:
        return case.required
    return case.required or not gated_on_correctness(suite, variant, baseline_whole=baseline_whole)


def gated_on_correctness(suite: Suite, variant: str, *, baseline_whole: bool) -> bool:
    """Whether a gate on correctness stands for a whole variant."""
    gates = suite.gates
    if _correctness(gates) or any(_correctness(tagged) for tagged in gates.tags.values()):
        return True
    if own_role(suite, variant) == "baseline" or suite.baseline is None or not baseline_whole:
        return False
    return gates.not_worse_than_baseline or gates.better_than_baseline


def _correctness(gates: TagGates) -> bool:
    return gates.accuracy is not None or gates.accuracy_ci is not None or bool(gates.pass_k)
