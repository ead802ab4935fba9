"""JSON Schemas of pydantic models, as editors like them: no titles, no empty defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

JSONSchema: TypeAlias = dict[str, Any]

_MAPS = ("properties", "patternProperties", "$defs")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_INNER = ("items", "additionalProperties", "not", "if", "then", "else")
_NULL = {"type": "null"}


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default that JSON cannot hold is left out, and nobody needs to hear of it."""


def definitions(models: Sequence[type[BaseModel]]) -> JSONSchema:
    """Return the schemas of models and of what they hold, by the models' names, to stand under `$defs`."""
    _, found = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    return {name: tidy(schema) for name, schema in found["$defs"].items()}


def type_schema(adapter: TypeAdapter[Any], *, prefix: str) -> tuple[JSONSchema, JSONSchema]:
    """Return the schema of a type, and the definitions that it refers to.

    Args:
        adapter: The type.
        prefix: What the definitions' names start with, so that those of two types are two.
    """
    template = f"#/$defs/{prefix}.{{model}}"
    found = tidy(adapter.json_schema(ref_template=template, schema_generator=_Generator))
    inner = found.pop("$defs", {})
    return found, {f"{prefix}.{name}": schema for name, schema in inner.items()}


def tidy(schema: JSONSchema) -> JSONSchema:
    """Return a schema without titles, and without defaults that say nothing."""
    found = inside(schema, tidy)
    found.pop("title", None)
    if found.get("default") in (None, [], {}) or isinstance(found.get("default"), dict):
        found.pop("default", None)
    return found


def without_null(schema: JSONSchema) -> JSONSchema:
    """Return a schema that null does not conform to, where null was one of several possibilities."""
    several = [one for one in schema.get("anyOf", ()) if one != _NULL]
    if len(several) == len(schema.get("anyOf", ())):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**several[0], **rest} if len(several) == 1 else {**rest, "anyOf": several}


def inside(schema: JSONSchema, change: Callable[[JSONSchema], JSONSchema]) -> JSONSchema:
    """Return a schema with the schemas directly inside it changed."""
    found = dict(schema)
    for key in _MAPS:
        if key in found:
            found[key] = {name: change(one) for name, one in found[key].items()}
    for key in _LISTS:
        if key in found:
            found[key] = [change(one) for one in found[key]]
    for key in _INNER:
        if isinstance(found.get(key), dict):
            found[key] = change(found[key])
    return found
