"""Whatever a Python program holds, as plain JSON: the same data gives the same text in every run."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from harness.records import JSON

_DEEPEST = 60
_LONGEST_INTEGER = 10**400
#: Where an object lies in memory: different in every run.
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_TEXTS: Sequence[tuple[tuple[type, ...], Callable[[Any], str]]] = (
    ((Decimal, UUID, timedelta), str),
    ((datetime, date, time), lambda value: value.isoformat()),
    ((PurePath,), lambda value: value.as_posix()),
    ((bytes, bytearray, memoryview), lambda value: clean(bytes(value).decode("utf-8", "replace"))),
)


def plain(value: Any) -> JSON:
    """Return a value as plain JSON.

    Sets become sorted lists, decimals, dates and paths texts, dataclasses and models mappings, and objects without a
    text of their own mappings of their public attributes. What nothing else can be said of becomes its `repr`.
    """
    return _plain(value, ())


def public(value: object) -> dict[str, JSON]:
    """Return an object's public attributes as plain JSON."""
    return _public(value, (id(value),))


def clean(text: str) -> str:
    """Return a text without what no UTF-8 file or request can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _plain(value: Any, above: tuple[int, ...]) -> JSON:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, above)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return int(value) if abs(value) < _LONGEST_INTEGER else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    for types, text in _TEXTS:
        if isinstance(value, types):
            return text(value)
    if id(value) in above or len(above) >= _DEEPEST:
        return "..."
    return _compound(value, (*above, id(value)))


def _compound(value: Any, above: tuple[int, ...]) -> JSON:
    if isinstance(value, Mapping):
        return {_key(key): _plain(one, above) for key, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((_plain(one, above) for one in value), key=_order)
    if isinstance(value, Sequence):
        return [_plain(one, above) for one in value]
    if isinstance(value, type):
        return value.__name__
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name, None), above) for one in dataclasses.fields(value)}
    if hasattr(type(value), "model_dump"):
        return _plain(value.model_dump(), above)
    if _has_attributes(value):
        return _public(value, above)
    if isinstance(value, Iterable) and type(value).__repr__ is object.__repr__ and hasattr(value, "__len__"):
        return [_plain(one, above) for one in value]
    return _shown(value)


def _public(value: object, above: tuple[int, ...]) -> dict[str, JSON]:
    return {
        name: _plain(one, above)
        for name, one in sorted(_attributes(value).items())
        if not name.startswith("_") and not callable(one)
    }


def _attributes(value: object) -> dict[str, Any]:
    slots = [
        name
        for kind in type(value).__mro__
        for name in _names(kind.__dict__.get("__slots__", ()))
        if hasattr(value, name)
    ]
    return {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}


def _names(slots: str | Iterable[str]) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _has_attributes(value: object) -> bool:
    return type(value).__repr__ is object.__repr__ and bool(_attributes(value))


def _key(key: Any) -> str:
    if isinstance(key, str):
        return clean(key)
    found = _plain(key, ())
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _order(value: JSON) -> tuple[str, Any]:
    """Numbers by size, everything else by its text."""
    if isinstance(value, int | float):
        return "", value
    return "~", json.dumps(value, sort_keys=True, ensure_ascii=False)


def _shown(value: object) -> str:
    try:
        return clean(_ADDRESS.sub("", repr(value)))
    except Exception:  # noqa: BLE001 (somebody's code may raise anything)
        return f"<{type(value).__name__}>"
