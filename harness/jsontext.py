"""JSON that somebody else wrote: read strictly, within limits, and compared by value."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from harness.records import JSON

#: Characters of a text that is still parsed.
MAX_CHARACTERS = 10_000_000
#: Levels of nesting that are still parsed.
MAX_DEPTH = 200
_HALF = re.compile("[\ud800-\udfff]")


class NotJSON(ValueError):
    """The text is no JSON; the message says where and why."""


class JSONTooLarge(ValueError):
    """The text may be JSON, but is longer, deeper or holds longer numbers than this program reads."""


def parse_json(text: str, *, unique: bool = True) -> JSON:
    """Return what a JSON text holds.

    NaN, Infinity and numbers that no float can hold are refused: readers differ about them.

    Args:
        text: The text.
        unique: Refuse a key that stands twice in one object as well; else the last one holds.

    Raises:
        NotJSON: it is not JSON.
        JSONTooLarge: over 10 million characters, deeper than 200 levels, or an integer of thousands of digits.
    """
    if len(text) > MAX_CHARACTERS:
        raise JSONTooLarge(f"{len(text):,} characters of JSON are more than the {MAX_CHARACTERS:,} that are read")
    try:
        value = (_DECODER if unique else _LENIENT).decode(text)
    except json.JSONDecodeError as error:
        raise NotJSON(_syntax(error)) from None
    except NotJSON:
        raise
    except RecursionError:
        raise JSONTooLarge(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise JSONTooLarge("JSON holds a number with thousands of digits") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise JSONTooLarge(f"JSON nested deeper than {MAX_DEPTH} levels")
    return value


def whole_text(text: str) -> str:
    """Return a text that can be sent and written: halves of characters are joined, or replaced where one is missing.

    JSON can hold half a character (a lone surrogate, RFC 8259 §8.2), and a stream can cut one in two.
    """
    if text.isascii() or not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_texts(value: JSON) -> JSON:
    """Return a value with `whole_text` of every text in it."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): whole_texts(item) for key, item in value.items()}
    return [whole_texts(item) for item in value] if isinstance(value, list) else value


def same_json(left: JSON, right: JSON) -> bool:
    """Say whether two JSON values are equal: 1 equals 1.0, true equals no number, the order of keys is nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(value, right[key]) for key, value in left.items())
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_json, left, right))
    return bool(left == right)


def json_text(value: JSON) -> str:
    """Write a value as compact JSON; a text stands as it is, without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _depth(value: JSON) -> int:
    deepest = 0
    level = [value]
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            else:
                continue
        deepest += 1
        level = [item for item in inner if isinstance(item, dict | list)]
        if deepest > MAX_DEPTH:
            break
    return deepest


def _syntax(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "not JSON: the text is empty"
    near = error.doc[error.pos : error.pos + 20]
    what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    return f"not JSON: {what} at line {error.lineno}, column {error.colno}, near {near!r}"


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotJSON(f"the key {key[:60]!r} stands twice in one object")
            seen.add(key)
    return found


def _constant(word: str) -> NoReturn:
    raise NotJSON(f"not JSON: {word}")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise NotJSON(f"the number {digits[:40]} is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
_LENIENT = json.JSONDecoder(parse_constant=_constant, parse_float=_float)
