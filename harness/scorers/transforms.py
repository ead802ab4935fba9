"""What `transform:` may be: a change of the answer before a check looks at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from harness.errors import did_you_mean
from harness.functions import Function
from harness.jsontext import NotJSON, json_text, parse_json
from harness.plugins import preparing
from harness.scorers.structure import fenced

#: Takes an answer's text and returns what the check looks at.
Change: TypeAlias = Callable[[str], str]


class Unreadable(ValueError):
    """The answer is not what the transform takes: the check fails, negated or not."""


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """The last line that is not blank."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def one_line(text: str) -> str:
    """Every run of white space made one space."""
    return " ".join(text.split())


def named() -> dict[str, Change]:
    """The transforms that have a name."""
    return {
        "strip": str.strip,
        "lower": str.lower,
        "upper": str.upper,
        "first_line": first_line,
        "last_line": last_line,
        "one_line": one_line,
        "fenced": fenced,
    }


def _prepared(value: Any, info: ValidationInfo) -> Change:
    known = named()
    if not isinstance(value, str):
        raise ValueError(f"write one of {', '.join(known)}, a JSONPath, or ./file.py:function")  # noqa: TRY004 (pydantic)
    if value in known:
        return known[value]
    if value.startswith("$"):
        return _selected(value)
    if ":" in value:
        context = preparing(info)
        return _called(context.functions.load(value, place=context.place), value)
    hint = did_you_mean(value, list(known)) or f"Known: {', '.join(known)}, a JSONPath ($.a), ./file.py:function."
    raise ValueError(f"unknown transform '{value}'. {hint}")


def _selected(source: str) -> Change:
    from harness.jsonpath import JSONPath

    path = JSONPath(source)

    def change(text: str) -> str:
        try:
            found = path.find(parse_json(text))
        except NotJSON as error:
            raise Unreadable(str(error)) from None
        if not found:
            raise Unreadable(f"{source} selects nothing")
        return json_text(found[0])

    return change


def _called(function: Function, reference: str) -> Change:
    def change(text: str) -> str:
        changed = function(text)
        if not isinstance(changed, str):
            raise TypeError(f"{reference} returned {type(changed).__name__}, not text")
        return changed

    return change


#: The type of a check's `transform`, for a registry.
Transform: TypeAlias = Annotated[
    Any,
    PlainValidator(_prepared),
    WithJsonSchema({"anyOf": [{"enum": list(named())}, {"type": "string", "pattern": r"^\$|:"}]}),
]
