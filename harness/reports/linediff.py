"""Two texts line by line, with the words that differ marked: for a terminal, a log or a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from harness.reports import clean
from harness.reports.worddiff import Kind, Piece, words

_RED, _GREEN, _CYAN = "31", "32", "36"
#: Lines times lines beyond which texts are shown one after the other.
_LARGEST = 4_000_000


def render(before: str, after: str, *, names: tuple[str, str], color: bool = False, context: int = 3) -> str:
    """Return what differs between two texts, empty where nothing does.

    Words that are gone stand in `[-...-]`, new ones in `{+...+}`; with `color` they are red and green instead.

    Args:
        before, after: The texts.
        names: What to call them.
        color: Whether to set colours.
        context: Lines to show around each change.
    """
    old, new = (clean.block(text).splitlines() for text in (before, after))
    hunks = list(_hunks(old, new, context))
    if not hunks:
        return ""
    pen = _Pen(color=color)
    lines = [f"--- {clean.line(names[0])}", f"+++ {clean.line(names[1])}"]
    for hunk in hunks:
        first, last = hunk[0], hunk[-1]
        lines.append(pen.place(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@"))
        for tag, a, b, c, d in hunk:
            lines += new[c:d] if tag == "equal" else pen.change(old[a:b], new[c:d])
    return "\n".join(lines) + "\n"


Opcode = tuple[str, int, int, int, int]


def _hunks(old: Sequence[str], new: Sequence[str], context: int) -> Iterator[Sequence[Opcode]]:
    if list(old) == list(new):
        return
    if len(old) * len(new) > _LARGEST:
        yield [("replace", 0, len(old), 0, len(new))]
        return
    yield from SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(context)


class _Pen:
    """Marks what is gone and what is new, by colour or by brackets."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def place(self, text: str) -> str:
        return f"\x1b[{_CYAN}m{text}\x1b[0m" if self._color else text

    def change(self, old: Sequence[str], new: Sequence[str]) -> list[str]:
        """Lines that were replaced, added or removed."""
        found = words("\n".join(old), "\n".join(new)) if old and new else None
        # White space is not among the words: where nothing else differs, whole lines show it.
        if found is None or found.rewritten or found.equal:
            return [*(self._marked("gone", line) for line in old), *(self._marked("new", line) for line in new)]
        pieces = found.pieces
        following = [*(piece.kind for piece in pieces[1:]), None]
        return "".join(self._piece(*pair) for pair in zip(pieces, following, strict=True)).split("\n")

    def _piece(self, piece: Piece, following: Kind | None) -> str:
        if piece.kind == "same":
            return piece.text
        core = piece.text.rstrip()
        # What replaces it brings its own white space.
        space = "" if piece.kind == "gone" and following == "new" else piece.text[len(core) :]
        return "\n".join(self._marked(piece.kind, line) if line else "" for line in core.split("\n")) + space

    def _marked(self, kind: Kind, text: str) -> str:
        indent = text[: len(text) - len(text.lstrip())]
        core = text[len(indent) :] or ("" if indent else "⏎")
        if self._color:
            return f"{indent}\x1b[{_RED if kind == 'gone' else _GREEN}m{core}\x1b[0m"
        return f"{indent}[-{core}-]" if kind == "gone" else f"{indent}{{+{core}+}}"


def _range(start: int, end: int) -> str:
    """A range of lines as unified diffs write it."""
    length = end - start
    return f"{start + 1 if length else start},{length}"
