"""Reliability over the repeats of a case."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pass_hat_k(trials: int, passed: int, k: int) -> float:
    """Unbiased estimate of the chance that k fresh repeats all pass: C(passed, k) / C(trials, k) (tau-bench, eq. 1).

    Raises:
        ValueError: fewer than k trials, or k < 1.
    """
    if k < 1 or trials < k:
        raise ValueError(f"pass^{k} needs at least {k} trials of the case")
    return math.comb(passed, k) / math.comb(trials, k)


def pass_at_k(trials: int, passed: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k fresh repeats passes (Chen et al. 2021, eq. 1).

    Raises:
        ValueError: fewer than k trials, or k < 1.
    """
    if k < 1 or trials < k:
        raise ValueError(f"pass@{k} needs at least {k} trials of the case")
    return 1 - math.comb(trials - passed, k) / math.comb(trials, k)


def pass_power(counts: Sequence[tuple[int, int]], k: int) -> float:
    """pass^k averaged over cases; `counts` holds (trials, passed) of each case, k or more trials in each.

    Raises:
        ValueError: no cases, or one with fewer than k trials.
    """
    if not counts:
        raise ValueError("pass^k needs at least one case")
    return math.fsum(pass_hat_k(trials, passed, k) for trials, passed in counts) / len(counts)


def pass_hat(k: int, outcomes_by_case: Sequence[Sequence[float]]) -> float | None:
    """Chance that k fresh repeats of a case all pass, averaged over cases; None if a case has fewer than k trials.

    Args:
        k: 1 or more.
        outcomes_by_case: for each case its trials, 1 passed and 0 failed.
    """
    counts = _counts(outcomes_by_case, k)
    return None if counts is None else math.fsum(pass_hat_k(n, c, k) for n, c in counts) / len(counts)


def pass_at(k: int, outcomes_by_case: Sequence[Sequence[float]]) -> float | None:
    """Chance that at least one of k fresh repeats of a case passes; arguments and None as in `pass_hat`."""
    counts = _counts(outcomes_by_case, k)
    return None if counts is None else math.fsum(pass_at_k(n, c, k) for n, c in counts) / len(counts)


def flakiness(outcomes: Sequence[float]) -> float | None:
    """Chance that two repeats of this case disagree, estimated without bias: 0 steady, 0.5 and more a coin.

    Args:
        outcomes: the trials of one case, 1 passed and 0 failed; None for fewer than two.
    """
    trials = len(outcomes)
    if trials < 2:
        return None
    passed = _passed(outcomes)
    return 2 * passed * (trials - passed) / (trials * (trials - 1))


def _counts(outcomes_by_case: Sequence[Sequence[float]], k: int) -> list[tuple[int, int]] | None:
    """(trials, passed) of each case; a case left out would be one that nobody hears of, so then there is no number."""
    if not outcomes_by_case or any(len(outcomes) < k for outcomes in outcomes_by_case):
        return None
    return [(len(outcomes), _passed(outcomes)) for outcomes in outcomes_by_case]


def _passed(outcomes: Sequence[float]) -> int:
    return sum(outcome > 0.5 for outcome in outcomes)
