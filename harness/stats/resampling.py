"""The paired bootstrap of cases, for quantiles: all values of a case, in both arms, move together.

Values are sorted once, and cut into blocks. A resample is a number of times that each case was drawn: a product of matrices
adds these numbers up by block, which says in which block the quantile lies, and only there they are added up one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Resamples that are in memory at once.
_CHUNK = 250


def quantile_changes(
    a: Sequence[Sequence[float]],
    b: Sequence[Sequence[float]],
    q: float,
    *,
    seed: int,
    resamples: int,
    shares: tuple[float, float],
) -> tuple[float, float]:
    """The `shares` of the distribution of B's q-quantile minus A's over resampled cases.

    Args:
        a: for each case its values, at least one.
        b: the same cases in the same order.
        q: above 0, below 1.
        seed: of numpy's PCG64.
        resamples: how many, >= 1.
        shares: two probabilities, the lower first: (0.025, 0.975) for 95 percent.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    arms = [_Sorted(values, q) for values in (a, b)]
    cases, changes = len(a), np.empty(resamples)
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        drawn = random.integers(0, cases, (rows, cases), dtype=np.int32)
        drawn += (np.arange(rows, dtype=np.int32) * cases)[:, None]
        # Whole numbers, and far below the 2^24 up to which 32 bits hold them exactly; matrices multiply faster so.
        times = np.bincount(drawn.ravel(), minlength=rows * cases).reshape(rows, cases).astype(np.float32)
        before, after = (arm.quantiles(times) for arm in arms)
        changes[start : start + rows] = after - before
    low, high = np.quantile(changes, shares)
    return float(low), float(high)


class _Sorted:
    """The sorted values of one arm, the case of each, and how many of each block a case has."""

    def __init__(self, values_by_case: Sequence[Sequence[float]], q: float) -> None:
        import numpy as np

        sizes = [len(values) for values in values_by_case]
        values = np.concatenate([np.asarray(values, float) for values in values_by_case])
        order = np.argsort(values, kind="stable")
        self._q = q
        self._values = values[order]
        self._case = np.repeat(np.arange(len(sizes)), sizes)[order]
        self._width = max(math.isqrt(len(values)), 1)
        block = np.arange(len(values)) // self._width
        self._blocks = np.zeros((len(sizes), int(block[-1]) + 1), np.float32)
        np.add.at(self._blocks, (self._case, block), 1)

    def quantiles(self, times: NDArray[np.float32]) -> NDArray[np.float64]:
        """The quantile of each row of `times`: how often each case was drawn (rows x cases)."""
        import numpy as np

        reached = (times @ self._blocks).cumsum(axis=1, dtype=np.float64)
        total = reached[:, -1]
        place = (total - 1) * self._q
        first = np.floor(place)
        share = place - first
        lower = self._at(first, times, reached)
        # A resample ends where its values do: beyond the last one there is nothing to go on to.
        upper = self._at(np.minimum(first + 1, total - 1), times, reached)
        found: NDArray[np.float64] = lower * (1 - share) + upper * share
        return found

    def _at(
        self, rank: NDArray[np.float64], times: NDArray[np.float32], reached: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The value at this rank of each row, the least being 0; `reached`: drawn values up to the end of each block."""
        import numpy as np

        rows = np.arange(len(times))
        block = (reached <= rank[:, None]).sum(axis=1)
        before = np.where(block > 0, reached[rows, np.maximum(block - 1, 0)], 0.0)
        # Beyond the last value stands the last value: the rank is reached before it is read twice.
        inside = np.minimum(block[:, None] * self._width + np.arange(self._width), len(self._values) - 1)
        counted = times[rows[:, None], self._case[inside]].cumsum(axis=1)
        index = block * self._width + (counted <= (rank - before)[:, None]).sum(axis=1)
        found: NDArray[np.float64] = self._values[index]
        return found
