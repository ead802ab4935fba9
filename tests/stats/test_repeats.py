from __future__ import annotations

import itertools

import pytest

from harness.stats.repeats import pass_hat_k, pass_power


def test_pass_hat_k_of_the_published_examples() -> None:
    assert pass_hat_k(5, 2, 2) == pytest.approx(0.1)
    assert pass_hat_k(8, 6, 4) == pytest.approx(0.2142857)


def test_pass_hat_k_is_unbiased() -> None:
    # All outcomes of 4 repeats with p = .7: the mean of the estimate is p^3, which plugging in c/n is not.
    p = 0.7
    mean = sum(
        p ** sum(trials) * (1 - p) ** (4 - sum(trials)) * pass_hat_k(4, sum(trials), 3)
        for trials in itertools.product((0, 1), repeat=4)
    )
    assert mean == pytest.approx(p**3)


def test_pass_power_averages_over_cases() -> None:
    assert pass_power([(3, 3), (3, 2)], 3) == 0.5
    assert pass_power([(3, 3), (3, 2)], 1) == pytest.approx((1 + 2 / 3) / 2)


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 trials"):
        pass_hat_k(2, 2, 3)
    with pytest.raises(ValueError, match="at least one case"):
        pass_power([], 2)
