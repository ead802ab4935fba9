"""Pass rates and mean scores of one arm: what their intervals cover in simulated suites."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from harness.stats.intervals import mean, pass_rate
from tests.stats.simulated import drawn, rate_intervals, within_error

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("cases", "repeats", "rate", "wilson", "exact", "suites"),
    [
        # Rows of the table of one pass rate: Wilson at the effective number of trials, and Clopper-Pearson there.
        (20, 1, 0.80, 0.957, 0.980, 6000),
        (20, 1, 0.95, 0.924, 0.984, 6000),
        (100, 1, 0.99, 0.923, 0.983, 6000),
        (300, 1, 0.95, 0.953, 0.966, 2500),
        (1000, 1, 0.99, 0.961, 0.974, 1500),
        (20, 5, 0.80, 0.950, 0.955, 4000),
        (20, 5, 0.95, 0.970, 0.990, 4000),
        (50, 5, 0.95, 0.913, 0.931, 4000),
        (100, 3, 0.80, 0.950, 0.958, 2500),
        (100, 5, 0.99, 0.968, 0.990, 4000),
        (300, 5, 0.95, 0.947, 0.955, 1000),
        (1000, 5, 0.99, 0.947, 0.955, 400),
    ],
)
def test_coverage_of_a_pass_rate(
    cases: int, repeats: int, rate: float, wilson: float, exact: float, suites: int
) -> None:
    passes, _ = drawn(1000 * cases + repeats, suites, cases, repeats, rate, rate)
    for table, intervals in (
        (wilson, rate_intervals(passes, repeats)),
        (exact, rate_intervals(passes, repeats, exact=True)),
    ):
        found = sum(interval.low <= rate <= interval.high for interval in intervals) / suites
        assert within_error(found, table, suites), (found, table)


@pytest.mark.parametrize(("groups", "repeats"), [(8, 1), (15, 1), (15, 3), (40, 1)])
def test_coverage_of_a_pass_rate_of_clustered_cases(groups: int, repeats: int) -> None:
    random, suites, held = np.random.default_rng(groups + repeats), 1200, 0
    for _ in range(suites):
        labels = np.repeat(np.arange(groups), 1 + random.poisson(9, groups))
        cases = 0.5**0.5 * random.standard_normal(groups)[labels] + 0.5**0.5 * random.standard_normal(len(labels))
        # A case passes with the probability that its latent value has of being below .8 once noise is added.
        chances = ndtr((0.8416212 * 1.5**0.5 - cases) / 0.5**0.5)
        outcomes = (random.random((len(labels), repeats)) < chances[:, None]).astype(int).tolist()
        interval = pass_rate(outcomes, clusters=labels.tolist())[1]
        held += interval.low <= 0.8 <= interval.high
    assert held / suites > 0.92


@pytest.mark.parametrize(("scale", "cases"), [("even", 20), ("even", 100), ("five", 20), ("ceiling", 100)])
def test_coverage_of_a_mean_score(scale: str, cases: int) -> None:
    random, suites = np.random.default_rng(cases), 2000
    scores = random.random((suites, cases, 1))
    truth = 0.5
    if scale == "five":
        scores = np.minimum(np.floor(scores * 5), 4) / 4
    elif scale == "ceiling":
        scores, truth = np.minimum(scores * 4, 1.0), 0.875
    intervals = [mean(suite)[1] for suite in scores.tolist()]
    held = sum(interval.low <= truth <= interval.high for interval in intervals) / suites
    assert 0.93 < held < 0.97
