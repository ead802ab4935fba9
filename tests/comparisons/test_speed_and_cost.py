"""Times, money and tokens of two arms: what they mean, what is withheld, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.records import Result, Usage
from harness.summary import Comparison
from tests.comparisons.arms import case, recorded, suite, summed, trial

CASES = [case(f"c{number:03}") for number in range(40)]


def arm(variant: str, *, factor: float = 1.0, money: float = 1.0, runaway: float = 1.0, **more: Any) -> list[Result]:
    """Trials whose latencies and costs differ from case to case; the last case may run away."""
    found = []
    for number, one in enumerate(CASES):
        wild = runaway if number == len(CASES) - 1 else 1.0
        base = 1 + number % 7 / 10
        cost = Decimal(str(round(0.001 * base * money * wild * (1 + number % 3 / 100), 6)))
        found.append(
            trial(
                one, variant, "p", latency=base * factor * (1 + number % 5 / 50), ttft=base * factor / 4, cost=cost,
                usage=Usage(input=int(400 * money), output=50), **{"cassette": recorded("2026-11-20"), **more},
            )
        )  # fmt: skip
    return found


def compared(a: list[Result], b: list[Result], **more: Any) -> Comparison:
    (one,) = summed(suite(CASES, ("v1", "v2"), **more), [*a, *b]).suites[0].comparisons
    return one


def test_time_money_and_tokens_in_sentences() -> None:
    one = compared(arm("v1"), arm("v2", factor=0.5, money=0.8))
    assert one.latency is not None and one.latency.estimate == pytest.approx(0.5)
    assert one.ttft is not None and one.ttft.estimate == pytest.approx(0.5)
    assert one.latency_p50 is not None and one.latency_p50.estimate < -0.5
    assert one.latency_p95 is None, "a p95 of fewer than 72 trials is none"
    assert one.cost_ratio is not None and one.cost_ratio.estimate == pytest.approx(0.8, abs=0.01)
    assert one.input_tokens is not None and one.input_tokens.estimate == -80
    assert one.output_tokens is not None and one.output_tokens.estimate == 0
    money, time, tokens = one.meaning
    assert money.startswith("v2 costs $0.26") and " less per 1,000 requests than v1 (95% CI -$0." in money
    assert ", -20%)." in money
    assert time.startswith("v2 takes 0.50 times as long as v1 in the typical case (95% CI 0.50…0.50); median 6")
    assert "ms shorter (95% CI -" in time
    assert tokens == "Tokens per request: 80 fewer input than with v1."
    assert "and 0.50 times as long to its first token" in one.latency_text
    assert ", 0.80 times as much in the typical case (95% CI " in one.cost_text


def test_what_rests_on_a_part_of_the_cases_says_so() -> None:
    a, b = arm("v1"), arm("v2", factor=0.5, money=0.8)
    part = [replace(one, cost=None, latency=None) if place >= 10 else one for place, one in enumerate(b)]
    one = compared(a, part, margin=0.1, margin_given=True)
    assert ", -20%, 10 of 40 cases)." in one.meaning[0] and ", 10 of 40 cases)" in one.meaning[1]
    assert ", 10 of 40 cases), 0.80 times as much" in one.cost_text and ", 10 of 40 cases)" in one.latency_text
    assert " of 40 cases" not in " ".join(compared(a, b).meaning)


def test_cheaper_and_not_worse() -> None:
    one = compared(arm("v1"), arm("v2", money=0.8), margin=0.1, margin_given=True)
    assert one.headline == "v2 is equivalent to v1 within ±10.0 pp"
    cases = [case(f"c{number:03}") for number in range(570)]
    letters = {"v1": "p" * 400 + "f" * 43 + "p" * 27 + "f" * 100, "v2": "p" * 443 + "f" * 127}
    of = suite(cases, ("v1", "v2"), margin_given=True)
    for cost, said in (("0.80", "cheaper and "), ("1.20", "")):
        price = {"v1": Decimal("1.00"), "v2": Decimal(cost)}
        found = [
            trial(one, name, letter, cost=price[name] + number % 3)
            for name, word in letters.items()
            for number, (one, letter) in enumerate(zip(cases, word, strict=True))
        ]
        (both,) = summed(of, found).suites[0].comparisons
        assert both.headline == f"v2 is {said}not worse than v1 by more than 5.0 pp"
        assert ("could be +5.8 pp better. Cost -10%." in both.text) == bool(said)
        # One case without a price, and nobody knows whether it is cheaper.
        (part,) = summed(of, [replace(found[0], cost=None), *found[1:]]).suites[0].comparisons
        assert part.headline == "v2 is not worse than v1 by more than 5.0 pp"
        assert ", 569 of 570 cases)" in part.cost_text


def test_a_case_that_runs_away_with_the_mean_is_named() -> None:
    one = compared(arm("v1"), arm("v2", money=0.8, runaway=60))
    assert one.cost is not None and one.cost.estimate > 0
    assert one.cost_ratio is not None and one.cost_ratio.estimate < 1
    assert " more per trial than v1" in one.cost_text and "times as much in the typical case" in one.cost_text
    assert "1 case decides that mean: c039 ($0.00140 → $0.0672)." in one.cost_text
    (bill,) = (text for text in one.meaning if " more per 1,000 requests than v1" in text)
    assert ", 0.89 times as much in the typical case (95% CI " in bill
    assert bill.endswith(". 1 case decides that mean: c039 ($0.00140 → $0.0672).")


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (
            {"cassette": recorded("2026-11-19")}, {"cassette": recorded("2026-11-20")},
            "not recorded on the same day (2026-11-19 and 2026-11-20)",
        ),
        (
            {"extra": {"recorded": {"host": "api.openai.com"}}}, {"extra": {"recorded": {"host": "127.0.0.1:8089"}}},
            "not recorded with the same service (api.openai.com and 127.0.0.1:8089)",
        ),
        (
            {"extra": {"recorded": {"machine": "a"}}}, {"extra": {"recorded": {"machine": "b"}}},
            "not recorded on the same machine (a and b)",
        ),
        (
            {"extra": {"recorded": {"concurrency": 1}}}, {"extra": {"recorded": {"concurrency": 16}}},
            "not recorded at the same concurrency (1 and 16)",
        ),
        (
            {"extra": {"simulated": True}}, {"extra": {}},
            "not answered by the same kind of thing (a script and a service)",
        ),
        (
            {"extra": {"recorded": {"machine": "a", "concurrency": 1}}}, {"extra": {"recorded": {"machine": "b", "concurrency": 2}}},
            "not recorded on the same machine (a and b); not recorded at the same concurrency (1 and 2)",
        ),
    ],
)  # fmt: skip
def test_latency_is_withheld_with_the_reason(ours: dict[str, Any], theirs: dict[str, Any], why: str) -> None:
    a, b = arm("v1", **ours), arm("v2", factor=2, **theirs)
    of = suite(CASES, ("v1", "v2"), gates={"latency_p95": 60})
    (found,) = summed(of, [*a, *b]).suites
    one = found.comparisons[0]
    assert one.latency_withheld == why
    assert (one.latency, one.ttft, one.latency_p50, one.latency_text) == (None, None, None, "")
    assert not any("as long as" in told for told in one.meaning)
    assert ("record both arms on one day" in " ".join(one.advice)) == ("not recorded" in why)
    assert found.gates[0].passed is True, "a gate on latency looks at its own variant"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"extra": {"recorded": {"machine": "a"}}}, {"extra": {}}),
        ({"extra": {"recorded": {"host": "a"}}}, {"extra": {"recorded": {"host": "a"}}}),
        ({"extra": {"simulated": True}}, {"extra": {"simulated": True}}),
        ({"cassette": None}, {"cassette": recorded("2026-11-20")}),
    ],
)
def test_what_is_the_same_or_not_known_is_compared(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    one = compared(arm("v1", **ours), arm("v2", factor=2, **theirs))
    assert one.latency_withheld == "" and one.latency_text.startswith("v2 takes 2.00 times as long as v1")


@pytest.mark.parametrize(("share", "compared_all_the_same"), [(0.1, True), (0.25, False), (0.5, False)])
def test_a_few_trials_recorded_again_later_change_nothing(share: float, compared_all_the_same: bool) -> None:
    number = round(share * len(CASES))
    later = [trial(one, "v2", "p", latency=2.0, cassette=recorded("2026-11-21")) for one in CASES[:number]]
    found = compared(arm("v1"), [*later, *arm("v2")[number:]])
    assert (found.latency_withheld == "") is compared_all_the_same


def test_graded_scores_are_compared_where_there_are_any() -> None:
    def graded(variant: str, shift: float) -> list[Result]:
        return [trial(one, variant, "p", score=0.5 + shift + n % 5 / 50) for n, one in enumerate(CASES)]

    one = compared(graded("v1", 0.0), graded("v2", 0.1))
    assert one.score is not None and one.score.estimate == pytest.approx(0.1)
    assert "Mean score +0.100 (95% CI " in one.text
    assert compared(arm("v1"), arm("v2")).score is None


def test_a_a_noise_comes_from_repeats() -> None:
    of = suite(CASES[:10], ("v1", "v2"), repeats=2)
    found = [
        trial(one, name, "p" if repeat == 1 or number >= 4 else "f", repeat)
        for name in ("v1", "v2")
        for number, one in enumerate(CASES[:10])
        for repeat in (1, 2)
    ]
    (one,) = summed(of, found).suites[0].comparisons
    # Four of ten cases pass once and fail once: half of two fresh draws of such a case differ, each way a half.
    assert one.noise == "A/A noise: expect ~20 fixed and ~20 broken per 100 cases with no change (one trial each)."
    assert compared(arm("v1"), arm("v2")).noise == ""


def test_a_case_that_is_dear_in_both_arms_decides_nothing() -> None:
    both = compared(arm("v1", runaway=6), arm("v2", runaway=6, money=0.5))
    assert " less per trial than v1" in both.cost_text and "decide" not in both.cost_text
