"""Server-sent events, split as they arrive.

Only what recording and drivers need of https://html.spec.whatwg.org/multipage/server-sent-events.html: where one event
ends, and the text of its data lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"\r\n|\n|\r")
#: Two line ends in a row; each of them as long as it can be.
_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event: its name ("" if none was given) and its data lines joined by newlines."""

    name: str
    data: str


class Splitter:
    """Cuts a stream of bytes into events, however the bytes are chunked."""

    def __init__(self) -> None:
        self._rest = bytearray()
        #: What was looked at: no event ends before this.
        self._seen = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the raw blocks (each with its blank line) that they complete."""
        rest = self._rest
        rest += chunk
        blocks: list[bytes] = []
        start = 0
        for match in _END.finditer(rest, self._seen):
            # A lone CR at the end of what has arrived may be the first half of a CRLF.
            if match.end() == len(rest) and match.group().endswith(b"\r"):
                break
            blocks.append(bytes(rest[start : match.end()]))
            start = match.end()
        del rest[:start]
        # The longest end of an event is four bytes.
        self._seen = max(len(rest) - 3, 0)
        return blocks

    def rest(self) -> bytes:
        """What has arrived after the last complete event."""
        return bytes(self._rest)


def decode(block: bytes, *, errors: str = "replace") -> Event | None:
    """Read one raw block; None where it holds no data (a comment, a keep-alive).

    Args:
        block: The block.
        errors: What becomes of bytes that are no UTF-8, as in `bytes.decode`; the standard has them replaced.

    Raises:
        UnicodeDecodeError: With `strict`.
    """
    name = ""
    data: list[str] = []
    for line in _LINE.split(block.decode("utf-8", errors=errors)):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return Event(name, "\n".join(data)) if data else None


def blocks(body: bytes) -> Iterator[bytes]:
    """Cut a whole recorded body into its blocks, the last one being whatever follows the last blank line."""
    splitter = Splitter()
    yield from splitter.feed(body)
    if splitter.rest():
        yield splitter.rest()
