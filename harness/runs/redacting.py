"""Secrets are taken out of a result where it is made, so that no report, export or terminal has to think of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from harness.recording import Redactor
from harness.records import Attachment, Result, Usage

T = TypeVar("T")

#: What a result is found by; where those show a secret, only what is printed and written can hide it.
_IDENTITY = frozenset({"run", "suite", "case", "variant", "outcome"})

#: What holds no text of anybody's.
_PLAIN = (Enum, Attachment, Usage)


def redacted(result: Result, redactor: Redactor) -> Result:
    """Return a result without secrets in what was said, called, given, scored and reported."""
    return result if _clean(result, redactor) else _record(result, redactor)


def _clean(result: Result, redactor: Redactor) -> bool:
    """Whether there is surely nothing to take out: one look at all texts together costs a fraction of a look at each."""
    if redactor.has_patterns or result.files:
        # These may mean the beginning and the end of a text, and files are looked at as bodies.
        return False
    whole = "\n".join(_texts(result))
    return redactor.text(whole) == whole


def _texts(result: Result) -> list[str]:
    """Return every text that `_value` would look at. In the path of every trial, and so without recursion."""
    found: list[str] = []
    waiting: list[Any] = [result]
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is str:
            found.append(value)
        elif kind is tuple or kind is list:
            waiting.extend(value)
        elif isinstance(value, Mapping):
            waiting.extend(value)
            waiting.extend(value.values())
        elif is_dataclass(kind) and not isinstance(value, _PLAIN):
            waiting.extend([getattr(value, name) for name in _names(kind)])
    return found


def _record(value: T, redactor: Redactor) -> T:
    changed: dict[str, Any] = {}
    kind: Any = type(value)
    for name in _names(kind):
        before = getattr(value, name)
        after = _value(before, redactor)
        if after is not before:
            changed[name] = after
    return replace(value, **changed) if changed else value  # type: ignore[type-var]  # a dataclass: `_value` looked


@cache
def _names(kind: Any) -> tuple[str, ...]:
    left_out = _IDENTITY if kind is Result else frozenset()
    return tuple(one.name for one in fields(kind) if one.name not in left_out)


def _value(value: Any, redactor: Redactor) -> Any:
    """Return what stands for a value; the value itself where nothing in it changes."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, str):
        clean = redactor.text(value)
        return value if clean == value else clean
    if isinstance(value, bytes):
        return redactor.body(value)
    if isinstance(value, tuple | list):
        parts = [_value(one, redactor) for one in value]
        return value if _same(parts, value) else type(value)(parts)
    if isinstance(value, Mapping):
        pairs = {_value(key, redactor): _value(one, redactor) for key, one in value.items()}
        return value if _same(pairs.values(), value.values()) and _same(pairs, value) else pairs
    return _record(value, redactor) if is_dataclass(value) else value


def _same(after: Any, before: Any) -> bool:
    return len(after) == len(before) and all(one is other for one, other in zip(after, before, strict=True))
