"""Chat Completions: how one step is sent and read. https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from harness.assistants import wire
from harness.assistants.conversation import Answer, converse
from harness.assistants.session import Session
from harness.assistants.usage import read_usage
from harness.errors import ServiceError
from harness.records import Message, ToolCall, Transcript, Turn
from harness.suites.suite import AssistantSpec

_PATH = "/chat/completions"


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
        payload = {"messages": [_message(message) for message in messages], **self._settings}
        async with wire.posted(session, _PATH, payload, stream=self._stream) as reply:
            return await _read_stream(reply) if reply.streamed else await _read_answer(reply)


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
    return wire.merged(settings, spec.request)


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
                "function": {"name": call.name, "arguments": wire.arguments_text(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return shown


async def _read_answer(reply: wire.Reply) -> Answer:
    body = _sound(await reply.body())
    choice = _first_choice(body)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise ServiceError("protocol", "the answer's choice has no message")
    return Answer(
        text=wire.text(message.get("content")),
        usage=read_usage(body.get("usage")),
        start=reply.start,
        end=reply.end,
        finish_reason=wire.word(choice.get("finish_reason")),
        refusal=wire.word(message.get("refusal")),
        model=wire.word(body.get("model")),
        response_id=wire.word(body.get("id")),
        tool_calls=tuple(_tool_call(call) for call in message.get("tool_calls") or ()),
    )


async def _read_stream(reply: wire.Reply) -> Answer:
    content: list[str] = []
    refusal: list[str] = []
    calls: dict[int, dict[str, str]] = {}
    finish: str | None = None
    first: float | None = None
    model = response_id = None
    usage: Any = None
    async with aclosing(reply.events()) as events:
        async for when, data in events:
            if data == "[DONE]":
                break
            chunk = _sound(wire.parsed(data.encode()))
            model = wire.word(chunk.get("model")) or model
            response_id = wire.word(chunk.get("id")) or response_id
            usage = chunk.get("usage") or usage
            if not chunk.get("choices"):
                continue
            choice = _first_choice(chunk)
            delta = choice.get("delta") or {}
            if delta.get("content") or delta.get("refusal"):
                first = when if first is None else first
            content.append(wire.text(delta.get("content")))
            refusal.append(wire.text(delta.get("refusal")))
            for call in delta.get("tool_calls") or ():
                _collect(calls, call)
            finish = wire.word(choice.get("finish_reason")) or finish
    if finish is None:
        raise ServiceError(
            "truncated_stream", f"the stream ended after {len(''.join(content))} characters without a finish reason"
        )
    return Answer(
        text="".join(content),
        usage=read_usage(usage),
        start=reply.start,
        end=reply.end,
        first_content=first,
        finish_reason=finish,
        refusal="".join(refusal) or None,
        model=model,
        response_id=response_id,
        tool_calls=tuple(
            ToolCall(id=call["id"], name=call["name"], arguments=wire.arguments(call["arguments"]))
            for _, call in sorted(calls.items())
        ),
    )


def _sound(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("error"):
        raise wire.refused(body["error"])
    return body


def _collect(calls: dict[int, dict[str, str]], delta: Mapping[str, Any]) -> None:
    call = calls.setdefault(int(delta.get("index") or 0), {"id": "", "name": "", "arguments": ""})
    function = delta.get("function") or {}
    call["id"] = delta.get("id") or call["id"]
    call["name"] += wire.text(function.get("name"))
    call["arguments"] += wire.text(function.get("arguments"))


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise ServiceError("protocol", "the answer has no choices")
    return choices[0]


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(
        id=wire.text(call.get("id")),
        name=wire.text(function.get("name")),
        arguments=wire.arguments(wire.text(function.get("arguments"))),
    )
