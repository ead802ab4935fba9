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


def pass_power(counts: Sequence[tuple[int, int]], k: int) -> float:
    """pass^k averaged over cases; `counts` holds (trials, passed) of each case, k or more trials in each.

    Raises:
        ValueError: no cases, or one with fewer than k trials.
    """
    if not counts:
        raise ValueError("pass^k needs at least one case")
    return math.fsum(pass_hat_k(trials, passed, k) for trials, passed in counts) / len(counts)
