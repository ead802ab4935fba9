"""Scorers that read the answer as JSON."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, PrivateAttr, ValidationInfo

from harness.jsontext import JSONTooLarge, NotJSON, json_text, parse_json, same_json
from harness.patterns import Pattern
from harness.plugins import ScoreContext, Scorer, hookimpl, preparing
from harness.records import JSON, Score
from harness.scorers.arguments import ArgumentModel, Text, shown, unscored, verdict

if TYPE_CHECKING:
    from harness.jsonpath import JSONPath
    from harness.scorers.schemas import Schema

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n", re.MULTILINE)


def fenced(text: str) -> str:
    """Return what stands in the first fenced code block of a Markdown text; the text itself if it has none."""
    opening = _FENCE.search(text)
    if opening is None:
        return text
    mark = opening.group(1)
    lines: list[str] = []
    for line in text[opening.end() :].splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith(mark) and not bare.strip(mark[0]):
            break
        lines.append(line)
    return "".join(lines)


class IsJsonArgument(ArgumentModel):
    """How the answer is read."""

    short = "wanted"

    wanted: bool = Field(default=True, description="false: the answer must not be JSON")
    fenced: bool = Field(default=False, description="read the first fenced code block, where there is one")


class IsJson:
    """The whole answer is one JSON value: `is_json: true`.

    White space around it is nothing, prose or a code fence is too much; `is_json: {fenced: true}` reads the first fenced
    code block if there is one. Refused as no JSON: duplicate keys, NaN and Infinity, numbers too large for a float. More
    than 10 million characters or 200 levels are not scored.
    """

    name = "is_json"
    summary = "the answer is JSON"
    Argument = IsJsonArgument

    def score(self, context: ScoreContext, argument: IsJsonArgument) -> Score:
        try:
            parse_json(fenced(context.output) if argument.fenced else context.output)
        except NotJSON as error:
            return verdict(not argument.wanted, str(error))
        except JSONTooLarge as error:
            return unscored(str(error))
        return verdict(argument.wanted, "is JSON")


def _schema(value: Any, info: ValidationInfo) -> Schema:
    from harness.scorers.schemas import Schema, read_schema

    place = preparing(info).place
    if isinstance(value, str):
        return read_schema(place.file(value), place=place)
    if not isinstance(value, dict) or not value:
        raise ValueError("write a schema, or the path of a JSON file beside the suite")
    return Schema(value, place=place)


class JsonSchema:
    """The answer is JSON that conforms to a JSON Schema: one written in the suite, or the path of a JSON file beside it.

    Drafts 3 to 2020-12 (`$schema` says which, 2020-12 if it says none). References reach files inside the project, never
    the network. Patterns are RE2's, as in `regex`; `format` is an annotation and checks nothing. The reason lists the
    first three problems with their places. An answer that is no JSON fails; code fences go with `transform: fenced`.
    """

    name = "json_schema"
    summary = "the answer is JSON that conforms to this JSON Schema"
    Argument = Annotated[Any, PlainValidator(_schema, json_schema_input_type=str | dict[str, Any])]

    def score(self, context: ScoreContext, argument: Schema) -> Score:
        from harness.scorers.schemas import Unchecked

        try:
            errors = argument.errors(parse_json(context.output))
        except NotJSON as error:
            return verdict(False, str(error))
        except (JSONTooLarge, Unchecked) as error:
            return unscored(str(error))
        return verdict(not errors, "; ".join(errors) or "conforms to the schema")


class JsonPathArgument(ArgumentModel):
    """A path, and what is asked of what it selects; without a condition it must select something."""

    short = "path"

    path: Text = Field(description="JSONPath (RFC 9535)")
    equals: Any = Field(default=None, description="the value, compared as JSON")
    one_of: tuple[Any, ...] | None = Field(default=None, min_length=1, description="the value is one of these")
    contains: Text | None = Field(default=None, description="text in the value")
    regex: Text | None = Field(default=None, description="RE2 expression that matches in the value")
    min: Decimal | None = Field(default=None, description="the value is a number, at least this")
    max: Decimal | None = Field(default=None, description="the value is a number, at most this")
    count: int | None = Field(default=None, ge=0, description="so many values are selected")
    match: Literal["first", "any", "all"] = Field(
        default="first", description="which of the selected values must meet the conditions"
    )
    _path: JSONPath = PrivateAttr()
    _regex: Pattern | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        from harness.jsonpath import JSONPath

        self._path = JSONPath(self.path)
        self._regex = None if self.regex is None else Pattern(self.regex)

    def select(self, value: JSON) -> list[JSON]:
        """Return the values that the path selects."""
        return self._path.find(value)

    def complaint(self, value: JSON) -> str | None:
        """Say why a selected value does not meet the conditions; None if it does."""
        if "equals" in self.model_fields_set and not same_json(value, self.equals):
            return f"expected {shown(self.equals)}, got {shown(value)}"
        if self.one_of is not None and not any(same_json(value, one) for one in self.one_of):
            return f"{shown(value)} is none of {shown(list(self.one_of))}"
        if self.contains is not None and not _holds(value, self.contains):
            return f"{shown(value)} does not contain {shown(self.contains)}"
        if self._regex is not None and not self._regex.search(json_text(value)):
            return f"{shown(value)} does not match {shown(self._regex.source)}"
        if self.min is None and self.max is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{shown(value)} is not a number"
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        if self.min is not None and number < self.min:
            return f"{shown(value)} is below {self.min}"
        if self.max is not None and number > self.max:
            return f"{shown(value)} is above {self.max}"
        return None


class JsonPath:
    """What a JSONPath selects in the answer: `json_path: $.a` (it selects something), `{path: $.a, equals: 1}`, or with
    `one_of`, `contains`, `regex`, `min`, `max`, `count`.

    Paths are RFC 9535. The first selected value must meet every condition given; `match: any` or `all` asks it of one or
    of each. Values are compared as JSON: 1 equals 1.0, `"1"` does not. `contains` looks into a text, or for an item of
    a list. An answer that is no JSON fails. Any other scorer looks at a selected value with `transform: $.a`.
    """

    name = "json_path"
    summary = "a JSONPath selects something in the answer, or a value that meets conditions"
    Argument = JsonPathArgument

    def score(self, context: ScoreContext, argument: JsonPathArgument) -> Score:
        try:
            found = argument.select(parse_json(context.output))
        except NotJSON as error:
            return verdict(False, str(error))
        except JSONTooLarge as error:
            return unscored(str(error))
        if argument.count is not None and len(found) != argument.count:
            return verdict(False, f"{argument.path} selects {len(found)} values, {argument.count} asked for")
        if not found:
            return verdict(argument.count == 0, f"{argument.path} selects nothing")
        looked_at = found[:1] if argument.match == "first" else found
        complaints = [complaint for value in looked_at if (complaint := argument.complaint(value)) is not None]
        passed = len(complaints) < len(looked_at) if argument.match == "any" else not complaints
        if passed:
            return verdict(True, f"{argument.path} is {shown(looked_at[0] if len(looked_at) == 1 else looked_at)}")
        return verdict(False, f"{argument.path}: {complaints[0]}")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [IsJson(), JsonSchema(), JsonPath()]


def _holds(value: JSON, text: str) -> bool:
    if isinstance(value, list):
        return any(json_text(item) == text for item in value)
    return text in json_text(value)
