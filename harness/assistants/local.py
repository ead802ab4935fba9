"""`api: python`: a function, coroutine, generator or async generator as the assistant under test.

Its arguments are found by name: `input` (the text of the turn; also given to a first parameter of any other name),
`messages` (the conversation so far, as dicts), `session`, `files` and `images` (of the turn), `instructions` and
`thread` (where a turn has them), and whatever `args:` holds. It answers with a text, with pieces of text (a generator),
or with a mapping that has `output` and perhaps `tool_calls`, `usage`, `extra`. Tool calls that it does not tell of are
read from what it sent through the session's clients. Synchronous functions run in a thread of their own.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.assistants.conversation import Turns
from harness.assistants.failures import service_failure
from harness.assistants.observed import Observed, Observer
from harness.assistants.pieces import FirstPiece
from harness.assistants.session import Session
from harness.assistants.told import told_calls, told_usage
from harness.assistants.usage import paid
from harness.errors import HarnessError, TrialError
from harness.functions import Function, awaited, in_thread, own_line, told
from harness.recording import RecordingTape
from harness.records import Message, ToolCall, Transcript, Turn, TurnRecord, Usage

_OFFERED = ("messages", "session", "files", "images", "instructions", "thread")


class LocalDriver:
    """Runs a trial by calling a Python function once a turn."""

    def __init__(self, target: Callable[..., Any], *, name: str, args: Mapping[str, Any]) -> None:
        """
        Args:
            target: What to call.
            name: How messages name it, as in the suite.
            args: Further keyword arguments.
        """
        self._target = target
        self._name = name
        self._args = dict(args)
        self._takes = _parameters(target)

    async def run(self, session: Session, turns: Turns) -> Transcript:
        told = _Told()
        observer = Observer()
        while (turn := turns.next(told.records[-1] if told.records else None)) is not None:
            told.messages.extend(turn.messages)
            begun = _ended(session) or 0.0
            pieces = FirstPiece(session.tape)
            given = await self._call(session, turn, told.messages, pieces)
            if isinstance(session.tape, RecordingTape):
                # What was taken of a stream counts, though the garbage collector may close it only later.
                session.tape.leave_streams()
            seen = observer.turn(session.tape.interactions)
            first, ended = pieces.moment(seen.interactions), _ended(session)
            told.turn(
                turn,
                _answer(given, self._name),
                seen,
                latency=None if ended is None else round(ended - begun, 6),
                # Without a call there is nothing that time could be measured by, on replay.
                ttft=None if first is None or ended is None else round(max(first - begun, 0.0), 6),
            )
        told.complete(observer)
        return told.transcript(session)

    async def _call(self, session: Session, turn: Turn, messages: Sequence[Message], pieces: FirstPiece) -> Any:
        attachments = [one for message in turn.messages for one in message.attachments]
        offered = {
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "session": session,
            "files": [one for one in attachments if one.kind == "file"],
            "images": [one for one in attachments if one.kind == "image"],
            "instructions": turn.instructions,
            "thread": turn.thread,
        }
        keywords = {name: offered[name] for name in _OFFERED if name in self._takes} | self._args
        text = "\n".join(turn.asked)
        target = self._target
        try:
            if inspect.isasyncgenfunction(target):
                return await awaited(_joined(target(text, **keywords), pieces))
            if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__):
                return await awaited(target(text, **keywords))
            return await in_thread(lambda: _finish(target(text, **keywords), pieces))
        except HarnessError:
            raise
        except Exception as error:
            raise _failure(error, self._name, self._target) from error


class _Told:
    """A conversation under way, as the target tells of it and as its calls show it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.records: list[TurnRecord] = []
        #: Where the answer of each turn stands among the messages; None: the target itself said what it called.
        self._silent: list[int | None] = []
        self._stated = Usage()
        self._extra: dict[str, Any] = {}
        self._response_ids: list[str] = []

    def turn(self, turn: Turn, answer: _Given, seen: Observed, *, latency: float | None, ttft: float | None) -> None:
        calls = seen.tool_calls if answer.calls is None else answer.calls
        self._silent.append(len(self.messages) if answer.calls is None else None)
        self.messages.append(Message(role="assistant", content=answer.text, tool_calls=calls))
        self.records.append(
            TurnRecord(
                input=turn.asked,
                output=answer.text,
                latency=latency,
                ttft=ttft,
                usage=seen.usage if seen.usage.total is not None else answer.usage,
                finish_reason=seen.finish_reason,
                tool_calls=calls,
                refusal=seen.refusal,
                steps=max(seen.steps, 1),
            )
        )
        self._stated = self._stated + answer.usage
        self._extra.update(answer.extra)
        self._response_ids.extend(seen.response_ids)

    def complete(self, observer: Observer) -> None:
        """Add results that became known in a later turn than the one that asked for them."""
        for number, place in enumerate(self._silent):
            if place is not None:
                calls = observer.calls(number)
                self.messages[place] = replace(self.messages[place], tool_calls=calls)
                self.records[number] = replace(self.records[number], tool_calls=calls)

    def transcript(self, session: Session) -> Transcript:
        model, seen = _seen(session)
        last = self.records[-1]
        return Transcript(
            output=last.output,
            messages=tuple(self.messages),
            turns=tuple(self.records),
            tool_calls=tuple(call for record in self.records for call in record.tool_calls),
            usage=seen if seen.total is not None else self._stated,
            latency=session.tape.latency,
            ttft=last.ttft,
            finish_reason=last.finish_reason,
            model=model,
            refusal=last.refusal,
            attempts=session.tape.attempts + session.tape.unfinished,
            response_ids=tuple(self._response_ids),
            state=session.toolbox.state(),
            extra=self._extra,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A target's answer, taken apart."""

    text: str
    #: None: it says nothing of calls, which its recorded ones then tell.
    calls: tuple[ToolCall, ...] | None = None
    usage: Usage = field(default_factory=Usage)
    extra: Mapping[str, Any] = field(default_factory=dict)


def _answer(given: Any, name: str) -> _Given:
    if isinstance(given, str):
        return _Given(text=given)
    if isinstance(given, Mapping) and "output" in given:
        output, extra = given["output"], given.get("extra") or {}
        if not isinstance(extra, Mapping):
            raise TrialError("target", f"{name} returned `extra` as {type(extra).__name__}; it should be a mapping")
        return _Given(
            text=output if isinstance(output, str) else _json(output, name),
            calls=None if given.get("tool_calls") is None else _calls(given["tool_calls"], name),
            usage=told_usage(given.get("usage")),
            extra=extra,
        )
    raise TrialError(
        "target", f"{name} returned {type(given).__name__}; it should return a text, or a mapping with `output`"
    )


def _calls(given: Any, name: str) -> tuple[ToolCall, ...]:
    calls = list(given) if isinstance(given, Iterable) and not isinstance(given, str | Mapping) else [given]
    try:
        return tuple(told_calls(calls))
    except ValueError as error:
        wrong = "`tool_calls` should be a list of mappings with `name` and `arguments`"
        raise TrialError("target", f"{name}: {error}; {wrong}") from None


def _json(value: Any, name: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TrialError("target", f"{name} returned an `output` that is neither text nor JSON: {error}") from None


async def _joined(answer: AsyncIterable[Any], pieces: FirstPiece) -> str:
    return "".join([pieces.heard(piece) async for piece in answer])


def _finish(value: Any, pieces: FirstPiece) -> Any:
    """Exhaust a generator inside the thread that runs it."""
    if inspect.isgenerator(value):
        return "".join(pieces.heard(piece) for piece in value)
    if inspect.isawaitable(value):
        raise TrialError("target", "a plain function returned something to await; make it `async def`")
    return value


def _parameters(target: Callable[..., Any]) -> frozenset[str]:
    try:
        parameters: Iterable[inspect.Parameter] = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(one.name for one in parameters)


def _failure(error: Exception, name: str, target: Function) -> HarnessError:
    """An SDK's exception keeps its meaning; any other is the target's own."""
    if type(error).__module__.split(".")[0] in ("openai", "httpx2"):
        return service_failure(error)
    return TrialError("target", f"{name} raised {told(error)}{own_line(error, target)}")


def _ended(session: Session) -> float | None:
    return max((one.end for one in session.tape.interactions), default=None)


def _seen(session: Session) -> tuple[str | None, Usage]:
    """The last model that answered and the tokens of all recorded calls."""
    model: str | None = None
    usage = Usage()
    for one in paid(session.tape.interactions):
        model = one.model or model
        usage = usage + one.usage
    return model, usage
