"""The parts of a comparison: by tag, and the cases that changed sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from harness.records import Outcome, Result
from harness.stats.multiplicity import holm
from harness.stats.paired import Difference, difference
from harness.summary.facets import Flip, TagContrast
from harness.summary.pairing import PairedCase, labels, passes

_LEVEL = 0.95
#: Cases below which a verdict over a tag is hardly ever possible (power .10 at 12 tags).
FEW_CASES = 25


def case_difference(cases: Sequence[PairedCase], clusters: Mapping[str, str] | None = None) -> Difference | None:
    """The difference of pass rates over paired cases; None without any.

    Args:
        cases: Those with a graded pair.
        clusters: Label of each case that belongs together with others, by id.
    """
    if not cases:
        return None
    return difference(*passes(cases), clusters=labels([case.id for case in cases], clusters))


def tag_contrasts(cases: Sequence[PairedCase], clusters: Mapping[str, str] | None = None) -> tuple[TagContrast, ...]:
    """The difference over the cases of each tag, in alphabetical order.

    Intervals hold together (Bonferroni); what may be said of a tag is decided by its p value, adjusted for the number of
    tags (Holm 1979), as with every list of which the interesting entry is picked afterwards.
    """
    tagged: dict[str, list[PairedCase]] = {}
    for case in cases:
        for tag in dict.fromkeys(case.tags):
            tagged.setdefault(tag, []).append(case)
    found = {tag: one for tag in sorted(tagged) if (one := case_difference(tagged[tag], clusters)) is not None}
    adjusted = holm([one.p for one in found.values()])
    level = 1 - (1 - _LEVEL) / max(len(found), 1)
    return tuple(
        TagContrast(
            tag=tag,
            cases=one.cases,
            fixed=one.fixed,
            unchanged=one.cases - one.fixed - one.broken,
            broken=one.broken,
            difference=one,
            interval=one.at(level),
            p=p,
            word=word_of(one, p),
        )
        for (tag, one), p in zip(found.items(), adjusted, strict=True)
    )


def flips(cases: Sequence[PairedCase], a: Iterable[Result], b: Iterable[Result]) -> tuple[Flip, ...]:
    """The cases that do not pass as often in B as in A: the broken ones first, the largest change first.

    Args:
        cases: Those with a graded pair; what is counted are the trials of these pairs.
        a: All trials of arm A, for their ids.
        b: Those of arm B.
    """
    ids: dict[str, list[str]] = {}
    for result in (*a, *b):
        ids.setdefault(result.case, []).append(result.id)
    found: list[tuple[float, Flip]] = []
    for case in cases:
        before, after = (sum(one[arm].outcome is Outcome.PASSED for one in case.pairs) for arm in (0, 1))
        if before == after:
            continue
        number = len(case.pairs)
        flip = Flip(
            case=case.id,
            a=(before, number),
            b=(after, number),
            trials=tuple(dict.fromkeys(ids[case.id])),
            changed=case.changed,
        )
        found.append((abs(after - before) / number, flip))
    found.sort(key=lambda one: (not one[1].broken, -one[0], one[1].case))
    return tuple(flip for _, flip in found)


def broken_most(tags: Iterable[TagContrast]) -> TagContrast | None:
    """The tag that got worst, of those that got worse after adjustment."""
    worse = [one for one in tags if one.word == "worse" and one.difference is not None]
    return min(worse, key=lambda one: one.difference.estimate if one.difference else 0.0, default=None)


def word_of(found: Difference, p: float) -> Literal["better", "worse", "none", "few"]:
    """What may be said of a part of a comparison; `p` is adjusted for how many parts there are."""
    if p < 1 - _LEVEL:
        return "better" if found.estimate > 0 else "worse"
    return "few" if found.cases < FEW_CASES else "none"
