from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.intervals import mean, normal_cdf, normal_quantile, pass_rate, student_cdf, student_quantile


def single(passed: int, trials: int) -> list[list[int]]:
    return [[1]] * passed + [[0]] * (trials - passed)


@pytest.mark.parametrize(
    ("passed", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_one_repeat_gives_wilsons_interval_as_newcombe_prints_it(
    passed: int, trials: int, low: float, high: float
) -> None:
    rate, interval = pass_rate(single(passed, trials))
    assert rate == pytest.approx(passed / trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert interval.method == "Wilson"


def test_all_of_a_hundred_passing_leaves_room_for_failures() -> None:
    rate, interval = pass_rate(single(100, 100))
    assert (rate, interval.high) == (1.0, 1.0)
    assert interval.low == pytest.approx(0.963, abs=5e-4)


def test_repeats_that_always_agree_count_as_one_trial_with_students_quantile() -> None:
    once = pass_rate(single(16, 20))[1]
    thrice = pass_rate([[1, 1, 1]] * 16 + [[0, 0, 0]] * 4)[1]
    assert thrice.low < once.low and thrice.high > once.high
    assert thrice.low == pytest.approx(once.low, abs=0.02)


def test_repeats_that_vary_freely_narrow_the_interval() -> None:
    mixed = pass_rate([[1, 0, 1, 1]] * 30)[1]
    assert mixed.high - mixed.low == pytest.approx(2 * 0.15, abs=0.03)  # no spread between cases: cases count
    varied = pass_rate([[1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]] * 10)[1]
    once = pass_rate(single(25, 30))[1]
    assert varied.high - varied.low < once.high - once.low


def test_uneven_repeats_weigh_every_case_the_same() -> None:
    rate, interval = pass_rate([[1, 1, 1], [0]])
    assert rate == 0.5
    assert interval.low < 0.5 < interval.high


def test_one_repeated_case_says_nothing_about_cases_like_it() -> None:
    assert pass_rate([[1, 1, 0]])[1].low == 0.0
    assert pass_rate([[1, 1, 0]])[1].high == 1.0


def test_nothing_to_average_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        pass_rate([])
    with pytest.raises(ValueError, match="at least one trial"):
        pass_rate([[1], []])


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=5), min_size=1, max_size=30))
def test_the_interval_lies_in_0_to_1_and_holds_the_rate(outcomes: list[list[int]]) -> None:
    rate, interval = pass_rate(outcomes)
    assert 0 <= interval.low <= rate + 1e-12 and rate - 1e-12 <= interval.high <= 1
    narrow = pass_rate(outcomes, 0.8)[1]
    assert interval.low <= narrow.low + 1e-12 and narrow.high <= interval.high + 1e-12
    mirrored = pass_rate([[1 - outcome for outcome in case] for case in outcomes])[1]
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_quantiles_invert_their_distributions() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert normal_cdf(normal_quantile(0.2)) == pytest.approx(0.2)
    assert student_quantile(0.975, 9) == pytest.approx(2.262157, abs=1e-6)
    assert student_cdf(student_quantile(0.3, 4), 4) == pytest.approx(0.3)


def test_a_mean_score_has_students_interval_over_cases() -> None:
    average, interval = mean([[0.5, 1.0], [0.5], [0.0, 0.5], [1.0]])
    assert average == pytest.approx(0.625)
    half = 3.182446 * 0.3227486 / 2
    assert (interval.low, interval.high) == pytest.approx((0.625 - half, 1.0), abs=1e-6)
    assert (interval.method, interval.level) == ("t over cases", 0.95)


def test_scores_that_never_differ_leave_room() -> None:
    average, interval = mean([[1.0]] * 20)
    assert (average, interval.high) == (1.0, 1.0)
    assert 0.75 < interval.low < pass_rate([[1]] * 20)[1].low
    assert mean([[0.5]])[1].low == 0.0


def test_no_scores_are_refused() -> None:
    for scores in ([], [[0.5], []]):
        with pytest.raises(ValueError, match="at least one"):
            mean(scores)
