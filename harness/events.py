"""What a run tells while it runs, and who listens.

Subscribers are plain callables handed to the runner; they are called on its event loop, in order, and must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from harness.records import Message, Result, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: the first event."""

    run: str
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something that a person should know and that no result says; it may come before `RunStarted`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial begins."""

    trial: str
    #: How its assistant is spoken to: `chat`, `responses`, `threads`, `python`, `http` or `outputs`.
    api: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """A model is asked."""

    trial: str
    model: str
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCompleted:
    """A model has answered."""

    trial: str
    model: str
    usage: Usage
    #: Seconds, recorded ones on replay.
    latency: float
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """A model has not answered, and will not be asked again."""

    trial: str
    model: str
    kind: str
    message: str
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarning:
    """Four fifths of a budget are spent; told once of each budget."""

    #: Whose budget it is; None: the run's.
    suite: str | None
    #: US dollars.
    budget: Decimal
    spent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetExceeded:
    """A request may cost more than is left of a budget: no further trial is begun that it pays for. Told once of each."""

    #: Whose budget it is; None: the run's.
    suite: str | None
    #: US dollars.
    budget: Decimal
    spent: Decimal
    #: What the request may cost at most.
    needed: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished:
    """A trial is over and scored; told in the order in which trials finish."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run is over, or was ended: the last event."""

    run: str
    interrupted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of an answer's text; the whole of it where the answer was not streamed."""

    trial: str
    text: str
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    """The model wants a tool called."""

    trial: str
    call: ToolCall
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReturned:
    """A call is answered: its output or its error is there."""

    trial: str
    call: ToolCall
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """The assistant's message of one model step is whole."""

    trial: str
    message: Message
    #: Seconds since the trial started, recorded ones on replay; None: told outside a run.
    at: float | None = None


#: What is only told where somebody follows a conversation while it is held; see `Session.live`.
LiveEvent: TypeAlias = TextDelta | ToolCalled | ToolReturned | MessageAdded
#: What has a moment in its trial.
TimedEvent: TypeAlias = CallStarted | CallCompleted | CallFailed | LiveEvent
Event: TypeAlias = (
    RunStarted | Noted | TrialStarted | TimedEvent | BudgetWarning | BudgetExceeded | TrialFinished | RunFinished
)
#: Hears every event. One with an attribute `live` that is false hears no `LiveEvent`.
Subscriber: TypeAlias = Callable[[Event], None]
