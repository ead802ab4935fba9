"""Results of a run made into its summary, from which both the text and the exit code come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import PRECEDENCE, ExitCode
from harness.records import Failure, Outcome, Result
from harness.suites.suite import Suite
from harness.summary import failing, gates, phrases
from harness.summary.across import compare_across, facts_of
from harness.summary.changes import Rate, apart, with_changes
from harness.summary.comparing import compare_suite
from harness.summary.deciding import error_decides, failure_decides, must_pass_decides, variant_decides, worse_decides
from harness.summary.measuring import Prices, measure, own_role
from harness.summary.parts import front
from harness.summary.sparing import part_of_cases
from harness.summary.view import Comparison, GateResult, RunSpend, RunSummary, SuiteSummary, VariantSummary


def summarise(
    run: str,
    suites: Sequence[Suite],
    results: Sequence[Result],
    *,
    planned: Mapping[tuple[str, str], int],
    prices: Prices,
    interrupted: bool = False,
    unstored: str = "",
    started: str = "",
    mode: str = "",
    spend: RunSpend | None = None,
    max_age: float | None = None,
    counted: bool = False,
    compared: Mapping[str, Sequence[Comparison]] | None = None,
) -> RunSummary:
    """Sum up a run and decide it.

    Args:
        run: Its id.
        suites: The suites it was over, in the order of the report.
        results: Its results in plan order, skipped trials too.
        planned: Trials of each (suite, variant) before any selection.
        prices: The price table, for its id and its notes.
        interrupted: Whether the user or the system stopped it.
        unstored: What could not be written where it belongs; empty: everything was.
        started: When it started, ISO 8601 in UTC.
        mode: Its record mode.
        spend: What it spent; None: not known.
        max_age: Seconds after which a recording is pointed out as old; None: none is.
        counted: Whether to count the tokens by which prompts differ, which takes a third of a second, and to say what
            each kind of token costs.
        compared: Comparisons that were made already, by suite: these are shown, and decide; None: they are made here.
    """
    arms: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        arms.setdefault((result.suite, result.variant), []).append(result)
    found = tuple(
        _Concluding(
            suite,
            {name: arms[suite.name, name] for name in suite.by_name if (suite.name, name) in arms},
            None if compared is None else compared.get(suite.name, ()),
        ).suite(planned=planned, prices=prices, started=started, max_age=max_age, counted=counted)
        for suite in suites
        if any((suite.name, name) in arms for name in suite.by_name)
    )
    reasons = _reasons(found, results, interrupted=interrupted, unstored=unstored)
    code = next(code for code in PRECEDENCE if code in reasons or code is ExitCode.PASSED)
    return RunSummary(
        run=run,
        suites=found,
        exit_code=code,
        reasons=tuple(reason for one in PRECEDENCE for reason in reasons.get(one, ())),
        started=started,
        mode=mode,
        prices=prices.id,
        spend=spend,
    )


@dataclass(frozen=True, slots=True)
class _Concluding:
    """A suite and the trials of each of its variants that has any."""

    source: Suite
    arms: Mapping[str, Sequence[Result]]
    #: None: not made yet.
    compared: Sequence[Comparison] | None

    def suite(
        self,
        *,
        planned: Mapping[tuple[str, str], int],
        prices: Prices,
        started: str,
        max_age: float | None,
        counted: bool,
    ) -> SuiteSummary:
        source = self.source
        whole_size = len(source.cases) * source.repeats
        variants = {
            name: measure(
                source,
                name,
                results,
                planned=planned.get((source.name, name), whole_size),
                prices=prices,
                started=started,
                max_age=max_age,
                counted=counted,
            )
            for name, results in self.arms.items()
        }
        rate = prices.input_rate if counted else None
        comparisons = {found.candidate: found for found in self._comparisons(rate)}
        # Gates ask about the suite's own baseline, whatever is shown.
        shown = tuple(self._shown(comparisons, rate))
        failures, errors = self._deciding(variants)
        return SuiteSummary(
            name=source.name,
            shown=source.shown,
            variants=tuple(variants.values()),
            comparisons=shown,
            gates=tuple(self._gates(variants, comparisons)),
            deciding_failures=tuple(failures),
            deciding_errors=tuple(errors),
            deciding_verdicts=tuple(one.headline for one in shown if worse_decides(source, one)),
            failures=failing.failures(self.arms),
            front=front(variants.values()),
        )

    def _comparisons(self, rate: Rate | None) -> Iterator[Comparison]:
        """Compare the suite's own variants with its baseline."""
        others = self.source.against.others if self.source.against is not None else ()
        own = {name: found for name, found in self.arms.items() if name not in others}
        for found in compare_suite(self.source, own):
            yield self._told(found, rate)

    def _shown(self, own: Mapping[str, Comparison], rate: Rate | None) -> Iterator[Comparison]:
        """The comparisons that are shown: those that were made already, with counterparts from elsewhere, or its own."""
        if self.compared is not None:
            yield from (self._told(one, rate) for one in self.compared)
        elif self.source.against is not None:
            yield from compare_across(self.source, self.arms, rate=rate)
        else:
            yield from own.values()

    def _told(self, found: Comparison, rate: Rate | None) -> Comparison:
        facts = (facts_of(self.source, name, self.arms) for name in (found.baseline, found.candidate))
        return with_changes(found, *facts, rate=rate, more=apart(self.source.against))

    def _gates(
        self, variants: Mapping[str, VariantSummary], comparisons: Mapping[str, Comparison]
    ) -> Iterator[GateResult]:
        source = self.source
        baseline_partial = self._baseline_partial(variants)
        for name, variant in variants.items():
            partial = _partial(variant)
            if source.against is not None and (name in source.against.others or not source.against.gates):
                continue
            subject = gates.Subject(
                suite=source,
                variant=name,
                results=self.arms[name],
                partial=partial,
                part=part_of_cases(self.arms[name]),
            )
            if not variant_decides(source, name):
                # Errors of every variant count, so their gate does too.
                yield from gates.error_rate_alone(subject)
                continue
            yield from gates.evaluate(subject)
            if own_role(source, name) == "candidate" and source.baseline is not None:
                yield from gates.against_baseline(subject, comparisons.get(name), baseline_partial=baseline_partial)
            if not partial:
                deciding = [
                    case
                    for case in source.cases
                    if must_pass_decides(source, name, case, baseline_whole=not baseline_partial)
                ]
                yield from gates.must_pass(subject, deciding)

    def _deciding(self, variants: Mapping[str, VariantSummary]) -> tuple[list[str], list[str]]:
        """Ids of the failures and of the errors that decide by themselves, in plan order of each variant."""
        cases = self.source.case_by_id
        baseline_whole = not self._baseline_partial(variants)
        failures: list[str] = []
        errors: list[str] = []
        for name, results in self.arms.items():
            whole = variants[name].complete
            for result in results:
                case = cases.get(result.case)
                if result.outcome is Outcome.ERROR:
                    if error_decides(self.source, name, case, whole=whole):
                        errors.append(result.id)
                elif result.outcome is Outcome.FAILED and failure_decides(
                    self.source, name, case, whole=whole, baseline_whole=baseline_whole
                ):
                    failures.append(result.id)
        return failures, errors

    def _baseline_partial(self, variants: Mapping[str, VariantSummary]) -> str:
        baseline = self.source.baseline
        if baseline is None:
            return ""
        if baseline not in variants:
            return f"{baseline} is not selected"
        partial = _partial(variants[baseline])
        return f"{baseline}: {partial}" if partial else ""


