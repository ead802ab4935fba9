"""Looks at a comparison while it runs: when they are taken, what may stop it, and the interval that holds at all of them.

Group-sequential tests with the spending function of Lan and DeMets (1983) that comes out near O'Brien and Fleming's
boundaries (1979): hardly anything is spent early, so that whoever goes on to the end loses next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from harness.stats.intervals import Interval, normal_cdf, normal_quantile, student_cdf, student_quantile, turning_point
from harness.stats.paired import Difference, tango_score

#: Ends the method of an interval that holds at all looks together.
REPEATED = "repeated (O'Brien-Fleming)"
#: A look whenever so many parts of the planned cases are in, and none before so many cases.
_PARTS, _LEAST = 10, 20
#: No evidence is stronger: what a tail below this amounts to.
_MOST = 30.0
#: Points of the grid on which densities are integrated.
_POINTS = 501


def planned_looks(cases: int) -> tuple[int, ...]:
    """Numbers of complete cases at which to look: every tenth of `cases`, none below 20, and always at the end.

    Args:
        cases: planned cases, > 0.
    """
    counts = {-(-cases * part // _PARTS) for part in range(1, _PARTS)}
    return (*sorted(count for count in counts if _LEAST <= count < cases), cases)


def spent(fraction: float, alpha: float) -> float:
    """Type I error spent when a `fraction` of the information is in: 4(1 - Phi(z_{alpha/4} / sqrt(fraction))).

    Lan and DeMets (1983), two-sided; the boundaries that follow are close to O'Brien and Fleming's (1979).
    """
    return 4 * normal_cdf(normal_quantile(alpha / 4) / math.sqrt(fraction))


@lru_cache(maxsize=64)
def boundaries(fractions: tuple[float, ...], alpha: float = 0.05) -> tuple[float, ...]:
    """What |z| must exceed at each look so that all looks together err with probability `alpha` at most.

    Each boundary is solved for by integrating the density of the paths that have crossed none before it (Armitage,
    McPherson and Rowe 1969).

    Args:
        fractions: information at each look as a share of all, rising, the last one 1.
        alpha: two-sided type I error over all looks.
    """
    import numpy as np
    from scipy.special import ndtr

    simpson = np.where(np.arange(_POINTS) % 2, 4.0, 2.0)
    simpson[[0, -1]] = 1.0
    found: list[float] = []
    points = weights = np.empty(0)
    before = 0.0
    for fraction in fractions:
        step = fraction - before
        share = spent(fraction, alpha) - (spent(before, alpha) if before else 0.0)
        if not found:
            edge = min(-normal_quantile(share / 2), _MOST) * math.sqrt(fraction)
        else:
            scale = math.sqrt(step)
            edge = _root(
                lambda at: float(weights @ (ndtr((points - at) / scale) + ndtr((-at - points) / scale))),  # noqa: B023 (called at once)
                share,
                _MOST * math.sqrt(fraction),
            )
        grid = np.linspace(-edge, edge, _POINTS)
        if found:
            density = np.exp(-((grid[:, None] - points) ** 2) / (2 * step)) @ weights / math.sqrt(2 * math.pi * step)
        else:
            density = np.exp(-(grid**2) / (2 * fraction)) / math.sqrt(2 * math.pi * fraction)
        found.append(edge / math.sqrt(fraction))
        points, weights, before = grid, density * simpson * (grid[1] - grid[0]) / 3, fraction
    return tuple(found)


def critical_values(looks: Sequence[int], alpha: float = 0.05) -> tuple[float, ...]:
    """`boundaries` at looks that are given by their numbers of complete cases."""
    return boundaries(tuple(look / looks[-1] for look in looks), alpha)


def z_score(found: Difference, against: float = 0.0) -> float:
    """Evidence that a difference is not `against`, as a standard normal value with the difference's sign.

    McNemar's (Tango's score, 1998) for one binary trial a case, else Student's p value turned into a z.
    """
    student = found.student
    if student is None:
        if found.method != "Tango":
            return 0.0
        return max(-_MOST, min(_MOST, tango_score(found.fixed, found.broken, found.cases, against)))
    distance = student.centre - against
    if student.error == 0:
        return math.copysign(_MOST, distance) if distance else 0.0
    tail = student_cdf(-abs(distance) / student.error, student.degrees)
    return math.copysign(min(-normal_quantile(tail), _MOST) if tail > 0 else _MOST, distance)


def repeated_interval(found: Difference, critical: float, level: float = 0.95) -> Interval:
    """Interval of all differences that a look's boundary does not reject (Jennison and Turnbull 1989).

    Args:
        found: The difference by the cases that are in; not of a single repeated case.
        critical: The boundary of this look.
        level: What the intervals of all looks cover together.
    """
    student = found.student
    if student is None and found.method != "Tango":
        return Interval(low=-1.0, high=1.0, method=f"{found.method}, {REPEATED}", level=level)
    if student is None:
        low = turning_point(-1.0, found.estimate, lambda at: z_score(found, at) > critical)
        high = turning_point(found.estimate, 1.0, lambda at: z_score(found, at) > -critical)
        return Interval(low=low, high=high, method=f"{found.method}, {REPEATED}", level=level)
    half = -student_quantile(max(normal_cdf(-critical), 1e-300), student.degrees) * student.error
    low, high = max(student.centre - half, -1.0), min(student.centre + half, 1.0)
    return Interval(low=low, high=high, method=f"{found.method}, {REPEATED}", level=level)


def conditional_power(z: float, fraction: float, drift: float, critical: float) -> float:
    """Probability of ending beyond +`critical`, given `z` now (Lan, Simon and Halperin 1982).

    Args:
        z: evidence at this look.
        fraction: information that is in, below 1.
        drift: expected z at the end under the effect that is assumed for the rest: effect * sqrt(cases) / sd.
        critical: boundary at the end.
    """
    rest = 1 - fraction
    return normal_cdf((z * math.sqrt(fraction) + drift * rest - critical) / math.sqrt(rest))


def _root(falling: Callable[[float], float], target: float, high: float) -> float:
    """Where a function that falls from 0 to `high` comes to a target."""
    return turning_point(0.0, high, lambda at: falling(at) > target)
