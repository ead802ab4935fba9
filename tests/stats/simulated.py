"""Suites with known truths, drawn many at a time, and what a simulated rate may differ by from a table's.

Cases pass with probabilities of their own (U-shaped Beta, intra-case correlation one half); the two arms of a case hang
together by a Gaussian copula. The tables are those that the defaults were chosen by, from other programs and seeds; each
entry was simulated `THEIRS` times unless a test says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from harness.stats.intervals import Interval, pass_rate
from harness.stats.paired import difference
from harness.stats.tango import tango_interval

THEIRS = 6000

Counts = NDArray[np.int64]


def drawn(
    seed: int, suites: int, cases: int, repeats: int, a: float, b: float, copula: float = 0.9
) -> tuple[Counts, Counts]:
    """Passes of each case (suites x cases) in two arms with pass rates `a` and `b`."""
    random = np.random.default_rng(seed)
    one = random.standard_normal((suites, cases))
    other = copula * one + math.sqrt(1 - copula**2) * random.standard_normal((suites, cases))
    return tuple(  # type: ignore[return-value]  # two of them
        random.binomial(repeats, betaincinv(rate, 1 - rate, ndtr(normal))) for rate, normal in ((a, one), (b, other))
    )


def within_error(found: float, table: float, suites: int, theirs: int = THEIRS) -> bool:
    """Whether two simulated rates agree within three standard errors of both, and the table's rounding."""
    centre = min(max((found * suites + table * theirs) / (suites + theirs), 0.0), 1.0)
    return abs(found - table) <= 3 * math.sqrt(centre * (1 - centre) * (1 / suites + 1 / theirs)) + 0.0005


def rate_intervals(passes: Counts, repeats: int, *, exact: bool = False) -> Iterator[Interval]:
    """The interval of the pass rate of each suite; suites with the same counts share it, the order of cases is nothing."""
    for suite in passes:
        yield _rate(tuple(np.bincount(suite, minlength=repeats + 1).tolist()), exact)


def differences(a: Counts, b: Counts, repeats: int) -> Iterator[Interval]:
    """The interval of the difference of each pair of suites, as `difference` gives it."""
    for one, other in zip(a, b, strict=True):
        if repeats == 1:
            yield _single(int((other > one).sum()), int((other < one).sum()), len(one))
        else:
            yield _repeated(tuple(np.bincount(other - one + repeats, minlength=2 * repeats + 1).tolist()))


@cache
def _rate(counts: tuple[int, ...], exact: bool) -> Interval:
    repeats = len(counts) - 1
    cases = [_trials(passes, repeats) for passes, number in enumerate(counts) for _ in range(number)]
    return pass_rate(cases, exact=exact)[1]


@cache
def _single(fixed: int, broken: int, cases: int) -> Interval:
    # What `difference` returns for these counts; test_paired.py holds that it does.
    return tango_interval(fixed, broken, cases)


@cache
def _repeated(counts: tuple[int, ...]) -> Interval:
    repeats = len(counts) // 2
    steps = [step for step, number in enumerate(counts, start=-repeats) for _ in range(number)]
    return difference(
        [_trials(max(-step, 0), repeats) for step in steps], [_trials(max(step, 0), repeats) for step in steps]
    ).interval


def _trials(passes: int, repeats: int) -> list[int]:
    return [1] * passes + [0] * (repeats - passes)