#: What ends a run before all its trials were started, and the exit code that it asks for; other ends are told elsewhere.
_ENDED = {"quota": ExitCode.ERRORS, "timeout": ExitCode.ERRORS}


def _partial(variant: VariantSummary) -> str:
    done = variant.graded + variant.errors
    return "" if variant.complete else f"{done} of {variant.planned}"


def _reasons(
    suites: Sequence[SuiteSummary], results: Sequence[Result], *, interrupted: bool, unstored: str
) -> dict[ExitCode, list[str]]:
    """Why a run does not pass, by the exit code that each reason asks for."""
    reasons: dict[ExitCode, list[str]] = {}
    if unstored:
        reasons.setdefault(ExitCode.STORAGE, []).append(unstored)
    if interrupted:
        left = sum(result.outcome is Outcome.SKIPPED for result in results)
        told = f"interrupted: {phrases.count(left, 'trial')} not finished" if left else "interrupted"
        reasons.setdefault(ExitCode.INTERRUPTED, []).append(told)
    else:
        _add_not_started(reasons, results)
    if not interrupted and not suites:
        reasons.setdefault(ExitCode.NOTHING, []).append("no trial was run")
    reasons.update(_over_budget(results))
    for suite in suites:
        if suite.deciding_errors:
            told = f"{suite.name}: {phrases.count(len(suite.deciding_errors), 'trial')} ended in error"
            reasons.setdefault(ExitCode.ERRORS, []).append(told)
        failed = [f"{suite.name}: gate failed: {gate.text}" for gate in suite.gates if gate.passed is False]
        if suite.deciding_failures:
            failed.append(f"{suite.name}: {phrases.count(len(suite.deciding_failures), 'trial')} failed")
        failed += [f"{suite.name}: {verdict}" for verdict in suite.deciding_verdicts]
        failed += _differing(suite)
        if failed:
            reasons.setdefault(ExitCode.FAILED, []).extend(failed)
    return reasons


def _add_not_started(reasons: dict[ExitCode, list[str]], results: Sequence[Result]) -> None:
    """Add why trials were not started, where the run itself came to an end before them."""
    left: dict[tuple[str, str], int] = {}
    for result in results:
        if result.outcome is Outcome.SKIPPED and result.error is not None and result.error.kind in _ENDED:
            key = (result.error.kind, result.error.message)
            left[key] = left.get(key, 0) + 1
    for (kind, message), count in left.items():
        told = f"{phrases.count(count, 'trial')} not started: {message}"
        reasons.setdefault(_ENDED[kind], []).append(told)


def _over_budget(results: Sequence[Result]) -> dict[ExitCode, list[str]]:
    """Say which budgets were not enough: each with the trials that it left out, and the first reason given."""
    left: dict[str, list[Failure]] = {}
    for result in results:
        if result.outcome is Outcome.SKIPPED and result.error is not None and result.error.kind == "budget":
            left.setdefault(result.suite, []).append(result.error)
    told = [
        f"{suite}: {phrases.count(len(found), 'trial')} skipped: {found[0].message}" for suite, found in left.items()
    ]
    return {ExitCode.BUDGET: told} if told else {}


def _differing(suite: SuiteSummary) -> list[str]:
    """Why a run in mode `verify` does not pass: trials that are not as they were recorded."""
    differ = [trial for variant in suite.variants for trial, _ in variant.differing]
    if not differ:
        return []
    verified = sum(variant.verified for variant in suite.variants)
    named = phrases.names(differ)
    return [f"{suite.name}: verified {phrases.count(verified, 'trial')}: {phrases.differ(len(differ))}: {named}"]
