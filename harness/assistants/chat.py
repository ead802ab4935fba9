"""Chat Completions: how one step is sent and read. https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from harness.assistants import wire
from harness.assistants.conversation import Answer, Turns, converse
from harness.assistants.session import Session
from harness.assistants.usage import read_usage
from harness.errors import ServiceError
from harness.jsontext import whole_text
from harness.records import Attachment, Message, ToolCall, Transcript, Turn
from harness.suites.suite import AssistantSpec
from harness.tools import Definition

_PATH = "/chat/completions"


class ChatDriver:
    """Runs a trial against Chat Completions."""

    def __init__(self, spec: AssistantSpec) -> None:
        self._step = ChatStep(spec)

    async def run(self, session: Session, turns: Turns) -> Transcript:
        return await converse(session, turns, self._step)


class ChatStep:
    """One call of Chat Completions with the settings of an assistant."""

    def __init__(self, spec: AssistantSpec) -> None:
        self.model = spec.model or ""
        self._stream = spec.stream
        self._settings = chat_settings(spec)

    async def __call__(self, session: Session, messages: Sequence[Message], turn: Turn) -> Answer:
        payload = {"messages": list(_messages(messages, turn)), **self._settings}
        if session.toolbox.definitions:
            payload["tools"] = [*map(_function, session.toolbox.definitions), *self._settings.get("tools", ())]
        async with wire.posted(session, _PATH, payload, stream=self._stream) as reply:
            return await _read_stream(reply, session) if reply.streamed else await _read_answer(reply)

    async def abandon(self, session: Session) -> None:
        """The service waits for nothing: every step is a request of its own."""


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


def _function(definition: Definition) -> dict[str, Any]:
    function: dict[str, Any] = {"name": definition.name, "parameters": definition.parameters}
    if definition.description:
        function["description"] = definition.description
    if definition.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _messages(messages: Sequence[Message], turn: Turn) -> Iterator[dict[str, Any]]:
    """Write a conversation as this API takes it; a turn's own instructions stand in the place of the prompt's."""
    if turn.instructions is not None:
        yield {"role": "system", "content": turn.instructions}
    shown: list[Attachment] = []
    for message in messages:
        if message.role != "tool" and shown:
            # A result can only be text here; what a tool showed follows all results as the user's.
            yield {"role": "user", "content": _parts("", shown)}
            shown = []
        if message.role == "system" and turn.instructions is not None:
            continue
        yield _message(message)
        if message.role == "tool":
            shown.extend(message.attachments)
    if shown:
        yield {"role": "user", "content": _parts("", shown)}


def _message(message: Message) -> dict[str, Any]:
    calls = [call for call in message.tool_calls if call.source != "service"]
    content: Any = message.content
    if message.role == "user" and message.attachments:
        content = _parts(message.content, message.attachments)
    elif calls and not content:
        content = None
    shown: dict[str, Any] = {"role": message.role, "content": content}
    if message.name is not None and message.role != "tool":
        shown["name"] = message.name
    if message.tool_call_id is not None:
        shown["tool_call_id"] = message.tool_call_id
    if calls:
        shown["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": wire.arguments_text(call.arguments)},
            }
            for call in calls
        ]
    return shown


def _parts(said: str, attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": said}] if said else []
    for one in attachments:
        if one.kind == "image":
            parts.append({"type": "image_url", "image_url": {"url": wire.data_url(one)}})
        else:
            parts.append({"type": "file", "file": {"filename": one.name, "file_data": wire.data_url(one)}})
    return parts


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


async def _read_stream(reply: wire.Reply, session: Session) -> Answer:
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
            chunk = _sound(wire.parsed(data.encode(), pieces=True))
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
            session.heard(content[-1])
            refusal.append(wire.text(delta.get("refusal")))
            for call in delta.get("tool_calls") or ():
                _collect(calls, call)
            finish = wire.word(choice.get("finish_reason")) or finish
    if finish is None:
        raise ServiceError(
            "truncated_stream", f"the stream ended after {len(''.join(content))} characters without a finish reason"
        )
    return Answer(
        text=whole_text("".join(content)),
        usage=read_usage(usage),
        start=reply.start,
        end=reply.end,
        first_content=first,
        finish_reason=finish,
        refusal=whole_text("".join(refusal)) or None,
        model=model,
        response_id=response_id,
        tool_calls=tuple(
            ToolCall(id=call["id"], name=call["name"], arguments=wire.arguments(whole_text(call["arguments"])))
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
