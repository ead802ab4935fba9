"""A conversation with a model, turn by turn; written once for every API.

APIs differ only in how one model step is sent and read: they hand in a `ModelStep`. Between the steps of a turn stand
the tools: what the model asks for is run, and its results are what the next step sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from harness.assistants.session import Session
from harness.errors import HarnessError, TrialError
from harness.events import CallCompleted, CallFailed, CallStarted, MessageAdded, ToolCalled, ToolReturned
from harness.records import JSON, Attachment, Message, ToolCall, Transcript, Turn, TurnRecord, Usage
from harness.tools import EndRun, text_for_model

#: Steps in a row whose calls all had arguments that no tool could take, after which a trial ends.
_WRONG_ROUNDS = 3
#: What ended a turn that a tool ended.
ENDED = "end_run"


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
    #: Functions that the model wants called; it goes on when their results are sent.
    tool_calls: tuple[ToolCall, ...] = ()
    #: What the service's own tools did on the way to the answer: code that was run, files that were searched.
    done: tuple[ToolCall, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    annotations: tuple[Mapping[str, JSON], ...] = ()
    #: What was said in the turn's steps before, where the service tells of it only now.
    earlier: tuple[str, ...] = ()
    #: Further facts for the transcript, such as the thread's id.
    extra: Mapping[str, JSON] = field(default_factory=dict)


class ModelStep(Protocol):
    """Sends the conversation so far and reads one answer."""

    #: The model asked for, as events name it.
    model: str

    async def __call__(self, session: Session, messages: Sequence[Message], turn: Turn) -> Answer:
        """Ask once.

        Args:
            session: The trial's.
            messages: All that was said, the results of tools included.
            turn: The turn under way; what it overrides holds for its steps alone.
        """
        ...

    async def abandon(self, session: Session) -> None:
        """A tool ended the run while the model waits for results: tell the service, where it waits too."""
        ...


class Turns(Protocol):
    """What is said, a turn at a time: a later one may depend on what came back before."""

    def next(self, last: TurnRecord | None) -> Turn | None:
        """Return the next turn, or None where nothing more is said.

        Args:
            last: What came back in the turn before; None for the first.

        Raises:
            TrialError: What the turn needs of `last` is not in it.
        """
        ...


class FixedTurns:
    """Turns that are known from the start."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._waiting = iter(turns)

    def next(self, last: TurnRecord | None) -> Turn | None:
        return next(self._waiting, None)


async def converse(session: Session, turns: Turns, step: ModelStep) -> Transcript:
    """Say every turn and collect the answers.

    Raises:
        TrialError: A step got no answer, or the model never stopped calling tools; what was said before it is lost
            with the trial.
        CredentialsError: The service refused the key.
    """
    said = _Conversation(session, step)
    record: TurnRecord | None = None
    while said.ended is None and (turn := turns.next(record)) is not None:
        record = await said.turn(turn)
    return said.transcript()


