"""A conversation with a model, turn by turn; written once for every API.

APIs differ only in how one model step is sent and read: they hand in a `ModelStep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.assistants.session import Session
from harness.errors import HarnessError, TrialError
from harness.events import CallCompleted, CallFailed, CallStarted
from harness.records import Message, ToolCall, Transcript, Turn, TurnRecord, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one model step gave. Times are seconds from trial start."""

    text: str
    usage: Usage
    start: float
    end: float
    #: When the first content delta was complete; None if the answer was not streamed, or had no content.
    first_content: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    #: What the model shows of how it came to its answer.
    reasoning: str | None = None
    model: str | None = None
    response_id: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class ModelStep(Protocol):
    """Sends the conversation so far and reads one answer."""

    #: The model asked for, as events name it.
    model: str

    async def __call__(self, session: Session, messages: Sequence[Message]) -> Answer: ...


async def converse(session: Session, turns: Sequence[Turn], step: ModelStep) -> Transcript:
    """Say every turn and collect the answers.

    Raises:
        TrialError: A step got no answer; what was said before it is lost with the trial.
        CredentialsError: The service refused the key.
    """
    messages: list[Message] = []
    records: list[TurnRecord] = []
    answers: list[Answer] = []
    for turn in turns:
        messages.extend(turn.messages)
        answer = await _ask(session, messages, step)
        messages.append(Message(role="assistant", content=answer.text, tool_calls=answer.tool_calls))
        # A turn begins where the one before ended, in recorded time, so that replaying gives the same numbers.
        begun = answers[-1].end if answers else 0.0
        records.append(_record(turn, answer, begun=begun))
        answers.append(answer)
    usage = Usage()
    for answer in answers:
        usage = usage + answer.usage
    last = answers[-1]
    return Transcript(
        output=last.text,
        messages=tuple(messages),
        turns=tuple(records),
        tool_calls=tuple(call for answer in answers for call in answer.tool_calls),
        usage=usage,
        latency=session.tape.latency,
        ttft=records[-1].ttft,
        finish_reason=last.finish_reason,
        model=last.model,
        refusal=last.refusal,
        attempts=session.tape.attempts,
        response_ids=tuple(answer.response_id for answer in answers if answer.response_id),
        extra={} if last.reasoning is None else {"reasoning": last.reasoning},
    )


async def _ask(session: Session, messages: Sequence[Message], step: ModelStep) -> Answer:
    session.emit(CallStarted(trial=session.trial, model=step.model))
    try:
        answer = await step(session, messages)
    except HarnessError as error:
        kind = error.kind if isinstance(error, TrialError) else "authentication"
        session.emit(CallFailed(trial=session.trial, model=step.model, kind=kind, message=str(error)))
        raise
    session.emit(
        CallCompleted(
            trial=session.trial, model=step.model, usage=answer.usage, latency=round(answer.end - answer.start, 6)
        )
    )
    return answer


def _record(turn: Turn, answer: Answer, *, begun: float) -> TurnRecord:
    first = answer.first_content
    return TurnRecord(
        input=tuple(message.content for message in turn.messages if message.role == "user"),
        output=answer.text,
        latency=round(answer.end - begun, 6),
        ttft=None if first is None else round(first - answer.start, 6),
        usage=answer.usage,
        finish_reason=answer.finish_reason,
        tool_calls=answer.tool_calls,
        refusal=answer.refusal,
    )
