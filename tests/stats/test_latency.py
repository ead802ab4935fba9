from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.latency import geometric_ratio, quantile


def test_quantiles_interpolate_between_order_statistics() -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile(range(1, 11), 0.95) == pytest.approx(9.55)
    assert quantile([7.0], 0.95) == 7.0


def test_quantiles_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="values"):
        quantile([], 0.5)
    with pytest.raises(ValueError, match="values"):
        quantile([1.0], 1.5)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_grow_with_q_inside_the_values(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert min(values) <= quantile(values, low) <= quantile(values, high) * (1 + 1e-12)
    assert quantile(values, high) <= max(values)


def test_ratio_is_typical_and_paired() -> None:
    a = [[1.0], [2.0], [8.0]]
    ratio = geometric_ratio(a, [[0.5], [1.0], [4.0]])
    assert ratio is not None
    assert (ratio.estimate, ratio.interval.low, ratio.interval.high) == pytest.approx((0.5, 0.5, 0.5))
    noisy = geometric_ratio(a, [[1.0], [1.0], [8.0]])
    assert noisy is not None
    assert noisy.estimate == pytest.approx(math.exp(math.log(0.5) / 3))
    assert noisy.interval.low < noisy.estimate < noisy.interval.high


def test_one_case_has_no_ratio() -> None:
    assert geometric_ratio([[1.0]], [[2.0]]) is None
