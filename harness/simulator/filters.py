"""Filters of a search by what callers noted about files."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from harness.simulator.plain import JSON
from harness.simulator.validation import STRING, Schema, closed

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_COMPARISON = closed(
    {
        "type": STRING,
        "key": STRING,
        "value": {"type": ["string", "number", "boolean", "array"], "items": {"type": ["string", "number"]}},
    },
    "type",
    "key",
    "value",
)
#: How deep filters may stand within each other.
_DEEPEST = 5


def _form(depth: int) -> Schema:
    forms = dict.fromkeys(("eq", "ne", "in", "nin", *_ORDERS), _COMPARISON)
    if depth:
        inner = {"type": "array", "items": _form(depth - 1)}
        compound = closed({"type": STRING, "filters": inner}, "type", "filters")
        forms = {**forms, "and": compound, "or": compound}
    return {"type": "object", "tagged": {"on": "type", "forms": forms}}


def form() -> Schema:
    """Return the description of a filter."""
    return _form(_DEEPEST)


def passes(filter: Mapping[str, JSON] | None, attributes: Mapping[str, JSON]) -> bool:
    """Whether a file with these attributes passes."""
    if filter is None:
        return True
    kind = filter["type"]
    if kind == "and":
        return all(passes(one, attributes) for one in filter["filters"])
    if kind == "or":
        return any(passes(one, attributes) for one in filter["filters"])
    return _compares(kind, attributes.get(filter["key"]), filter["value"])


def _compares(kind: str, have: JSON, wanted: JSON) -> bool:
    if kind in ("in", "nin"):
        listed = wanted if isinstance(wanted, list) else [wanted]
        return (have in listed) is (kind == "in")
    if kind in ("eq", "ne"):
        return bool(have == wanted) is (kind == "eq")
    if isinstance(have, str) != isinstance(wanted, str) or not isinstance(have, str | int | float):
        return False
    return not isinstance(wanted, list) and bool(_ORDERS[kind](have, wanted))
