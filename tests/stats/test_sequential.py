"""Boundaries of looks against published and simulated numbers, and the intervals that hold at all of them."""

from __future__ import annotations

import math
import random

import pytest

from harness.stats.intervals import normal_cdf
from harness.stats.paired import difference
from harness.stats.sequential import (
    boundaries,
    conditional_power,
    critical_values,
    planned_looks,
    repeated_interval,
    spent,
    z_score,
)

TEN = (6.991, 4.877, 3.930, 3.367, 2.989, 2.715, 2.504, 2.336, 2.197, 2.081)


def counted(fixed: int, broken: int, ties: int) -> list[tuple[float, float]]:
    return [(0.0, 1.0)] * fixed + [(1.0, 0.0)] * broken + [(1.0, 1.0)] * ties


def found(pairs: list[tuple[float, float]], binary: bool = True):  # type: ignore[no-untyped-def]  # a Difference
    return difference([[a] for a, _ in pairs], [[b] for _, b in pairs], binary=binary)


def test_boundaries_of_five_and_of_ten_looks_are_the_known_ones() -> None:
    assert boundaries((0.2, 0.4, 0.6, 0.8, 1.0)) == pytest.approx((4.8769, 3.3570, 2.6803, 2.2898, 2.0310), abs=1e-4)
    assert boundaries(tuple(k / 10 for k in range(1, 11))) == pytest.approx(TEN, abs=6e-4)


def test_one_look_at_the_end_is_the_ordinary_test() -> None:
    assert boundaries((1.0,)) == pytest.approx((1.959964,), abs=1e-5)


def test_what_is_spent_rises_to_alpha() -> None:
    assert spent(1.0, 0.05) == pytest.approx(0.05)
    assert spent(0.5, 0.05) == pytest.approx(0.0031, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.10, 0.05, 0.05 / 7, 0.001])
def test_boundaries_are_finite_and_fall_even_for_a_small_share_of_the_error(alpha: float) -> None:
    bounds = critical_values(planned_looks(1000), alpha)
    assert all(math.isfinite(bound) for bound in bounds)
    assert list(bounds) == sorted(bounds, reverse=True)
    assert bounds[-1] > boundaries((1.0,), alpha)[0]


def test_looks_come_every_tenth_and_never_below_twenty_cases() -> None:
    assert planned_looks(300) == tuple(range(30, 301, 30))
    assert planned_looks(100) == (20, 30, 40, 50, 60, 70, 80, 90, 100)
    assert planned_looks(25) == (20, 23, 25)
    assert planned_looks(20) == (20,)
    assert planned_looks(7) == (7,)


def test_paths_that_drift_nowhere_cross_as_often_as_they_may() -> None:
    chance = random.Random(6)
    bounds = boundaries(tuple(k / 10 for k in range(1, 11)))
    crossed = 0
    for _ in range(20_000):
        path = 0.0
        for look, bound in enumerate(bounds, start=1):
            path += chance.gauss(0, math.sqrt(0.1))
            if abs(path) / math.sqrt(look / 10) > bound:
                crossed += 1
                break
    assert 0.0465 <= crossed / 20_000 <= 0.0535


@pytest.mark.parametrize("critical", [1.96, 2.5, 3.4, 4.877, 6.991])
@pytest.mark.parametrize("counts", [(6, 16, 139), (12, 2, 6), (0, 9, 11), (40, 3, 0), (0, 0, 30), (20, 0, 0)])
def test_a_repeated_interval_leaves_out_zero_exactly_where_the_look_decides(
    counts: tuple[int, int, int], critical: float
) -> None:
    for binary in (True, False):
        one = found(counted(*counts), binary)
        interval = repeated_interval(one, critical)
        assert -1 <= interval.low <= one.estimate <= interval.high <= 1
        assert (interval.low > 0 or interval.high < 0) == (abs(z_score(one)) > critical)


def test_a_repeated_interval_at_the_ordinary_boundary_is_the_ordinary_interval() -> None:
    for one in (found(counted(6, 16, 139)), difference([[0, 1], [1, 1], [0, 0]] * 9, [[1, 1], [1, 1], [0, 1]] * 9)):
        interval = repeated_interval(one, 1.959964)
        assert (interval.low, interval.high) == pytest.approx((one.interval.low, one.interval.high), abs=1e-5)


def test_evidence_of_repeats_is_students_p_value_as_a_z() -> None:
    one = difference([[0, 1], [1, 1], [0, 0], [1, 0]] * 6, [[1, 1], [1, 1], [0, 1], [1, 0]] * 6)
    z = z_score(one)
    assert 2 * normal_cdf(-abs(z)) == pytest.approx(one.p, rel=1e-6)
    assert z > 0
    assert z_score(one, 0.5) < 0


def test_evidence_without_any_spread_is_bounded() -> None:
    assert 5 < z_score(found([(0.0, 0.5)] * 30, binary=False)) <= 30
    assert -30 <= z_score(found([(0.5, 0.25)] * 30, binary=False)) < -4
    assert z_score(found([(0.5, 0.5)] * 30, binary=False)) == 0


def test_conditional_power_goes_from_hopeless_to_sure() -> None:
    hopeless, even, sure = (conditional_power(z, 0.5, 2.8, 1.96) for z in (-2.0, 1.4, 4.0))
    assert hopeless < 0.05 < even < 0.99 < sure
    # Half way, on the path that leads to the drift itself: what is left is as likely as not to end beyond it.
    assert conditional_power(2.8 * math.sqrt(0.5), 0.5, 2.8, 2.8) == pytest.approx(0.5)
