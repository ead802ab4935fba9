"""Times and money: what intervals cover where a few cases are slow or dear."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.costs import mean_ratio, runaways
from harness.stats.latency import geometric_ratio, quantile_difference, quantile_interval
from harness.stats.paired import mean_difference
from tests.stats.simulated import within_error

pytestmark = pytest.mark.slow

Arm = list[list[float]]


def times(random: np.random.Generator, cases: int, repeats: int, slower: float = 1.0) -> tuple[Arm, Arm]:
    """Seconds: lognormal cases (.6) and noise (.4), two calls in a hundred wait 5 s for a retry."""
    case = np.exp(0.6 * random.standard_normal((cases, 1)))

    def arm(scale: float) -> Arm:
        values = case * scale * np.exp(0.4 * random.standard_normal((cases, repeats)))
        made: Arm = (values + 5.0 * (random.random((cases, repeats)) < 0.02)).tolist()
        return made

    return arm(1.0), arm(slower)


@pytest.fixture(scope="module")
def truths() -> dict[float, float]:
    random = np.random.default_rng(0)
    calls = np.exp(math.sqrt(0.52) * random.standard_normal(2_000_000)) + 5.0 * (random.random(2_000_000) < 0.02)
    return {q: float(np.quantile(calls, q)) for q in (0.5, 0.95)}


@pytest.mark.parametrize(
    ("cases", "repeats", "table", "suites"),
    # Row "Woodruff" of the single p95 at 100 x 1, 300 x 1 and 300 x 5; the table is of 300 to 1200 suites.
    [(100, 1, 0.965, 1500), (300, 1, 0.960, 800), (300, 5, 0.940, 250)],
)
def test_coverage_of_a_p95(cases: int, repeats: int, table: float, suites: int, truths: dict[float, float]) -> None:
    random, held = np.random.default_rng(cases + repeats), {0.5: 0, 0.95: 0}
    for _ in range(suites):
        arm, _ = times(random, cases, repeats)
        for q in held:
            interval = quantile_interval(arm, q)
            assert interval is not None
            held[q] += interval.low <= truths[q] <= interval.high
    assert within_error(held[0.95] / suites, table, suites, 600)
    assert held[0.5] / suites > 0.95 - 3 * math.sqrt(0.0475 / suites)


@pytest.mark.parametrize(
    ("cases", "repeats", "table", "suites"),
    # Row "paired case bootstrap" of the p95 difference.
    [(100, 1, 0.975, 500), (300, 1, 0.973, 300), (300, 5, 0.969, 200)],
)
def test_coverage_of_a_p95_difference(cases: int, repeats: int, table: float, suites: int) -> None:
    random, held = np.random.default_rng(cases + repeats), 0
    for seed in range(suites):
        found = quantile_difference(*times(random, cases, repeats), 0.95, seed=seed, resamples=1000)
        assert found is not None
        held += found.interval.low <= 0 <= found.interval.high
    assert within_error(held / suites, table, suites, 600)


def test_the_typical_ratio_sees_what_the_p95_does_not() -> None:
    random, suites, ratio, p95 = np.random.default_rng(15), 200, 0, 0
    for seed in range(suites):
        a, b = times(random, 100, 1, slower=1.15)
        geometric, tail = geometric_ratio(a, b), quantile_difference(a, b, 0.95, seed=seed, resamples=500)
        assert geometric is not None and tail is not None
        ratio += geometric.interval.low > 1
        p95 += tail.interval.low > 0
    assert p95 / suites < 0.25  # .07 in the table
    assert ratio / suites > 2 * p95 / suites


@pytest.mark.parametrize(
    ("noise", "runaway", "bill", "ratio"),
    # Tables of costs per case: paired t, and the log-ratio of means, at their least over the sizes below.
    [(0.3, 0.0, 0.953, 0.927), (0.8, 0.0, 0.950, 0.905), (0.8, 0.02, 0.960, 0.906)],
)
def test_coverage_of_costs(noise: float, runaway: float, bill: float, ratio: float) -> None:
    for cases, suites in ((20, 2000), (100, 800)):
        random, held = np.random.default_rng(cases), [0, 0]
        for _ in range(suites):
            case = np.exp(0.5 * random.standard_normal(cases))
            a, b = (
                case
                * scale
                * np.exp(noise * random.standard_normal(cases) - noise**2 / 2)
                * np.where(random.random(cases) < runaway, 12, 1)
                for scale in (1.0, 0.8)
            )
            change, relative = mean_difference(a.tolist(), b.tolist()), mean_ratio(a.tolist(), b.tolist())
            assert change is not None and relative is not None
            truth = -0.2 * math.exp(0.125) * (1 + 11 * runaway)
            held[0] += change.interval.low <= truth <= change.interval.high
            held[1] += relative.interval.low <= 0.8 <= relative.interval.high
        for found, table in zip(held, (bill, ratio), strict=True):
            assert found / suites > table - 3 * math.sqrt(table * (1 - table) * (1 / suites + 1 / 1000))


def test_runaways_hide_a_saving_in_the_bill() -> None:
    random, suites, bill, typical, listed = np.random.default_rng(12), 400, 0, 0, 0
    for _ in range(suites):
        case = np.exp(0.5 * random.standard_normal(100))
        a, b = (
            (case * scale * np.exp(0.5 * random.standard_normal(100)) * np.where(random.random(100) < 0.02, 12, 1))
            for scale in (1.0, 0.8)
        )
        change = mean_difference(a.tolist(), b.tolist())
        ratio = geometric_ratio(a[:, None].tolist(), b[:, None].tolist())
        assert change is not None and ratio is not None
        bill += change.interval.high < 0
        typical += ratio.interval.high < 1
        listed += bool(runaways(a[:, None].tolist()))
    assert bill / suites < 0.35 and typical / suites > 0.6  # .22 and .73 in the table
    assert listed / suites > 0.8
