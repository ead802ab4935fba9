from __future__ import annotations

import math
import subprocess
import sys
from random import Random

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.costs import mean_ratio
from harness.stats.latency import geometric_ratio, quantile, quantile_difference, quantile_interval


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


def test_repeats_of_a_case_do_not_narrow_an_interval_as_cases_do() -> None:
    cases = [[float(value)] for value in range(100)]
    once = quantile_interval(cases, 0.5)
    copied = quantile_interval([values * 5 for values in cases], 0.5)
    spread = quantile_interval([[float(value)] for value in range(100) for _ in range(5)], 0.5)
    assert once is not None and copied is not None and spread is not None
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=1.0)
    assert spread.high - spread.low < 0.6 * (once.high - once.low)
    assert quantile_interval([[float(value) for value in range(500)]], 0.5) is None  # one case


def test_a_slower_tail_is_seen_and_the_same_seed_says_the_same() -> None:
    random = Random(5)
    a = [[random.lognormvariate(0, 0.3) for _ in range(1 + case % 3)] for case in range(300)]
    b = [[value * 2 for value in values] for values in a]
    found = quantile_difference(a, b, 0.95, seed=1)
    assert found is not None
    before, after = ([value for values in arm for value in values] for arm in (a, b))
    assert found.estimate == pytest.approx(quantile(after, 0.95) - quantile(before, 0.95))
    assert 0 < found.interval.low < found.estimate < found.interval.high
    assert quantile_difference(a, b, 0.95, seed=1) == found != quantile_difference(a, b, 0.95, seed=2)
    # Doubling moves every quantile by itself, and any two resamples alike.
    single = quantile_interval(a, 0.95)
    assert single is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((single.low, single.high), rel=0.1)


def test_the_bootstrap_is_that_of_whole_cases() -> None:
    # Written out: draw cases, put all their values together, take the quantile.
    random = Random(8)
    a = [[random.expovariate(1) for _ in range(random.choice([1, 2, 4]))] for _ in range(60)]
    b = [[value + random.random() for value in values] for values in a]
    generator, changes = numpy.random.default_rng(3), []
    for drawn in generator.integers(0, 60, (100, 60), dtype=numpy.int32):
        both = [numpy.concatenate([arm[case] for case in drawn]) for arm in (a, b)]
        changes.append(numpy.quantile(both[1], 0.9) - numpy.quantile(both[0], 0.9))
    found = quantile_difference(a, b, 0.9, seed=3, resamples=100)
    assert found is not None
    expected = numpy.quantile(changes, [0.025, 0.975])
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))


def test_quantiles_of_cases_that_belong_together_are_taken_over_clusters() -> None:
    # Twenty documents, five questions each: all questions of a document take equally long.
    random = Random(9)
    times = [random.lognormvariate(0, 0.6) for _ in range(20)]
    a = [[time] for time in times for _ in range(5)]
    b = [[time * 2] for (time,) in a]
    labels = [number // 5 for number in range(100)]
    alone, together = quantile_interval(a, 0.5), quantile_interval(a, 0.5, clusters=labels)
    documents = quantile_interval([[time] * 5 for time in times], 0.5)
    assert alone is not None and together is not None and documents is not None
    # As if each document were one case with five repeats.
    assert (together.low, together.high) == (documents.low, documents.high)
    assert together.high - together.low > 1.3 * (alone.high - alone.low)
    wide, narrow = quantile_difference(a, b, 0.5, seed=1, clusters=labels), quantile_difference(a, b, 0.5, seed=1)
    assert wide is not None and narrow is not None and wide.estimate == narrow.estimate
    assert (wide.cases, wide.clusters, wide.interval.method) == (100, 20, "paired bootstrap of clusters")
    assert wide.interval.high - wide.interval.low > 1.3 * (narrow.interval.high - narrow.interval.low)
    assert quantile_difference(a, b, 0.5, seed=1, clusters=["one"] * 100) is None
    assert quantile_interval(a, 0.5, clusters=["one"] * 100) is None


def test_ratios_that_no_number_holds_are_none() -> None:
    assert geometric_ratio([[1e-300], [1.0]], [[1.0], [1.0]]) is None
    assert mean_ratio([1e-200, 0.0], [1.0, 1e200]) is None


def test_too_few_calls_have_no_quantile_to_compare() -> None:
    few = [[1.0]] * 71
    assert quantile_difference(few, few, 0.95, seed=1) is None
    assert quantile_difference([*few, [1.0]], [*few, [1.0]], 0.95, seed=1) is not None
    with pytest.raises(ValueError, match="same cases"):
        quantile_difference(few, few[1:], 0.95, seed=1)


def test_statistics_of_one_repeat_need_no_numbers_of_others() -> None:
    code = """if True:
        import sys
        from harness.stats import agreement, costs, intervals, latency, multiplicity, paired, repeats, sizing, verdicts
        found = paired.difference([[1], [0]] * 9, [[1], [1]] * 9)
        verdicts.verdict(found, margin=0.1), found.p, intervals.pass_rate([[1], [0]]), multiplicity.holm([0.1, found.p])
        print([name for name in ('numpy', 'scipy') if name in sys.modules])
        paired.mean_difference([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
        print([name for name in ('scipy.stats', 'scipy.linalg', 'scipy.optimize', 'pandas') if name in sys.modules])
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n[]\n"
