"""What the assistant did, in order: what it said, and which tools it called; and how far that follows given steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from harness.plugins import ScoreContext
from harness.records import Message, ToolCall, Transcript, TurnRecord

#: A call, or what was said.
Event: TypeAlias = ToolCall | str

S = TypeVar("S")
E = TypeVar("E")


def events_of(context: ScoreContext) -> list[Event]:
    """Return what happened in the turns that a check looks at."""
    answers = _answers(context.transcript)
    return [event for turn in context.turns for event in _turn(turn, answers.get(id(turn), ()))]


def longest(steps: Sequence[S], events: Sequence[E], fits: Callable[[S, E], bool]) -> int:
    """Return how many of the steps can be found in order among the events, each event taken once at most."""
    row = [0] * (len(steps) + 1)
    for event in events:
        before = 0
        for number, step in enumerate(steps, start=1):
            kept = row[number]
            row[number] = before + 1 if fits(step, event) else max(kept, row[number - 1])
            before = kept
    return row[-1]


def first_missing(steps: Sequence[S], events: Sequence[E], fits: Callable[[S, E], bool]) -> tuple[int, int] | None:
    """Return the first step that does not follow those before it, and where the events after these begin.

    Both count from 0; None: every step is there, in order.
    """
    position = 0
    for number, step in enumerate(steps):
        found = next((at for at in range(position, len(events)) if fits(step, events[at])), None)
        if found is None:
            return number, position
        position = found + 1
    return None


def _turn(turn: TurnRecord, answers: Sequence[Message]) -> list[Event]:
    events = [event for answer in answers for event in _message(answer)]
    if answers and [event for event in events if not isinstance(event, str)] == list(turn.tool_calls):
        return events
    # Who keeps no messages says no more than this.
    return [*turn.tool_calls, *_said(turn.output)]


def _message(message: Message) -> list[Event]:
    """What the service did, or somebody else, led to what was said; what was asked of us came after it."""
    asked = [call.failure is not None or call.source not in (None, "service") for call in message.tool_calls]
    before = [call for call, ours in zip(message.tool_calls, asked, strict=True) if not ours]
    after = [call for call, ours in zip(message.tool_calls, asked, strict=True) if ours]
    return [*before, *_said(message.content), *after]


def _said(text: str) -> list[Event]:
    return [text] if text else []


def _answers(transcript: Transcript) -> dict[int, list[Message]]:
    """The assistant's messages of each turn; those of the prompt and the history stand before them."""
    messages = [message for message in transcript.messages if message.role == "assistant"]
    start = len(messages) - sum(turn.steps for turn in transcript.turns)
    found: dict[int, list[Message]] = {}
    for turn in transcript.turns if start >= 0 else ():
        found[id(turn)] = messages[start : start + turn.steps]
        start += turn.steps
    return found
