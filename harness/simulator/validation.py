"""Checking requests against descriptions in JSON Schema, and saying what is wrong as the API does.

The descriptions know one keyword more: `tagged`, for objects whose form is named by one of their own properties,
`{"on": "type", "forms": {"message": {...}, ...}, "default": {"role": "message"}}`; `default` says which form is meant where
that property is absent, by another one that is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator, ValidationError, validators

from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON

Schema: TypeAlias = Mapping[str, JSON]

#: How an unknown parameter at the top is told: by Chat Completions and older APIs, or by Responses.
_UNKNOWN_OLD = "Unrecognized request argument supplied: {name}"
_UNKNOWN = "Unknown parameter: '{name}'."


class Form:
    """A description of requests.

    Args:
        schema: JSON Schema with `tagged`.
        old: Tell unknown parameters as the older APIs do.
    """

    def __init__(self, schema: Schema, *, old: bool = False) -> None:
        self._check = _validator()(schema)
        self._old = old

    def check(self, body: JSON, *, strict: bool = True) -> None:
        """Refuse a request that is not as described.

        Args:
            body: The request.
            strict: Refuse what the description does not name, too.

        Raises:
            ApiError: 400, for the first thing that is wrong.
        """
        wrong = [error for error in self._check.iter_errors(body) if strict or not _is_unknown(error)]
        if wrong:
            raise self._told(min(wrong, key=_rank))

    def problem(self, value: JSON) -> tuple[list[str | int], str] | None:
        """Return where something is wrong first, and what; None: nothing is."""
        wrong = list(self._check.iter_errors(value))
        if not wrong:
            return None
        error = min(wrong, key=_rank)
        path = list(error.absolute_path)
        if _is_unknown(error):
            known = error.schema["properties"]
            name = next(name for name in error.instance if name not in known)
            return [*path, str(name)], f"there is no '{name}' here: there are {', '.join(known)}."
        return path, self._told(error).message

    def _told(self, error: Any) -> ApiError:
        if _is_unknown(error):
            return self._unknown(error)
        message, param, code = _TELLERS.get(str(error.validator), _other)(error)
        return ApiError(400, message, param=param, code=code)

    def _unknown(self, error: Any) -> ApiError:
        name = next(name for name in error.instance if name not in error.schema["properties"])
        where = _join(_path(error), name)
        if self._old and not error.absolute_path:
            return ApiError(400, _UNKNOWN_OLD.format(name=name))
        return ApiError(400, _UNKNOWN.format(name=where), param=where, code="unknown_parameter")


@cache
def _validator() -> Any:
    extend: Any = validators.extend
    return extend(Draft202012Validator, {"tagged": _tagged})


def _tagged(validator: Any, tagged: Mapping[str, JSON], instance: JSON, schema: Schema) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    on, forms = tagged["on"], tagged["forms"]
    tag = instance.get(on)
    if tag is None and "default" in tagged:
        # Some forms need not be named: they are known by a property of theirs, and else the first is meant.
        tags = tagged["default"]
        tag = next((tag for name, tag in tags.items() if name in instance), next(iter(tags.values())))
    if tag is None and on not in instance:
        yield ValidationError(on, validator="required", validator_value=[on], instance=instance, schema=schema)
    elif not isinstance(tag, str):
        yield ValidationError(
            on, validator="type", validator_value="string", instance=tag, schema={"type": "string"}, path=[on]
        )
    elif tag not in forms:
        yield ValidationError(
            on, validator="enum", validator_value=list(forms), instance=tag, schema={"enum": list(forms)}, path=[on]
        )
    else:
        yield from validator.descend(instance, forms[tag], schema_path=tag)


def _is_unknown(error: Any) -> bool:
    return error.validator == "additionalProperties" and error.validator_value is False


def _rank(error: Any) -> tuple[Any, ...]:
    """Unknown names at the top first, then what is missing there, then all else in order."""
    path = list(error.absolute_path)
    kind = 0 if _is_unknown(error) else 1 if error.validator == "required" else 2
    return (bool(path), kind if not path else 0, [str(part).rjust(6, "0") for part in path], kind)


def _path(error: Any) -> str:
    return join(list(error.absolute_path))


def join(path: Sequence[str | int]) -> str:
    """Return a path as the API writes it, such as `messages[0].role`."""
    found = ""
    for part in path:
        found = f"{found}[{part}]" if isinstance(part, int) else _join(found, str(part))
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_Told: TypeAlias = tuple[str, str | None, str | None]


def _missing(error: Any) -> _Told:
    name = next(name for name in error.validator_value if name not in error.instance)
    where = _join(_path(error), name)
    return f"Missing required parameter: '{where}'.", where, "missing_required_parameter"


_KINDS = {"object": "an object", "array": "an array", "integer": "an integer", "null": "null"}


def kind(value: JSON) -> str:
    """Return what a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _type(error: Any) -> _Told:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    told = " or ".join(_KINDS.get(name, f"a {name}") for name in names if name != "null" or len(names) == 1)
    where = _path(error)
    return (
        f"Invalid type for '{where}': expected {told}, but got {kind(error.instance)} instead.",
        where,
        "invalid_type",
    )


