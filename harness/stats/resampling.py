"""The paired bootstrap of cases, for quantiles: all values of a case, in both arms, move together.

Values are sorted once. A resample is a number of times that each case was drawn, so that its quantile is found by adding
these numbers up along the sorted values, from the nearer end and no further than the quantile can be.
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
        times = np.bincount(drawn.ravel(), minlength=rows * cases).reshape(rows, cases).astype(np.int32)
        before, after = (arm.quantiles(times) for arm in arms)
        changes[start : start + rows] = after - before
    low, high = np.quantile(changes, shares)
    return float(low), float(high)


class _Sorted:
    """The values of one arm from the end that is nearer to the quantile, and the case of each."""

    def __init__(self, values_by_case: Sequence[Sequence[float]], q: float) -> None:
        import numpy as np

        sizes = np.array([len(values) for values in values_by_case])
        values = np.concatenate([np.asarray(values, float) for values in values_by_case])
        self._upper = q >= 0.5
        #: Distance of the quantile from that end, as a share.
        self._depth = 1 - q if self._upper else q
        order = np.argsort(-values if self._upper else values, kind="stable")
        self._values = values[order]
        self._case = np.repeat(np.arange(len(sizes)), sizes)[order]
        self._sizes = None if (sizes == sizes[0]).all() else sizes
        self._total = int(sizes.sum())
        self._most = int(sizes.max())

    def quantiles(self, times: NDArray[np.int32]) -> NDArray[np.float64]:
        """The quantile of each row of `times`: how often each case was drawn (rows x cases)."""
        import numpy as np

        if self._sizes is None:
            total = np.full(len(times), float(self._total))
        else:
            total = (times @ self._sizes).astype(float)
        place = (total - 1) * self._depth
        # Of the type of what they are looked up in, which would be copied as a whole otherwise.
        first = np.floor(place).astype(np.int32)
        # A resample ends where its values do: beyond the last one there is nothing to go on to.
        second = np.minimum(first + 1, (total - 1).astype(np.int32))
        reached = self._reached(times, int(first.max()) + 1)
        lower = [row.searchsorted(rank, "right") for row, rank in zip(reached, first, strict=True)]
        upper = [row.searchsorted(rank, "right") for row, rank in zip(reached, second, strict=True)]
        share = place - first
        found: NDArray[np.float64] = self._values[lower] * (1 - share) + self._values[upper] * share
        return found

    def _reached(self, times: NDArray[np.int32], rank: int) -> NDArray[np.int32]:
        """How many drawn values there are up to each sorted one, as far as it takes for every row to get past `rank`."""
        import numpy as np

        kept = min(self._total, rank + math.isqrt(16 * rank * self._most) + 8 * self._most)
        while True:
            reached: NDArray[np.int32] = times[:, self._case[:kept]].cumsum(axis=1, dtype=np.int32)
            if kept == self._total or reached[:, -1].min() > rank:
                return reached
            kept = min(self._total, kept * 2)
