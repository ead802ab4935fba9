"""From located data to models: every mistake with its place, in the words of the file, not of the validator."""

from __future__ import annotations

import copy
import json
import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Strict, ValidationError

from harness.errors import did_you_mean
from harness.located import Document, Loc

M = TypeVar("M", bound=BaseModel)

#: Types of fields that take only what YAML itself says is a number, or true: a text that looks like it is a mistake.
Whole: TypeAlias = Annotated[int, Strict()]
Number: TypeAlias = Annotated[float, Strict()]
Flag: TypeAlias = Annotated[bool, Strict()]

_ROUNDS = 4
_EMPTY = "Quote it, if it starts with # or holds a comma."
#: What a value should be, by the start of pydantic's name for the error.
_KINDS = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "tuple_": "a list",
    "list_": "a list",
    "dict_": "a mapping",
    "mapping_": "a mapping",
    "model_": "a mapping",
}


def validate(
    document: Document, model: type[M], loc: Loc = (), value: Any = None, *, fallback: Mapping[str, Any] | None = None
) -> M | None:
    """Validate the data at `loc` with a pydantic model; problems are added to the document.

    What is wrong is left out and the rest returned, so that reading can go on and find more; None where that is not
    possible. Whoever reads must look at `document.problems` before using what came out.

    Args:
        document: Where the data comes from.
        model: What it should be.
        loc: Where in the document it stands.
        value: The data, where it is not what stands at `loc` to the letter.
        fallback: What to go on with, by key, where a needed key is missing or wrong.
    """
    if value is None:
        value = document.value
        for step in loc:
            value = value[step]
    rest = value
    # A model's own validators run when its fields are right, so each round may find what the one before could not see.
    for attempt in range(_ROUNDS):
        try:
            return model.model_validate(rest)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
        if attempt == 0:
            rest = copy.deepcopy(value)
        _complain(document, model, tuple(loc), [one for one in wrong if attempt == 0 or one["type"] != "missing"])
        for one in wrong:
            _leave_out(rest, one["loc"])
        if not isinstance(rest, dict):
            return None
        rest = {**(fallback or {}), **rest}
    return None


def _leave_out(value: Any, loc: Sequence[str | int]) -> None:
    """Remove the entry that an error is about; inside a list, the whole list."""
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        following = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, dict) and (last or not isinstance(following, dict)):
            value.pop(step, None)
            return
        value = following


def _complain(document: Document, model: type[BaseModel], loc: tuple[str | int, ...], errors: Sequence[Any]) -> None:
    # A value that fits no member of a union is one mistake, and pydantic reports it once for each member.
    seen: set[tuple[str | int, ...]] = set()
    for error in errors:
        # Pydantic puts the names of union members and validators into a path; only what is in the document counts.
        inner = tuple(error["loc"])
        place = (*loc, *document.holds(loc, inner))
        kind, given = error["type"], error.get("input")
        if kind == "extra_forbidden":
            unknown = str(inner[-1])
            near = did_you_mean(unknown, known_keys(model, inner[:-1]))
            if given is None and near is None:
                near = "Quote the text before it, if it holds a comma."
            document.complain((*loc, *inner), f"unknown key '{unknown}'.", hint=near, key=True)
        elif kind == "missing":
            document.complain(place, f"`{inner[-1]}:` is missing here.")
        elif place not in seen:
            seen.add(place)
            name = next((step for step in reversed(place) if isinstance(step, str)), None)
            if given is None:
                document.complain(
                    place, f"`{name or 'it'}:` is empty.", hint=_EMPTY, key=bool(place) and isinstance(place[-1], str)
                )
            else:
                message, hint = _wrong(error, name, given)
                document.complain(place, message, hint=hint)


def _wrong(error: Any, name: str | None, given: Any) -> tuple[str, str | None]:
    """Say what a value should be, in the words of YAML."""
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
    if error["type"] in ("value_error", "assertion_error"):
        return message[:1].lower() + message[1:] + ".", None
    shown = json.dumps(given, ensure_ascii=False, default=str)
    if isinstance(given, (dict, list)):
        shown = "a mapping" if isinstance(given, dict) else "a list"
    elif len(shown) > 60:
        shown = shown[:60] + "..."
    wanted = next((words for start, words in _KINDS.items() if error["type"].startswith(start)), None)
    if wanted is None:
        wanted = message.removeprefix("Input should be ").replace("'", "`")
    hint = None
    if error["type"] == "string_type" and isinstance(given, (bool, int, float)):
        hint = "Quote it."
    elif error["type"] == "literal_error" and isinstance(given, str):
        hint = did_you_mean(given, re.findall("`([^`]*)`", wanted))
    subject = f"`{name}:`" if name is not None else "this"
    return f"{subject} should be {wanted}, not {shown}.", hint


def known_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that a model takes at `loc` inside it."""
    models = [model]
    for step in loc:
        models = [inner for one in models for inner in _below(one, step)]
    return sorted({info.alias or name for one in models for name, info in one.model_fields.items()})


def _below(model: type[BaseModel], step: str | int) -> list[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if step in (name, info.alias):
            return _models(info.annotation)
    # An index, a mapping's key or the name of a union member leads nowhere deeper in the model itself.
    return [model]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated, list, tuple, dict) or get_args(annotation):
        return [model for inner in get_args(annotation) for model in _models(inner)]
    return []


def sentence(text: object) -> str:
    """Return a message with its full stop."""
    said = str(text)
    return said if said.endswith((".", "?", "!")) else f"{said}."
