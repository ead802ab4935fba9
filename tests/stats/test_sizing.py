from __future__ import annotations

import itertools
import math
import random

import pytest

from harness.stats.paired import difference
from harness.stats.sizing import Spread, aa_flips, detectable, required_cases, variance_split


def test_size_and_effect_are_two_sides_of_one_formula() -> None:
    cases = required_cases(0.4, 0.05, 0.9)
    assert detectable(0.4, cases, 0.9) == pytest.approx(0.05)
    assert cases > required_cases(0.4, 0.05)  # at 80 percent


def test_more_repeats_help_only_as_far_as_the_cases_reach() -> None:
    spread = Spread(between=0.02, within=0.32)
    assert spread.sd(1) == pytest.approx(math.sqrt(0.34))
    assert spread.needed(0.05, repeats=1) > spread.needed(0.05, repeats=5) > required_cases(math.sqrt(0.02), 0.05)
    # The same number of calls: more cases see more than more repeats.
    assert spread.detectable(300, repeats=1) < spread.detectable(100, repeats=3)
    assert spread.detectable(100, repeats=math.inf) == pytest.approx(detectable(math.sqrt(0.02), 100))


def test_repeats_that_would_do() -> None:
    spread = Spread(between=0.02, within=0.32)
    repeats = spread.repeats_for(0.05, cases=100)
    assert repeats is not None
    assert spread.detectable(100, repeats=repeats) <= 0.05 < spread.detectable(100, repeats=repeats - 1)
    assert spread.repeats_for(0.05, cases=60) is None  # not with any number of repeats
    assert spread.repeats_for(0.5, cases=100) == 1


def test_the_split_finds_what_the_outcomes_were_drawn_from() -> None:
    drawn = random.Random(4)
    chances = [(drawn.uniform(0.5, 1), drawn.uniform(0.5, 1)) for _ in range(4000)]
    a, b = ([[float(drawn.random() < pair[arm]) for _ in range(4)] for pair in chances] for arm in (0, 1))
    spread = variance_split(a, b)
    assert spread is not None
    assert spread.between == pytest.approx(2 / 48, abs=0.006)
    assert spread.within == pytest.approx(2 * (0.75 * 0.25 - 1 / 48), abs=0.01)
    assert difference(a, b).spread == spread


def test_single_trials_have_no_split() -> None:
    assert variance_split([[1], [0]], [[1], [1]]) is None
    assert variance_split([[1, 0]], [[1, 1]]) is None
    assert difference([[1], [0]], [[1], [1]]).spread is None


def test_flips_without_a_change() -> None:
    assert aa_flips([[1, 1, 1], [0, 0, 0]]) == 0
    assert aa_flips([[1, 0]] * 4) == 50  # each trial may come first: half of the pairs get worse
    assert aa_flips([[1], [0]]) is None
    assert aa_flips([[1, 0], [1]]) == 50
    assert aa_flips([[1, 0]], repeats=2) is None


def test_flips_of_repeated_cases_are_counted_over_all_ways_to_part_the_trials() -> None:
    outcomes = [1, 1, 0, 1, 0]
    worse = [
        sum(outcomes[i] for i in second) < sum(outcomes[i] for i in first)
        for first in itertools.combinations(range(5), 2)
        for second in itertools.combinations([i for i in range(5) if i not in first], 2)
    ]
    assert aa_flips([outcomes], repeats=2) == pytest.approx(100 * sum(worse) / len(worse))
