"""Marks in an answer's text: where it cites files that were searched, and names files that code left."""

from __future__ import annotations

import re

from harness.simulator.plain import JSON

_CITATION = re.compile(r"【[^【】†]*†([^【】]*)】")
#: The first number of a citation: which of the conversation's parts it comes from.
_FIRST = 4


class Marks:
    """The sources that one text has."""

    def __init__(self) -> None:
        #: File ids by name.
        self._cited: dict[str, str] = {}
        self._linked: dict[str, str] = {}

    def cite(self, id: str, name: str) -> None:
        """Say that the text comes from a file."""
        self._cited[name] = id

    def link(self, id: str, name: str) -> None:
        """Say that the text hands over a file."""
        self._linked[name] = id

    def of(self, text: str) -> tuple[str, list[dict[str, JSON]]]:
        """Return what to write at the end of a text so that it names all its sources, and the annotations of both."""
        found = [
            _annotation("file_citation", mark.group(), self._cited[mark.group(1)], mark.start())
            for mark in _CITATION.finditer(text)
            if mark.group(1) in self._cited
        ]
        more = ""
        if not found:
            for number, (name, id) in enumerate(self._cited.items()):
                mark = f"【{_FIRST}:{number}†{name}】"
                found.append(_annotation("file_citation", mark, id, len(text) + len(more)))
                more += mark
        for name, id in self._linked.items():
            path = f"sandbox:/mnt/data/{name}"
            place = text.find(path)
            if place < 0:
                more += f"\n\n[{name}]("
                place = len(text) + len(more)
                more += f"{path})"
            found.append(_annotation("file_path", path, id, place))
        return more, found


def _annotation(kind: str, text: str, id: str, start: int) -> dict[str, JSON]:
    return {"type": kind, "text": text, kind: {"file_id": id}, "start_index": start, "end_index": start + len(text)}
