"""Which words of a text are new, and which are gone, against another text: bounded in work whatever the texts are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "gone", "new"]

#: Words times words that one comparison may look at. The most that difflib needs for it is some seconds.
_LARGEST = 4_000_000
#: Share of words in common below which marks would only be in the way.
_COMMON = 0.25
#: Texts of fewer words are set out whatever they have in common.
_FEW = 8
#: So many words that are the same between changes of so many words are not worth a mark's end.
_ISLAND, _LONG = 2, 6
#: A word with the dots, hyphens and apostrophes inside it; one character of a script without spaces; or a sign.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:[.,'’_-][^\W_]+)*|[^\w\s]|_+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text that stands in both texts, in the first only (`gone`), or in the second only (`new`)."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDiff:
    """A text against an earlier one.

    The pieces that are not gone, joined, are the second text to the character. Those that are not new are the first
    one but for its white space, which is never compared.
    """

    pieces: tuple[Piece, ...]
    #: Words, signs counted too.
    same: int
    gone: int
    new: int

    @property
    def equal(self) -> bool:
        """Whether no word differs."""
        return not self.gone and not self.new

    @property
    def rewritten(self) -> bool:
        """Whether the texts have so little in common that single words tell nothing."""
        longer = self.same + max(self.gone, self.new)
        return longer >= _FEW and self.same < _COMMON * longer


@dataclass(frozen=True, slots=True)
class _Words:
    """A text cut before each word: the words, and the same with what follows up to the next one."""

    lead: str
    cores: tuple[str, ...]
    tokens: tuple[str, ...]


def words(before: str, after: str) -> WordDiff | None:
    """Return what became of the words of `before` in `after`, or None where that would take too long to find out."""
    first, second = _split(before), _split(after)
    head = _common(first.cores, second.cores)
    tail = _common(first.cores[head:][::-1], second.cores[head:][::-1])
    old, new = first.cores[head : len(first.cores) - tail], second.cores[head : len(second.cores) - tail]
    if len(old) * len(new) > _LARGEST:
        return None
    spans = [(True, 0, head, 0, head)]
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        spans.append((tag == "equal", a + head, b + head, c + head, d + head))
    spans.append((True, len(first.cores) - tail, len(first.cores), len(second.cores) - tail, len(second.cores)))
    return _told(first, second, _merged(spans))


Span = tuple[bool, int, int, int, int]


def count(text: str) -> int:
    """Return how many words a text has, signs counted too."""
    return sum(1 for _ in _WORD.finditer(text))


def _told(first: _Words, second: _Words, spans: list[Span]) -> WordDiff:
    pieces = [Piece(kind="same", text=second.lead)] if second.lead else []
    counts = {"same": 0, "gone": 0, "new": 0}
    for equal, a, b, c, d in spans:
        if equal:
            pieces.append(Piece(kind="same", text="".join(second.tokens[c:d])))
            counts["same"] += d - c
            continue
        if b > a:
            pieces.append(Piece(kind="gone", text="".join(first.tokens[a:b])))
        if d > c:
            pieces.append(Piece(kind="new", text="".join(second.tokens[c:d])))
        counts["gone"] += b - a
        counts["new"] += d - c
    return WordDiff(pieces=tuple(pieces), **counts)


def _merged(spans: list[Span]) -> list[Span]:
    """Take a word or two between changes into them: marks that begin and end at every word cannot be read."""
    kept: list[Span] = []
    filled = [span for span in spans if span[2] > span[1] or span[4] > span[3]]
    for position, span in enumerate(filled):
        between = span[0] and 0 < position < len(filled) - 1
        taken = between and _lost(span[2] - span[1], kept[-1], filled[position + 1])
        if kept and not kept[-1][0] and (taken or not span[0]):
            kept[-1] = (False, kept[-1][1], span[2], kept[-1][3], span[4])
        else:
            kept.append(span)
    return kept


def _lost(size: int, before: Span, after: Span) -> bool:
    """Whether words that are the same say nothing between these changes: one of two replacements, few of long ones."""
    if size == 1 and all(span[2] > span[1] and span[4] > span[3] for span in (before, after)):
        return True
    return size <= _ISLAND and all(span[2] - span[1] + span[4] - span[3] >= _LONG for span in (before, after))


def _split(text: str) -> _Words:
    starts = [found.start() for found in _WORD.finditer(text)]
    return _Words(
        lead=text[: starts[0]] if starts else text,
        cores=tuple(_WORD.findall(text)),
        tokens=tuple(_between(text, starts)),
    )


def _between(text: str, starts: list[int]) -> Iterator[str]:
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        yield text[start:end]


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many words both start with."""
    for position, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return position
    return min(len(first), len(second))
