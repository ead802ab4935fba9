"""Suites that are data already, such as those built in Python: read by the same checks as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import SourceLocation
from harness.located import Document, Loc


@dataclass(slots=True)
class PlacedData(Document):
    """Data whose parts were written in various places; what has no place of its own stands where its parent does."""

    places: Mapping[tuple[str | int, ...], SourceLocation] = field(default_factory=dict)

    def where(self, loc: Loc, *, key: bool = False) -> SourceLocation:
        """Return the place of the nearest part at or above `loc` that has one."""
        steps = tuple(loc)
        found = (self.places.get(steps[:length]) for length in range(len(steps), -1, -1))
        return next((place for place in found if place is not None), SourceLocation(self.path))

    def holds(self, loc: Loc, inner: Loc) -> tuple[str | int, ...]:
        """Return the steps of `inner` that exist below `loc`, one below the other; the others are skipped."""
        value = self.value
        for step in loc:
            value = _child(value, step)
        kept: list[str | int] = []
        for step in inner:
            found = _child(value, step)
            if found is not _ABSENT:
                value = found
                kept.append(step)
        return tuple(kept)

    def composed(self, parts: Mapping[str, Loc]) -> Document:
        """Return a mapping made of parts of this document, each still at its place; problems are noted in both."""
        value: dict[str, Any] = {}
        places: dict[tuple[str | int, ...], SourceLocation] = {(): self.where(())}
        for name, loc in parts.items():
            found = self.value
            for step in loc:
                found = _child(found, step)
            value[name] = found
            places[(name,)] = self.where(loc)
        return PlacedData(path=self.path, value=value, problems=self.problems, places=places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A suite as data, and where it was written."""

    document: Document
    #: Relative paths in it start in this file's folder; the file itself need not be there.
    path: Path
    #: What stands for the file's bytes in the suite's hash.
    content: bytes


_ABSENT = object()


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return _ABSENT
