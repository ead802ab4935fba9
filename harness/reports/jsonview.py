"""An answer that is JSON, laid out so that a person can read it; its keys, numbers and order stay as they were said."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

#: Longer answers, and deeper ones, are shown as they are.
_LONGEST = 200_000
_DEEPEST = 40
#: A list or object without others inside stays on its line up to this many characters.
_LINE = 72
_FENCED = re.compile(r"\s*(```[\w-]*)[ \t]*\n(.*?)\n?[ \t]*(```)\s*", re.DOTALL)


class _Deep(ValueError):
    """The data are nested more deeply than anybody would lay out."""


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it was spelled."""

    text: str


@dataclass(frozen=True, slots=True)
class _Object:
    """The members of an object in their order, repeated keys and all."""

    members: tuple[tuple[str, object], ...]


def laid_out(text: str, *, like: str | None = None) -> str | None:
    """Return a JSON object or array in lines, or None where `text` is none.

    Args:
        text: An answer; a code fence around the data is kept.
        like: JSON whose order of keys the result is to have, for setting both side by side.
    """
    fence = _FENCED.fullmatch(text)
    value = _parsed(fence[2] if fence else text)
    if value is None:
        return None
    other = _parsed(like) if like is not None else None
    try:
        shown = _written(value if other is None else _ordered(value, other, 0), 0)
    except _Deep:
        return None
    return f"{fence[1]}\n{shown}\n{fence[3]}" if fence else shown


def _parsed(text: str) -> object:
    """The data in a text, numbers as they are spelled; None where it is no object and no array."""
    fence = _FENCED.fullmatch(text)
    body = (fence[2] if fence else text).strip()
    if len(body) > _LONGEST or body[:1] not in ("{", "["):
        return None
    try:
        value: object = json.loads(
            body, parse_float=_Number, parse_int=_Number, parse_constant=_Number, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        return None
    return value


def _object(pairs: list[tuple[str, object]]) -> _Object:
    return _Object(tuple(pairs))


def _ordered(value: object, like: object, depth: int) -> object:
    """The same data with the keys of objects in the order of another."""
    if depth > _DEEPEST:
        raise _Deep
    if isinstance(value, _Object) and isinstance(like, _Object):
        places = {key: place for place, (key, _) in enumerate(like.members)}
        others = dict(like.members)
        members = sorted(value.members, key=lambda one: places.get(one[0], len(places)))
        return _Object(tuple((key, _ordered(one, others.get(key), depth + 1)) for key, one in members))
    if isinstance(value, list) and isinstance(like, list):
        return [_ordered(one, like[place] if place < len(like) else None, depth + 1) for place, one in enumerate(value)]
    return value


def _written(value: object, depth: int) -> str:
    if depth > _DEEPEST:
        raise _Deep
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, _Object):
        items = [f"{_plain(key)}: {_written(one, depth + 1)}" for key, one in value.members]
        return _block("{", items, "}", depth, flat=not any(_nests(one) for _, one in value.members))
    if isinstance(value, list):
        items = [_written(one, depth + 1) for one in value]
        return _block("[", items, "]", depth, flat=not any(_nests(one) for one in value))
    return _plain(value)


def _block(opening: str, items: list[str], closing: str, depth: int, *, flat: bool) -> str:
    line = f"{opening}{', '.join(items)}{closing}"
    if not items or (depth and flat and len(line) <= _LINE):
        return line
    inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    return f"{opening}{inner}{f',{inner}'.join(items)}{outer}{closing}"


def _nests(value: object) -> bool:
    return isinstance(value, _Object | list)


def _plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
