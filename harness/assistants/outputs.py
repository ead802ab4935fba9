"""`api: outputs`: answers that exist already. Nothing is sent; a trial is a row of a file."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from harness.assistants.conversation import Turns
from harness.assistants.session import Session
from harness.assistants.told import told_calls, told_messages, told_usage
from harness.errors import TrialError
from harness.functions import Place
from harness.records import JSON, Message, Transcript, Turn, TurnRecord, Usage
from harness.suites.answers import Answered, AnswerRow, Answers, read_answers
from harness.suites.suite import AssistantSpec


class OutputsDriver:
    """Tells what the rows of a file say."""

    def __init__(self, spec: AssistantSpec, *, place: Place) -> None:
        """
        Args:
            spec: The assistant, with `outputs`.
            place: Where its path is looked up.
        """
        self._spec = spec
        self._place = place

    async def run(self, session: Session, turns: Turns) -> Transcript:
        row = self._row(session)
        answers = _answers(row, session)
        messages: list[Message] = []
        records: list[TurnRecord] = []
        for answer in answers:
            turn = turns.next(records[-1] if records else None)
            if turn is None:
                break
            calls = tuple(told_calls(answer.tool_calls))
            messages += [*turn.messages, Message(role="assistant", content=answer.output, tool_calls=calls)]
            records.append(_record(turn, answer))
        if len(records) == 1:
            # Of a single turn the row's own facts are those of the turn.
            records[0] = _whole(records[0], row)
        usage = told_usage(row.usage) if row.usage else sum((one.usage for one in records), Usage())
        extra: dict[str, JSON] = {"outputs": self._answers.shown}
        if row.recorded_at is not None:
            extra["recorded_at"] = row.recorded_at
        return Transcript(
            output=records[-1].output,
            messages=tuple(told_messages(row.messages)) or tuple(messages),
            turns=tuple(records),
            tool_calls=tuple(call for record in records for call in record.tool_calls),
            usage=usage,
            latency=_latency(row, records),
            ttft=row.ttft if row.ttft is not None else records[-1].ttft,
            cost=row.cost,
            finish_reason=records[-1].finish_reason,
            model=row.model,
            extra=extra,
        )

    @cached_property
    def _answers(self) -> Answers:
        path = self._place.file(self._spec.outputs or "")
        answers, problems = read_answers(path, shown=self._place.shown(path))
        if problems:
            raise TrialError("no_output", problems[0].message, where=str(problems[0].location))
        return answers

    def _row(self, session: Session) -> AnswerRow:
        assert session.about is not None
        case, repeat = session.about.case, session.about.repeat
        answers = self._answers
        rows = answers.by_case.get(case.id, ())
        if not rows:
            raise TrialError("no_output", f"{answers.shown} has no row for the case '{case.id}'")
        if repeat > len(rows):
            there = f"{len(rows)} row{'s' if len(rows) != 1 else ''}"
            raise TrialError("no_output", f"{answers.shown} has {there} for the case '{case.id}', and not {repeat}")
        return rows[repeat - 1]


def _answers(row: AnswerRow, session: Session) -> tuple[Answered, ...]:
    assert session.about is not None
    try:
        found = row.answers(len(session.about.case.turns))
    except ValueError as error:
        raise TrialError("no_output", str(error), where=str(row.where)) from None
    if found is None:
        raise TrialError("no_output", f"the row of the case '{row.case}' has no output", where=str(row.where))
    return found


def _record(turn: Turn, answer: Answered) -> TurnRecord:
    return TurnRecord(
        input=turn.asked,
        output=answer.output,
        latency=answer.latency,
        ttft=answer.ttft,
        usage=told_usage(answer.usage),
        finish_reason=answer.finish_reason,
        tool_calls=tuple(told_calls(answer.tool_calls)),
    )


def _whole(record: TurnRecord, row: AnswerRow) -> TurnRecord:
    return replace(
        record,
        latency=record.latency if record.latency is not None else row.latency,
        ttft=record.ttft if record.ttft is not None else row.ttft,
        usage=told_usage(row.usage) if row.usage else record.usage,
    )


def _latency(row: AnswerRow, records: list[TurnRecord]) -> float | None:
    """The row's, or that of all its turns together where each has one; seconds."""
    if row.latency is not None:
        return row.latency
    known = [one.latency for one in records if one.latency is not None]
    return round(sum(known), 6) if len(known) == len(records) else None
