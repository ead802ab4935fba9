from __future__ import annotations

import pytest

from harness.stats.costs import mean_ratio, runaways


def test_ratio_of_two_bills() -> None:
    ratio = mean_ratio([1.0, 2.0, 3.0, 4.0], [0.9, 1.5, 2.5, 3.1])
    assert ratio is not None
    assert ratio.estimate == pytest.approx(0.8)
    assert ratio.interval.low < 0.8 < ratio.interval.high < 1
    assert mean_ratio([1.0, 2.0], [2.0, 4.0]) == mean_ratio([10.0, 20.0], [20.0, 40.0])


def test_what_costs_nothing_has_no_ratio() -> None:
    assert mean_ratio([0.0, 0.0], [1.0, 1.0]) is None
    assert mean_ratio([1.0], [1.0]) is None
    assert mean_ratio([], []) is None


def test_cases_that_run_away() -> None:
    found = runaways([[1.0, 1.0]] * 9 + [[6.0, 18.0], [5.0]])
    assert [(case.index, case.mean, case.times) for case in found] == [(9, 12.0, 12.0), (10, 5.0, 5.0)]
    assert found[0].share == pytest.approx(12 / 26)
    assert len(runaways([[1.0]] * 20 + [[9.0]] * 8)) == 5
    assert runaways([[1.0], [1.1], [1.2]]) == runaways([]) == runaways([[0.0], [0.0], [3.0]]) == []
