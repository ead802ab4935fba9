"""What is said of a comparison below its verdict; the terminal and Markdown say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.reports import clean, words
from harness.reports.tables import Table
from harness.summary import Comparison, phrases
from harness.summary.facets import Change, Flip, TagContrast

#: Cases that a line names before it counts the rest.
_NAMED = 10
#: Cells of a name or a setting on such a line.
_NAME = 48


def speed(comparison: Comparison) -> str:
    """How long B takes against A, or why nothing is said about that; empty where nothing was measured."""
    if comparison.latency_withheld:
        return f"Latency is not compared: {comparison.latency_withheld.rstrip('.')}."
    return comparison.latency_text


def meaning(comparison: Comparison) -> str:
    """What it means in money and time, and what it costs; empty where neither is known."""
    return " ".join(comparison.meaning) or comparison.cost_text


def flips(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield a label and the cases it is true of: the broken ones, then the fixed ones."""
    for label, broken in (("broken", True), ("fixed", False)):
        found = [flip for flip in comparison.flips if flip.broken is broken]
        if found:
            yield label, _listed([_flip(flip) for flip in found])


def left_out(comparison: Comparison) -> str:
    """The cases of which a pair of trials was left out; the verdict's own text says how many pairs."""
    return _listed([clean.line(case, _NAME) for case in comparison.dropped_cases])


def differs(comparison: Comparison, *, priced: bool = True) -> list[str]:
    """What is not the same in both arms, one short line each, with what it costs if `priced`."""
    return [_change(change, priced) for change in comparison.changes]


def price(change: Change) -> str:
    """What a change of a text does to tokens and money; empty: not known."""
    told = []
    if change.tokens is not None:
        told.append(f"{change.tokens:+,} {'token' if abs(change.tokens) == 1 else 'tokens'}")
    if change.money is not None:
        told.append(f"{'+' if change.money > 0 else ''}{phrases.money(change.money)} per 1,000 requests")
    return ", ".join(told)


def tags(comparison: Comparison) -> Table | None:
    """One row per tag: how many cases, which way they went, and what may be said of it; None without tags."""
    if not comparison.tags:
        return None
    return Table(
        headers=("tag", "cases", "fixed", "same", "broken", "difference", ""),
        rows=tuple(_tag(one) for one in comparison.tags),
        align=("left", "right", "right", "right", "right", "left", "left"),
        flexible=(0, 5),
    )


def tags_note(comparison: Comparison) -> str:
    """How the numbers of the tags' table hold together."""
    number = len(comparison.tags)
    return (
        f"{phrases.count(number, 'tag')} tested: intervals hold together, words are adjusted (Holm)." if number else ""
    )


def telling_tags(comparison: Comparison) -> str:
    """The tags that got better or worse after adjustment; empty where none did."""
    found = [
        f"{clean.line(one.tag, _NAME)} {words.points(one.difference)} ({one.word}, {phrases.count(one.cases, 'case')})"
        for one in comparison.tags
        if one.word in ("worse", "better")
    ]
    return _listed(found)


def _listed(items: Sequence[str]) -> str:
    return phrases.names(items, most=_NAMED)


def _flip(flip: Flip) -> str:
    name = clean.line(flip.case, _NAME)
    if flip.a[1] <= 1 and flip.b[1] <= 1 and not flip.changed:
        return name
    changed = ", input changed" if flip.changed else ""
    return f"{name} ({flip.a[0]}/{flip.a[1]} → {flip.b[0]}/{flip.b[1]}{changed})"


def _change(change: Change, priced: bool) -> str:
    told = clean.line(change.name, _NAME)
    if change.a or change.b:
        told += f" {clean.line(change.a, _NAME) or words.NOTHING} → {clean.line(change.b, _NAME) or words.NOTHING}"
    cost = price(change) if priced else ""
    return f"{told} ({cost})" if cost else told


def _tag(one: TagContrast) -> tuple[str, ...]:
    found = words.points(one.difference)
    if one.interval is not None:
        found += f" [{phrases.signed(one.interval.low)}, {phrases.signed(one.interval.high)}]"
    word = {"better": "better", "worse": "worse", "none": "", "few": "too few cases"}[one.word]
    return (one.tag, str(one.cases), str(one.fixed), str(one.unchanged), str(one.broken), found, word)
