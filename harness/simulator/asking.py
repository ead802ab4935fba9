"""Asking a brain for one step, on the terms that the service imposes: token limit, stop texts, calls allowed, usage."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.simulator import tokens
from harness.simulator.brain import (
    Ask,
    Broken,
    Call,
    CodeRun,
    End,
    Failure,
    Finish,
    Piece,
    Reasoning,
    Refusal,
    Search,
    Text,
    Usage,
)

if TYPE_CHECKING:
    from harness.simulator.app import Simulator

#: Characters of an answer that are counted again with every further piece, at most.
_UNSETTLED = 2000
_WORD_END = re.compile(r"(?<=\S)(?= \S)")


@dataclass(slots=True, kw_only=True)
class Step:
    """All that a brain answered in one step."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    #: Each has an id.
    calls: list[Call] = field(default_factory=list)
    runs: list[CodeRun] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    finish: Finish = "stop"
    usage: Usage = field(default_factory=lambda: Usage(input=0, output=0))
    logprobs: list[Any] | None = None

    def add(self, piece: Piece) -> None:
        """Take a piece in."""
        match piece:
            case Text(text=text):
                self.text += text
            case Refusal(text=text):
                self.refusal += text
            case Reasoning(text=text):
                self.reasoning += text
            case Call():
                self.calls.append(piece)
            case CodeRun():
                self.runs.append(piece)
            case Search():
                self.searches.append(piece)
            case End():
                self.finish = piece.finish
                self.usage = piece.usage or self.usage
                self.logprobs = None if piece.logprobs is None else list(piece.logprobs)


async def collect(simulator: Simulator, ask: Ask) -> Step:
    """Ask for a step and return it whole.

    Raises:
        Failure: The brain fails.
    """
    step = Step()
    async for piece in pieces(simulator, ask):
        step.add(piece)
    return step


async def pieces(simulator: Simulator, ask: Ask) -> AsyncGenerator[Piece, None]:
    """Ask for a step and yield its pieces as they come, cut where the service would cut them.

    Every call has an id; the last piece is an `End` with its usage and the reason that holds after all cutting.

    Raises:
        Failure: The brain fails; before the first piece, or in the middle. `Broken`: by a mistake of its own.
    """
    brain = simulator.brain
    # A real model obeys its limits itself, and counts by its own tokens.
    terms = _Terms(ask, limit=ask.max_tokens if brain.simulated else None)
    step = Step()
    stream = _sound(brain.ask(ask))
    try:
        async for piece in stream:
            if isinstance(piece, End):
                step.add(piece)
                break
            for allowed in terms.allow(piece):
                final = _named(simulator, ask, allowed, step.calls) if isinstance(allowed, Call) else allowed
                step.add(final)
                yield final
            if terms.over is not None:
                break
        for rest in terms.rest():
            step.add(rest)
            yield rest
    finally:
        await stream.aclose()
    yield End(finish=_finish(step, terms), usage=_usage(ask, step), logprobs=step.logprobs)


async def _sound(stream: AsyncIterator[Piece]) -> AsyncGenerator[Piece, None]:
    """Yield what a brain says; whatever it raises is a failure."""
    try:
        async for piece in stream:
            yield piece
    except Failure:
        raise
    except Exception as error:
        raise Broken(error) from error
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


def _named(simulator: Simulator, ask: Ask, call: Call, before: Sequence[Call]) -> Call:
    """The call with an id of its own: some servers give none, and some the same to all."""
    used = {one["id"] for message in ask.messages for one in message.get("tool_calls") or ()}
    if call.id is not None and call.id not in used.union(one.id for one in before):
        return call
    return replace(
        call,
        id=simulator.state.identity.new("call_", list(ask.messages), call.name, call.arguments, len(before)),
    )


def _finish(step: Step, terms: _Terms) -> Finish:
    if terms.over is not None:
        return "tool_calls" if step.calls and terms.over == "stop" else terms.over
    if step.finish == "stop" and step.calls:
        return "tool_calls"
    if step.finish == "tool_calls" and not step.calls:
        return "stop"
    return step.finish


