"""What holds of every statistic whatever the numbers: turning the arms round, the order of cases, one more pass."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.stats.agreement import cohen_kappa, contingency, krippendorff_alpha
from harness.stats.costs import mean_ratio
from harness.stats.intervals import Interval, mean, pass_rate
from harness.stats.latency import geometric_ratio, quantile, quantile_difference, quantile_interval
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.paired import difference, equivalence_p, mean_difference, noninferiority_p
from harness.stats.repeats import flakiness, pass_at, pass_hat
from harness.stats.sizing import aa_flips

Case = tuple[list[float], list[float], int]


def cases(values: st.SearchStrategy[float], *, least: int = 1) -> st.SearchStrategy[list[Case]]:
    """Cases of two arms with as many trials each, and a cluster."""
    one = st.integers(1, 3).flatmap(
        lambda trials: st.tuples(
            st.lists(values, min_size=trials, max_size=trials),
            st.lists(values, min_size=trials, max_size=trials),
            st.integers(0, 4),
        )
    )
    return st.lists(one, min_size=least, max_size=15)


#: A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
briefly = settings(patient, max_examples=25)

outcomes = st.sampled_from([0.0, 1.0])
scores = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
seconds = st.floats(0.01, 100)


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def parts(found: list[Case]) -> tuple[list[list[float]], list[list[float]], list[int]]:
    return [a for a, _, _ in found], [b for _, b, _ in found], [cluster for _, _, cluster in found]


@patient
@given(cases(outcomes), st.booleans(), st.booleans())
def test_a_pass_rate(found: list[Case], clustered: bool, exact: bool) -> None:
    a, _, labels = parts(found)
    clusters = labels if clustered else None
    rate, interval = pass_rate(a, clusters=clusters, exact=exact)
    assert 0 <= interval.low <= rate + 1e-9 and rate - 1e-9 <= interval.high <= 1
    turned = pass_rate([[1 - x for x in case] for case in a], clusters=clusters, exact=exact)[1]
    assert (1 - turned.high, 1 - turned.low) == pytest.approx(ends(interval), abs=1e-7)
    order = list(range(len(a)))
    random.Random(1).shuffle(order)
    shuffled = pass_rate([a[i] for i in order], clusters=clusters and [clusters[i] for i in order], exact=exact)[1]
    assert ends(shuffled) == pytest.approx(ends(interval), abs=1e-7)


@patient
@given(st.integers(0, 30), st.integers(1, 30), st.booleans())
def test_one_more_pass_raises_both_ends_of_a_pass_rate(passed: int, failed: int, exact: bool) -> None:
    before = pass_rate([[1]] * passed + [[0]] * failed, exact=exact)[1]
    after = pass_rate([[1]] * (passed + 1) + [[0]] * failed, exact=exact)[1]
    assert after.low > before.low and after.high > before.high


@patient
@given(cases(scores), st.booleans())
def test_a_mean_score(found: list[Case], clustered: bool) -> None:
    a, _, labels = parts(found)
    average, interval = mean(a, clusters=labels if clustered else None)
    assert 0 <= interval.low <= average + 1e-9 and average - 1e-9 <= interval.high <= 1


@patient
@given(cases(outcomes), st.booleans(), st.booleans(), st.sampled_from([0.8, 0.99]))
def test_a_difference_of_outcomes(found: list[Case], clustered: bool, binary: bool, level: float) -> None:
    a, b, labels = parts(found)
    clusters = labels if clustered else None
    there, back = (difference(x, y, binary, clusters, level) for x, y in ((a, b), (b, a)))
    assert -1 <= there.interval.low <= there.estimate + 1e-9 and there.estimate - 1e-9 <= there.interval.high <= 1
    assert (-back.interval.high, -back.interval.low) == pytest.approx(ends(there.interval), abs=1e-7)
    assert there.interval == there.at(level) and there.interval90 == there.at(0.90)
    assert (there.p, back.estimate) == (pytest.approx(back.p, abs=1e-9), pytest.approx(-there.estimate))
    excluded = there.interval.low > 1e-9 or there.interval.high < -1e-9
    if abs(there.p - (1 - level)) > 1e-6:
        assert (there.p < 1 - level) == excluded
    order = list(range(len(a)))
    random.Random(2).shuffle(order)
    shuffled = difference(
        [a[i] for i in order], [b[i] for i in order], binary, clusters and [clusters[i] for i in order], level
    )
    assert ends(shuffled.interval) == pytest.approx(ends(there.interval), abs=1e-7)
    # Equivalence is not being worse by the margin in either direction.
    assert equivalence_p(there, 0.1) == pytest.approx(max(noninferiority_p(there, 0.1), noninferiority_p(back, 0.1)))
    not_worse = noninferiority_p(there, 0.1)
    if level == 0.99 and abs(not_worse - 0.005) > 1e-6 and there.interval.low > -1:
        assert (not_worse < 0.005) == (there.interval.low > -0.1 + 1e-9)


@patient
@given(cases(scores, least=2))
def test_a_difference_does_not_hear_of_clusters_of_one_case(found: list[Case]) -> None:
    a, b, _ = parts(found)
    assert difference(a, b, False, list(range(len(a)))) == difference(a, b, False)


@patient
@given(cases(seconds, least=2), st.booleans())
def test_ratios_turn_into_their_reciprocals(found: list[Case], clustered: bool) -> None:
    a, b, labels = parts(found)
    clusters = labels if clustered else None
    there, back = geometric_ratio(a, b, clusters), geometric_ratio(b, a, clusters)
    assert (there is None) == (back is None)
    if there is not None and back is not None and there.interval.low > 1e-200 and there.interval.high < 1e200:
        assert (1 / back.interval.high, 1 / back.interval.low) == pytest.approx(ends(there.interval), rel=1e-6)
        assert there.interval.low <= there.estimate * (1 + 1e-9) <= there.interval.high * (1 + 2e-9)
    single = [x[0] for x in a], [y[0] for y in b]
    one, other = mean_ratio(*single), mean_ratio(single[1], single[0])
    assert one is not None and other is not None
    assert one.estimate == pytest.approx(sum(single[1]) / sum(single[0]))
    assert one.estimate * other.estimate == pytest.approx(1)


@patient
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=20))
def test_a_mean_difference_turns_with_the_arms(pairs: list[tuple[float, float]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    there, back = mean_difference(a, b), mean_difference(b, a)
    assert there is not None and back is not None
    assert (-back.interval.high, -back.interval.low) == pytest.approx(ends(there.interval), abs=1e-9)
    assert there.p == back.p


@briefly
@given(st.lists(st.lists(seconds, min_size=1, max_size=3), min_size=36, max_size=60), st.sampled_from([0.5, 0.9]))
def test_the_interval_of_a_quantile_holds_it(values: list[list[float]], q: float) -> None:
    interval = quantile_interval(values, q)
    assert interval is not None
    estimate = quantile([value for case in values for value in case], q)
    assert interval.low <= estimate <= interval.high
    tenfold = quantile_interval([[10 * value for value in case] for case in reversed(values)], q)
    assert tenfold is not None
    assert ends(tenfold) == pytest.approx((10 * interval.low, 10 * interval.high))


@briefly
@given(cases(seconds, least=13), st.sampled_from([0.25, 0.5]))
def test_a_difference_of_quantiles_turns_with_the_arms(found: list[Case], q: float) -> None:
    a, b, _ = parts(found)
    there, back = (quantile_difference(x, y, q, seed=5, resamples=200) for x, y in ((a, b), (b, a)))
    assert there is not None and back is not None
    assert (-back.interval.high, -back.interval.low) == pytest.approx(ends(there.interval), abs=1e-9)
    moved = quantile_difference(a, [[value + 3 for value in case] for case in a], q, seed=5, resamples=50)
    assert moved is not None
    assert (moved.estimate, *ends(moved.interval)) == pytest.approx((3, 3, 3))


@patient
@given(st.lists(st.floats(0, 1), max_size=20))
def test_adjusted_p_values(ps: list[float]) -> None:
    strict, lenient = holm(ps), benjamini_hochberg(ps)
    for p, one, other in zip(ps, strict, lenient, strict=True):
        assert p <= other * (1 + 1e-9) and other <= one * (1 + 1e-9) and one <= min(1.0, p * len(ps)) * (1 + 1e-9)
    assert sorted(range(len(ps)), key=lambda i: (ps[i], i)) == sorted(
        range(len(ps)), key=lambda i: (strict[i], ps[i], i)
    )


@patient
@given(st.lists(st.lists(outcomes, min_size=2, max_size=6), min_size=1, max_size=10))
def test_reliability_over_repeats(found: list[list[float]]) -> None:
    one, every, either = pass_at(1, found), pass_hat(2, found), pass_at(2, found)
    assert one is not None and every is not None and either is not None
    assert 0 <= every <= one + 1e-9 and one <= either + 1e-9 <= 1 + 2e-9
    # Of two fresh trials both pass, none does, or they disagree; a flip each way is half of the last.
    disagreeing = [flakiness(case) or 0.0 for case in found]
    assert either - every == pytest.approx(math.fsum(disagreeing) / len(found))
    assert aa_flips(found) == pytest.approx(50 * math.fsum(disagreeing) / len(found))


@patient
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_agreement_does_not_depend_on_who_comes_first(pairs: list[tuple[str, str]]) -> None:
    first, second = [x for x, _ in pairs], [y for _, y in pairs]
    there, back = cohen_kappa(contingency(first, second)), cohen_kappa(contingency(second, first))
    if there is None:
        assert len({*first, *second}) == 1 and back is None
        return
    assert back is not None
    assert there.estimate == pytest.approx(back.estimate)
    assert (
        -1 <= there.interval.low <= there.estimate + 1e-9 and there.estimate <= there.interval.high + 1e-9 <= 1 + 2e-9
    )
    numbers = [[float("abc".index(x)) for x in judge] for judge in (first, second)]
    for metric in ("nominal", "ordinal", "interval", "ratio"):
        alpha = krippendorff_alpha(numbers, metric)
        assert alpha == pytest.approx(krippendorff_alpha(numbers[::-1], metric))
        assert (alpha == pytest.approx(1.0)) == (first == second)
