"""How much text a page has room for: every answer gets the same, so that runs of any size remain one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.jsontext import json_text
from harness.records import Result
from harness.reports import openings

#: Characters that one text may take on the page, the first that lets all texts of trials together fit.
_LIMITS = (8_000, 4_000, 2_000, 1_000, 400, 120)
_ROOM = 6_000_000
#: What stands on the page already is said again in a transcript if it is no longer than this.
AGAIN = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What each text of a page may take."""

    #: Characters of each answer, message, tool call and reason.
    limit: int
    #: Whether answers can be set against the baseline's word by word: the words that they lack take room too.
    differences: bool


def measured(rows: Iterable[Result], baselines: Mapping[str, str]) -> Room:
    """Return the room that each text has so that all fit: differences go first, then the ends of long texts.

    Args:
        rows: The results; read once.
        baselines: By suite, the variant that others are set against.
    """
    totals = dict.fromkeys(_LIMITS, 0)
    more = dict.fromkeys(_LIMITS, 0)
    for result in rows:
        answers = _answers(result)
        lengths = [*answers, *_said(result), *_scored(result)]
        again = baselines.get(result.suite, result.variant) != result.variant
        for limit in _LIMITS:
            totals[limit] += sum(min(length, limit) for length in lengths)
            more[limit] += sum(min(length, limit) for length in answers) if again else 0
    for limit in _LIMITS:
        if totals[limit] <= _ROOM:
            return Room(limit=limit, differences=totals[limit] + more[limit] <= _ROOM)
    return Room(limit=_LIMITS[-1], differences=False)


def _answers(result: Result) -> list[int]:
    """How long the answers are; the last turn's is the trial's output."""
    return [len(result.output or ""), *(len(turn.output) for turn in result.turns[:-1])]


def _said(result: Result) -> Iterator[int]:
    """How long the messages of a transcript are that stand nowhere else, and what tools were told and gave."""
    above = {result.input if isinstance(result.input, str) else "", *(turn.output for turn in result.turns)}
    for message in result.messages[openings.length(result) :]:
        if message.content not in above or len(message.content) <= AGAIN:
            yield len(message.content)
        for call in message.tool_calls:
            yield len(json_text(call.arguments))
    for call in result.tool_calls:
        yield len(json_text(call.output))


def _scored(result: Result) -> Iterator[int]:
    for check in result.checks:
        yield len(check.reason)
    if result.error is not None:
        yield len(result.error.message)
