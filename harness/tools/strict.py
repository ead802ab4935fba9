"""JSON Schemas of tools, in the form that services want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from harness.records import JSON

_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_INNER = ("items", "additionalProperties", "not", "if", "then", "else")


def untitled(schema: Mapping[str, JSON]) -> dict[str, Any]:
    """Return a schema without the titles that say nothing a name does not say."""
    found = _inside(schema, untitled)
    if isinstance(found.get("title"), str):
        del found["title"]
    return found


def strict_schema(schema: Mapping[str, JSON]) -> dict[str, Any]:
    """Return a schema that allows only what it names and requires all of it, in objects at every depth.

    Raises:
        ValueError: An object in it has keys of any name, or its types go round in circles.
    """
    whole = deepcopy(dict(schema))

    def strict(one: Mapping[str, JSON]) -> dict[str, Any]:
        if "$ref" in one and len(one) > 1:
            # A reference may have nothing beside it, so what it refers to is written out.
            referred = _referred(whole, str(one["$ref"]))
            return strict({**referred, **{key: value for key, value in one.items() if key != "$ref"}})
        found = dict(one)
        if "oneOf" in found:
            found["anyOf"] = found.pop("oneOf")
        found.pop("discriminator", None)
        found.pop("default", None)
        if found.get("type") == "object" or "properties" in found:
            if found.get("additionalProperties") not in (None, False) or "properties" not in found:
                raise ValueError("it takes a mapping with keys of any name; name them in a class of its own")
            found["additionalProperties"] = False
            found["required"] = list(found["properties"])
        return _inside(found, strict)

    try:
        return strict({"type": "object", "properties": {}, **whole})
    except RecursionError:
        raise ValueError("a type in it refers to itself, with a description beside the reference") from None


def _inside(schema: Mapping[str, JSON], change: Callable[[Mapping[str, JSON]], dict[str, Any]]) -> dict[str, Any]:
    found = dict(schema)
    for key in _MAPS:
        if isinstance(found.get(key), Mapping):
            found[key] = {name: change(one) if isinstance(one, Mapping) else one for name, one in found[key].items()}
    for key in _LISTS:
        if isinstance(found.get(key), list):
            found[key] = [change(one) if isinstance(one, Mapping) else one for one in found[key]]
    for key in _INNER:
        if isinstance(found.get(key), Mapping):
            found[key] = change(found[key])
    return found


def _referred(whole: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = whole
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
