"""What a service of one's own answered, taken out of its body or its stream as a suite says.

Where a suite says nothing, a body that is text is the answer; of a JSON object it is `output`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.assistants.told import told_calls, told_usage
from harness.assistants.wire import refused
from harness.errors import ServiceError
from harness.jsontext import JSONTooLarge, NotJSON, json_text, parse_json
from harness.recording import STEP, sse
from harness.records import JSON, ToolCall, Usage
from harness.suites.request import read_sse
from harness.suites.suite import AssistantSpec

if TYPE_CHECKING:
    import httpx2

    from harness.jsonpath import JSONPath

_SHOWN = 300
#: Seconds that a stream may stay open after its last event.
_LINGER = 0.5
_ABSENT = object()
#: Where services put a piece of text, in an event that says nothing else of itself.
_TEXTS = ("delta", "text", "content")


@dataclass(slots=True, kw_only=True)
class Heard:
    """An answer."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    #: The conversation's id; None: the answer has none.
    thread: JSON = None
    #: When the first piece of text was complete, seconds from trial start; None if the answer was not streamed.
    first: float | None = None


class Reading:
    """Reads the answers of one assistant."""

    def __init__(self, spec: AssistantSpec) -> None:
        """
        Args:
            spec: An assistant of `api: http` that was checked.
        """
        self._output = _compiled(spec.output)
        self._thread = _compiled(spec.thread)
        self._calls = _compiled(spec.tool_calls)
        self._usage = _compiled(spec.usage)
        self._sse = read_sse(spec.sse)
        guessed = self._sse is None or self._sse.delta in ("guess", "text")
        self._delta = None if guessed or self._sse is None else _compiled(self._sse.delta)

    async def read(self, response: httpx2.Response, *, pieces: list[str]) -> Heard:
        """Read an answer whose status is a success.

        Args:
            response: The answer.
            pieces: Gets the pieces of a stream's text as they come.

        Raises:
            ServiceError: It does not hold what the suite says it does, or broke off.
        """
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            if self._sse is None:
                raise ServiceError("protocol", "the answer is a stream of events; `sse: true` in the suite reads it")
            return await self._stream(response, pieces)
        return self._body(await response.aread(), response.headers.get("content-type", ""))

    # -- whole bodies

    def _body(self, content: bytes, content_type: str) -> Heard:
        text = content.decode("utf-8", errors="replace")
        try:
            body = parse_json(text)
        except (NotJSON, JSONTooLarge) as error:
            if "json" in content_type or any((self._output, self._thread, self._calls, self._usage)):
                said = "and the suite names JSON paths into it" if "json" not in content_type else "as its type says"
                raise ServiceError("protocol", f"the answer is not JSON {said} ({error}): {_start(text)}") from None
            return Heard(text=text)
        if self._output is None and not isinstance(body, dict | list) and "json" not in content_type:
            # A text that happens to be a number, or true.
            return Heard(text=text)
        return self._heard(self._answer(body), body)

    def _answer(self, body: JSON) -> str:
        if self._output is not None:
            found = self._output.find(body)
            if not found:
                raise ServiceError(
                    "protocol",
                    f"`output: {self._output.source}` matches nothing in the answer: {_start(json_text(body))}",
                )
            return _text(found[0])
        if isinstance(body, Mapping):
            if "output" not in body:
                raise ServiceError(
                    "protocol",
                    f"the answer has no `output`; `output:` in the suite names the path of its text: "
                    f"{_start(json_text(body))}",
                )
            return _text(body["output"])
        return _text(body)

    def _heard(self, text: str, body: JSON) -> Heard:
        return Heard(
            text=text,
            tool_calls=self._called(_list(self._calls, body)),
            usage=told_usage(_first(self._usage, body)),
            thread=_first(self._thread, body),
        )

    def _called(self, given: list[Any]) -> tuple[ToolCall, ...]:
        try:
            return tuple(told_calls(given))
        except ValueError as error:
            raise ServiceError("protocol", f"`tool_calls:` of the suite: {error}: {_start(json_text(given))}") from None

    # -- streams

    async def _stream(self, response: httpx2.Response, pieces: list[str]) -> Heard:
        assert self._sse is not None
        heard = Heard(text="")
        whole: str | None = None
        told = ended = False
        events = _events(response)
        async for moment, event in events:
            if self._sse.done in (event.data.strip(), event.name) or event.data.strip() == "[DONE]":
                ended = True
            data = _json(event.data)
            piece = None if ended else self._piece(event, data)
            if piece is not None:
                told = True
                pieces.append(piece)
                if heard.first is None and piece:
                    heard.first = moment
            if data is not _ABSENT:
                whole = self._note(heard, data, whole)
            if ended:
                await _drain(events)
                break
        if self._sse.ends and not ended:
            said = f"the stream ended after {len(''.join(pieces))} characters without '{self._sse.done}'"
            raise ServiceError("truncated_stream", said)
        if not told and whole is None:
            raise ServiceError("protocol", "no event of the stream held any text; `sse:` in the suite says where it is")
        heard.text = "".join(pieces) if whole is None else whole
        return heard

    def _note(self, heard: Heard, data: JSON, whole: str | None) -> str | None:
        """Take from an event what is not text; the last event that has it counts. Return the whole answer, if it has it."""
        calls = _list(self._calls, data)
        if calls:
            heard.tool_calls = self._called(calls)
        usage = told_usage(_first(self._usage, data))
        if usage.total is not None:
            heard.usage = usage
        thread = _first(self._thread, data)
        heard.thread = heard.thread if thread is None else thread
        found = self._output.find(data) if self._output is not None else []
        return _text(found[0]) if found else whole

    def _piece(self, event: sse.Event, data: Any) -> str | None:
        """Return the text of an event; None where it has none."""
        assert self._sse is not None
        if self._sse.event is not None and event.name != self._sse.event:
            return None
        if self._sse.delta == "text":
            return event.data
        if self._delta is None:
            return event.data if data is _ABSENT else _guessed(data)
        if data is _ABSENT:
            raise ServiceError(
                "protocol", f"an event is not JSON, and `delta: {self._delta.source}` is a path: {_start(event.data)}"
            )
        found = self._delta.find(data)
        return _text(found[0]) if found else None


