"""A chart as plain values: what to draw, what it says, and its numbers for everyone who cannot see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.records import JSON
from harness.reports import clean
from harness.reports.tables import Table

#: Characters of a name that stands on an axis.
_LABEL = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart of the page."""

    #: Which drawing of charts.js shows it.
    chart: str
    title: str
    #: What to see in it.
    says: str
    #: All that it draws, as a table.
    table: Table
    #: What the drawing reads; numbers are finite, texts are cleaned.
    data: Mapping[str, JSON]
    #: What else has to be known to read it.
    note: str = ""
    #: Where the cells of the table lead, by row and column.
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)
    #: What must not be read from it; a sentence each.
    cautions: tuple[str, ...] = ()


def label(name: str) -> str:
    """Return a name as it stands on an axis."""
    return clean.line(name, _LABEL)


def listed(names: list[str], *, most: int = 6) -> str:
    """Return names as a list in words: "a, b and c", "a, b and 4 more"."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""
