"""What a brain is asked and what it answers, whatever the API: one model step.

Messages and tools are in the form of Chat Completions, which every other API can be written as.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from harness.simulator.plain import JSON

Api = Literal["chat", "responses", "threads"]
#: Why a step ended, in the words of Chat Completions.
Finish = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One model step, as a brain is asked for it."""

    api: Api
    model: str
    #: As in Chat Completions: role, content (a text or parts), tool_calls, tool_call_id.
    messages: Sequence[Mapping[str, JSON]]
    #: Functions, as Chat Completions takes them: {"type": "function", "function": {...}}.
    tools: Sequence[Mapping[str, JSON]] = ()
    #: Tools of the service's own that are switched on: `code_interpreter`, `file_search`, `web_search`, ...
    builtin: frozenset[str] = frozenset()
    tool_choice: JSON = None
    parallel_tool_calls: bool = True
    #: As in Chat Completions.
    response_format: Mapping[str, JSON] | None = None
    max_tokens: int | None = None
    #: Further settings under Chat Completions' names: temperature, top_p, seed, stop, logprobs, ...
    settings: Mapping[str, JSON] = field(default_factory=dict)
    #: Texts that `file_search` may search: (file id, file name, text).
    documents: Sequence[tuple[str, str, str]] = ()
    #: Files that `code_interpreter` can read: (file id, file name).
    files: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function that the brain wants called; `arguments` is the text as the model wrote it."""

    name: str
    arguments: str
    #: None: the simulator makes one.
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRun:
    """Code that the service's interpreter ran, what it printed, and files that it left: (name, content)."""

    code: str
    logs: str = ""
    files: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one step, where a brain knows them; a part of `input` is `cached`, a part of `output` is `reasoning`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


# A brain answers with a stream of these, in this order: what the service's own tools did, reasoning, text or refusal in
# pieces, calls, and one `End`. Instead of any of them it may raise a `Failure`.


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A piece of a refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of what the model shows of its reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """The service searched its files; the answer cites what it found."""

    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The step is over."""

    finish: Finish = "stop"
    #: None: the simulator counts.
    usage: Usage | None = None
    #: As Chat Completions' `logprobs.content`; None where not asked for.
    logprobs: Sequence[JSON] | None = None


Piece: TypeAlias = Text | Refusal | Reasoning | Search | CodeRun | Call | End


class Failure(Exception):
    """The brain, or the server behind it, fails.

    Args:
        status: What the API answers; a run fails with `code` instead.
        code: OpenAI's code, such as `rate_limit_exceeded` or `server_error`.
        message: For people.
        headers: Sent with the error, such as `retry-after`.
        partial: Fail in the middle of a stream, after what was sent before.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, partial: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.partial = partial


class Broken(Failure):
    """A brain raised what is no `Failure`: a mistake in it.

    Args:
        error: What it raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(500, "server_error", f"The server had an error: {type(error).__name__}: {error}")


class Brain(Protocol):
    """Answers model steps. One brain serves every API and any number of steps at once."""

    #: Whether a script answers; recordings of such answers are marked.
    simulated: bool
    #: The models it offers.
    models: Sequence[str]

    def ask(self, ask: Ask) -> AsyncIterator[Piece]:
        """Answer one step.

        Raises:
            Failure: It, or the server behind it, fails.
        """
        ...

    async def aclose(self) -> None: ...