class _Conversation:
    """A conversation under way."""

    def __init__(self, session: Session, step: ModelStep) -> None:
        self._session = session
        self._step = step
        self._messages: list[Message] = []
        self._records: list[TurnRecord] = []
        self._answers: list[Answer] = []
        #: Messages up to and with those of the turn under way.
        self._said = 0
        #: Requests that the tape had seen before.
        self._attempts = session.tape.attempts
        #: What a tool said when it ended the run.
        self.ended: EndRun | None = None

    async def turn(self, turn: Turn) -> TurnRecord:
        """Say one turn: ask, run tools and ask again until the model answers without calling any."""
        self._messages.extend(turn.messages)
        self._said = len(self._messages)
        # A turn begins where the one before ended, in recorded time, so that replaying gives the same numbers.
        begun = self._answers[-1].end if self._answers else self._session.begun
        first = len(self._answers)
        calls: list[ToolCall] = []
        for _ in range(self._session.limits.steps):
            answer = await self._ask(turn)
            calls += answer.done
            # Without a tool of its own, an assistant's calls are somebody else's to answer: they are its answer.
            runs = bool(answer.tool_calls and self._session.toolbox.definitions)
            self._tell(ToolCalled, (*answer.done, *answer.tool_calls))
            results = await self._session.toolbox.run(answer.tool_calls) if runs else answer.tool_calls
            calls += results
            self._tell(ToolReturned, (*answer.done, *(results if runs else ())))
            self._heard(answer, results, answered=runs)
            self.ended = self._session.toolbox.ended
            if self.ended is not None or (answer.tool_calls and not runs):
                await self._step.abandon(self._session)
            if self.ended is not None or not runs:
                self._records.append(_record(turn, self._answers[first:], calls, begun=begun, ended=self.ended))
                return self._records[-1]
            if self._session.toolbox.invalid_rounds >= _WRONG_ROUNDS:
                raise TrialError(
                    "tool_args",
                    f"the model called tools with arguments that they cannot take {_WRONG_ROUNDS} times in a row: "
                    f"{results[-1].error}",
                )
        raise TrialError(
            "max_steps",
            f"the model still called tools after {self._session.limits.steps} steps; `max_steps:` allows more",
        )

    def transcript(self) -> Transcript:
        usage = Usage()
        for spent in (*(answer.usage for answer in self._answers), *self._session.spent):
            usage = usage + spent
        last = self._answers[-1]
        extra: dict[str, JSON] = {}
        for answer in self._answers:
            extra.update(answer.extra)
        if last.reasoning is not None:
            extra["reasoning"] = last.reasoning
        if self.ended is not None:
            extra[ENDED] = {"data": self.ended.data}
        return Transcript(
            output=last.text,
            messages=tuple(self._messages),
            turns=tuple(self._records),
            tool_calls=tuple(call for record in self._records for call in record.tool_calls),
            usage=usage,
            latency=round(last.end - self._begun, 6),
            ttft=self._records[-1].ttft,
            finish_reason=self._records[-1].finish_reason,
            model=last.model,
            refusal=last.refusal,
            attempts=self._session.tape.attempts - self._attempts,
            response_ids=tuple(answer.response_id for answer in self._answers if answer.response_id),
            state=self._session.toolbox.state(),
            extra=extra,
            files=tuple(
                one for message in self._messages if message.role == "assistant" for one in message.attachments
            ),
        )

    def _heard(self, answer: Answer, results: Sequence[ToolCall], *, answered: bool) -> None:
        self._answers.append(answer)
        self._recall(answer.earlier)
        said = Message(
            role="assistant",
            content=answer.text,
            tool_calls=(*answer.done, *results),
            attachments=answer.attachments,
            annotations=answer.annotations,
        )
        self._messages.append(said)
        if self._session.live is not None:
            self._session.live(MessageAdded(trial=self._session.trial, message=said))
        self._messages.extend(
            Message(
                role="tool",
                content=text_for_model(call),
                name=call.name,
                tool_call_id=call.id,
                attachments=call.attachments,
            )
            for call in (results if answered else ())
        )

    def _tell(self, event: type[ToolCalled | ToolReturned], calls: Sequence[ToolCall]) -> None:
        if self._session.live is not None:
            for call in calls:
                self._session.live(event(trial=self._session.trial, call=call))

    @property
    def _begun(self) -> float:
        begun = self._session.begun
        return self._answers[0].start if begun is None else begun

    def _recall(self, texts: Sequence[str]) -> None:
        """Put texts to the steps of the turn that seemed to say nothing before they called tools."""
        waiting = iter(texts)
        for index in range(self._said, len(self._messages)):
            message = self._messages[index]
            if message.role == "assistant" and not message.content:
                self._messages[index] = replace(message, content=next(waiting, ""))

    async def _ask(self, turn: Turn) -> Answer:
        session, step = self._session, self._step
        session.emit(CallStarted(trial=session.trial, model=step.model))
        session.partial.clear()
        try:
            answer = await step(session, self._messages, turn)
        except HarnessError as error:
            kind = error.kind if isinstance(error, TrialError) else "authentication"
            session.emit(CallFailed(trial=session.trial, model=step.model, kind=kind, message=str(error)))
            raise
        session.emit(
            CallCompleted(
                trial=session.trial, model=step.model, usage=answer.usage, latency=round(answer.end - answer.start, 6)
            )
        )
        if answer.first_content is None:
            session.heard(answer.text)
        session.partial.clear()
        # Calls that are handed on without an id could not be answered.
        named = (call if call.id else replace(call, id=f"call_{n}") for n, call in enumerate(answer.tool_calls, 1))
        return replace(answer, tool_calls=tuple(named))


def _record(
    turn: Turn, answers: Sequence[Answer], calls: Sequence[ToolCall], *, begun: float | None, ended: EndRun | None
) -> TurnRecord:
    last = answers[-1]
    # A step that only calls tools shows nothing; who waits for the answer waits on.
    first = next((answer.first_content for answer in answers if answer.first_content is not None), None)
    usage = Usage()
    for answer in answers:
        usage = usage + answer.usage
    return TurnRecord(
        input=turn.asked,
        output=last.text,
        latency=round(last.end - (answers[0].start if begun is None else begun), 6),
        ttft=None if first is None else round(first - answers[0].start, 6),
        usage=usage,
        finish_reason=last.finish_reason if ended is None else ENDED,
        tool_calls=tuple(calls),
        refusal=last.refusal,
        steps=len(answers),
    )
