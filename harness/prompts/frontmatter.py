"""What stands between the --- lines at the top of a prompt: its description, lineage, variables and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError, Problem, SourceLocation
from harness.jsontext import same_json
from harness.located import Document, parse_yaml
from harness.records import JSON
from harness.validation import validate

_FENCE = re.compile(r"---[ \t]*\Z")
_NAME = re.compile(r"[^\W\d]\w*\Z")
#: Names that every prompt has without declaring them.
IMPLICIT = ("input", "self_")

_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (Mapping,),
}
# Cells of a table are texts, whatever they hold; these patterns say which texts are a value of a type.
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "integer": re.compile(r"-?(0|[1-9][0-9]{0,17})\Z", re.ASCII),
    "number": re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?\Z", re.ASCII),
    "boolean": re.compile(r"true\Z|false\Z"),
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(_Strict):
    """A declared variable of a prompt."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = Field(
        "string", description="JSON type"
    )
    default: JSON = Field(None, description="Value where nobody gives one; without a default the variable is needed")
    enum: tuple[JSON, ...] | None = Field(None, min_length=1, description="The values it may have")
    description: str | None = Field(None, description="What it is for")

    @property
    def needed(self) -> bool:
        """Whether somebody has to give a value."""
        return "default" not in self.model_fields_set

    def read(self, value: JSON) -> JSON:
        """Return a value as this variable's type: texts that hold a number or truth value are read.

        Raises:
            ValueError: It is of another type, or not among the values allowed; the message says what it should be.
        """
        if isinstance(value, str) and self.type in _TEXTS and _TEXTS[self.type].match(value.strip()):
            value = json.loads(value.strip())
        kinds = _KINDS[self.type]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"of type {self.type}")
        if self.enum is not None and not any(same_json(value, one) for one in self.enum):
            raise ValueError("one of " + ", ".join(_shown(one) for one in self.enum))
        return value


class Tuned(_Strict):
    """Settings of an assistant that a prompt was tuned with."""

    temperature: float | None = Field(None, description="Sampling temperature")
    top_p: float | None = Field(None, description="Share of probability that is sampled from")
    max_tokens: int | None = Field(None, ge=1, description="Longest answer, tokens")
    seed: int | None = Field(None, description="Seed of the sampling")
    stop: str | list[str] | None = Field(None, description="Texts that end an answer")
    presence_penalty: float | None = Field(None, description="Penalty for tokens that occurred")
    frequency_penalty: float | None = Field(None, description="Penalty for tokens that occurred often")
    stream: bool | None = Field(None, description="Take the answer as it is written")
    response_format: JSON = Field(None, description="Shape of the answer")
    request: Mapping[str, JSON] | None = Field(None, description="Passed through to the API as it is")


class Defaults(Tuned):
    """Settings that a prompt was tuned with, in general and by model."""

    models: Mapping[str, Tuned] = Field(default_factory=dict, description="Further settings by model; these win")


class FrontMatter(_Strict):
    """What stands between the --- lines at the top of a prompt."""

    description: str | None = Field(None, description="What is different in this version")
    parent: int | str | None = Field(None, description="The version it was made from; default: the next lower one")
    variables: Mapping[str, Variable] = Field(default_factory=dict, description="What it needs besides the input")
    defaults: Defaults = Field(Defaults(), description="Settings it was tuned with; the suite's win")
    encoding: Literal["o200k_base", "o200k_harmony", "cl100k_base", "p50k_base", "p50k_edit", "r50k_base"] | None = (
        Field(None, description="Token encoding for estimates; default from the model")
    )

    def settings(self, model: str | None) -> dict[str, JSON]:
        """Return the settings it was tuned with, those for `model` included."""
        found = self.defaults.model_dump(exclude_unset=True, exclude={"models"})
        own = self.defaults.models.get(model) if model else None
        return {**found, **(own.model_dump(exclude_unset=True) if own else {})}


def split(text: str) -> tuple[str | None, int]:
    """Return a prompt file's front matter (None: it has none) and the number of lines before its body.

    Raises:
        ValueError: It is not closed.
    """
    lines = text.split("\n")
    if not _FENCE.match(lines[0]):
        return None, 0
    for number, line in enumerate(lines[1:], start=1):
        if _FENCE.match(line):
            return "\n".join(lines[1:number]), number + 1
    raise ValueError("the front matter is not closed")


def read(text: str, *, shown: str) -> tuple[FrontMatter, Document]:
    """Read and check the front matter of a prompt file.

    Args:
        text: The whole file.
        shown: How messages name it.

    Raises:
        ConfigError: With everything that is wrong with it.
    """
    try:
        front, _ = split(text)
    except ValueError as error:
        place, hint = SourceLocation(shown), "End it with a line of ---."
        raise ConfigError(Problem(message=f"{error}.", location=place, hint=hint, source="---")) from None
    document = parse_yaml(front or "", shown=shown, first_line=1 if front is None else 2)
    if document.value is None:
        document.value = {}
    if not isinstance(document.value, dict):
        document.complain((), "front matter is a mapping, such as `description: ...`.")
    found = validate(document, FrontMatter) if isinstance(document.value, dict) else None
    if found is not None:
        _check(found, document)
    if found is None or document.problems:
        raise ConfigError(document.problems)
    return found, document


def _check(front: FrontMatter, document: Document) -> None:
    for key, value in document.value.items():
        if value is None:
            hint = "Leave it out, or quote it if it starts with #."
            document.complain((key,), f"`{key}:` is empty.", hint=hint, key=True)
    for name, variable in front.variables.items():
        at = ("variables", name)
        if name in IMPLICIT:
            document.complain(at, f"`{name}` is always there and cannot be declared.", key=True)
        elif not _NAME.match(name):
            better = re.sub(r"\W", "_", name) or "name"
            document.complain(at, f"a template cannot use the name '{name}'.", hint=f"Call it '{better}'.", key=True)
        if variable.enum is not None:
            free = variable.model_copy(update={"enum": None})
            for index, one in enumerate(variable.enum):
                _try(free, one, document, (*at, "enum", index), f"value {_shown(one)} of `{name}`")
        if not variable.needed:
            _try(variable, variable.default, document, (*at, "default"), f"the default of `{name}`")


def _try(variable: Variable, value: JSON, document: Document, at: tuple[str | int, ...], what: str) -> None:
    try:
        read_value = variable.read(value)
    except ValueError as error:
        document.complain(at, f"{what} should be {error}, not {_shown(value)}.")
        return
    if not same_json(read_value, value):
        message = f"{what} should be of type {variable.type}, not {_shown(value)}."
        document.complain(at, message, hint="Take the quotes off.")


def _shown(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
