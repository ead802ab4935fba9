"""Texts that a stream sends piece by piece: what they are once joined, and how to take something out of them again.

A secret that the model writes is spread over many events, so that no single one of them holds it. The pieces of one
text are the strings at the same place of each event; what tells several texts of one stream apart (the choice, the
output item, the tool call) is part of that place.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.recording import sse

#: Where a text is cut out of another: start and end.
Span: TypeAlias = tuple[int, int]

#: Members that say which text an event goes on with, beside indexes.
_NAMES = ("item_id", "output_index", "content_index", "summary_index")
#: Members that are nobody's text.
_NO_TEXT = frozenset(
    {
        "id",
        "object",
        "type",
        "model",
        "role",
        "item_id",
        "system_fingerprint",
        "obfuscation",
        "service_tier",
        "logprobs",
    }
)
_DATA = re.compile(rb"^data: ?[^\r\n]*(\r\n|\n|\r)", re.MULTILINE)


@dataclass(slots=True)
class _Piece:
    """A string in an event, and how to put another one in its place."""

    event: int
    text: str
    holder: Any
    key: Any


class Pieces:
    """The joined texts of one recorded stream."""

    def __init__(self, body: bytes) -> None:
        self._blocks = list(sse.blocks(body))
        self._parsed: dict[int, Any] = {}
        self._texts: dict[Any, list[_Piece]] = defaultdict(list)
        for number, block in enumerate(self._blocks):
            self._read(number, block)
        # What every event repeats is no text, and would look like things it is not.
        self._several = [
            pieces for pieces in self._texts.values() if any(piece.text != pieces[0].text for piece in pieces)
        ]
        #: Numbers of the events that are not what they were.
        self.changed: set[int] = set()

    def cut(self, find: Callable[[str], Iterable[Span]], instead: str) -> int:
        """Replace what `find` finds in the texts that came in more than one piece; return in how many.

        What stands instead of it is in the event in which it began; the others lose their part of it.
        """
        found = 0
        for pieces in self._several:
            if spans := list(find("".join(piece.text for piece in pieces))):
                self.changed |= _cut(pieces, spans, instead)
                found += 1
        return found

    def body(self) -> bytes:
        """Return the stream as it is now, in as many events as before."""
        return b"".join(
            self._written(number) if number in self.changed else block for number, block in enumerate(self._blocks)
        )

    def _read(self, number: int, block: bytes) -> None:
        event = sse.decode(block)
        if event is None or event.data.strip() == "[DONE]":
            return
        try:
            data = json.loads(event.data)
        except (ValueError, RecursionError):
            data = event.data
        # A holder, so that a text which is all of an event can be replaced like any other.
        holder = self._parsed[number] = [data]
        self._walk(number, holder, 0, (event.name,))

    def _walk(self, number: int, holder: Any, key: Any, place: tuple[Any, ...]) -> None:
        value = holder[key]
        if isinstance(value, str):
            self._texts[place].append(_Piece(number, value, holder, key))
        elif isinstance(value, dict):
            named = tuple(value[name] for name in _NAMES if isinstance(value.get(name), (str, int)))
            for name in value:
                if name not in _NO_TEXT:
                    self._walk(number, value, name, (*place, *named, name))
        elif isinstance(value, list):
            for position, one in enumerate(value):
                index = one.get("index", position) if isinstance(one, dict) else position
                self._walk(number, value, position, (*place, index if isinstance(index, int) else position))

    def _written(self, number: int) -> bytes:
        """The block with its data written anew, in one line; its other lines stay."""
        (data,) = self._parsed[number]
        text = data if isinstance(data, str) else compact(data)
        block, lines = self._blocks[number], text.split("\n")
        match = _DATA.search(block)
        end = match[1] if match else b"\n"
        data_lines = b"".join(b"data: " + line.encode("utf-8", "surrogatepass") + end for line in lines)
        if match is None:  # the last line of a stream that broke off
            return data_lines.removesuffix(end)
        return block[: match.start()] + data_lines + _DATA.sub(b"", block[match.end() :])


def compact(value: Any, encoding: str = "utf-8") -> str:
    """Return JSON without white space, with letters as they are; escaped where one, as half a pair, has no bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _cut(pieces: list[_Piece], spans: list[Span], instead: str) -> set[int]:
    """Take spans of the joined text out of its pieces; return the events that changed."""
    changed: set[int] = set()
    offset = 0
    for piece in pieces:
        end = offset + len(piece.text)
        text, done = "", offset
        for start, stop in spans:
            if start >= end or stop <= offset:
                continue
            text += piece.text[done - offset : max(start, offset) - offset]
            text += instead if start >= offset else ""
            done = min(stop, end)
        if done > offset:
            piece.text = piece.holder[piece.key] = text + piece.text[done - offset :]
            changed.add(piece.event)
        offset = end
    return changed