def _usage(ask: Ask, step: Step) -> Usage:
    if step.usage.input or step.usage.output:
        return step.usage
    reasoning = tokens.count(step.reasoning)
    called = sum(tokens.count(call.name) + tokens.count(call.arguments) for call in step.calls)
    return Usage(
        input=tokens.of_messages(ask.messages, ask.tools),
        output=reasoning + tokens.count(step.text) + tokens.count(step.refusal) + called,
        reasoning=reasoning,
    )


class _Terms:
    """What of a brain's pieces may pass."""

    def __init__(self, ask: Ask, *, limit: int | None) -> None:
        #: Why the step is over before the brain was done; None: it is not.
        self.over: Finish | None = None
        self._limit = limit
        self._spent = 0
        self._current: tuple[type[Text | Refusal | Reasoning], str] | None = None
        stop = ask.settings.get("stop")
        self._stops = tuple(text for text in ([stop] if isinstance(stop, str) else stop or ()) if text)
        self._held = ""
        self._calls = 0
        self._most = 0 if ask.tool_choice == "none" else 1 if not ask.parallel_tool_calls else None

    def allow(self, piece: Piece) -> list[Piece]:
        """Return what of a piece may pass now."""
        match piece:
            case Text(text=text):
                return self._spoken(Text, self._unstopped(text))
            case Refusal(text=text):
                return [*self.rest(), *self._spoken(Refusal, text)]
            case Reasoning(text=text):
                return [*self.rest(), *self._spoken(Reasoning, text)]
            case Call():
                return [*self.rest(), *self._called(piece)]
            case _:
                return [piece]

    def rest(self) -> list[Piece]:
        """Return the text that was held because a stop text might have begun with it."""
        held, self._held = self._held, ""
        return self._spoken(Text, held)

    def _unstopped(self, text: str) -> str:
        """Return the text that certainly comes before any stop text, and hold the rest."""
        if not self._stops:
            return text
        whole = self._held + text
        places = [place for stop in self._stops if (place := whole.find(stop)) >= 0]
        if places:
            self._held = ""
            self.over = "stop"
            return whole[: min(places)]
        keep = max(_overlap(whole, stop) for stop in self._stops)
        self._held = whole[len(whole) - keep :]
        return whole[: len(whole) - keep]

    def _spoken(self, kind: type[Text | Refusal | Reasoning], text: str) -> list[Piece]:
        if not text:
            return []
        if self._limit is None:
            return [kind(text)]
        before = self._current[1] if self._current is not None and self._current[0] is kind else ""
        if self._current is not None and self._current[0] is not kind:
            self._spent += tokens.count(self._current[1])
        whole, cut = tokens.first(before + text, max(0, self._limit - self._spent))
        self._current = (kind, self._settled(whole))
        if cut:
            self.over = "length"
            self._held = ""
        new = whole[len(before) :]
        return [kind(new)] if new else []

    def _settled(self, text: str) -> str:
        """Count what nothing that follows can change, and return the rest: no token goes on after the end of a word."""
        if len(text) < _UNSETTLED:
            return text
        place = max((found.start() for found in _WORD_END.finditer(text)), default=len(text))
        self._spent += tokens.count(text[:place])
        return text[place:]

    def _called(self, call: Call) -> list[Piece]:
        if self._most is not None and self._calls >= self._most:
            return []
        self._calls += 1
        if self._limit is None:
            return [call]
        if self._current is not None:
            self._spent += tokens.count(self._current[1])
            self._current = None
        left = self._limit - self._spent - tokens.count(call.name)
        if left < 0:
            self.over = "length"
            return []
        arguments, cut = tokens.first(call.arguments, left)
        self._spent = self._limit - left + tokens.count(arguments)
        if cut:
            self.over = "length"
        return [replace(call, arguments=arguments)]


def _overlap(text: str, stop: str) -> int:
    """How many of the last characters of `text` may be the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
