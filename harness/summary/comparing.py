"""One arm against another: trials paired by case and repeat, and what their difference means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records import Outcome, Result
from harness.stats.latency import Ratio, geometric_ratio
from harness.stats.paired import Difference, MeanDifference, difference, mean_difference
from harness.stats.verdicts import verdict
from harness.summary import phrases
from harness.summary.view import Comparison

if TYPE_CHECKING:
    from harness.summary.stopping import Watch

_GRADED = (Outcome.PASSED, Outcome.FAILED)

#: (A's trial, B's trial)
Pair = tuple[Result, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Trials of two arms that are about the same case and repeat."""

    #: For each case with a graded pair its pairs, in plan order.
    cases: tuple[tuple[Pair, ...], ...]
    #: Pairs of which either trial has no grade.
    dropped: int
    #: Trials without a counterpart.
    unpaired: int
    #: Cases whose input is not the same in both arms.
    changed: int


def pair(a: Sequence[Result], b: Sequence[Result]) -> Pairing:
    """Pair the trials of two arms by case id and repeat.

    An ungraded trial takes its counterpart with it: what one arm was spared, the other is spared too.
    """
    there = {(result.case, result.repeat): result for result in b}
    cases: dict[str, list[Pair]] = {}
    dropped = matched = 0
    changed: set[str] = set()
    for one in a:
        other = there.get((one.case, one.repeat))
        if other is None:
            continue
        matched += 1
        if one.outcome not in _GRADED or other.outcome not in _GRADED:
            dropped += 1
            continue
        cases.setdefault(one.case, []).append((one, other))
        if one.input != other.input:
            changed.add(one.case)
    return Pairing(
        cases=tuple(tuple(pairs) for pairs in cases.values()),
        dropped=dropped,
        unpaired=len(a) + len(b) - 2 * matched,
        changed=len(changed),
    )


def compare_arms(
    a: Sequence[Result],
    b: Sequence[Result],
    *,
    suite: str,
    names: tuple[str, str],
    margin: float,
    margin_given: bool,
    watch: Watch | None = None,
) -> Comparison:
    """Compare two arms case by case.

    Args:
        a: Trials of the arm compared with (the baseline).
        b: Trials of the other arm (the candidate).
        suite: The suite's name.
        names: What to call the two arms, A's first.
        margin: The smallest difference in accuracy that matters, a fraction > 0.
        margin_given: Whether somebody chose it.
        watch: What looked at the arms while they ran; None: nobody did.
    """
    pairing = pair(a, b)
    left_out = _left_out(pairing)
    latency, cost = _latency(pairing), _cost(pairing)
    found = said = None
    if pairing.cases:
        found = contrast(pairing)
        if watch is None:
            said = verdict(found, margin=margin)
        else:
            found, said = watch.judged(names[1], found)
        headline = phrases.headline(said, a=names[0], b=names[1])
        text = phrases.sentence(found, said, a=names[0], b=names[1], given=margin_given)
        if watch is not None:
            text = watch.told(names[1], headline, text)
    else:
        headline = f"Nothing to compare {names[1]} with {names[0]} by"
        text = f"{headline}: no case has a graded trial in both."
    return Comparison(
        suite=suite,
        baseline=names[0],
        candidate=names[1],
        difference=found,
        verdict=said,
        headline=headline,
        text=text + left_out,
        margin=margin,
        margin_given=margin_given,
        cases=len(pairing.cases),
        dropped=pairing.dropped,
        unpaired=pairing.unpaired,
        changed=pairing.changed,
        latency=latency,
        cost=cost,
        latency_text=phrases.latency_ratio(latency, a=names[0], b=names[1]) if latency else "",
        cost_text=phrases.cost_difference(cost, a=names[0], b=names[1]) if cost else "",
        stopping=watch.stopping(names[1]) if watch is not None else None,
    )


def contrast(pairing: Pairing) -> Difference:
    """Return the difference in accuracy over paired cases, of which there are some."""
    return difference(
        [[float(x.outcome is Outcome.PASSED) for x, _ in pairs] for pairs in pairing.cases],
        [[float(y.outcome is Outcome.PASSED) for _, y in pairs] for pairs in pairing.cases],
    )


def _left_out(pairing: Pairing) -> str:
    told = []
    if pairing.dropped:
        told.append(f"Left out: {phrases.count(pairing.dropped, 'pair')} of trials, an error or a skip in either arm.")
    if pairing.unpaired:
        verb = "has" if pairing.unpaired == 1 else "have"
        told.append(f"Left out: {phrases.count(pairing.unpaired, 'trial')} that {verb} no counterpart.")
    if pairing.changed:
        verb = "has" if pairing.changed == 1 else "have"
        told.append(f"{phrases.count(pairing.changed, 'case')} {verb} different inputs in the two arms.")
    return "".join(f" {sentence}" for sentence in told)


def _latency(pairing: Pairing) -> Ratio | None:
    timed = [
        [(x.latency, y.latency) for x, y in pairs if x.latency and y.latency and x.latency > 0 and y.latency > 0]
        for pairs in pairing.cases
    ]
    return geometric_ratio(
        [[x for x, _ in pairs] for pairs in timed if pairs], [[y for _, y in pairs] for pairs in timed if pairs]
    )


def _cost(pairing: Pairing) -> MeanDifference | None:
    priced = [
        [(float(x.cost), float(y.cost)) for x, y in pairs if x.cost is not None and y.cost is not None]
        for pairs in pairing.cases
    ]
    return mean_difference(
        [math.fsum(x for x, _ in pairs) / len(pairs) for pairs in priced if pairs],
        [math.fsum(y for _, y in pairs) / len(pairs) for pairs in priced if pairs],
    )
