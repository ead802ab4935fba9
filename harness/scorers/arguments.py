"""Shapes of arguments that several scorers share, and how values are shown in reasons."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from harness.jsontext import json_text
from harness.records import JSON, Score

#: Characters of a value that a reason shows.
SHOWN = 120


class ArgumentModel(BaseModel):
    """Base of arguments that are mappings."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    #: The key that is meant where no mapping is written: `tokens: 500` is `tokens: {max: 500}`.
    short: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _lengthen(cls, value: Any) -> Any:
        return value if cls.short is None or isinstance(value, dict) else {cls.short: value}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(core_schema))
        return whole if cls.short is None else {"anyOf": [whole["properties"][cls.short], whole]}


def _as_text(value: Any) -> Any:
    """Numbers and booleans are compared as JSON writes them, so that `contains: 42` needs no quotes."""
    return json_text(value) if isinstance(value, bool | int | float) else value


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no number")  # noqa: TRY004 (pydantic collects these)
    return value


#: A number of things, also as the text of a dataset's cell.
Count: TypeAlias = Annotated[
    int, Field(ge=0), BeforeValidator(_no_boolean, json_schema_input_type=Annotated[int, Field(ge=0)])
]

#: A text that is not empty; numbers are taken as text.
Text: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1),
    BeforeValidator(_as_text, json_schema_input_type=str | float | bool),
]

#: Several texts.
Texts: TypeAlias = Annotated[tuple[Text, ...], Field(min_length=1)]


def shown(value: JSON) -> str:
    """Show a value in a reason: quoted if it is text, cut to a readable length."""
    text = json_text(value)
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    return repr(cut) if isinstance(value, str) else cut


def verdict(passed: bool, reason: str) -> Score:
    """The score of a check that holds or does not: 1 or 0."""
    return Score(value=1.0 if passed else 0.0, passed=passed, reason=reason)


def unscored(reason: str) -> Score:
    """The score of a check that nothing can be said about."""
    return Score(value=None, passed=None, reason=reason)