async def _drain(events: AsyncGenerator[Any, None]) -> None:
    """Let a stream end by itself after its last event, so that the recording is whole; some services never close it."""
    try:
        async with asyncio.timeout(_LINGER):
            async for _ in events:
                pass
    except TimeoutError:
        pass
    finally:
        await events.aclose()


async def _events(response: httpx2.Response) -> AsyncGenerator[tuple[float, sse.Event], None]:
    """Yield each event of a stream, and when it was complete."""
    times = response.extensions[STEP]
    splitter = sse.Splitter()
    number = -1
    async for part in response.aiter_bytes():
        for block in splitter.feed(part):
            number += 1
            event = sse.decode(block)
            if event is not None:
                yield times.events[number], event


def _guessed(data: JSON) -> str | None:
    """Return the piece of text that an event holds by the habits of such services."""
    if isinstance(data, str):
        return data
    if not isinstance(data, Mapping):
        return None if data is None else json_text(data)
    if data.get("error"):
        raise refused(data["error"])
    kind = data.get("type")
    if isinstance(kind, str) and kind.startswith("response.") and kind != "response.output_text.delta":
        return None
    choices = data.get("choices")
    if isinstance(choices, list):
        first = choices[0] if choices and isinstance(choices[0], Mapping) else {}
        delta = first.get("delta")
        return _string(delta.get("content")) if isinstance(delta, Mapping) else _string(first.get("text"))
    for name in _TEXTS:
        value = data.get(name)
        if isinstance(value, Mapping):
            value = value.get("content", value.get("text"))
        if isinstance(value, str):
            return value
    return None


def _string(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _compiled(path: str | None) -> JSONPath | None:
    if path is None:
        return None
    # The library loads slowly, and few suites need it.
    from harness.jsonpath import JSONPath

    return JSONPath(path)


def _first(path: JSONPath | None, value: JSON) -> JSON:
    found = path.find(value) if path is not None else []
    return found[0] if found else None


def _list(path: JSONPath | None, value: JSON) -> list[Any]:
    """What a path finds: the list that it points at, or all that it selects one by one."""
    found = [one for one in (path.find(value) if path is not None else []) if one is not None]
    return found[0] if len(found) == 1 and isinstance(found[0], list) else found


def _json(text: str) -> Any:
    try:
        return parse_json(text)
    except (NotJSON, JSONTooLarge):
        return _ABSENT


def _text(value: JSON) -> str:
    return "" if value is None else json_text(value)


def _start(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
