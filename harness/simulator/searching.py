"""Finding passages of texts by their words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+")
_GAP = re.compile(r"\n\s*\n")
#: Characters that a passage should not exceed; a paragraph that does is cut.
_LONGEST = 1600
#: Words that say nothing about what a text is about.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from has have how i in is it its me my of on or our that the their"
        " this to was we what when where which who why will with you your",
    )
)


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case, without those that every text has."""
    return [word for word in _WORD.findall(text.lower()) if word not in _COMMON]


def passages(text: str) -> list[str]:
    """Cut a text into passages: paragraphs, short ones together."""
    found: list[str] = []
    for paragraph in _GAP.split(text):
        for start in range(0, len(paragraph), _LONGEST):
            piece = paragraph[start : start + _LONGEST].strip()
            if not piece:
                continue
            if found and len(found[-1]) + len(piece) + 2 <= _LONGEST // 4:
                found[-1] = f"{found[-1]}\n\n{piece}"
            else:
                found.append(piece)
    return found


def scores(query: str, texts: Sequence[str]) -> list[float]:
    """Return for each text the share, 0..1, of the query's words that it has; a rare word counts for more."""
    wanted = set(words(query))
    having = [set(words(text)) & wanted for text in texts]
    counts = Counter(word for found in having for word in found)
    weights = {word: math.log(1 + len(texts) / (1 + counts[word])) for word in sorted(wanted)}
    whole = sum(weights.values())
    if not whole:
        return [0.0] * len(texts)
    return [round(sum(weights[word] for word in sorted(found)) / whole, 6) for found in having]
