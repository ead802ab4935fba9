"""Every value that flows through a run: what was said, what it cost, how it was scored.

All are frozen: a step takes values and returns new ones. Durations are seconds, money is USD as `Decimal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypeAlias

#: Plain data as it comes out of JSON.
JSON: TypeAlias = Any

Role = Literal["system", "developer", "user", "assistant", "tool"]

#: Version of the rows in results.jsonl.
SCHEMA = 1


class Outcome(StrEnum):
    """What became of a trial; exactly one of these."""

    PASSED = "passed"
    FAILED = "failed"
    #: Infrastructure trouble, or a check that could not be scored: neither a pass nor a fail.
    ERROR = "error"
    #: Not run, or not to its end: the run was stopped, or its budget was spent.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file or an image that goes with a message, or that a tool or a service gave back."""

    kind: Literal["file", "image"]
    #: The name a person knows it by; no folder.
    name: str
    media_type: str
    data: bytes = field(repr=False)


#: Why a tool gave no result.
ToolFailure = Literal["unknown", "arguments", "timeout", "raised", "mock"]
#: What gave a tool's result.
ToolSource = Literal["mock", "function", "mcp", "assistant", "service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by the assistant; `arguments` as the model wrote them, parsed where they parse."""

    id: str
    name: str
    arguments: JSON
    output: JSON = None
    #: What the model was told instead of a result.
    error: str | None = None
    failure: ToolFailure | None = None
    #: None: the call was not answered, or by somebody else.
    source: ToolSource | None = None
    attachments: tuple[Attachment, ...] = ()
    #: How the result differs from the recorded one, where that was compared.
    drift: str | None = None
    #: How long it took when it was recorded; None: not known, or nothing ran. Two calls are the same whatever they took.
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    #: What the service says a message rests on: `{type, text, file or url, ...}`.
    annotations: tuple[Mapping[str, JSON], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is said to the assistant before it answers once. The first turn of a trial carries the rendered prompt."""

    messages: tuple[Message, ...]
    #: Instructions for this turn alone, instead of the prompt's.
    instructions: str | None = None
    #: A thread (or conversation) of the service's to go on with, instead of a new one.
    thread: str | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """What the user says now: the first turn also carries what was said before, by a prompt or a case's history."""
        answered = max((n for n, message in enumerate(self.messages, 1) if message.role == "assistant"), default=0)
        return tuple(message.content for message in self.messages[answered:] if message.role == "user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model calls; None means that the service did not say.

    `cached_input` is a part of `input`, `reasoning` a part of `output`.
    """

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    reasoning: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=_add(self.input, other.input),
            output=_add(self.output, other.output),
            cached_input=_add(self.cached_input, other.cached_input),
            reasoning=_add(self.reasoning, other.reasoning),
        )

    @property
    def total(self) -> int | None:
        """Input and output tokens together; None if either is unknown."""
        return None if self.input is None or self.output is None else self.input + self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """What came back in one turn."""

    input: tuple[str, ...]
    output: str
    #: Start of the turn to the end of its last model step, seconds; None where nothing was measured.
    latency: float | None = None
    #: Start of the turn's first step to its first content delta, seconds; None if not streamed.
    ttft: float | None = None
    usage: Usage = Usage()
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    #: Model steps, one for each time that the model was asked.
    steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What happened in a trial. `output` is the text of the last turn's answer."""

    output: str
    messages: tuple[Message, ...] = ()
    turns: tuple[TurnRecord, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    #: Trial start to the end of the last model step, retries included, seconds; None if no call was made.
    latency: float | None = None
    #: Time to the first content delta of the last turn's first step, seconds; None if not streamed.
    ttft: float | None = None
    #: USD; None = unpriced.
    cost: Decimal | None = None
    finish_reason: str | None = None
    #: The model that answered, as the service names it.
    model: str | None = None
    refusal: str | None = None
    #: HTTP requests sent, retries included.
    attempts: int = 0
    response_ids: tuple[str, ...] = ()
    state: JSON = None
    extra: Mapping[str, JSON] = field(default_factory=dict)
    #: Files that the assistant made; they are kept beside the run.
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a scorer found: `value` in 0..1, or None where nothing could be scored."""

    value: float | None
    passed: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of one trial, as it stands in results."""

    scorer: str
    name: str
    value: float | None
    passed: bool | None
    reason: str
    weight: float = 1.0
    threshold: float | None = None
    soft: bool = False
    #: The turn it looked at, counted from 1; None: the whole trial.
    turn: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial is an error."""

    kind: str
    message: str
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRef:
    """Which prompt a trial used: `faq@2`, and the content hash of what was rendered."""

    ref: str | None
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteRef:
    """Where a trial's recording lies (relative to the project), how it was used, and when it was made."""

    path: str
    mode: Literal["replayed", "recorded"]
    recorded_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One trial's row in results.jsonl; the fields stand there in this order."""

    schema: int = SCHEMA
    run: str
    suite: str
    case: str
    variant: str
    repeat: int
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    outcome: Outcome
    #: Weighted mean of the checks, 0..1; None on error.
    score: float | None = None
    checks: tuple[CheckResult, ...] = ()
    error: Failure | None = None
    input: JSON = None
    output: str | None = None
    messages: tuple[Message, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    state: JSON = None
    usage: Usage = Usage()
    cost: Decimal | None = None
    judge_cost: Decimal | None = None
    latency: float | None = None
    ttft: float | None = None
    attempts: int = 0
    turns: tuple[TurnRecord, ...] = ()
    extra: Mapping[str, JSON] = field(default_factory=dict)
    model: str | None = None
    prompt: PromptRef | None = None
    cassette: CassetteRef | None = None
    finish_reason: str | None = None
    response_ids: tuple[str, ...] = ()
    #: Files that the assistant made: path below the run's folder, and content. They are no part of the row.
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """`<suite>/<case>/<variant>/<n>`"""
        return f"{self.suite}/{self.case}/{self.variant}/{self.repeat}"


def _add(left: int | None, right: int | None) -> int | None:
    if left is None:
        return right
    return left if right is None else left + right
