from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.paired import (
    Difference,
    difference,
    equivalence_p,
    mcnemar_mid_p,
    mean_difference,
    tango_interval,
    tango_score,
)


def table(both: int, fixed: int, broken: int, neither: int) -> Difference:
    """One repeat: `fixed` cases that only B passes, `broken` that only A passes."""
    a = [[1]] * both + [[0]] * fixed + [[1]] * broken + [[0]] * neither
    b = [[1]] * both + [[1]] * fixed + [[0]] * broken + [[0]] * neither
    return difference(a, b)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [((59, 6, 16, 80), -0.1240, -0.0054), ((1, 1, 7, 12), -0.5172, -0.0260)],
)
def test_one_repeat_gives_tangos_interval_as_published(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = table(*counts)
    assert found.estimate == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=5e-5)
    assert (found.fixed, found.broken, found.cases, found.method) == (counts[1], counts[2], sum(counts), "Tango")


def test_open_ended_example_has_tangos_interval() -> None:
    interval = tango_interval(60, 20, 300)
    assert (interval.low, interval.high) == pytest.approx((0.0770, 0.1910), abs=5e-5)


def test_a_difference_with_one_repeat_depends_on_nothing_but_its_counts() -> None:
    for both, fixed, broken, neither in ((50, 7, 3, 2), (0, 1, 0, 0), (4, 0, 0, 9), (1, 12, 30, 7)):
        cases = both + fixed + broken + neither
        assert table(both, fixed, broken, neither).interval == tango_interval(fixed, broken, cases)


def test_score_statistic_against_a_margin() -> None:
    assert tango_score(6, 16, 161, -0.1) == pytest.approx(1.24892, abs=5e-6)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"), [(6, 16, 0.034690), (1, 7, 0.0390625), (3, 3, 1 - 20 / 64), (0, 0, 1.0)]
)
def test_mcnemars_mid_p(fixed: int, broken: int, p: float) -> None:
    assert mcnemar_mid_p(fixed, broken) == pytest.approx(p, abs=5e-7)
    assert mcnemar_mid_p(broken, fixed) == mcnemar_mid_p(fixed, broken)


def test_tango_excludes_zero_exactly_when_mcnemar_rejects() -> None:
    for fixed in range(25):
        for broken in range(25):
            interval = tango_interval(fixed, broken, 60)
            excludes = interval.low > 1e-9 or interval.high < -1e-9
            rejects = fixed + broken > 0 and abs(fixed - broken) / math.sqrt(fixed + broken) > 1.959964
            assert excludes == rejects, (fixed, broken)


def test_one_pseudo_case_each_way_is_bonett_and_prices_adjustment_when_repeats_agree() -> None:
    # Bonett-Price on (59, 6, 16, 80): -.1195, -.0032 with the normal quantile; here t(160) at the same centre and
    # error, and the weights of the pseudo-cases shrink with the repeats.
    twice = difference([[1, 1]] * 59 + [[0, 0]] * 6 + [[1, 1]] * 16 + [[0, 0]] * 80,
                       [[1, 1]] * 59 + [[1, 1]] * 6 + [[0, 0]] * 16 + [[0, 0]] * 80)  # fmt: skip
    assert twice.method == "paired t with two pseudo-cases"
    assert twice.student is not None
    assert twice.student.centre == pytest.approx(-10 / 163)
    variance = (22 + 2 * 0.5) / 163 - (10 / 163) ** 2
    assert twice.student.error == pytest.approx(math.sqrt(variance / 163))
    assert (twice.interval.low, twice.interval.high) == pytest.approx((-0.1187, -0.0040), abs=6e-4)


def test_repeats_are_averaged_inside_their_case() -> None:
    found = difference([[1, 0, 0], [1, 1, 1], [0, 0, 0]], [[1, 1, 1], [1, 1, 0], [0, 0, 0]])
    assert found.estimate == pytest.approx((2 / 3 - 1 / 3 + 0) / 3)
    assert (found.fixed, found.broken, found.cases, found.pairs) == (1, 1, 3, 9)
    assert found.repeats == 3


def test_the_same_outcomes_in_another_order_are_no_change() -> None:
    found = difference([[1, 0, 0]] * 10, [[0, 0, 1]] * 10)
    assert (found.estimate, found.fixed, found.broken) == (0.0, 0, 0)


