"""Data that a page carries: every text once, columns instead of objects, gzipped, and no more than there is room for."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import JSON
from harness.reports import clean

#: Characters that one text may take, the first that lets everything fit.
LIMITS = (8_000, 6_000, 4_000, 3_000, 2_000, 1_500, 1_000, 700, 500, 350, 250, 150, 100)
#: What is said to all cases alike, such as a prompt, may take this many.
_SHARED = 12_000
#: Bytes that all data of a page take as base64. The libraries and the sections above take about half a megabyte more.
_ROOM = 4_300_000
#: Characters that a browser is to hold, however well they can be packed.
_MOST = 14_000_000
#: 31: with the head and the sum of a gzip file.
_GZIP = 31
#: A third of the default level's time, for data some 6% larger.
_LEVEL = 4


class Strings:
    """Texts by number: what stands in many places is written once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._shared: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, text: str) -> int:
        """Return the number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def share(self, text: str) -> int:
        """Return the number of a text that many trials have in common, so that it is cut last."""
        number = self.add(text)
        self._shared.add(number)
        return number

    def length(self, limit: int) -> int:
        """Return how many characters all texts have once each is cut."""
        return sum(min(len(text), self._most(number, limit)) for text, number in self._numbers.items())

    def cut(self, limit: int) -> tuple[list[JSON], int]:
        """Return the texts without what nobody should see, and how many were cut.

        A text that was cut is a pair: what is left of it, and how many characters are missing.
        """
        texts: list[JSON] = []
        cuts = 0
        for text, number in self._numbers.items():
            most = self._most(number, limit)
            if len(text) <= most:
                texts.append(clean.block(text))
            else:
                texts.append([clean.block(text[:most]), len(text) - most])
                cuts += 1
        return texts, cuts

    def _most(self, number: int, limit: int) -> int:
        return max(limit, _SHARED) if number in self._shared else limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What a page carries, by name, and what had to be left out."""

    #: Base64 of gzip of JSON.
    data: Mapping[str, str]
    #: The longest text, characters.
    limit: int
    #: Texts that were longer.
    cut: int


def packed(parts: Mapping[str, tuple[Strings, Mapping[str, JSON]]]) -> Packed:
    """Return data packed so that all of them fit into a page: the ends of the longest texts go first.

    Args:
        parts: By name, texts and the data that refer to them by number.
    """
    most = float(_MOST)
    for limit in LIMITS:
        length = sum(strings.length(limit) for strings, _ in parts.values())
        if length > most and limit != LIMITS[-1]:
            continue
        cuts, data = 0, {}
        for name, (strings, rest) in parts.items():
            texts, more = strings.cut(limit)
            cuts += more
            data[name] = pack({**rest, "strings": texts})
        size = sum(map(len, data.values()))
        if size <= _ROOM:
            break
        # What is left of them will not be packed much better or worse.
        most = length * _ROOM / size
    return Packed(data=data, limit=limit, cut=cuts)


def pack(value: JSON) -> str:
    """Return data as base64 of gzip of JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return base64.b64encode(gzip.compress(text.encode("utf-8")) + gzip.flush()).decode("ascii")


def column(values: Sequence[JSON]) -> JSON:
    """Return values as `{"all": value}` where they are the same, as `{"steps": ...}` where they count up, else as a list.

    Steps are the first number, then how much is added for each further one.
    """
    if values and all(value == values[0] for value in values):
        return {"all": values[0]}
    if all(type(value) is int for value in values):
        steps = [after - before for before, after in zip([0, *values], values, strict=False)]
        if len(set(steps)) < len(set(values)) // 2:
            return {"steps": steps}
    return list(values)


def thousandths(seconds: object) -> float | None:
    """Return a duration in milliseconds, as exactly as three digits need it; None where it is none."""
    return round(seconds * 1000, 1) if isinstance(seconds, int | float) else None
