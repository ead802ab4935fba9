"""How many cases it takes, and what so many can see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.stats.intervals import normal_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variance of a case's difference between two arms, split: what other cases would change, and other repeats."""

    #: Of the cases' true differences; no number of repeats removes it.
    between: float
    #: Of one pair of trials around its case's true difference; R repeats leave `within / R` of it.
    within: float

    def sd(self, repeats: float) -> float:
        """Standard deviation of the per-case differences with so many repeats."""
        return math.sqrt(self.between + self.within / repeats)

    def needed(self, effect: float, *, repeats: float, power: float = 0.8) -> float:
        """Cases that show `effect` with so many repeats each."""
        return required_cases(self.sd(repeats), effect, power)

    def detectable(self, cases: float, *, repeats: float, power: float = 0.8, level: float = 0.95) -> float:
        """Smallest difference that so many cases with so many repeats show; infinite repeats give the floor."""
        return detectable(self.sd(repeats), cases, power, level=level)

    def repeats_for(self, effect: float, *, cases: float, power: float = 0.8, level: float = 0.95) -> int | None:
        """Repeats with which so many cases show `effect`; None: no number of repeats is enough."""
        room = cases * (effect / reach(power, level)) ** 2 - self.between
        return max(math.ceil(self.within / room - 1e-9), 1) if room > 0 else None


def reach(power: float = 0.8, level: float = 0.95) -> float:
    """Standard errors that a difference must measure to be seen with this power: 2.80 for 80 percent."""
    return normal_quantile((1 + level) / 2) + normal_quantile(power)


def required_cases(sd: float, effect: float, power: float = 0.8, *, level: float = 0.95) -> float:
    """Cases that show a difference of `effect` (Miller 2024, eq. 9, repeats being part of `sd`).

    Args:
        sd: standard deviation of the per-case differences, never with the observed difference in the effect's place.
        effect: difference to be seen, > 0, in the unit of `sd`.
        power: probability of seeing it.
        level: coverage of the interval that must exclude 0.
    """
    return (reach(power, level) * sd / effect) ** 2


def detectable(sd: float, cases: float, power: float = 0.8, *, level: float = 0.95) -> float:
    """Smallest difference that so many cases show with this power; `required_cases` turned round."""
    return reach(power, level) * sd / math.sqrt(cases)


def variance_split(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> Spread | None:
    """Split the variance of the case differences into between and within cases; None if repeats do not tell.

    Args:
        a: for each case the outcomes of arm A.
        b: the same cases in the same order, with as many trials each as in `a`.

    Returns:
        None for fewer than two cases, or without a case that has two trials an arm.
    """
    repeated = [(x, y) for x, y in zip(a, b, strict=True) if len(x) > 1]
    if not repeated or len(a) < 2:
        return None
    within = math.fsum(_variance(x) + _variance(y) for x, y in repeated) / len(repeated)
    changes = [(math.fsum(y) - math.fsum(x)) / len(x) for x, y in zip(a, b, strict=True)]
    explained = math.fsum(within / len(x) for x in a) / len(a)
    return Spread(between=max(_variance(changes) - explained, 0.0), within=within)


def aa_flips(outcomes_by_case: Sequence[Sequence[float]], repeats: int = 1) -> float | None:
    """Cases in 100 that would look broken, and as many fixed, if nothing changed between two runs.

    Estimated without bias from the repeats of each case: the chance that, of two lots of `repeats` trials drawn from
    them without replacement, the second passes less often than the first.

    Args:
        outcomes_by_case: for each case its trials, 1 passed and 0 failed; both arms' together where nothing differs.
        repeats: trials of a case in each of the two runs.

    Returns:
        None: no case has 2 * `repeats` trials. Cases that have fewer are left out.
    """
    counts = [(len(x), sum(y > 0.5 for y in x)) for x in outcomes_by_case if len(x) >= 2 * repeats]
    if not counts:
        return None
    return 100 * math.fsum((1 - _tie(trials, passed, repeats)) / 2 for trials, passed in counts) / len(counts)


def _tie(trials: int, passed: int, repeats: int) -> float:
    """Chance that two disjoint draws of `repeats` out of `trials` hold equally many passes."""
    failed = trials - passed
    ways = math.fsum(
        math.comb(passed, hits)
        * math.comb(failed, repeats - hits)
        * math.comb(passed - hits, hits)
        * math.comb(failed - repeats + hits, repeats - hits)
        for hits in range(max(0, repeats - failed), min(repeats, passed) + 1)
        if 2 * hits <= passed and 2 * (repeats - hits) <= failed
    )
    return ways / (math.comb(trials, repeats) * math.comb(trials - repeats, repeats))


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
