"""What a run comes to: gates, required cases, what decides, and the exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.costs import PriceTable
from harness.errors import ExitCode, SourceLocation
from harness.records import CassetteRef, Failure, Outcome, Result, Usage
from harness.settings import Price
from harness.suites.gates import Gates
from harness.suites.suite import Case, Suite, TurnSpec, Variant
from harness.summary import GateResult, RunSummary, SuiteSummary, summarise
from harness.summary import missed as missed_of

HERE = SourceLocation("suites/faq.yaml", 3, 1)
LETTERS = {"p": Outcome.PASSED, "f": Outcome.FAILED, "e": Outcome.ERROR, "s": Outcome.SKIPPED}


def suite(
    cases: int | Sequence[Case] = 10,
    *,
    variants: Sequence[str] = ("v1", "v2"),
    report_only: Sequence[str] = (),
    gates: Mapping[str, Any] | None = None,
    **more: Any,
) -> Suite:
    """A suite of cases c0, c1, ...; the first variant is the baseline."""
    made = [case(f"c{n}") for n in range(cases)] if isinstance(cases, int) else list(cases)
    return Suite(
        name="faq",
        path=Path("suites/faq.yaml"),
        shown="suites/faq.yaml",
        variants=tuple(Variant(name=name, report_only=name in report_only, where=HERE) for name in variants),
        baseline=variants[0] if len(variants) > 1 else None,
        cases=tuple(made),
        gates=Gates.model_validate(gates or {}),
        **more,
    )


def case(name: str, **more: Any) -> Case:
    return Case(id=name, turns=(TurnSpec(inputs=("Hi",)),), where=HERE, **more)


def results(of: Suite, **outcomes: str) -> list[Result]:
    """Results from letters: a letter per trial, case by case and repeat by repeat; a dot leaves the trial out."""
    found = []
    for variant, letters in outcomes.items():
        trials = [(one, repeat) for one in of.cases for repeat in range(1, of.repeats + 1)]
        letters = letters.replace(" ", "")
        assert len(letters) == len(trials)
        for (one, repeat), letter in zip(trials, letters, strict=True):
            if letter != ".":
                found.append(trial(one, variant, letter, repeat=repeat))
    return found


def trial(of: Case, variant: str, letter: str, *, repeat: int = 1, **more: Any) -> Result:
    outcome = LETTERS[letter]
    return Result(
        run="r",
        suite="faq",
        case=of.id,
        variant=variant,
        repeat=repeat,
        tags=of.tags,
        outcome=outcome,
        score={"p": 1.0, "f": 0.0}.get(letter),
        error=Failure(kind="timeout", message="too slow") if letter == "e" else None,
        input="Hi",
        attempts=1,
        **more,
    )


def sum_up(of: Suite, found: Sequence[Result], *, interrupted: bool = False) -> RunSummary:
    planned = {(of.name, variant.name): len(of.cases) * of.repeats for variant in of.variants}
    return summarise("r", [of], found, planned=planned, interrupted=interrupted, prices=PriceTable())


def only(summary: RunSummary) -> SuiteSummary:
    assert len(summary.suites) == 1
    return summary.suites[0]


def gate(summary: RunSummary, metric: str, variant: str = "v2") -> GateResult:
    return next(one for one in only(summary).gates if (one.metric, one.variant) == (metric, variant))


# What decides without gates.


def test_without_gates_every_trial_of_the_candidates_decides() -> None:
    of = suite(4)
    found = sum_up(of, results(of, v1="pppp", v2="pfpp"))
    assert found.exit_code == ExitCode.FAILED
    assert only(found).deciding_failures == ("faq/c1/v2/1",)
    assert found.reasons == ("faq: 1 trial failed",)


def test_baseline_and_report_only_never_decide() -> None:
    of = suite(3, variants=("v1", "v2", "nano"), report_only=("nano",))
    found = sum_up(of, results(of, v1="fff", v2="ppp", nano="fff"))
    assert (found.exit_code, found.reasons, found.passed) == (ExitCode.PASSED, (), True)
    assert [variant.role for variant in only(found).variants] == ["baseline", "candidate", "report_only"]


def test_gate_baseline_lets_the_baseline_decide_too() -> None:
    of = suite(3, gate_baseline=True)
    assert sum_up(of, results(of, v1="pfp", v2="ppp")).exit_code == ExitCode.FAILED
    gated = suite(3, gate_baseline=True, gates={"accuracy": 0.9, "not_worse_than_baseline": True})
    found = sum_up(gated, results(gated, v1="pff", v2="ppp"))
    assert {(one.variant, one.metric) for one in only(found).gates} == {
        ("v1", "accuracy"), ("v2", "accuracy"), ("v2", "not_worse_than_baseline"),
    }  # fmt: skip
    assert gate(found, "accuracy", "v1").passed is False


def test_the_only_variant_is_the_candidate() -> None:
    of = suite(2, variants=("v1",), report_only=("v1",))
    assert sum_up(of, results(of, v1="pf")).exit_code == ExitCode.FAILED


def test_errors_decide_everywhere() -> None:
    of = suite(3, variants=("v1", "v2", "nano"), report_only=("nano",))
    for troubled in ({"v1": "epp"}, {"nano": "epp"}, {"v2": "epp"}):
        found = sum_up(of, results(of, **{"v1": "ppp", "v2": "ppp", "nano": "ppp", **troubled}))
        assert found.exit_code == ExitCode.ERRORS
        assert found.reasons == ("faq: 1 trial ended in error",)


# Precedence.


def test_errors_come_before_failures_and_interrupts_before_errors() -> None:
    of = suite(4)
    mixed = results(of, v1="pppp", v2="pfep")
    assert sum_up(of, mixed).exit_code == ExitCode.ERRORS
    stopped = sum_up(of, results(of, v1="pppp", v2="pfes"), interrupted=True)
    assert stopped.exit_code == ExitCode.INTERRUPTED
    assert stopped.reasons == (
        "interrupted: 1 trial not finished",
        "faq: 1 trial ended in error",
        "faq: 1 trial failed",
    )


def test_nothing_run_is_5() -> None:
    of = suite(2)
    found = sum_up(of, [])
    assert (found.exit_code, found.suites, found.reasons) == (ExitCode.NOTHING, (), ("no trial was run",))


# Gates.


def test_a_gate_on_correctness_takes_over_from_single_trials() -> None:
    of = suite(10, gates={"accuracy": 0.9})
    good = sum_up(of, results(of, v1="f" * 10, v2="p" * 9 + "f"))
    assert good.exit_code == ExitCode.PASSED
    assert only(good).deciding_failures == ()
    assert gate(good, "accuracy").text == "v2: accuracy 90.0% (at least 90.0%)"
    bad = sum_up(of, results(of, v1="f" * 10, v2="p" * 8 + "ff"))
    assert bad.exit_code == ExitCode.FAILED
    assert bad.reasons == ("faq: gate failed: v2: accuracy 80.0% (at least 90.0%)",)


def test_a_gate_is_told_with_the_digits_that_decide_it() -> None:
    gates = {"accuracy": 0.9995, "error_rate": 0.0005, "tokens_per_trial": 2_000_000}
    found = sum_up(of := suite(2500, variants=("v2",), gates=gates), results(of, v2="p" * 2498 + "fe"))
    assert gate(found, "accuracy").passed is True and gate(found, "error_rate").passed is True
    assert gate(found, "accuracy").text.startswith("v2: accuracy 99.96% (at least 99.95%)")
    assert gate(found, "error_rate").text == "v2: error_rate 0.0%, 1 of 2500 (at most 0.05%)"
    assert gate(found, "tokens_per_trial").target == "at most 2,000,000"
    short = sum_up(of := suite(2500, variants=("v2",), gates={"accuracy": 0.9}), results(of, v2="p" * 2249 + "f" * 251))
    assert gate(short, "accuracy").text == "v2: accuracy 89.96% (at least 90.0%)" and not gate(short, "accuracy").passed


def test_accuracy_ci_asks_it_of_the_intervals_lower_end() -> None:
    of = suite(20, variants=("v2",), gates={"accuracy": 0.95, "accuracy_ci": 0.9})
    found = sum_up(of, results(of, v2="p" * 20))
    assert gate(found, "accuracy").passed is True
    assert gate(found, "accuracy_ci").passed is False
    assert gate(found, "accuracy_ci").value == "83.9%, lower end of 100.0%"


def test_a_gate_on_speed_alone_excuses_no_wrong_answer() -> None:
    of = suite(3, gates={"latency_p95": 4})
    found = sum_up(
        of, [trial(one, v, "f" if one.id == "c1" else "p", latency=1.0) for one in of.cases for v in ("v1", "v2")]
    )
    assert gate(found, "latency_p95").passed is True
    assert found.exit_code == ExitCode.FAILED
    assert only(found).deciding_failures == ("faq/c1/v2/1",)


@pytest.mark.parametrize(
    ("metric", "limit", "value", "passed"),
    [
        ("latency_p50", 2.5, "2.50s", True),
        ("latency_p95", 3.0, "3.85s", False),
        ("ttft_p50", 0.25, "250ms", True),
        ("ttft_p95", 0.3, "385ms", False),
        ("cost", Decimal("0.01"), "$0.0100", True),
        ("cost_per_trial", Decimal("0.002"), "$0.00250", False),
        ("tokens_per_trial", 30, "30.0", True),
    ],
)
def test_gates_on_times_and_money(metric: str, limit: Any, value: str, passed: bool) -> None:
    of = suite(4, variants=("v2",), gates={metric: limit})
    found = sum_up(
        of,
        [
            trial(
                one, "v2", "p",
                latency=float(n), ttft=n / 10, cost=Decimal(n) / 1000, usage=Usage(input=10 * n, output=2 * n),
            )
            for n, one in enumerate(of.cases, 1)
        ],
    )  # fmt: skip
    assert (gate(found, metric).value, gate(found, metric).passed) == (value, passed)
    assert found.exit_code == (ExitCode.PASSED if passed else ExitCode.FAILED)


def test_what_cannot_be_measured_has_not_passed_and_says_why() -> None:
    gates = {"latency_p95": 4, "ttft_p50": 1, "cost_per_trial": Decimal(1), "tokens_per_trial": 9, "pass^3": 0.5}
    of = suite(2, variants=("v2",), gates=gates)
    found = sum_up(of, results(of, v2="pp"))
    texts = {one.metric: one.text for one in only(found).gates}
    assert not any(one.passed for one in only(found).gates)
    assert texts["latency_p95"] == "v2: latency_p95 not measured (at most 4.00s): no trial has a latency"
    assert texts["ttft_p50"].endswith(": no trial has a time to first token")
    assert texts["cost_per_trial"].endswith(": 2 trials unpriced")
    assert texts["pass^3"].endswith(": no case has 3 graded repeats")


def test_a_part_that_was_not_measured_is_counted_aloud() -> None:
    of = suite(3, variants=("v2",), gates={"ttft_p50": 1})
    found = sum_up(of, [trial(one, "v2", "p", ttft=None if one.id == "c0" else 0.5) for one in of.cases])
    assert gate(found, "ttft_p50").text.endswith(": left out: 1 trial without a time to first token")


def test_pass_hat_k_is_unbiased_and_averaged_over_cases() -> None:
    of = suite(2, variants=("v2",), repeats=4, gates={"pass^2": 0.5})
    found = sum_up(of, results(of, v2="pppp ppff"))
    assert gate(found, "pass^2").value == "58.3%"  # (1 + 1/6) / 2
    assert found.exit_code == ExitCode.PASSED


def test_pass_hat_k_counts_cases_that_errors_left_too_short() -> None:
    of = suite(2, variants=("v2",), repeats=3, gates={"pass^3": 0.9, "error_rate": 0.5})
    found = sum_up(of, results(of, v2="ppp ppe"))
    assert gate(found, "pass^3").value == "100.0%"
    assert gate(found, "pass^3").text.endswith(": left out: 1 case of fewer than 3 graded repeats")


def test_a_gate_on_a_tag_is_about_its_cases() -> None:
    of = suite(
        [case("a", tags=("safety",)), case("b", tags=("safety",)), case("c")],
        variants=("v2",),
        gates={"tags": {"safety": {"accuracy": 1.0}, "absent": {"accuracy": 0.5}}},
    )
    found = sum_up(of, results(of, v2="ppf"))
    assert gate(found, "safety: accuracy").passed is True
    assert gate(found, "absent: accuracy").text == (
        "v2: absent: accuracy not measured (at least 50.0%): there are no such trials"
    )
    assert only(found).deciding_failures == ()
    assert gate(sum_up(of, results(of, v2="pfp")), "safety: accuracy").passed is False


# The error rate.


def test_an_error_rate_gate_replaces_the_rule_about_errors() -> None:
    of = suite(10, gates={"error_rate": 0.1})
    assert sum_up(of, results(of, v1="e" + "p" * 9, v2="e" + "p" * 9)).exit_code == ExitCode.PASSED
    found = sum_up(of, results(of, v1="p" * 10, v2="ee" + "p" * 8))
    assert found.exit_code == ExitCode.FAILED
    assert found.reasons == ("faq: gate failed: v2: error_rate 20.0%, 2 of 10 (at most 10.0%)",)


def test_an_error_rate_of_zero_is_no_weaker_than_no_gate() -> None:
    of = suite(4, gates={"error_rate": 0})
    assert sum_up(of, results(of, v1="eppp", v2="pppp")).exit_code == ExitCode.FAILED


def test_an_error_is_no_excuse_for_a_required_case() -> None:
    of = suite([case("a", required=True), *(case(f"c{n}") for n in range(9))], gates={"error_rate": 0.5})
    assert sum_up(of, results(of, v1="p" * 10, v2="e" + "p" * 9)).exit_code == ExitCode.ERRORS
    assert sum_up(of, results(of, v1="e" + "p" * 9, v2="p" * 10)).exit_code == ExitCode.PASSED


def test_errors_stay_out_of_the_accuracy_and_in_the_count() -> None:
    of = suite(4, gates={"accuracy": 1.0, "error_rate": 0.5})
    found = sum_up(of, results(of, v1="pppp", v2="ppep"))
    row = only(found).variants[1]
    assert (row.accuracy, row.graded, row.errors, row.trials) == (1.0, 3, 1, 4)


# Required cases and must_pass.


def test_a_required_case_decides_whatever_the_gates() -> None:
    of = suite([case("a", required=True), *(case(f"c{n}") for n in range(9))], gates={"accuracy": 0.5})
    found = sum_up(of, results(of, v1="p" * 10, v2="f" + "p" * 9))
    assert gate(found, "accuracy").passed is True
    assert found.exit_code == ExitCode.FAILED
    assert only(found).deciding_failures == ("faq/a/v2/1",)
    assert sum_up(of, results(of, v1="f" + "p" * 9, v2="p" * 10)).exit_code == ExitCode.PASSED


@pytest.mark.parametrize(
    ("rule", "repeats", "letters", "passed"),
    [
        (Fraction(2, 3), 3, "ppf", True),
        (Fraction(2, 3), 3, "pff", False),
        (Fraction(2, 3), 5, "pppff", False),  # a share is rounded up: 4 of 5
        (Fraction(2, 3), 5, "ppppf", True),
        (2, 5, "ppfff", True),
        (3, 1, "p", True),
    ],
)
def test_must_pass_lets_the_repeats_of_a_case_decide_together(
    rule: int | Fraction, repeats: int, letters: str, passed: bool
) -> None:
    for gates, required in (({}, False), ({}, True), ({"accuracy": 0.0}, True)):
        of = suite([case("a", must_pass=rule, required=required)], variants=("v2",), repeats=repeats, gates=gates)
        found = sum_up(of, results(of, v2=letters))
        assert gate(found, "must_pass").passed is passed
        assert gate(found, "must_pass").case == "a"
        assert found.exit_code == (ExitCode.PASSED if passed else ExitCode.FAILED)
        assert only(found).deciding_failures == ()


def test_must_pass_of_a_case_that_is_not_required_leaves_the_decision_to_the_gates() -> None:
    of = suite([case("a", must_pass=2)], variants=("v2",), repeats=2, gates={"accuracy": 0.5})
    found = sum_up(of, results(of, v2="pf"))
    assert found.exit_code == ExitCode.PASSED
    assert [one.metric for one in only(found).gates] == ["accuracy"]


def test_a_repeat_that_ended_in_error_has_not_passed() -> None:
    of = suite([case("a", must_pass=2)], variants=("v2",), repeats=2, gates={"error_rate": 1})
    found = sum_up(of, results(of, v2="pe"))
    assert gate(found, "must_pass").text == "v2: must_pass of a 1 of 2 (at least 2 of 2): 1 repeat ended in error"
    assert found.exit_code == ExitCode.FAILED


# Selections.


def test_a_partial_selection_evaluates_no_gate_and_lets_failures_decide() -> None:
    gates = {"accuracy": 0.1, "pass^1": 0.1, "error_rate": 1, "not_worse_than_baseline": True}
    of = suite([case("c0", must_pass=1), *(case(f"c{n}") for n in range(1, 120))], gates=gates)
    found = sum_up(of, results(of, v1="f" * 12 + "." * 108, v2="f" + "p" * 11 + "." * 108))
    assert {one.passed for one in only(found).gates} == {None}
    assert gate(found, "accuracy").text == "v2: accuracy not evaluated (12 of 120)"
    assert only(found).deciding_failures == ("faq/c0/v2/1",)
    assert found.exit_code == ExitCode.FAILED
    errors = sum_up(of, results(of, v1="p" * 12 + "." * 108, v2="e" + "p" * 11 + "." * 108))
    assert errors.exit_code == ExitCode.ERRORS


def test_a_gate_on_the_baseline_needs_a_whole_baseline() -> None:
    of = suite(3, gates={"not_worse_than_baseline": True})
    alone = sum_up(of, results(of, v1="...", v2="pfp"))
    assert gate(alone, "not_worse_than_baseline").text == (
        "v2: not_worse_than_baseline not evaluated (v1 is not selected)"
    )
    assert only(alone).deciding_failures == ("faq/c1/v2/1",)
    part = sum_up(of, results(of, v1="p..", v2="ppp"))
    assert gate(part, "not_worse_than_baseline").text.endswith("not evaluated (v1: 1 of 3)")
    assert part.exit_code == ExitCode.PASSED


def test_the_whole_candidate_without_its_baseline_is_gated_on_what_is_its_own() -> None:
    of = suite(10, gates={"accuracy": 0.9, "better_than_baseline": True})
    found = sum_up(of, results(of, v1="." * 10, v2="f" + "p" * 9))
    assert gate(found, "accuracy").passed is True
    assert gate(found, "better_than_baseline").passed is None
    assert found.exit_code == ExitCode.PASSED


# Against the baseline.


def test_not_worse_than_baseline_inconclusive_has_not_passed_and_says_how_many_cases_are_missing() -> None:
    of = suite(40, gates={"not_worse_than_baseline": True})
    found = sum_up(of, results(of, v1="p" * 34 + "f" * 6, v2="p" * 30 + "f" * 4 + "p" * 6))
    (comparison,) = only(found).comparisons
    assert comparison.verdict is not None and comparison.verdict.kind == "not_enough_data"
    one = gate(found, "not_worse_than_baseline")
    assert one.passed is False
    assert one.target == "by 5.0 pp (default margin)"
    assert f"needs about {comparison.verdict.needed} more cases" in one.text.replace(",", "")
    assert found.exit_code == ExitCode.FAILED


def test_not_worse_and_better_pass_when_shown() -> None:
    of = suite(100, gates={"not_worse_than_baseline": True, "better_than_baseline": True})
    found = sum_up(of, results(of, v1="p" * 70 + "f" * 30, v2="p" * 90 + "f" * 10))
    assert [one.passed for one in only(found).gates] == [True, True]
    same = sum_up(of, results(of, v1="p" * 70 + "f" * 30, v2="p" * 70 + "f" * 30))
    assert gate(same, "not_worse_than_baseline").passed is True
    assert gate(same, "better_than_baseline").passed is False


def test_shown_to_be_equivalent_is_shown_to_be_not_worse() -> None:
    of = suite(100, gates={"not_worse_than_baseline": True}, margin=0.036)
    found = sum_up(of, results(of, v1="p" * 100, v2="p" * 100))
    (comparison,) = only(found).comparisons
    assert comparison.difference is not None and comparison.verdict is not None
    assert comparison.difference.interval.low <= -0.036
    assert comparison.verdict.kind == "equivalent"
    assert gate(found, "not_worse_than_baseline").passed is True


def test_a_worse_candidate_fails_and_is_called_worse() -> None:
    of = suite(100, gates={"not_worse_than_baseline": True})
    found = sum_up(of, results(of, v1="p" * 90 + "f" * 10, v2="p" * 60 + "f" * 40))
    assert "it is worse" in gate(found, "not_worse_than_baseline").text
    assert only(found).comparisons[0].headline == "v2 is worse"


# Sentences.


def compared(v1: str, v2: str, **more: Any) -> str:
    of = suite(len(v1) // more.get("repeats", 1), **more)
    return only(sum_up(of, results(of, v1=v1, v2=v2))).comparisons[0].text


def test_better_in_one_sentence() -> None:
    v1 = "p" * 120 + "f" * 38 + "p" * 16 + "f" * 26
    v2 = "p" * 120 + "p" * 38 + "f" * 16 + "f" * 26
    assert compared(v1, v2) == "v2 is better: +11.0 pp (95% CI +3.9…+18.2), 38 fixed, 16 broken of 200."
    assert compared(v1, v2, margin=0.2, margin_given=True) == (
        "v2 is better: +11.0 pp (95% CI +3.9…+18.2), 38 fixed, 16 broken of 200, but less than the 20.0 pp you said matters."
    )


def test_not_enough_data_says_how_much_more() -> None:
    text = compared("p" * 30 + "f" * 6 + "p" * 4, "p" * 30 + "p" * 6 + "f" * 4)
    assert text.startswith("Not enough data to tell v2 from v1: +5.0 pp (95% CI -")
    assert "6 fixed, 4 broken of 40. 40 cases can only show ±" in text
    assert "±5.0 pp (default margin) needs about " in text and text.endswith(" more cases.")


def test_mid_p_stands_beside_few_discordant_cases_only() -> None:
    assert "McNemar mid-p=0.039" in compared("f" + "p" * 7 + "p" * 12, "p" + "f" * 7 + "p" * 12)
    assert "McNemar" not in compared("f" * 6 + "p" * 4 + "p" * 9, "p" * 6 + "f" * 4 + "p" * 9)
    assert "McNemar" not in compared("p" * 9, "p" * 9)


def test_equivalent_and_not_worse_name_the_margin() -> None:
    v1, v2 = "p" * 800 + "fp" * 12, "p" * 800 + "pf" * 12
    assert compared(v1, v2).startswith("v2 is equivalent to v1 within ±5.0 pp (default margin): +0.0 pp (90% CI -")
    assert ", TOST p" in compared(v1, v2)
    text = compared("p" * 500 + "f" * 43 + "p" * 27, "p" * 500 + "p" * 43 + "f" * 27, margin_given=True)
    assert text.startswith("v2 is not worse than v1 by more than 5.0 pp: +2.8 pp")
    assert "; could be +5.8 pp better." in text


def test_no_evidence_says_what_is_ruled_out() -> None:
    text = compared("p" * 370 + "f" * 22 + "p" * 33, "p" * 370 + "p" * 22 + "f" * 33)
    assert text.startswith("No evidence of a difference between v2 and v1: -2.6 pp")
    assert "The data rule out changes beyond -" in text
    assert "the suite could have seen ±5.0 pp (default margin) with 80% power." in text


def test_repeats_are_told_as_cases() -> None:
    text = compared("pfp" * 10 + "ppp" * 10, "ppp" * 10 + "ppf" * 10, repeats=3)
    assert "10 cases passed more often, 10 less often, of 20 (3 repeats)" in text


def test_errors_leave_both_arms_and_are_counted_aloud() -> None:
    of = suite(4, repeats=2)
    found = only(sum_up(of, results(of, v1="pp pe pp pp", v2="pp pp ee pp"))).comparisons[0]
    assert found.difference is not None
    assert (found.cases, found.dropped, found.difference.pairs) == (3, 3, 5)
    assert "3 pairs left out (errors); had all of them gone against v2: -25.0 pp." in found.text


def test_nothing_in_common_is_said() -> None:
    of = suite(2)
    found = only(sum_up(of, results(of, v1="ee", v2="pp"))).comparisons[0]
    assert (found.difference, found.verdict) == (None, None)
    assert found.text.startswith("v2 cannot be compared with v1: no case has a graded trial in both.")


def test_speed_and_cost_are_plain_numbers() -> None:
    of = suite(3)
    found = []
    for n, one in enumerate(of.cases, 1):
        found.append(trial(one, "v1", "p", latency=float(n), cost=Decimal("0.001") * n))
        found.append(trial(one, "v2", "p", latency=n / 2, cost=Decimal("0.001") * n + Decimal("0.0005")))
    (comparison,) = only(sum_up(of, found)).comparisons
    assert comparison.latency_text == (
        "v2 takes 0.50 times as long as v1 in the typical case (95% CI 0.50…0.50, 3 cases)."
    )
    assert comparison.cost_text.startswith("v2 costs $0.000500 more per trial than v1 (95% CI ")


# The row of a variant.


def test_a_row_sums_up_a_variant() -> None:
    of = suite(2, variants=("v1",))
    prices = PriceTable({"tiny": Price(input=Decimal(1), output=Decimal(1), note="example rate")})
    found = summarise(
        "r",
        [of],
        [
            trial(
                of.cases[0], "v1", "p", latency=1.0, ttft=0.2, cost=Decimal("0.002"), model="tiny",
                usage=Usage(input=5, output=7),
                cassette=CassetteRef(path="a", mode="replayed", recorded_at="2026-11-20T10:00:00Z"),
            ),
            trial(
                of.cases[1], "v1", "f", latency=3.0, model="tiny", usage=Usage(input=1, output=1),
                cassette=CassetteRef(path="b", mode="replayed", recorded_at="2026-11-19T10:00:00Z"),
            ),
        ],
        planned={},
        prices=prices,
        mode="none",
    )  # fmt: skip
    (row,) = only(found).variants
    assert (row.accuracy, row.score, row.passed, row.failed, row.planned) == (0.5, 0.5, 1, 1, 2)
    assert (row.latency_p50, row.latency_p95, row.ttft_p50) == (2.0, pytest.approx(2.9), 0.2)
    assert (row.timed, row.streamed) == (2, 1)
    assert (row.cost, row.cost_per_trial, row.unpriced) == (Decimal("0.002"), Decimal("0.002"), 1)
    assert row.usage == Usage(input=6, output=8)
    assert row.recorded == ("2026-11-19T10:00:00Z", "2026-11-20T10:00:00Z")
    assert (row.models, row.price_note) == (("tiny",), "example rate")
    assert row.interval is not None and row.interval.method == "Wilson"
    assert (found.prices, found.mode) == (prices.id, "none")


# Missed, as pytest asks while others still run.


def missed(of: Suite, found: Result, *, whole: bool, baseline_whole: bool = True) -> bool:
    names = {of.baseline: baseline_whole, found.variant: whole}
    return missed_of(of, found, whole={(of.name, name) for name, is_whole in names.items() if is_whole and name})


def test_missed_where_a_gate_on_correctness_stands_and_the_variant_is_whole() -> None:
    plain = suite([case("a"), case("b", required=True)])
    a, b = plain.cases
    failed = trial(a, "v2", "f")
    assert not missed(plain, failed, whole=True)
    for gates in (
        {"accuracy": 0.5},
        {"accuracy_ci": 0.5},
        {"pass^1": 0.5},
        {"not_worse_than_baseline": True},
        {"better_than_baseline": True},
        {"tags": {"x": {"accuracy": 1}}},
    ):
        of = suite([a, b], gates=gates)
        assert missed(of, failed, whole=True)
        assert not missed(of, failed, whole=False)
        assert not missed(of, trial(b, "v2", "f"), whole=True)
        assert missed(of, trial(b, "v1", "f"), whole=True)
    for gates in ({"latency_p95": 1}, {"cost": 1}, {"tags": {"x": {"latency_p95": 1}}}):
        assert not missed(suite([a, b], gates=gates), failed, whole=True)


def test_missed_needs_a_whole_baseline_where_only_it_gates() -> None:
    of = suite(2, gates={"not_worse_than_baseline": True})
    assert not missed(of, trial(of.cases[0], "v2", "f"), whole=True, baseline_whole=False)


def test_the_baselines_failures_are_missed_even_without_gates() -> None:
    of = suite(2, variants=("v1", "v2", "nano"), report_only=("nano",))
    assert missed(of, trial(of.cases[0], "v1", "f"), whole=False)
    assert missed(of, trial(of.cases[0], "nano", "f"), whole=True)


def test_errors_are_missed_under_an_error_rate_gate_only() -> None:
    of = suite(2)
    assert not missed(of, trial(of.cases[0], "v1", "e"), whole=True)
    gated = suite(2, gates={"error_rate": 0.5})
    assert missed(gated, trial(gated.cases[0], "v1", "e"), whole=True)
    assert not missed(gated, trial(gated.cases[0], "v1", "e"), whole=False)


gates_drawn = st.fixed_dictionaries(
    {},
    optional={
        "accuracy": st.sampled_from([0.0, 0.5, 1.0]),
        "error_rate": st.sampled_from([0.0, 0.5]),
        "latency_p95": st.just(9),
        "not_worse_than_baseline": st.just(True),
        "tags": st.just({"t": {"accuracy": 0.5}}),
    },
)


@given(
    gates_drawn,
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=4),
    st.text("pfe.", min_size=16, max_size=16),
    st.booleans(),
)
def test_missed_and_the_summary_never_disagree(
    gates: dict[str, Any], kinds: list[tuple[bool, bool]], letters: str, gate_baseline: bool
) -> None:
    cases = [
        case(f"c{n}", required=required, must_pass=1 if shared else None, tags=("t",))
        for n, (required, shared) in enumerate(kinds)
    ]
    of = suite(cases, repeats=2, gates=gates, gate_baseline=gate_baseline)
    size = len(cases) * 2
    arms = {"v1": letters[:size], "v2": letters[8 : 8 + size]}
    found = results(of, **arms)
    whole = {name: "." not in picked for name, picked in arms.items()}
    summary = sum_up(of, found)
    listed = {name for one in summary.suites for name in (*one.deciding_failures, *one.deciding_errors)}
    told = {
        result.id
        for result in found
        if result.outcome in (Outcome.FAILED, Outcome.ERROR)
        and not missed(of, result, whole=whole[result.variant], baseline_whole=whole["v1"])
    }
    assert listed == told
    failing_gate = any(one.passed is False for suite_ in summary.suites for one in suite_.gates)
    assert (summary.exit_code in (ExitCode.FAILED, ExitCode.ERRORS)) == bool(listed or failing_gate)
    assert bool(summary.reasons) == (summary.exit_code != ExitCode.PASSED)


def test_importing_the_summary_imports_no_numbers() -> None:
    code = "import sys, harness.summary; print([m for m in ('numpy', 'scipy', 'pandas', 'openai') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
