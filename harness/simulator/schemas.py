"""Schemas that callers give: of a function's parameters, and of the answer they want."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

from jsonschema import Draft202012Validator, SchemaError

from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON


def check_parameters(schema: JSON, *, name: str, strict: bool, param: str) -> None:
    """Refuse the parameters of a function that the API could not use.

    Args:
        schema: Its parameters; None: it takes none.
        name: Of the function.
        strict: The function asks for strictness: arguments exactly as described.
        param: Where it stands in the request.

    Raises:
        ApiError: 400.
    """
    if schema is None or schema == {}:
        return
    told = _wrong(schema, strict=strict)
    if told:
        raise ApiError(
            400, f"Invalid schema for function '{name}': {told}", param=param, code="invalid_function_parameters"
        )


def check_json_schema(schema: JSON, *, name: str, strict: bool, param: str) -> None:
    """Refuse the schema of an answer that the API could not use.

    Raises:
        ApiError: 400.
    """
    told = _wrong(schema, strict=strict)
    if told:
        raise ApiError(
            400, f"Invalid schema for response_format '{name}': {told}", param=param, code="invalid_json_schema"
        )


def _wrong(schema: JSON, *, strict: bool) -> str | None:
    try:
        told = _broken(schema)
        return unstrict(schema) if told is None and strict else told
    except RecursionError:
        return "schema is nested too deeply."


def _broken(schema: JSON) -> str | None:
    if schema.get("type") != "object":
        return f'schema must be of type "object", not {json.dumps(schema.get("type"))}.'
    return _unsound(json.dumps(schema, sort_keys=True))


@lru_cache(maxsize=256)
def _unsound(text: str) -> str | None:
    """Why a schema is none; the same few come with every request, and looking takes longer than all else."""
    try:
        Draft202012Validator.check_schema(json.loads(text))
    except SchemaError as error:
        return f"In {_context(list(error.absolute_path))}: {error.message[:200]}"
    return None


def _context(path: list[JSON]) -> str:
    return "context=" + json.dumps([str(part) for part in path])


def unstrict(schema: JSON, path: tuple[str, ...] = ()) -> str | None:
    """Return why a schema is no strict one; None: it is."""
    if not isinstance(schema, dict):
        return None
    where = f"In {_context(list(path))}, "
    if "properties" in schema or schema.get("type") == "object":
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False:
            return f"{where}'additionalProperties' must be there and be false."
        absent = [name for name in properties if name not in (schema.get("required") or [])]
        if absent:
            return f"{where}'required' must name every property; '{absent[0]}' is missing."
    for keyword in ("allOf", "not", "if", "oneOf"):
        if keyword in schema:
            return f"{where}'{keyword}' is not permitted."
    for name, inner, at in _inside(schema):
        told = unstrict(inner, (*path, name, *at))
        if told:
            return told
    return None


def _inside(schema: Mapping[str, JSON]) -> Iterator[tuple[str, JSON, tuple[str, ...]]]:
    for keyword in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(keyword) or {}).items():
            yield keyword, inner, (name,)
    if "items" in schema:
        yield "items", schema["items"], ()
    for number, inner in enumerate(schema.get("anyOf") or ()):
        yield "anyOf", inner, (str(number),)
