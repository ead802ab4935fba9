"""What stopping early promises, held by simulation: false alarms, power and cases saved, as in the tables it was chosen by.

Streams of trials go through what watches a run. Rates carry a Monte Carlo error (2 SE) of one
percentage point at 5 percent, and of five to six around one half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betaincinv, ndtr

from harness.errors import SourceLocation
from harness.records import Outcome, Result
from harness.stats.sequential import critical_values, planned_looks
from harness.suites.suite import Suite, Variant
from harness.summary.stopping import watched

pytestmark = pytest.mark.slow

#: A margin at which nothing is ever hopeless.
ANY = 1.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of many streams."""

    different: float
    better: float
    used: float


def ended(streams: Iterator[tuple[np.ndarray, np.ndarray]], *, margin: float) -> Ended:
    """Run streams to their ends; each is the outcomes of two arms, an array of (cases, repeats)."""
    kinds: list[str] = []
    used: list[int] = []
    for a, b in streams:
        kind, cases = _one(a, b, margin=margin)
        kinds.append(kind)
        used.append(cases)
    return Ended(
        different=float(np.mean([kind in ("better", "worse") for kind in kinds])),
        better=float(np.mean([kind == "better" for kind in kinds])),
        used=float(np.mean(used)),
    )


def _one(a: np.ndarray, b: np.ndarray, *, margin: float) -> tuple[str, int]:
    cases, repeats = a.shape
    where = SourceLocation("s.yaml")
    suite = Suite(
        name="s",
        path=Path("s.yaml"),
        shown="s.yaml",
        variants=(Variant(name="a", where=where), Variant(name="b", where=where)),
        baseline="a",
        cases=(),
        margin=margin,
        stop_early=True,
    )
    plan = [(str(case), arm) for case in range(cases) for _ in range(repeats) for arm in ("a", "b")]
    watch = watched(suite, plan)
    assert watch is not None
    for case in range(cases):
        for repeat in range(repeats):
            for arm, outcomes in (("a", a), ("b", b)):
                outcome = Outcome.PASSED if outcomes[case, repeat] else Outcome.FAILED
                watch.add(Result(run="r", suite="s", case=str(case), variant=arm, repeat=repeat + 1, outcome=outcome))
        if watch.stopped:
            break
    found = watch.stopping("b")
    assert found is not None
    interval = found.looks[-1].interval
    return "better" if interval.low > 0 else "worse" if interval.high < 0 else "", found.used


def binary(
    cases: int, *, fixed: float, broken: float, streams: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Streams of one trial a case, of which given shares are fixed and broken."""
    chance = np.random.default_rng(seed)
    for _ in range(streams):
        draw = chance.random((cases, 1))
        yield (draw >= fixed), (draw < fixed) | (draw >= fixed + broken)


def repeated(
    cases: int, repeats: int, *, a: float, b: float, streams: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Streams of repeats: cases pass with chances of their own (U-shaped Beta), which hang together over the arms."""
    chance = np.random.default_rng(seed)
    for _ in range(streams):
        one = chance.standard_normal(cases)
        other = 0.9 * one + np.sqrt(0.19) * chance.standard_normal(cases)
        yield tuple(  # type: ignore[misc]  # two of them
            chance.random((cases, repeats)) < betaincinv(rate, 1 - rate, ndtr(normal))[:, None]
            for rate, normal in ((a, one), (b, other))
        )


@pytest.mark.parametrize(("cases", "alarms"), [(100, 0.045), (300, 0.051), (1000, 0.058)])
def test_boundaries_keep_false_alarms_of_counted_pairs_in_their_limits(cases: int, alarms: float) -> None:
    """Many more streams than the others, by their counts alone."""
    looks = np.array(planned_looks(cases))
    bounds = np.array(critical_values(tuple(looks)))
    chance = np.random.default_rng(cases)
    steps = np.diff(looks, prepend=0)
    fixed, broken = (
        np.cumsum(counts, axis=0)
        for counts in np.moveaxis(
            np.stack([chance.multinomial(step, (0.1, 0.1, 0.8), size=20_000)[:, :2] for step in steps]), 2, 0
        )
    )
    z = (fixed - broken) / np.sqrt(np.maximum(fixed + broken, 1))
    found = float(np.mean((np.abs(z) > bounds[:, None]).any(axis=0)))
    assert found <= 0.06
    assert found == pytest.approx(alarms, abs=0.01)


def test_nothing_changed_is_rarely_called_a_difference() -> None:
    found = ended(binary(100, fixed=0.1, broken=0.1, streams=350, seed=100), margin=0.10)
    assert found.different <= 0.06
    assert found.used < 90


@pytest.mark.parametrize(
    ("cases", "fixed", "broken", "power", "used"),
    [(100, 0.25, 0.05, 0.975, 64), (300, 0.15, 0.05, 0.977, 184), (300, 0.10, 0.05, 0.598, 257)],
)
def test_a_difference_is_found_with_fewer_cases(
    cases: int, fixed: float, broken: float, power: float, used: float
) -> None:
    found = ended(binary(cases, fixed=fixed, broken=broken, streams=150, seed=7), margin=ANY)
    assert found.better == pytest.approx(power, abs=0.06)
    assert found.used == pytest.approx(used, rel=0.05)


def test_giving_up_what_is_hopeless_saves_cases_and_hardly_any_power() -> None:
    null = ended(binary(300, fixed=0.1, broken=0.1, streams=100, seed=8), margin=0.10)
    assert null.used == pytest.approx(236, rel=0.06)
    real = ended(binary(300, fixed=0.15, broken=0.05, streams=100, seed=9), margin=0.10)
    assert real.better == pytest.approx(0.976, abs=0.025)
    small = ended(binary(300, fixed=0.1, broken=0.1, streams=100, seed=10), margin=0.05)
    assert small.used == pytest.approx(165, rel=0.08)
    hidden = ended(binary(300, fixed=0.125, broken=0.075, streams=150, seed=11), margin=0.05)
    assert hidden.better == pytest.approx(0.41, abs=0.07)


def test_repeats_of_a_case_are_one_case() -> None:
    null = ended(repeated(100, 3, a=0.8, b=0.8, streams=200, seed=11), margin=ANY)
    assert null.different <= 0.06
    real = ended(repeated(300, 3, a=0.8, b=0.85, streams=60, seed=12), margin=ANY)
    assert real.better == pytest.approx(0.874, abs=0.07)
    assert real.used == pytest.approx(220, rel=0.07)
