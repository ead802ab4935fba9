"""The arguments of a call: read strictly, checked against the tool, and told to the model where they are wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import did_you_mean
from harness.functions import told
from harness.jsontext import JSONTooLarge, NotJSON, parse_json
from harness.records import JSON
from harness.tools.schema import Shape

#: So many problems of one call are told.
_MOST = 10
_LONGEST = 200
#: Beyond it, not every whole number is a float.
_EXACT = 2**53


class InvalidArguments(ValueError):
    """The arguments of a call do not fit the tool; the message is for the model."""


def read_arguments(given: JSON) -> dict[str, JSON]:
    """Return a call's arguments as an object.

    Args:
        given: What the model wrote, as text or parsed; an empty text means no arguments.

    Raises:
        InvalidArguments: It is no JSON, no object, or has a key twice or a number that is none.
    """
    value = given
    if isinstance(given, str):
        try:
            value = parse_json(given) if given.strip() else {}
        except (NotJSON, JSONTooLarge) as error:
            raise InvalidArguments(str(error)) from None
    if not isinstance(value, dict):
        raise InvalidArguments(f"arguments are a JSON object, not {_kind(value)}")
    return {str(key): _whole(one) for key, one in value.items()}


def by_shape(shape: Shape, given: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the arguments as the function takes them, by its parameters' names.

    Raises:
        InvalidArguments: They are not what its type hints say; each problem is named.
    """
    from pydantic import ValidationError

    text = _text(given)
    try:
        # JSON has no dates or sets, so texts and lists stand for them; but a text is no number.
        model = shape.model.model_validate_json(text, strict=True)
    except ValidationError as error:
        fields = shape.model.model_fields
        known = [one.alias or name for name, one in fields.items()]
        wrong = error.errors(include_url=False)
        raise InvalidArguments(_listed(_told(one, known) for one in wrong)) from None
    except Exception as error:  # noqa: BLE001 (validators are somebody's code)
        raise InvalidArguments(told(error)) from None
    found = {
        name: getattr(model, field)
        for field, name in shape.fields.items()
        if field in model.model_fields_set or name in shape.defaulted
    }
    return found | (model.model_extra or {})


def by_schema(schema: Mapping[str, JSON], given: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the arguments as they were given.

    Raises:
        InvalidArguments: They do not conform to the schema; each problem is named.
    """
    from jsonschema.validators import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    _text(given)
    # An own registry fetches nothing from anywhere.
    validator = Draft202012Validator(dict(schema), registry=Registry())
    try:
        wrong = sorted(validator.iter_errors(dict(given)), key=lambda error: list(map(str, error.absolute_path)))
    except Unresolvable as error:
        raise InvalidArguments(f"the tool's schema refers to what is not in it: {error}") from None
    if wrong:
        raise InvalidArguments(
            _listed(": ".join(filter(None, [_path(error.absolute_path), _cut(error.message)])) for error in wrong)
        )
    return dict(given)


def _text(given: Mapping[str, JSON]) -> str:
    try:
        return json.dumps(given, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArguments(f"not JSON: {error}") from None


def _told(error: Any, known: list[str]) -> str:
    place, kind = _path(error["loc"]), error["type"]
    if kind == "missing":
        return f"{place}: is missing"
    if kind == "extra_forbidden" and len(error["loc"]) == 1:
        hint = did_you_mean(str(error["loc"][0]), known) or f"There are: {', '.join(known) or 'none'}."
        return f"{place}: is not known. {hint}".rstrip(".")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").removeprefix("Input ")
    shown = _cut(json.dumps(error["input"], ensure_ascii=False, default=str))
    return f"{place}: {message}, not {shown}" if message.startswith("should") else f"{place}: {message}"


def _listed(problems: Iterable[str]) -> str:
    every = list(dict.fromkeys(problems))
    rest = f"; and {len(every) - _MOST} more" if len(every) > _MOST else ""
    return "; ".join(every[:_MOST]) + rest


def _path(loc: Iterable[str | int]) -> str:
    return ".".join(map(str, loc))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _whole(value: JSON) -> JSON:
    """JSON has one kind of number: 3.0 is the whole number 3."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def _kind(value: JSON) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else "a list"
