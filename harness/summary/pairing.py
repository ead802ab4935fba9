"""Trials of two arms set side by side by case and repeat, and everything that this leaves out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.records import Outcome, Result
from harness.summary.sparing import spared

_GRADED = (Outcome.PASSED, Outcome.FAILED)

#: (A's trial, B's trial)
Pair = tuple[Result, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCase:
    """A case of which both arms have a trial."""

    id: str
    #: Both graded, in plan order.
    pairs: tuple[Pair, ...]
    #: Pairs of which either trial has no grade.
    left_out: tuple[Pair, ...] = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """As the later arm has them."""
        return (self.pairs or self.left_out)[-1][1].tags

    @property
    def changed(self) -> bool:
        """Whether its input is not the same in both arms."""
        return any(x.input != y.input for x, y in self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Trials of two arms that are about the same case and repeat."""

    #: Every case of which both arms have a trial, in plan order.
    matched: tuple[PairedCase, ...]
    #: Trials without a counterpart.
    unpaired: int
    #: Cases that only one arm has, A's first.
    alone: tuple[str, ...] = ()
    #: Trials that an early stop spared; nothing is known of them, and nothing is wrong with them.
    spared: int = 0

    @property
    def cases(self) -> tuple[PairedCase, ...]:
        """Those with a graded pair."""
        return tuple(case for case in self.matched if case.pairs)

    @property
    def dropped(self) -> tuple[Pair, ...]:
        """Pairs of which either trial has no grade."""
        return tuple(pair for case in self.matched for pair in case.left_out)

    @property
    def dropped_cases(self) -> tuple[str, ...]:
        """Cases that have such pairs."""
        return tuple(case.id for case in self.matched if case.left_out)

    @property
    def changed(self) -> int:
        """Cases whose input is not the same in both arms."""
        return sum(case.changed for case in self.cases)


def pair(a: Iterable[Result], b: Iterable[Result]) -> Pairing:
    """Pair the trials of two arms by case id and repeat.

    An ungraded trial takes its counterpart with it: what one arm was spared, the other is spared too.
    """
    everything = list(a), list(b)
    ours, theirs = ([result for result in arm if not spared(result)] for arm in everything)
    there = {(result.case, result.repeat): result for result in theirs}
    cases: dict[str, tuple[list[Pair], list[Pair]]] = {}
    for one in ours:
        other = there.get((one.case, one.repeat))
        if other is None:
            continue
        graded, left_out = cases.setdefault(one.case, ([], []))
        whole = one.outcome in _GRADED and other.outcome in _GRADED
        (graded if whole else left_out).append((one, other))
    matched = tuple(
        PairedCase(id=case, pairs=tuple(pairs), left_out=tuple(left)) for case, (pairs, left) in cases.items()
    )
    pairs = sum(len(case.pairs) + len(case.left_out) for case in matched)
    alone = dict.fromkeys(result.case for result in (*ours, *theirs) if result.case not in cases)
    return Pairing(
        matched=matched,
        unpaired=len(ours) + len(theirs) - 2 * pairs,
        alone=tuple(alone),
        spared=sum(len(arm) for arm in everything) - len(ours) - len(theirs),
    )


def same_recordings(a: Iterable[Result], b: Iterable[Result]) -> bool:
    """Whether every pair of trials was recorded once and replayed: at the same moment, with the same times and tokens."""
    there = {(result.case, result.repeat): _recording(result) for result in b}
    pairs = [(_recording(one), there.get((one.case, one.repeat))) for one in a]
    return bool(pairs) and all(one is not None and one == other for one, other in pairs)


def passes(cases: Sequence[PairedCase]) -> tuple[list[list[float]], list[list[float]]]:
    """Outcomes of A and of B by case, 1 passed and 0 failed."""
    return (
        [[float(x.outcome is Outcome.PASSED) for x, _ in case.pairs] for case in cases],
        [[float(y.outcome is Outcome.PASSED) for _, y in case.pairs] for case in cases],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A number of both arms for each case that has one in some pair, and what each case belongs to."""

    a: list[list[float]]
    b: list[list[float]]
    ids: list[str]
    #: One label a case; None: every case stands for itself.
    clusters: list[str] | None

    @property
    def means(self) -> tuple[list[float], list[float]]:
        """A's and B's mean of each case."""
        return _means(self.a), _means(self.b)


def values(
    cases: Sequence[PairedCase], read: Callable[[Result], float | None], clusters: Mapping[str, str] | None = None
) -> Values:
    """Read a number off every pair of which both trials have one; cases without such a pair are left out.

    Args:
        cases: Paired cases.
        read: The number, or None.
        clusters: Label of each case that belongs together with others, by id.
    """
    a: list[list[float]] = []
    b: list[list[float]] = []
    ids: list[str] = []
    for case in cases:
        both = [(one, other) for x, y in case.pairs if (one := read(x)) is not None and (other := read(y)) is not None]
        if both:
            a.append([one for one, _ in both])
            b.append([other for _, other in both])
            ids.append(case.id)
    return Values(a=a, b=b, ids=ids, clusters=labels(ids, clusters))


def labels(ids: Sequence[str], clusters: Mapping[str, str] | None) -> list[str] | None:
    """One label for each case; a case that names none is a cluster of its own. None: no two belong together."""
    if not clusters or not any(case in clusters for case in ids):
        return None
    # A case without a label must not meet a label that happens to be its id.
    return [f"cluster {clusters[case]}" if case in clusters else f"case {case}" for case in ids]


def bounds(pairing: Pairing) -> tuple[float, float] | None:
    """The difference if every pair left out had gone as far against B as it could, and for B; None: none was.

    What is known of such a pair stays: where A failed and B ended in error, B can have done no worse.
    """
    if not pairing.dropped:
        return None
    low, high = zip(*(_extremes(case) for case in pairing.matched), strict=True)
    return math.fsum(low) / len(low), math.fsum(high) / len(high)


def _recording(result: Result) -> tuple[object, ...] | None:
    """What tells a recording from others; None: nothing does."""
    moment = result.cassette.recorded_at if result.cassette else None
    if moment is None or result.latency is None:
        return None
    return moment, result.latency, result.ttft, result.usage, result.attempts


def _extremes(case: PairedCase) -> tuple[float, float]:
    known = math.fsum(_passed(y, 0.0) - _passed(x, 0.0) for x, y in case.pairs)
    worst = math.fsum(_passed(y, 0.0) - _passed(x, 1.0) for x, y in case.left_out)
    best = math.fsum(_passed(y, 1.0) - _passed(x, 0.0) for x, y in case.left_out)
    number = len(case.pairs) + len(case.left_out)
    return (known + worst) / number, (known + best) / number


def _passed(result: Result, otherwise: float) -> float:
    return float(result.outcome is Outcome.PASSED) if result.outcome in _GRADED else otherwise


def _means(values_by_case: Sequence[Sequence[float]]) -> list[float]:
    return [math.fsum(values) / len(values) for values in values_by_case]