def _bound(error: Any) -> _Told:
    where = _path(error)
    low = error.validator == "minimum"
    number = "decimal" if isinstance(error.instance, float) else "integer"
    sign, word = (">=", "below_min") if low else ("<=", "above_max")
    edge = "below the least" if low else "above the greatest"
    told = f"Expected a value {sign} {error.validator_value}, but got {error.instance} instead."
    return f"Invalid '{where}': {edge} value. {told}", where, f"{number}_{word}_value"


#: The keyword, and what is counted.
_COUNTED = {
    "minLength": ("string", "shorter", "a string with at least {} characters", "string_below_min_length"),
    "maxLength": ("string", "longer", "a string with at most {} characters", "string_above_max_length"),
    "minItems": ("array", "shorter", "an array with at least {} items", "array_below_min_length"),
    "maxItems": ("array", "longer", "an array with at most {} items", "array_above_max_length"),
    "maxProperties": ("object", "larger", "an object with at most {} properties", "object_above_max_properties"),
}


def _counted(error: Any) -> _Told:
    what, how, wanted, code = _COUNTED[str(error.validator)]
    where = _path(error)
    if error.validator == "minItems" and not error.instance:
        code = "empty_array"
    told = wanted.format(error.validator_value)
    return f"Invalid '{where}': {what} is {how} than allowed. Expected {told}.", where, code


def _listed(values: list[JSON]) -> str:
    told = [f"'{value}'" if isinstance(value, str) else json.dumps(value) for value in values if value is not None]
    return " and ".join([*([", ".join(told[:-1])] if told[:-1] else []), told[-1]])


def _enum(error: Any) -> _Told:
    values = error.validator_value if error.validator == "enum" else [error.validator_value]
    where = _path(error)
    shown = error.instance if isinstance(error.instance, str) else json.dumps(error.instance, default=str)
    return f"Invalid value: '{shown}'. Supported values are: {_listed(list(values))}.", where, "invalid_value"


def _pattern(error: Any) -> _Told:
    where = _path(error)
    return (
        f"Invalid '{where}': the text must match the pattern '{error.validator_value}'.",
        where,
        "invalid_value",
    )


def _any(error: Any) -> _Told:
    """Of several forms, tell about the one that the value comes nearest to."""
    inner = min(
        error.context or (), key=lambda one: (one.validator == "type" and not one.path, len(one.path)), default=None
    )
    if inner is None or (inner.validator == "type" and not inner.path):
        where = _path(error)
        return f"Invalid type for '{where}': {kind(error.instance)} is not accepted here.", where, "invalid_type"
    if _is_unknown(inner):
        name = next(name for name in inner.instance if name not in inner.schema["properties"])
        where = _join(_path(inner), name)
        return f"Unknown parameter: '{where}'.", where, "unknown_parameter"
    return _TELLERS.get(str(inner.validator), _other)(inner)


def _other(error: Any) -> _Told:
    where = _path(error)
    return f"Invalid '{where}'.", where, "invalid_value"


_TELLERS: Mapping[str, Callable[[Any], _Told]] = {
    "required": _missing,
    "type": _type,
    "minimum": _bound,
    "maximum": _bound,
    "enum": _enum,
    "const": _enum,
    "pattern": _pattern,
    "anyOf": _any,
    **dict.fromkeys(_COUNTED, _counted),
}


def nullable(schema: Schema) -> Schema:
    """Return the description of a value that may also be null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        return {**schema, "type": [schema.get("type", "string"), "null"], "enum": [*schema["enum"], None]}
    return {"anyOf": [schema, {"type": "null"}]}


def closed(properties: Mapping[str, Schema], *required: str) -> Schema:
    """Return the description of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
#: Notes that a caller keeps with an object.
METADATA: Schema = {
    "type": ["object", "null"],
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": "string", "maxLength": 512},
}
NAME: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}
TEMPERATURE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 2}
TOP_P: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
EFFORT: Schema = {"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max", None]}
