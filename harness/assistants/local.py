"""`api: python`: a function, coroutine, generator or async generator as the assistant under test.

Its arguments are found by name: `input` (the text of the turn; also given to a first parameter of any other name),
`messages` (the conversation so far, as dicts), `session`, `files` and `images` (of the turn), `instructions` and
`thread` (where a turn has them), and whatever `args:` holds. It answers with a text, with pieces of text (a generator),
or with a mapping that has `output` and perhaps `tool_calls`, `usage`, `extra`. Synchronous functions run in a thread of
their own.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.assistants.conversation import Turns
from harness.assistants.failures import service_failure
from harness.assistants.session import Session
from harness.assistants.usage import paid, read_usage
from harness.errors import HarnessError, TrialError
from harness.functions import Function, awaited, in_thread, own_line, told
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
        messages: list[Message] = []
        records: list[TurnRecord] = []
        calls: list[ToolCall] = []
        extra: dict[str, Any] = {}
        stated = Usage()
        while (turn := turns.next(records[-1] if records else None)) is not None:
            messages.extend(turn.messages)
            begun = _ended(session) or 0.0
            heard = _Heard(session)
            given = await self._call(session, turn, messages, heard)
            answer = _answer(given, self._name)
            calls.extend(answer.calls)
            extra.update(answer.extra)
            stated = stated + answer.usage
            messages.append(Message(role="assistant", content=answer.text, tool_calls=answer.calls))
            ended = _ended(session)
            records.append(
                TurnRecord(
                    input=_said(turn),
                    output=answer.text,
                    latency=None if ended is None else round(ended - begun, 6),
                    # Without a call there is nothing that time could be measured by, on replay.
                    ttft=None if heard.first is None or ended is None else round(max(heard.first - begun, 0.0), 6),
                    usage=answer.usage,
                    tool_calls=answer.calls,
                )
            )
        model, seen = _seen(session)
        return Transcript(
            output=records[-1].output,
            messages=tuple(messages),
            turns=tuple(records),
            tool_calls=tuple(calls),
            usage=seen if seen.total is not None else stated,
            latency=session.tape.latency,
            ttft=records[-1].ttft,
            model=model,
            attempts=session.tape.attempts,
            state=session.toolbox.state(),
            extra=extra,
        )

    async def _call(self, session: Session, turn: Turn, messages: Sequence[Message], heard: _Heard) -> Any:
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
        text = "\n".join(_said(turn))
        target = self._target
        try:
            if inspect.isasyncgenfunction(target):
                return await awaited(_joined(target(text, **keywords), heard))
            if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__):
                return await awaited(target(text, **keywords))
            return await in_thread(lambda: _finish(target(text, **keywords), heard))
        except HarnessError:
            raise
        except Exception as error:
            raise _failure(error, self._name, self._target) from error


class _Heard:
    """When the first piece of an answer came, seconds from trial start; None where it did not come in pieces."""

    def __init__(self, session: Session) -> None:
        self._clock = session.clock
        self.first: float | None = None

    def piece(self, given: Any) -> str:
        if self.first is None and given not in (None, ""):
            self.first = self._clock.now()
        return str(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A target's answer, taken apart."""

    text: str
    calls: tuple[ToolCall, ...] = ()
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
            calls=tuple(_calls(given.get("tool_calls") or (), name)),
            usage=_stated(given.get("usage")),
            extra=extra,
        )
    raise TrialError(
        "target", f"{name} returned {type(given).__name__}; it should return a text, or a mapping with `output`"
    )


def _calls(given: Any, name: str) -> Iterator[ToolCall]:
    calls = list(given) if isinstance(given, Iterable) and not isinstance(given, str | Mapping) else [given]
    for call in calls:
        if not isinstance(call, Mapping):
            wrong = "`tool_calls` should be a list of mappings with `name` and `arguments`"
            raise TrialError("target", f"{name} returned {type(call).__name__} as a tool call; {wrong}")
        error = call.get("error")
        yield ToolCall(
            id=str(call.get("id", "")),
            name=str(call.get("name", "")),
            arguments=call.get("arguments"),
            output=call.get("output"),
            error=None if error is None else str(error),
        )


def _json(value: Any, name: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TrialError("target", f"{name} returned an `output` that is neither text nor JSON: {error}") from None


def _stated(usage: Any) -> Usage:
    if isinstance(usage, Mapping) and "input" in usage:
        counts = {key: usage.get(key) for key in ("input", "output", "cached_input", "reasoning")}
        return Usage(**{key: value for key, value in counts.items() if type(value) is int and value >= 0})
    return read_usage(usage)


async def _joined(pieces: AsyncIterable[Any], heard: _Heard) -> str:
    return "".join([heard.piece(piece) async for piece in pieces])


def _finish(value: Any, heard: _Heard) -> Any:
    """Exhaust a generator inside the thread that runs it."""
    if inspect.isgenerator(value):
        return "".join(heard.piece(piece) for piece in value)
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


def _said(turn: Turn) -> tuple[str, ...]:
    return tuple(message.content for message in turn.messages if message.role == "user")


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
