"""Reading what a server of Chat Completions streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.simulator.brain import Call, End, Failure, Finish, Piece, Reasoning, Refusal, Text, Usage
from harness.simulator.plain import JSON

_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


async def lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; only a line feed ends one, with or without a carriage return before it.

    Texts may have other characters that end lines elsewhere, such as U+2028.
    """
    rest = b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest.removesuffix(b"\r")


def broken(told: str, *, partial: bool = True) -> Failure:
    """Return the failure of a server that does not do what it should."""
    return Failure(502, "server_error", f"The server behind the simulator {told}", partial=partial)


@dataclass(slots=True)
class _Called:
    id: str = ""
    name: str = ""
    arguments: str = ""


class Reading:
    """One streamed answer being read."""

    def __init__(self) -> None:
        #: The calls in the order in which they began, and the one that each index adds to.
        self._calls: list[_Called] = []
        self._at: dict[int, _Called] = {}
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._logprobs: list[JSON] = []
        self._begun = False
        #: The server said that there is no more.
        self.over = False

    @property
    def finished(self) -> bool:
        """Whether the answer is whole, whatever else may come."""
        return self._finish is not None

    def read(self, line: bytes) -> list[Piece]:
        """Take in a line of the stream and return the pieces in it.

        Raises:
            Failure: 502: the line is none of such a stream, or tells of an error.
        """
        if self.over or not line.startswith(b"data:"):
            return []
        self._begun = True
        data = line[5:].strip()
        if data == b"[DONE]":
            self.over = True
            return []
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            raise broken("sent no JSON.") from None
        if not isinstance(chunk, dict):
            raise broken("sent no chunk.")
        if chunk.get("error"):
            error = chunk["error"]
            message = error.get("message") if isinstance(error, dict) else error
            raise Failure(502, "server_error", str(message), partial=True)
        return self._chunk(chunk)

    def _chunk(self, chunk: Mapping[str, JSON]) -> list[Piece]:
        usage = _of(dict, chunk, "usage")
        if usage:
            self._usage = _usage(usage)
        return [piece for choice in _of(list, chunk, "choices") for piece in self._choice(_checked(choice, "choices"))]

    def _choice(self, choice: Mapping[str, JSON]) -> list[Piece]:
        delta = _of(dict, choice, "delta")
        found: list[Piece] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            found.append(Reasoning(thought))
        if text := _of(str, delta, "content"):
            found.append(Text(text))
        if text := _of(str, delta, "refusal"):
            found.append(Refusal(text))
        for part in _of(list, delta, "tool_calls"):
            self._called(_checked(part, "tool_calls"))
        self._logprobs += (_chance(one) for one in _of(list, _of(dict, choice, "logprobs"), "content"))
        if finish := _of(str, choice, "finish_reason"):
            self._finish = _FINISHES.get(finish, "stop")
        return found

    def _called(self, part: Mapping[str, JSON]) -> None:
        index, id = _of(int, part, "index"), _of(str, part, "id")
        call = self._at.get(index)
        # Some servers send all calls as the first: another id is another call.
        if call is None or (id and call.id and id != call.id):
            call = self._at[index] = _Called()
            self._calls.append(call)
        function = _of(dict, part, "function")
        call.id = id or call.id
        call.name += _of(str, function, "name")
        call.arguments += _of(str, function, "arguments")

    def end(self) -> list[Piece]:
        """Return the calls, and the end.

        Raises:
            Failure: The stream stopped before it said that it was over.
        """
        if self._finish is None:
            told = "stopped in the middle." if self._begun else "sent no event of a stream."
            raise broken(told, partial=self._begun)
        calls = [Call(name=call.name, arguments=call.arguments, id=call.id or None) for call in self._calls]
        return [*calls, End(finish=self._finish, usage=self._usage, logprobs=self._logprobs or None)]


def _of(kind: type[Any], outer: Mapping[str, JSON], name: str) -> Any:
    """Return what an object has by a name, and an empty one of its kind where it has nothing.

    Raises:
        Failure: It is of another kind.
    """
    value = outer.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind) or isinstance(value, bool):
        raise broken(f"sent a chunk that is none: its '{name}' is of type {type(value).__name__}.")
    return value


def _checked(value: JSON, name: str) -> Mapping[str, JSON]:
    if not isinstance(value, dict):
        raise broken(f"sent a chunk that is none: in its '{name}' there is a {type(value).__name__}.")
    return value


def _chance(value: JSON) -> Mapping[str, JSON]:
    """A token's log probability, with all that any API tells of it."""
    told = _checked(value, "logprobs")
    top = [_checked(one, "top_logprobs") for one in _of(list, told, "top_logprobs")]
    for one in (told, *top):
        logprob = one.get("logprob")
        if not isinstance(one.get("token"), str) or not isinstance(logprob, int | float):
            raise broken("sent a chunk that is none: in its 'logprobs' there is no 'token' with a 'logprob'.")
    return {"bytes": None, **told, "top_logprobs": [{"bytes": None, **one} for one in top]}


def _usage(usage: Mapping[str, JSON]) -> Usage:
    return Usage(
        input=_of(int, usage, "prompt_tokens"),
        output=_of(int, usage, "completion_tokens"),
        cached=_of(int, _of(dict, usage, "prompt_tokens_details"), "cached_tokens"),
        reasoning=_of(int, _of(dict, usage, "completion_tokens_details"), "reasoning_tokens"),
    )
