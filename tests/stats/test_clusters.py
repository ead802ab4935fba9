"""Cases that belong together: what one statement about them rests on."""

from __future__ import annotations

import math
from random import Random

import pytest

from harness.stats.intervals import mean, pass_rate, student_quantile
from harness.stats.latency import geometric_ratio
from harness.stats.paired import difference, mean_difference
from harness.stats.sizing import required_cases
from harness.stats.verdicts import verdict


def test_ten_copies_of_ten_cases_are_ten_cases() -> None:
    labels = [case for case in range(10) for _ in range(10)]
    outcomes = [[1]] * 70 + [[0]] * 30
    rate, clustered = pass_rate(outcomes, clusters=labels)
    ten = pass_rate([[1]] * 7 + [[0]] * 3)[1]
    assert rate == 0.7
    assert clustered.low < ten.low and clustered.high > ten.high  # Student's quantile on top
    assert clustered.low == pytest.approx(ten.low, abs=0.05)
    assert pass_rate(outcomes)[1].low > clustered.low + 0.15


def test_clusters_that_differ_no_more_than_cases_do_cost_only_students_quantile() -> None:
    random = Random(3)
    outcomes = [[int(random.random() < 0.7)] for _ in range(600)]
    clustered, single = pass_rate(outcomes, clusters=[case // 6 for case in range(600)])[1], pass_rate(outcomes)[1]
    assert clustered.method == "Wilson at the effective number of trials"
    assert (clustered.low, clustered.high) == pytest.approx((single.low, single.high), abs=0.01)


def test_all_passing_clusters_count_once_each() -> None:
    labels = [case // 10 for case in range(100)]
    low = pass_rate([[1]] * 100, clusters=labels)[1].low
    assert low < pass_rate([[1]] * 10)[1].low < pass_rate([[1]] * 100)[1].low
    assert pass_rate([[1]] * 100, clusters=labels, exact=True)[1].low == pytest.approx(0.025**0.1, abs=1e-6)


def test_graded_differences_have_the_robust_error() -> None:
    labels = [case % 4 for case in range(20)]
    values = [case / 20 for case in range(20)]
    found = difference([[0.0]] * 20, [[value] for value in values], binary=False, clusters=labels)
    half = student_quantile(0.975, 3) * 0.6454972 / 20
    assert (found.interval.low, found.interval.high) == pytest.approx((0.475 - half, 0.475 + half), abs=1e-7)
    assert (found.clusters, found.cases, found.method) == (4, 20, "cluster-robust t")
    assert found.student is not None and found.sd == pytest.approx(0.6454972 / 20 * math.sqrt(20), abs=1e-7)


def test_clusters_widen_a_difference_and_ask_for_more_cases() -> None:
    a = [[0]] * 30 + [[1]] * 70
    b = [[1]] * 20 + [[0]] * 20 + [[1]] * 60
    labels = [case // 10 for case in range(100)]
    single, clustered = difference(a, b), difference(a, b, clusters=labels)
    assert clustered.estimate == single.estimate and clustered.clusters == 10
    assert clustered.interval.low < single.interval.low and clustered.interval.high > single.interval.high
    assert clustered.p > single.p and clustered.mcnemar is None
    assert verdict(clustered, margin=0.05).required > verdict(single, margin=0.05).required
    assert verdict(clustered, margin=0.05).required == math.ceil(required_cases(clustered.sd, 0.05))


def test_pass_and_fail_get_two_pseudo_cases_that_belong_to_no_cluster() -> None:
    labels = [case // 2 for case in range(20)]
    found = difference([[0]] * 20, [[1]] * 6 + [[0]] * 14, clusters=labels)
    centre = 6 / 22
    squares = 3 * (2 * (1 - centre)) ** 2 + 7 * (2 * centre) ** 2 + (1 - centre) ** 2 + (1 + centre) ** 2
    assert found.student is not None
    assert (found.student.centre, found.student.degrees) == (pytest.approx(centre), 9)
    assert found.student.error == pytest.approx(math.sqrt(squares * 12 / 11) / 22)
    assert found.method == "cluster-robust t with two pseudo-cases"


def test_clusters_in_which_nothing_differs_count_once_each() -> None:
    labels = [case // 10 for case in range(100)]
    same = difference([[1]] * 100, [[1]] * 100, clusters=labels)
    assert same.interval.high > 0.2 and verdict(same, margin=0.05).kind == "not_enough_data"


def test_one_cluster_says_nothing() -> None:
    for binary in (True, False):
        found = difference([[0], [1], [0]], [[1], [1], [1]], binary=binary, clusters=["a", "a", "a"])
        assert (found.interval.low, found.interval.high, found.p, found.clusters) == (-1, 1, 1.0, 1)
        assert verdict(found, margin=0.5).kind == "not_enough_data"
    assert pass_rate([[1], [1], [0]], clusters=["a", "a", "a"])[1].low == 0.0
    assert mean([[0.5], [0.5]], clusters=["a", "a"])[1].high == 1.0
    assert mean_difference([1, 2], [2, 4], ["a", "a"]) is None
    assert geometric_ratio([[1.0], [2.0]], [[2.0], [2.0]], ["a", "a"]) is None


def test_costs_and_times_of_clusters() -> None:
    a, b = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0], [2.0, 2.0, 2.5, 2.5, 3.0, 3.0]
    single, clustered = mean_difference(a, b), mean_difference(a, b, "aabbcc")
    assert single is not None and clustered is not None
    assert clustered.clusters == 3 and single.clusters is None
    assert clustered.interval.high > single.interval.high and clustered.p is not None and clustered.p > (single.p or 1)
    slow, slower = ([[value] for value in arm] for arm in (a, b))
    one, other = geometric_ratio(slow, slower), geometric_ratio(slow, slower, "aabbcc")
    assert one is not None and other is not None
    assert other.estimate == one.estimate and other.interval.low < one.interval.low


def test_every_case_needs_a_label() -> None:
    with pytest.raises(ValueError, match="3 cases need 3 labels of clusters, not 2"):
        difference([[1]] * 3, [[1]] * 3, clusters=["a", "b"])
    with pytest.raises(ValueError, match="labels"):
        pass_rate([[1]], clusters=[])
