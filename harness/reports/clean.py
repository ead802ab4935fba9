"""One funnel for text that others wrote: models, tools, datasets, services, names in suites.

A terminal obeys escape sequences and a reader is fooled by text that runs backwards, so neither gets through. What is
kept is what a person can see.
"""

from __future__ import annotations

import re
import unicodedata

#: Sequences that a terminal obeys: CSI, OSC, DCS and their kin, in their 7-bit and 8-bit forms, and short ones.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,1000}+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)
#: C0 but for newline and tab, DEL, C1, marks and overrides of direction, fillers, interlinear and tag characters.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
#: What the log of a job takes for a command: GitHub's, also after white space; its older form, Azure's and TeamCity's.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_BRACKETED = re.compile(r"##(?=[a-zA-Z]*\[)")
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_SUSPICIOUS = re.compile(r"[^\n\t\x20-\x7e\xa1-\xac\xae-\u02ff]")


def block(text: str) -> str:
    """Return `text` with its line breaks and tabs, without anything that a terminal would obey or nobody would see."""
    if _SUSPICIOUS.search(text) is None:
        return text
    text = _SEQUENCES.sub("", text)
    text = _LINE_ENDS.sub("\n", text)
    return paired(_INVISIBLE.sub("", text))


def paired(text: str) -> str:
    """Return `text` with its half characters (lone surrogates) written out, so that it has a form in UTF-8."""
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def inert(text: str, gap: str = " ") -> str:
    """Return `text` with a gap in what CI services obey: `::command` at a line's start, `##[x]` and its kin anywhere."""
    return _BRACKETED.sub(f"##{gap}", _COMMAND.sub(rf"\1:{gap}", text))


def line(text: str, limit: int | None = None) -> str:
    """Return `text` as one line, cut to `limit` terminal cells if it is longer."""
    flat = _SPACES.sub(" ", block(text)).strip()
    return flat if limit is None else cut(flat, limit)


def cut(text: str, limit: int) -> str:
    """Return `text`, or as much of its start as fits `limit` terminal cells together with an ellipsis."""
    if cells(text) <= limit:
        return text
    return _head(text, limit - 1).rstrip() + "…" if limit > 1 else "…"


def wrap(text: str, width: int) -> list[str]:
    """Return one line of text as lines of at most `width` terminal cells, broken at spaces where there are any."""
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        joined = f"{current} {word}" if current else word
        if cells(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        current = word
        while cells(current) > width:
            # At least one character, or this would never end.
            head = _head(current, width) or current[0]
            lines.append(head)
            current = current[len(head) :]
    return [*lines, current] if current or not lines else lines


def cells(text: str) -> int:
    """Return how many cells of a terminal `text` takes."""
    return len(text) if text.isascii() else sum(_cells(character) for character in text)


def _head(text: str, width: int) -> str:
    room = width
    for position, character in enumerate(text):
        room -= _cells(character)
        if room < 0:
            return text[:position]
    return text


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
