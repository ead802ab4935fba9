"""A comparison as lines for a terminal: the verdict, what it means, which cases, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reports import clean, contrast, hints
from harness.reports.pen import Pen
from harness.summary import Comparison, phrases

#: Things that differ between two arms, and are named here.
_CHANGES = 8
#: Lines for what a verdict means, and for what to do next.
_LINES = 2


def verdict(one: Comparison, pen: Pen) -> list[str]:
    """The sentence of the verdict, its first words in bold."""
    lines = pen.paragraph(one.text, "  ")
    headline = clean.line(one.headline)
    if lines and headline and lines[0].startswith("  " + headline):
        kind = one.verdict.kind if one.verdict else None
        painted = pen.green(headline) if kind == "better" else pen.red(headline) if kind == "worse" else headline
        lines[0] = "  " + pen.bold(painted) + lines[0][2 + len(headline) :]
    return lines


def comparison(one: Comparison, pen: Pen) -> Iterator[str]:
    """Yield the verdict, and all that is said of the comparison in a run's summary."""
    yield from verdict(one, pen)
    if one.latency_withheld or not one.meaning:
        yield from _said(contrast.speed(one), pen)
    yield from _few([*one.meaning] or [one.cost_text], pen)
    yield from _said(one.confounded, pen)
    # Tokens are counted only where a page is written, and what is printed should not depend on that.
    changes = phrases.names(contrast.differs(one, priced=False), most=_CHANGES)
    for label, text in (*contrast.flips(one), ("differs", changes), ("tags", contrast.telling_tags(one))):
        if text:
            yield from pen.labelled(label, text, "  ")
    left = contrast.left_out(one)
    if left:
        yield from pen.labelled("left out", left, "  ")
    if one.flips:
        yield from _said(one.noise, pen)
    yield from _few([hints.advice(one)], pen)


def _said(text: str, pen: Pen) -> list[str]:
    return pen.paragraph(text, "  ") if text else []


def _few(sentences: list[str], pen: Pen) -> list[str]:
    """The first sentence, and as many more as fit the lines there are for them."""
    shown = ""
    for sentence in sentences:
        longer = f"{shown} {sentence}".strip()
        if shown and len(_said(longer, pen)) > _LINES:
            break
        shown = longer
    return _said(shown, pen)