def test_graded_scores_get_a_plain_paired_t() -> None:
    changes = [0.1, -0.05, 0, 0.02, -0.08, 0.03, 0.06, -0.02, 0.01, 0]
    found = difference([[0.5]] * 10, [[0.5 + change] for change in changes], binary=False)
    assert (found.interval90.low, found.interval90.high) == pytest.approx((-0.02282, 0.03682), abs=5e-6)
    assert equivalence_p(found, 0.05) == pytest.approx(0.0133758, abs=5e-8)


def test_scores_that_never_change_are_not_known_to_be_equivalent() -> None:
    few = difference([[0.9], [0.4], [0.7]], [[0.9], [0.4], [0.7]], binary=False)
    assert few.estimate == 0 and few.interval.low < -0.5 and few.interval.high > 0.5
    assert equivalence_p(few, 0.05) > 0.05
    many = difference([[0.9]] * 2000, [[0.9]] * 2000, binary=False)
    assert equivalence_p(many, 0.05) < 0.001


def test_other_levels_and_p_values_are_of_the_same_method() -> None:
    single, repeated = table(20, 9, 2, 9), difference([[1, 0, 0]] * 9 + [[1, 1, 1]] * 5, [[1, 1, 0]] * 14)
    for found in (single, repeated):
        assert found.at(0.95) == found.interval and found.at(0.90) == found.interval90
        edge = found.at(1 - found.p)
        assert min(abs(edge.low), abs(edge.high)) < 1e-9
    asked = difference([[1, 0]] * 8, [[1, 1], [0, 1]] * 4, level=0.99)
    assert asked.interval == asked.at(0.99) and asked.interval90 == asked.at(0.90)


def test_one_repeated_case_has_no_interval() -> None:
    found = difference([[0, 1, 0]], [[1, 1, 1]])
    assert (found.interval.low, found.interval.high) == (-1, 1)
    assert equivalence_p(found, 0.05) == 1.0


def test_what_more_repeats_cannot_remove() -> None:
    noise = difference([[1, 0], [0, 1], [1, 0], [0, 1]] * 10, [[0, 1], [1, 1], [1, 0], [0, 0]] * 10)
    assert noise.between is not None and noise.between < noise.sd**2
    assert table(5, 2, 2, 5).between is None


def test_arms_of_different_shape_are_refused() -> None:
    for a, b in (([], []), ([[1]], [[1], [0]]), ([[1, 0]], [[1]]), ([[]], [[]])):
        with pytest.raises(ValueError, match="same cases"):
            difference(a, b)


def test_mean_difference_of_costs() -> None:
    found = mean_difference([1.0, 2.0, 3.0], [1.5, 2.5, 4.0])
    assert found is not None
    assert found.estimate == pytest.approx(2 / 3)
    half = 4.302653 * (math.sqrt(1 / 12) / math.sqrt(3))
    assert found.interval.low == pytest.approx(2 / 3 - half, abs=1e-6)
    assert mean_difference([1.0], [2.0]) is None
    assert mean_difference([], []) is None


arms = st.integers(1, 25).flatmap(
    lambda cases: st.integers(1, 4).flatmap(
        lambda repeats: st.lists(
            st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=repeats),
            min_size=cases,
            max_size=cases,
        )
    )
)


@given(arms)
def test_an_interval_holds_its_estimate_and_turns_with_the_arms(pairs: list[list[tuple[int, int]]]) -> None:
    a = [[x for x, _ in case] for case in pairs]
    b = [[y for _, y in case] for case in pairs]
    there, back = difference(a, b), difference(b, a)
    assert -1 <= there.interval.low <= there.estimate + 1e-9
    assert there.estimate - 1e-9 <= there.interval.high <= 1
    assert there.interval.low <= there.interval90.low + 1e-9 and there.interval90.high <= there.interval.high + 1e-9
    assert (-back.interval.high, -back.interval.low) == pytest.approx(
        (there.interval.low, there.interval.high), abs=1e-9
    )
    assert (there.fixed, there.broken) == (back.broken, back.fixed)
    assert there.sd >= 0


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.floats(0.01, 0.6))
def test_equivalence_p_agrees_with_the_90_percent_interval(fixed: int, broken: int, same: int, margin: float) -> None:
    found = table(same, fixed, broken, 1)
    inside = -margin < found.interval90.low - 1e-9 and found.interval90.high + 1e-9 < margin
    outside = found.interval90.low < -margin - 1e-9 or found.interval90.high > margin + 1e-9
    if inside or outside:
        assert (equivalence_p(found, margin) < 0.05) == inside
