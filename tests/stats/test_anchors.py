"""Published examples and hand-checked numbers, to the digits that their sources print."""

from __future__ import annotations

import math

import pytest

from harness.stats.agreement import Metric, cohen_kappa, contingency, krippendorff_alpha
from harness.stats.clusters import cluster_error
from harness.stats.intervals import Interval, clopper_pearson, pass_rate
from harness.stats.latency import fewest_calls, quantile_interval
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.paired import Difference, difference, equivalence_p, noninferiority_p
from harness.stats.repeats import pass_at, pass_at_k, pass_hat, pass_hat_k
from harness.stats.sizing import aa_flips, detectable, required_cases
from harness.stats.tango import mcnemar_mid_p, tango_interval, tango_score


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def single(passed: int, trials: int) -> list[list[int]]:
    return [[1]] * passed + [[0]] * (trials - passed)


def table(both: int, broken: int, fixed: int, neither: int) -> Difference:
    """Counts in the order that textbooks print them: both, only A, only B, neither."""
    a = single(both + broken, both + broken + fixed + neither)
    b = [[1]] * both + [[0]] * broken + [[1]] * fixed + [[0]] * neither
    return difference(a, b)


@pytest.mark.parametrize(
    ("passed", "trials", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_one_proportion_as_newcombe_prints_it(
    passed: int, trials: int, wilson: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert ends(pass_rate(single(passed, trials))[1]) == pytest.approx(wilson, abs=5.1e-5)
    assert ends(pass_rate(single(passed, trials), exact=True)[1]) == pytest.approx(exact, abs=5.1e-5)
    assert clopper_pearson(passed, trials) == pytest.approx(exact, abs=5.1e-5)


def test_a_hundred_of_a_hundred() -> None:
    assert pass_rate(single(100, 100))[1].low == pytest.approx(0.963, abs=5e-4)
    assert pass_rate(single(100, 100), exact=True)[1].low == pytest.approx(0.964, abs=5e-4)


def test_standard_error_of_clusters() -> None:
    values, clusters = list(range(20)), [index % 4 for index in range(20)]
    error, groups = cluster_error(values, clusters)
    assert (error, groups) == (pytest.approx(0.6454972, abs=5e-8), 4)
    assert error * math.sqrt(3 / 4) == pytest.approx(0.5590170, abs=5e-8)  # as Miller prints it


@pytest.mark.parametrize(
    ("counts", "tango"), [((59, 16, 6, 80), (-0.1240, -0.0054)), ((1, 7, 1, 12), (-0.5172, -0.0260))]
)
def test_paired_proportions(counts: tuple[int, int, int, int], tango: tuple[float, float]) -> None:
    assert ends(table(*counts).interval) == pytest.approx(tango, abs=5.1e-5)


def test_tango_of_the_example_of_confidence_sequences() -> None:
    assert ends(tango_interval(60, 20, 300)) == pytest.approx((0.0770, 0.1910), abs=5.1e-5)


@pytest.mark.parametrize(
    ("fixed", "broken", "mid", "z"),
    [(6, 16, 0.034690, 0.033006), (1, 7, 0.0390625, 0.0338949), (3, 3, 1 - 20 / 64, 1.0)],
)
def test_mcnemar(fixed: int, broken: int, mid: float, z: float) -> None:
    assert mcnemar_mid_p(fixed, broken) == pytest.approx(mid, abs=5.1e-7)
    assert table(10, broken, fixed, 10).p == pytest.approx(z, abs=5.1e-7)
    assert table(10, broken, fixed, 10).mcnemar == mcnemar_mid_p(fixed, broken)


@pytest.mark.parametrize(("variance", "cases"), [(1 / 9, 968.998), (1 / 9 + 2 / 6, 3875.99), (1 / 9 + 2 / 60, 1259.70)])
def test_cases_that_show_three_points(variance: float, cases: float) -> None:
    assert required_cases(math.sqrt(variance), 0.03) == pytest.approx(cases, rel=3e-6)
    assert detectable(math.sqrt(variance), cases) == pytest.approx(0.03, rel=3e-6)


def test_cases_that_a_share_of_discordant_pairs_asks_for() -> None:
    assert math.ceil(required_cases(math.sqrt(0.15 - 0.05**2), 0.05)) == 464  # 463.1
    assert required_cases(math.sqrt(0.20 - 0.10**2), 0.10) == pytest.approx(149, abs=0.2)


def test_one_of_k_and_all_of_k() -> None:
    assert pass_at_k(5, 2, 2) == pytest.approx(0.7)
    assert pass_at_k(200, 20, 10) == pytest.approx(0.6602256, abs=5e-8)
    assert pass_hat_k(5, 2, 2) == pytest.approx(0.1)
    assert pass_hat_k(8, 6, 4) == pytest.approx(0.2142857, abs=5e-8)
    cases = [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]
    assert (pass_at(2, cases), pass_hat(2, cases)) == (pytest.approx(0.85), pytest.approx(0.55))


def test_holm_and_benjamini_hochberg() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize(("q", "calls"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_calls_that_a_quantile_needs(q: float, calls: int) -> None:
    assert fewest_calls(q) == calls
    assert quantile_interval([[float(value)] for value in range(calls - 1)], q) is None
    assert quantile_interval([[float(value)] for value in range(calls)], q) is not None


@pytest.mark.parametrize(("calls", "q", "ranks"), [(20, 0.5, (6, 15)), (100, 0.95, (90, 100))])
def test_interval_of_a_quantile_lies_near_the_ranks_of_the_binomial(
    calls: int, q: float, ranks: tuple[int, int]
) -> None:
    interval = quantile_interval([[float(rank)] for rank in range(1, calls + 1)], q)
    assert interval is not None
    # Ranks are whole; the interval is read off between them.
    assert ends(interval) == pytest.approx(ranks, abs=1.2)


def test_equivalence_and_non_inferiority() -> None:
    changes = [0.1, -0.05, 0, 0.02, -0.08, 0.03, 0.06, -0.02, 0.01, 0]
    graded = difference([[0.5]] * 10, [[0.5 + change] for change in changes], binary=False)
    assert equivalence_p(graded, 0.05) == pytest.approx(0.0133758, abs=5.1e-8)
    assert ends(graded.interval90) == pytest.approx((-0.02282, 0.03682), abs=5.1e-6)
    assert tango_score(6, 16, 161, -0.1) == pytest.approx(1.24892, abs=5.1e-6)
    assert noninferiority_p(table(59, 16, 6, 80), 0.1) == pytest.approx(0.10585, abs=5e-5)  # of z = 1.24892


def test_kappa() -> None:
    found = cohen_kappa([[20, 5], [10, 15]])
    assert found is not None
    assert (found.estimate, found.units) == (pytest.approx(0.4), 50)
    assert ends(found.interval) == pytest.approx((0.151, 0.649), abs=5.1e-4)
    labels = ["yes"] * 25 + ["no"] * 25, ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert contingency(*labels) == [[20, 5], [10, 15]]


@pytest.mark.parametrize(
    ("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_of_the_textbook(metric: Metric, alpha: float) -> None:
    ratings = [
        [None if mark == "." else float(mark) for mark in judge.split()]
        for judge in (
            "1 2 3 3 2 1 4 1 2 . . .",
            "1 2 3 3 2 2 4 1 2 5 . 3",
            ". 3 3 3 2 3 4 2 2 5 1 .",
            "1 2 3 3 2 4 4 1 2 5 1 .",
        )
    ]
    assert krippendorff_alpha(ratings, metric) == pytest.approx(alpha, abs=5.1e-4)


def test_identical_prompts_at_80_percent_flip_8_cases_in_100_each_way() -> None:
    # Beta(.8, .2): a case's own p(1-p) is .08 on average; five repeats with c passes are as likely as these counts say.
    weights = [math.comb(5, c) * math.gamma(c + 0.8) * math.gamma(5.2 - c) for c in range(6)]
    outcomes = [
        [1] * c + [0] * (5 - c) for c, weight in enumerate(weights) for _ in range(round(4000 * weight / sum(weights)))
    ]
    assert aa_flips(outcomes) == pytest.approx(8, abs=0.05)
