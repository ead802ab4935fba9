"""What may stand under `expect:`, as a JSON Schema made from the registered scorers."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import TypeAdapter

from harness.plugins import Registry, Scorer, TakesArgs
from harness.suites.checks import GROUPS
from harness.suites.modelschema import JSONSchema, inside, type_schema

CHECKS: JSONSchema = {"$ref": "#/$defs/checks"}
_CHECK: JSONSchema = {"$ref": "#/$defs/check"}
_ONE: JSONSchema = {"$ref": "#/$defs/one_scorer"}
_TEMPLATE: JSONSchema = {"$ref": "#/$defs/template"}
_WRAPPERS = ("not", *GROUPS)


def check_definitions(registry: Registry) -> JSONSchema:
    """Return the definitions `checks`, `check` and what these refer to, to stand under `$defs`.

    Args:
        registry: The scorers that checks may name.
    """
    found: JSONSchema = {}
    properties: JSONSchema = {}
    for name in registry.names():
        properties[name], inner = _argument(registry.get(name), name)
        found |= inner
    siblings = _siblings(registry)
    wrappers = {
        "not": {"description": "The check inside must not hold", "allOf": [_CHECK, _ONE]},
        "any_of": {"description": "At least one of these checks holds", **_several()},
        "all_of": {"description": "All of these checks hold", **_several()},
    }
    names = [*properties, *wrappers]
    takers = [name for name in registry.names() if isinstance(registry.get(name), TakesArgs)]
    return {
        **found,
        "checks": {"anyOf": [_CHECK, {"type": "array", "items": _CHECK}]},
        "check": {
            "description": "A check: one scorer and its argument. Several scorers are several checks, "
            "unless a key such as `weight` makes it one.",
            "type": "object",
            "minProperties": 1,
            "properties": {**properties, **wrappers, **siblings},
            "additionalProperties": False,
            "if": {"anyOf": [{"required": [name]} for name in siblings]},
            "then": _ONE,
            "dependentSchemas": {"args": {"anyOf": [{"required": [name]} for name in (*takers, *_WRAPPERS)]}},
        },
        "one_scorer": {"oneOf": [{"required": [name]} for name in names]},
        "template": {"type": "string", "pattern": r"\{[{%#]", "description": "A template"},
    }


def _several() -> JSONSchema:
    return {"type": "array", "minItems": 1, "items": _CHECK}


def _siblings(registry: Registry) -> JSONSchema:
    transform, _ = type_schema(registry.transforms, prefix="transform")
    return {
        "name": {"type": "string", "description": "Name in reports; default: the scorer's"},
        "weight": {"type": "number", "minimum": 0, "default": 1, "description": "Weight in the trial's score"},
        "threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "The check passes from this value on",
        },
        "transform": {**transform, "description": "What is done to the answer first"},
        "soft": {"type": "boolean", "default": False, "description": "Reported, does not decide"},
        "args": {"type": "object", "description": "Further arguments of a scorer that takes some"},
        "scope": {
            "enum": ["last", "all"],
            "default": "last",
            "description": "Look at the last turn's answer, or at all answers",
        },
    }


def _argument(scorer: Scorer, name: str) -> tuple[JSONSchema, JSONSchema]:
    try:
        schema, inner = type_schema(TypeAdapter(scorer.Argument), prefix=name)
    except Exception:  # noqa: BLE001 (a plugin's type may have no schema, and then anything goes)
        schema, inner = {}, {}
    page = " ".join((inspect.getdoc(scorer) or scorer.summary).split())
    # An argument is never empty: most likely something has to be quoted.
    told = {"description": page, "not": {"enum": [None, ""]}}
    opened = {key: _or_template(one) for key, one in inner.items()}
    return {**_or_template({**schema, "description": page}), **told}, opened


def _or_template(schema: JSONSchema) -> JSONSchema:
    """Return a schema that a template conforms to as well: what it comes to is not known before a trial."""
    if "anyOf" in schema:
        several = [inside(one, _or_template) for one in schema["anyOf"]]
        return {**schema, "anyOf": several if any(map(_takes_text, several)) else [*several, _TEMPLATE]}
    changed = inside(schema, _or_template)
    if _takes_text(schema):
        return changed
    outer: dict[str, Any] = {key: changed.pop(key) for key in ("description", "default") if key in changed}
    return {**outer, "anyOf": [changed, _TEMPLATE]}


def _takes_text(schema: JSONSchema) -> bool:
    rules = schema.keys() - {"description", "default", "examples", "minLength"}
    return not rules or (rules == {"type"} and schema["type"] == "string")
