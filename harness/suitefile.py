"""A suite as it is written: the keys of the file, their types, and what each is for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.gates import Gates
from harness.records import JSON
from harness.settings import Duration
from harness.validation import Flag, Number, Whole

#: pytest's own markers; a tag is registered as one, so it cannot have such a name.
PYTEST_MARKERS = frozenset(
    {
        "skip",
        "skipif",
        "xfail",
        "parametrize",
        "usefixtures",
        "filterwarnings",
        "tryfirst",
        "trylast",
        "xdist_group",
        "vcr",
    }
)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AssistantFields(_Strict):
    """Settings of an assistant; a variant's win over the suite's, the suite's over the prompt's defaults."""

    api: Literal["chat", "python"] | None = Field(None, description="chat (Chat Completions) or python (a function)")
    model: str | None = Field(None, min_length=1, description="Model to ask")
    base_url: str | None = Field(None, description="Address of an OpenAI-compatible service; default: the SDK's own")
    api_key_env: str | None = Field(None, description="Environment variable that holds the key for base_url")
    prompt: str | None = Field(None, description="Prompt reference: faq, faq@2, faq@git:main")
    system: str | None = Field(None, description="Instructions written here instead of a prompt")
    temperature: Number | None = Field(None, ge=0, le=2, description="Sampling temperature")
    top_p: Number | None = Field(None, ge=0, le=1, description="Nucleus sampling")
    max_tokens: Whole | None = Field(None, ge=1, description="Most tokens of an answer; sent as max_completion_tokens")
    seed: Whole | None = Field(None, description="Seed, where the service knows one")
    stop: str | tuple[str, ...] | None = Field(None, description="Texts at which an answer ends")
    presence_penalty: Number | None = Field(None, ge=-2, le=2, description="Penalty on tokens that are there already")
    frequency_penalty: Number | None = Field(None, ge=-2, le=2, description="Penalty on tokens by their frequency")
    stream: Flag | None = Field(None, description="Stream the answer, so that the time to its first token is known")
    response_format: JSON = Field(None, description="json, {schema: FILE or schema}, or what the API takes")
    request: Mapping[str, JSON] | None = Field(None, description="Passed through to the API as it is")
    timeout: Duration | None = Field(None, description="Longest time that a trial may take")
    target: str | None = Field(None, description="For api python: ./agent.py:answer")
    args: Mapping[str, JSON] | None = Field(None, description="For api python: further keyword arguments")

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no address; it starts with http:// or https://")
        return value


class VariantFields(AssistantFields):
    """One thing under comparison."""

    name: str | None = Field(
        None, min_length=1, description="Name, in a list of variants; default: the prompt reference"
    )
    report_only: Flag = Field(default=False, description="Reported, never decides")
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables of the prompt")


class TurnFields(_Strict):
    """One turn of a conversation."""

    input: JSON = Field(description="What the user says: a text, or a list of messages")
    expect: JSON = Field(None, description="Checks of this turn's answer")

    @field_validator("input")
    @classmethod
    def _text(cls, value: JSON) -> JSON:
        return said(value)


class CaseFields(_Strict):
    """One test."""

    id: str | None = Field(None, min_length=1, description="Stable id; pairs the case with itself across edits")
    tags: tuple[str, ...] = Field((), description="Tags: slices in reports, markers in pytest")
    metadata: Mapping[str, JSON] = Field(default_factory=dict, description="Facts about the case")
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables of prompt and templates")
    input: JSON = Field(None, description="What the user says: a text, or a list of messages")
    turns: tuple[TurnFields, ...] = Field((), description="Several turns, instead of input")
    history: tuple[Mapping[str, str], ...] = Field(
        (), description="What was said before: [{user: ..}, {assistant: ..}]"
    )
    expected: JSON = Field(None, description="The right answer, as {{ expected }} in checks")
    expect: JSON = Field(None, description="Checks of the last answer")
    required: Flag = Field(default=False, description="Always decides, whatever the gates")
    must_pass: int | str | None = Field(
        None, description="How many repeats must pass: a number, or a share such as 2/3"
    )
    pass_score: Number | None = Field(
        None, ge=0, le=1, description="Pass by the mean of the checks instead of by all of them"
    )

    @field_validator("input")
    @classmethod
    def _text(cls, value: JSON) -> JSON:
        return value if value is None else said(value)

    @field_validator("tags", mode="before")
    @classmethod
    def _one_tag(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("tags")
    @classmethod
    def _no_marker(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for tag in value:
            check_tag(tag)
        return value

    @field_validator("must_pass")
    @classmethod
    def _share(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            must_pass(value)
        return value

    @field_validator("history")
    @classmethod
    def _roles(cls, value: tuple[Mapping[str, str], ...]) -> tuple[Mapping[str, str], ...]:
        for message in value:
            if len(message) != 1 or next(iter(message)) not in ("user", "assistant"):
                raise ValueError("each message of `history:` is {user: ...} or {assistant: ...}")
        return value


class DatasetFields(_Strict):
    """Cases from a file, among the cases of a suite."""

    file: str = Field(description="CSV, JSONL or YAML file beside the suite")
    map: Mapping[str, str] = Field(default_factory=dict, description="Standard column to the name it has in the file")
    limit: Whole | None = Field(None, ge=1, description="At most so many rows")
    tags: tuple[str, ...] = Field((), description="Tags of every row")
    expect: JSON = Field(None, description="Checks of every row")

    @field_validator("tags", mode="before")
    @classmethod
    def _one_tag(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class SuiteFields(AssistantFields):
    """A suite file."""

    suite: str = Field(min_length=1, description="Name of the suite")
    description: str | None = Field(None, description="What it is about")
    assistant: AssistantFields | None = Field(
        None, description="Settings for all variants; may also stand at top level"
    )
    variants: JSON = Field(
        None, description="What is compared: a list of prompt references or variants, or a mapping by name"
    )
    baseline: str | None = Field(None, description="The variant to compare with; default: the first")
    gate_baseline: Flag = Field(default=False, description="Let the baseline decide too")
    repeats: Whole = Field(1, ge=1, le=1000, description="Trials of each case and variant")
    gates: Gates = Field(Gates(), description="Thresholds on the whole suite")
    margin: Number | None = Field(
        None, gt=0, lt=1, description="Smallest difference in accuracy that matters; default 0.05"
    )
    vars: Mapping[str, JSON] = Field(default_factory=dict, description="Variables for every case")
    expect: JSON = Field(None, description="Checks for every case")
    cases: JSON = Field(description="A list of cases and datasets, or the path of one dataset")


def said(value: JSON) -> JSON:
    """Check what a user says: a text, a number, or a list of these; numbers become texts."""
    if isinstance(value, list):
        if not value:
            raise ValueError("a list of messages cannot be empty")
        return [said(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, Mapping):
        raise ValueError("an input is a text, or a list of texts; quote it")
    if value == "":
        raise ValueError("an input cannot be empty")
    return value if isinstance(value, str) else str(value)


def check_tag(tag: str) -> None:
    """Refuse a tag that could not be a pytest marker.

    Raises:
        ValueError: It has the name of one of pytest's own, or is empty.
    """
    if tag in PYTEST_MARKERS:
        raise ValueError(f"the tag '{tag}' is the name of a marker of pytest's own; choose another")
    if not tag.strip():
        raise ValueError("a tag cannot be empty")


def must_pass(value: int | str) -> int | Fraction:
    """Read `must_pass:`: a whole number of repeats, or a share of them.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    try:
        share = Fraction(str(value).replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if isinstance(value, bool) or not 0 < share <= 1 or math.isnan(float(share)):
        raise ValueError(f"{value!r} is no share of repeats; write 2/3, or a whole number")
    return share
