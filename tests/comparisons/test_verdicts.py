"""One verdict decides sentence, first words, gate and exit code: every row of the table, to the letter."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.errors import ExitCode
from harness.reports import text
from tests.comparisons.arms import compared, suite, summed, table, trials


@dataclass(frozen=True)
class Row:
    kind: str
    counts: tuple[int, int, int, int]
    headline: str
    sentence: str
    #: Whether `not_worse_than_baseline` and `better_than_baseline` pass.
    gates: tuple[bool, bool]
    margin: float = 0.05
    given: bool = True
    more: str = ""


ROWS = [
    Row(
        "better", (120, 38, 16, 26), "v2 is better",
        "v2 is better: +11.0 pp (95% CI +3.9…+18.2), 38 fixed, 16 broken of 200.", (True, True),
    ),
    Row(
        "better", (120, 38, 16, 26), "v2 is better",
        "v2 is better: +11.0 pp (95% CI +3.9…+18.2), 38 fixed, 16 broken of 200, but less than the 20.0 pp you said matters.",
        (True, True), margin=0.2,
    ),
    Row(
        "better", (800, 40, 10, 150), "v2 is better",
        "v2 is better: +3.0 pp (95% CI +1.7…+4.5), 40 fixed, 10 broken of 1000, but less than the 5.0 pp (default margin) "
        "that matters.",
        (True, True), given=False,
    ),
    Row(
        "worse", (120, 16, 38, 26), "v2 is worse",
        "v2 is worse: -11.0 pp (95% CI -18.2…-3.9), 16 fixed, 38 broken of 200.", (False, False),
    ),
    Row(
        "worse", (800, 10, 40, 150), "v2 is worse",
        "v2 is worse: -3.0 pp (95% CI -4.5…-1.7), 10 fixed, 40 broken of 1000, but less than the 5.0 pp you said matters.",
        (True, False),
    ),
    Row(
        "equivalent", (1500, 30, 30, 440), "v2 is equivalent to v1 within ±5.0 pp",
        "v2 is equivalent to v1 within ±5.0 pp: +0.0 pp (90% CI -0.7…+0.7, TOST p<0.001), 30 fixed, 30 broken of 2000.",
        (True, False),
    ),
    Row(
        "equivalent", (300, 9, 9, 82), "v2 is equivalent to v1 within ±5.0 pp",
        "v2 is equivalent to v1 within ±5.0 pp (default margin): +0.0 pp (90% CI -1.9…+1.9, TOST p<0.001), 9 fixed, 9 broken "
        "of 400.",
        (True, False), given=False,
    ),
    Row(
        "not_worse", (400, 43, 27, 100), "v2 is not worse than v1 by more than 5.0 pp",
        "v2 is not worse than v1 by more than 5.0 pp: +2.8 pp (95% CI -0.1…+5.8), 43 fixed, 27 broken of 570; could be "
        "+5.8 pp better.",
        (True, False),
    ),
    Row(
        "no_evidence", (200, 22, 33, 170), "No evidence of a difference between v2 and v1",
        "No evidence of a difference between v2 and v1: -2.6 pp (95% CI -6.1…+0.9), 22 fixed, 33 broken of 425. The data "
        "rule out changes beyond -6.1…+0.9 pp; the suite could have seen ±5.0 pp with 80% power.",
        (False, False),
    ),
    Row(
        "not_enough_data", (20, 6, 4, 10), "Not enough data to tell v2 from v1",
        "Not enough data to tell v2 from v1: +5.0 pp (95% CI -11.5…+21.6), 6 fixed, 4 broken of 40. 40 cases can only show "
        "±23.6 pp; ±5.0 pp needs about 850 more cases.",
        (False, False),
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.margin}-{row.given}")
def test_a_verdict_in_sentence_gate_and_exit_code(row: Row) -> None:
    gates = {"not_worse_than_baseline": True}
    of = suite(sum(row.counts), ("v1", "v2"), margin=row.margin, margin_given=row.given, gates=gates)
    found = trials(of, table(*row.counts))
    summary = summed(of, found)
    (one,) = summary.suites[0].comparisons
    assert one.verdict is not None and one.verdict.kind == row.kind
    assert (one.headline, one.text) == (row.headline, row.sentence)
    assert [gate.passed for gate in summary.suites[0].gates] == [row.gates[0]]
    assert summary.exit_code == (ExitCode.PASSED if row.gates[0] else ExitCode.FAILED)
    assert " ".join(row.sentence.split()) in " ".join(text.render(summary, found).split())
    stricter = suite(sum(row.counts), ("v1", "v2"), margin=row.margin, gates={"better_than_baseline": True})
    (gate,) = summed(stricter, found).suites[0].gates
    assert gate.passed is row.gates[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.margin}-{row.given}")
def test_no_p_value_stands_alone_and_nothing_is_said_to_be_the_same(row: Row) -> None:
    said = row.sentence.lower()
    assert "no difference" not in said and "significant" not in said
    assert all("ci " in part for part in said.split("(") if "p=" in part or "p<" in part)


def test_a_few_discordant_cases_have_an_exact_test_beside_the_interval() -> None:
    assert "(95% CI -53.7…-2.7, McNemar mid-p=0.039), 1 fixed, 7 broken of 20" in compared(table(12, 1, 7, 0)).text
    assert "McNemar" not in compared(table(9, 6, 4, 0)).text
    assert "McNemar" not in compared(table(9, 0, 0, 0)).text


def test_repeats_are_told_as_cases_and_what_more_of_them_would_do() -> None:
    # The dice of single trials: more repeats are enough.
    dice = {"v1": "pfp ppf fpp ppp" * 5, "v2": "ppf pff ppp ppp" * 5}
    one = compared(dice, cases=20, repeats=3)
    assert "5 cases passed more often, 5 less often, of 20 (3 repeats)" in one.text
    assert " more cases, or 3 → " in one.text and one.text.endswith("3 → 39 repeats: ±17.8 pp → ±4.9 pp.")
    # Whole cases change sides, so that repeats of the same ones say nothing new.
    sides = {"v1": "ppp" * 10 + "fff" * 5 + "pfp" * 5, "v2": "ppp" * 10 + "ppp" * 5 + "fff" * 5}
    steady = compared(sides, repeats=3)
    assert "needs about 1,088 more cases (3 → 6 repeats: ±37.2 pp → ±36.5 pp; " in steady.text
    assert steady.text.endswith("; repeats alone can never get below ±35.8 pp).")


def test_one_case_shows_nothing() -> None:
    assert "1 case cannot show a change, however large" in compared({"v1": "p", "v2": "f"}).text


def test_nothing_in_common() -> None:
    one = compared({"v1": "ee", "v2": "pp"})
    assert (one.difference, one.verdict) == (None, None)
    assert one.text.startswith("v2 cannot be compared with v1: no case has a graded trial in both. 2 pairs left out")


def test_a_gate_on_safety_uses_an_interval_that_never_covers_less_and_says_what_could_still_be() -> None:
    of = suite(100, ("v1", "v2"), gates={"accuracy_ci": 0.99, "accuracy": 0.99})
    summary = summed(of, trials(of, table(100, 0, 0, 0)))
    point, lower = summary.suites[0].gates
    assert (point.passed, lower.passed) == (True, False)
    # Clopper-Pearson of 100 of 100: 0.025 ** (1 / 100)
    assert lower.text == (
        "v2: accuracy_ci 96.4%, lower end of 100.0% (at least 99.0%): failure rate could still be 3.6%"
    )
    assert point.text == "v2: accuracy 100.0% (at least 99.0%): failure rate could still be 3.6%"
    usual = suite(100, ("v1", "v2"), gates={"accuracy_ci": 0.9})
    (gate,) = summed(usual, trials(usual, table(100, 0, 0, 0))).suites[0].gates
    assert gate.text == "v2: accuracy_ci 96.3%, lower end of 100.0% (at least 90.0%)"
