"""Chat Completions: how one step is sent and read.

https://platform.openai.com/docs/api-reference/chat. The request goes through the SDK's generic `post`, which builds,
authenticates and checks it as always, and leaves the answer's bytes alone: they are read here, so that an answer that
is not what the API promises is an error with a name and not an exception from inside a library.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.assistants.conversation import Answer, converse
from harness.assistants.failures import service_failure
from harness.assistants.session import Session
from harness.assistants.usage import read_usage
from harness.errors import ServiceError
from harness.recording import STEP, sse
from harness.records import Message, ToolCall, Transcript, Turn
from harness.suites.suite import AssistantSpec

if TYPE_CHECKING:
    import httpx2

_PATH = "/chat/completions"
_SHOWN = 200


class ChatDriver:
    """Runs a trial against Chat Completions."""

    def __init__(self, spec: AssistantSpec) -> None:
        self._step = ChatStep(spec)

    async def run(self, session: Session, turns: Sequence[Turn]) -> Transcript:
        return await converse(session, turns, self._step)


class ChatStep:
    """One call of Chat Completions with the settings of an assistant."""

    def __init__(self, spec: AssistantSpec) -> None:
        self.model = spec.model or ""
        self._stream = spec.stream
        self._settings = chat_settings(spec)

    async def __call__(self, session: Session, messages: Sequence[Message]) -> Answer:
        import httpx2
        import openai

        payload = {"messages": [_message(message) for message in messages], **self._settings}
        try:
            given: Any = await session.client.post(
                _PATH,
                cast_to=httpx2.Response,
                body=payload,
                stream=self._stream,
                stream_cls=openai.AsyncStream[Any] if self._stream else None,
            )
            # Asked for the response itself, the SDK hands it over unread, streamed or not.
            response: httpx2.Response = given
            if self._stream and response.headers.get("content-type", "").startswith("text/event-stream"):
                return await _read_stream(response)
            await response.aread()
            return _read_answer(response)
        except (openai.OpenAIError, httpx2.TransportError) as error:
            raise service_failure(error) from error
        except (AttributeError, TypeError, ValueError, LookupError, RecursionError) as error:
            raise ServiceError("protocol", f"the answer is not what the API promises ({error})") from error


def chat_settings(spec: AssistantSpec) -> dict[str, Any]:
    """Return an assistant's settings under Chat Completions' own names; `request:` has the last word."""
    settings: dict[str, Any] = {
        "model": spec.model,
        "temperature": spec.temperature,
        "top_p": spec.top_p,
        "max_completion_tokens": spec.max_tokens,
        "seed": spec.seed,
        "stop": list(spec.stop) if isinstance(spec.stop, tuple) else spec.stop,
        "presence_penalty": spec.presence_penalty,
        "frequency_penalty": spec.frequency_penalty,
        "response_format": spec.response_format,
    }
    if spec.stream:
        settings["stream"] = True
        # Without this a streamed answer has no token counts, and so no cost.
        settings["stream_options"] = {"include_usage": True}
    return {**{name: value for name, value in settings.items() if value is not None}, **spec.request}


def _message(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        shown["name"] = message.name
    if message.tool_call_id is not None:
        shown["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        shown["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments_text(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return shown


def _arguments_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _read_answer(response: httpx2.Response) -> Answer:
    body = _parsed(response.content, response.headers.get("content-type", ""))
    choice = _first_choice(body)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise ServiceError("protocol", "the answer's choice has no message")
    step = response.extensions[STEP]
    return Answer(
        text=_text(message.get("content")),
        usage=read_usage(body.get("usage")),
        start=step.start,
        end=step.end,
        finish_reason=_word(choice.get("finish_reason")),
        refusal=_word(message.get("refusal")),
        model=_word(body.get("model")),
        response_id=_word(body.get("id")),
        tool_calls=tuple(_tool_call(call) for call in message.get("tool_calls") or ()),
    )


async def _read_stream(response: httpx2.Response) -> Answer:
    text: list[str] = []
    refusal: list[str] = []
    calls: dict[int, dict[str, str]] = {}
    finish: str | None = None
    first: float | None = None
    model = response_id = None
    usage: Any = None
    step = response.extensions[STEP]
    try:
        async for number, data in _events(response):
            if data == "[DONE]":
                break
            chunk = _parsed(data.encode(), "text/event-stream")
            model = _word(chunk.get("model")) or model
            response_id = _word(chunk.get("id")) or response_id
            usage = chunk.get("usage") or usage
            if not chunk.get("choices"):
                continue
            choice = _first_choice(chunk)
            delta = choice.get("delta") or {}
            if delta.get("content") or delta.get("refusal"):
                first = step.events[number] if first is None else first
            text.append(_text(delta.get("content")))
            refusal.append(_text(delta.get("refusal")))
            for call in delta.get("tool_calls") or ():
                _collect(calls, call)
            finish = _word(choice.get("finish_reason")) or finish
    finally:
        await response.aclose()
    if finish is None:
        raise ServiceError(
            "truncated_stream", f"the stream ended after {len(''.join(text))} characters without a finish reason"
        )
    return Answer(
        text="".join(text),
        usage=read_usage(usage),
        start=step.start,
        end=step.end,
        first_content=first,
        finish_reason=finish,
        refusal="".join(refusal) or None,
        model=model,
        response_id=response_id,
        tool_calls=tuple(
            ToolCall(id=call["id"], name=call["name"], arguments=_arguments(call["arguments"]))
            for _, call in sorted(calls.items())
        ),
    )


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[int, str]]:
    """Yield each event's number, which is its place among the recorded times, and its data."""
    splitter = sse.Splitter()
    number = -1
    async for part in response.aiter_bytes():
        for block in splitter.feed(part):
            number += 1
            event = sse.decode(block)
            if event is not None:
                yield number, event.data


def _collect(calls: dict[int, dict[str, str]], delta: Mapping[str, Any]) -> None:
    call = calls.setdefault(int(delta.get("index") or 0), {"id": "", "name": "", "arguments": ""})
    function = delta.get("function") or {}
    call["id"] = delta.get("id") or call["id"]
    call["name"] += _text(function.get("name"))
    call["arguments"] += _text(function.get("arguments"))


def _parsed(content: bytes, content_type: str) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        start = content[:_SHOWN].decode("utf-8", errors="replace").strip()
        raise ServiceError(
            "protocol", f"the answer is not JSON ({content_type or 'no content type'}): {start!r}"
        ) from None
    if not isinstance(body, Mapping):
        raise ServiceError("protocol", f"the answer is a JSON {type(body).__name__}, not an object")
    if body.get("error"):
        error = body["error"]
        said = error.get("message") if isinstance(error, Mapping) else error
        raise ServiceError("server", f"the service sent an error as its answer: {said}")
    return body


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ServiceError("protocol", "the answer has no choices")
    return choices[0]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(
        id=_text(call.get("id")),
        name=_text(function.get("name")),
        arguments=_arguments(_text(function.get("arguments"))),
    )


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
