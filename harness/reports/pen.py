"""What lines for a terminal are written with: colours where asked for, and a width to fit into."""

from __future__ import annotations

import re

from harness.reports import clean, tables
from harness.reports.tables import Table

_BOLD, _RED, _GREEN = "1", "31", "32"
#: What somebody will want to copy stays on one line where it can.
_COMMAND = re.compile(r"`[^`]{1,56}`")
#: A blank that is no place to break; cleaned text holds none.
_UNBROKEN = "\u00a0"


class Pen:
    """Writes lines of at most `width` cells (60 or more), in colours if `color`."""

    def __init__(self, *, color: bool, width: int) -> None:
        self.color = color
        self.width = max(width, 60)

    def bold(self, text: str) -> str:
        return self._set(_BOLD, text)

    def red(self, text: str) -> str:
        return self._set(_RED, text)

    def green(self, text: str) -> str:
        return self._set(_GREEN, text)

    def narrower(self, cells: int) -> Pen:
        """The same for lines that somebody else will indent."""
        return Pen(color=self.color, width=self.width - cells)

    def paragraph(self, text: str, indent: str, first: str | None = None) -> list[str]:
        """Cleaned text, wrapped; `first` stands before the first line in place of the indent."""
        whole = _COMMAND.sub(lambda found: found[0].replace(" ", _UNBROKEN), clean.line(text))
        lines = [line.replace(_UNBROKEN, " ") for line in clean.wrap(whole, self.width - len(indent))]
        return [(first if first is not None and not number else indent) + line for number, line in enumerate(lines)]

    def labelled(self, label: str, text: str, indent: str) -> list[str]:
        """The same with a word before it that is painted by what it says; the lines below stand under the text."""
        painted = self.red(label) if label == "broken" else self.green(label) if label == "fixed" else label
        return self.paragraph(text, f"{indent}{'':<{len(label)}}  ", f"{indent}{painted}  ")

    def table(self, table: Table, *, headers: bool = True) -> list[str]:
        """A table, indented; verdicts in colours."""
        drawn = tables.drawn(table, width=self.width - 2, headers=headers, paint=self._painted)
        return ["  " + line for line in drawn]

    def _painted(self, cell: str) -> str:
        if cell == "FAIL" or (cell.startswith("-") and cell.endswith("worse")):
            return self.red(cell)
        if cell == "pass" or (cell.startswith("+") and cell.endswith("better")):
            return self.green(cell)
        return cell

    def _set(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text
