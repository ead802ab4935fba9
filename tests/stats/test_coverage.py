"""What the defaults promise, held by simulation: coverage and false alarms as in the tables they were chosen by.

Cases pass with probabilities of their own (U-shaped Beta, intra-case correlation one half); the two arms of a case hang
together by a Gaussian copula. Rates carry a Monte Carlo error of about one percentage point.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.special import betaincinv, ndtr

from harness.stats.intervals import pass_rate
from harness.stats.paired import difference

pytestmark = pytest.mark.slow

SIMULATIONS = 1500


class Suites:
    """Draws outcomes of suites with known pass rates."""

    def __init__(self, *, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def pairs(
        self, *, cases: int, repeats: int, a: float, b: float, copula: float = 0.9
    ) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
        for _ in range(SIMULATIONS):
            one = self._random.standard_normal(cases)
            other = copula * one + np.sqrt(1 - copula**2) * self._random.standard_normal(cases)
            yield self._outcomes(one, a, repeats), self._outcomes(other, b, repeats)

    def _outcomes(self, normal: np.ndarray, rate: float, repeats: int) -> list[list[int]]:
        chances = betaincinv(rate, 1 - rate, ndtr(normal))
        outcomes: list[list[int]] = (
            (self._random.random((len(normal), repeats)) < chances[:, None]).astype(int).tolist()
        )
        return outcomes


@pytest.mark.parametrize(
    ("cases", "repeats", "rate", "coverage"),
    [(20, 1, 0.80, 0.957), (100, 1, 0.99, 0.923), (20, 5, 0.95, 0.970), (100, 3, 0.80, 0.950), (300, 5, 0.95, 0.947)],
)
def test_coverage_of_one_pass_rate(cases: int, repeats: int, rate: float, coverage: float) -> None:
    held = 0
    for outcomes, _ in Suites(seed=20 + cases).pairs(cases=cases, repeats=repeats, a=rate, b=rate):
        interval = pass_rate(outcomes)[1]
        held += interval.low <= rate <= interval.high
    assert held / SIMULATIONS == pytest.approx(coverage, abs=0.02)


@pytest.mark.parametrize(
    ("cases", "repeats", "copula", "alarms"),
    [
        (50, 1, 0.9, 0.040),
        (100, 1, 0.9, 0.045),
        (50, 3, 0.9, 0.032),
        (50, 3, 0.5, 0.039),
        (100, 5, 0.9, 0.041),
        (100, 5, 0.5, 0.047),
    ],
)
def test_false_alarms_without_a_difference(cases: int, repeats: int, copula: float, alarms: float) -> None:
    raised = 0
    for a, b in Suites(seed=70 + cases).pairs(cases=cases, repeats=repeats, a=0.8, b=0.8, copula=copula):
        interval = difference(a, b).interval
        raised += interval.low > 0 or interval.high < 0
    assert raised / SIMULATIONS == pytest.approx(alarms, abs=0.016)
    assert raised / SIMULATIONS < 0.065


@pytest.mark.parametrize(
    ("cases", "repeats", "coverage"), [(20, 1, 0.999), (100, 1, 0.947), (50, 3, 0.986), (100, 5, 0.954)]
)
def test_coverage_of_a_difference_near_the_ceiling(cases: int, repeats: int, coverage: float) -> None:
    held = 0
    for a, b in Suites(seed=120 + cases).pairs(cases=cases, repeats=repeats, a=0.95, b=0.98):
        interval = difference(a, b).interval
        held += interval.low <= 0.03 <= interval.high
    assert held / SIMULATIONS == pytest.approx(coverage, abs=0.017)


def test_power_to_see_ten_points() -> None:
    seen = 0
    for a, b in Suites(seed=9).pairs(cases=100, repeats=1, a=0.8, b=0.9):
        seen += difference(a, b).interval.low > 0
    assert seen / SIMULATIONS == pytest.approx(0.73, abs=0.04)
