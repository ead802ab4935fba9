"""Responses: how one step is sent and read. https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from harness.assistants import wire
from harness.assistants.conversation import Answer, Turns, converse
from harness.assistants.resources import fetched, own_files, searchable, uploaded
from harness.assistants.session import Session
from harness.assistants.usage import read_usage
from harness.errors import ServiceError
from harness.functions import Place
from harness.jsontext import whole_text
from harness.records import JSON, Attachment, Message, ToolCall, Transcript, Turn
from harness.suites.suite import AssistantSpec
from harness.tools import Definition, ToolSpec

_PATH = "/responses"
#: The events that end a stream; each holds the whole response.
_ENDS = ("response.completed", "response.incomplete", "response.failed")
#: Why an answer was cut, in the words of Chat Completions, so that checks and comparisons read one language.
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_RATE_LIMITED = "rate_limit_exceeded"
#: What the service's own tools found is only told when asked for.
_TRACES = {"file_search": "file_search_call.results", "code_interpreter": "code_interpreter_call.outputs"}
#: Codes of errors that are the request's own, such as `invalid_prompt` and `image_too_large`.
_OF_REQUESTS = re.compile(r"^(invalid|unsupported)_|image|context_length|content_policy")


class ResponsesDriver:
    """Runs a trial against Responses."""

    def __init__(self, spec: AssistantSpec, *, place: Place) -> None:
        """
        Args:
            spec: The assistant.
            place: Where the files of its tools are looked up.
        """
        self._spec = spec
        self._settings = responses_settings(spec)
        self._files = {name: own_files(spec, name, place) for name in ("file_search", "code_interpreter")}

    async def run(self, session: Session, turns: Turns) -> Transcript:
        return await converse(session, turns, ResponsesStep(self._spec, self._settings, self._files))


class ResponsesStep:
    """The calls of one conversation. What the next one must send depends on how it is chained:

    - `input`: everything that was said, and nothing is kept at the service;
    - `response`: what is new, after the id of the response before;
    - `conversation`: what is new, in a conversation that is created first.
    """

    def __init__(
        self, spec: AssistantSpec, settings: Mapping[str, Any], files: Mapping[str, Sequence[Attachment]]
    ) -> None:
        """
        Args:
            spec: The assistant.
            settings: What every request says besides.
            files: What the service's own tools work on, by the tool's name.
        """
        self.model = spec.model or ""
        self._files = files
        self._services = [one for one in spec.tools if one.kind == "builtin"]
        #: The service's own tools as this API takes them; None: what they need is not there yet.
        self._built: list[JSON] | None = None
        self._stream = spec.stream
        self._settings = settings
        self._chain = spec.chain or "input"
        #: Messages that the service has seen.
        self._seen = 0
        #: What was said so far, as items; only `input` needs it.
        self._items: list[JSON] = []
        self._previous: dict[str, JSON] = {}
        #: The conversation or response that the turn goes on with; its later steps go on from their own.
        self._followed: str | None = None

    async def __call__(self, session: Session, messages: Sequence[Message], turn: Turn) -> Answer:
        if turn.thread is not None and turn.thread != self._followed:
            self._follow(turn.thread)
        if self._chain == "conversation" and not self._previous:
            self._previous = {"conversation": await self._conversation(session)}
        instructions, rest = _instructions(messages)
        # The last answer is there already: as items where everything is sent again, else at the service.
        new = rest[max(self._seen - len(messages) + len(rest), 0) :]
        items = [item for message in new for item in _items(message)]
        payload = {"input": [*self._items, *items], **self._previous, **self._settings}
        if self._built is None:
            self._built = [await self._service(session, one) for one in self._services]
        tools = [*map(_function, session.toolbox.definitions), *self._built]
        if tools:
            # What `request:` says of tools stays beside those of the suite.
            payload["tools"] = [*tools, *self._settings.get("tools", ())]
        instructions = instructions if turn.instructions is None else turn.instructions
        if instructions:
            payload.setdefault("instructions", instructions)
        async with wire.posted(session, _PATH, payload, stream=self._stream) as reply:
            body, deltas, first = await _streamed(reply, session) if reply.streamed else (await reply.body(), "", None)
            answer = _answer(body, reply, deltas=deltas, first=first)
        self._seen = len(messages) + 1
        if self._chain == "input":
            self._items += [*items, *_kept(body, answer)]
        elif self._chain == "response":
            if answer.response_id is None:
                raise ServiceError("protocol", "the answer has no id that the next turn could follow")
            self._previous = {"previous_response_id": answer.response_id}
        return replace(
            answer,
            attachments=tuple([one async for one in _made(session, answer.annotations)]),
            extra=dict(self._previous) if self._chain == "conversation" else {},
        )

    async def _service(self, session: Session, tool: ToolSpec) -> JSON:
        """Return a tool of the service's own as this API takes it, once its files are there."""
        found: dict[str, JSON] = {"type": tool.name}
        files = self._files.get(tool.name or "", ())
        if tool.name == "code_interpreter":
            ids = [await uploaded(session, one) for one in files]
            found["container"] = {"type": "auto", **({"file_ids": ids} if ids else {})}
        elif tool.name == "file_search" and files:
            found["vector_store_ids"] = [await searchable(session, files)]
        return {**found, **tool.options}

    def _follow(self, thread: str) -> None:
        """Go on with what a service keeps already; its id says whether that is a conversation or a response."""
        self._followed = thread
        self._chain = "conversation" if thread.startswith("conv_") else "response"
        # What the next step follows has to be kept.
        self._settings = {name: value for name, value in self._settings.items() if name != "store"}
        self._previous = {"conversation" if self._chain == "conversation" else "previous_response_id": thread}

    async def abandon(self, session: Session) -> None:
        """The service waits for nothing: every step is a request of its own."""

    async def _conversation(self, session: Session) -> str:
        async with wire.posted(session, "/conversations", {}, stream=False) as reply:
            found = wire.word((await reply.body()).get("id"))
        if found is None:
            raise ServiceError("protocol", "the service created a conversation without an id")
        return found


def responses_settings(spec: AssistantSpec) -> dict[str, Any]:
    """Return an assistant's settings under Responses' own names; `request:` has the last word."""
    settings: dict[str, Any] = {
        "model": spec.model,
        "temperature": spec.temperature,
        "top_p": spec.top_p,
        "max_output_tokens": spec.max_tokens,
        "text": {"format": _format(spec.response_format)} if spec.response_format is not None else None,
        "stream": True if spec.stream else None,
    }
    if spec.chain in (None, "input"):
        settings["store"] = False
        if "reasoning" in spec.request:
            # What a model thought is kept nowhere then; sealed, it can be handed back with the next turn.
            settings["include"] = ["reasoning.encrypted_content"]
    wanted = [_TRACES[one.name] for one in spec.tools if one.kind == "builtin" and one.name in _TRACES]
    if wanted:
        settings["include"] = [*settings.get("include", ()), *wanted]
    return wire.merged(settings, spec.request)


def _function(definition: Definition) -> JSON:
    described = {"description": definition.description} if definition.description else {}
    return {
        "type": "function",
        "name": definition.name,
        **described,
        "parameters": definition.parameters,
        # This API takes a schema for strict unless it is told.
        "strict": definition.strict,
    }


def _format(given: JSON) -> JSON:
    """Chat Completions nests the schema, Responses does not."""
    if isinstance(given, Mapping) and isinstance(given.get("json_schema"), Mapping):
        return {"type": "json_schema", **given["json_schema"]}
    return given


def _instructions(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """Take the leading system messages, which this API wants apart and with every call."""
    count = next((n for n, message in enumerate(messages) if message.role != "system"), len(messages))
    return "\n\n".join(message.content for message in messages[:count]), messages[count:]


def _items(message: Message) -> Iterator[JSON]:
    if message.role == "tool":
        output: JSON = message.content
        if message.attachments:
            output = [{"type": "input_text", "text": message.content}, *map(_attached, message.attachments)]
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": output}
        return
    if message.role != "assistant":
        said: JSON = message.content
        if message.attachments:
            text = [{"type": "input_text", "text": message.content}] if message.content else []
            said = [*text, *map(_attached, message.attachments)]
        yield {"role": message.role, "content": said}
        return
    if message.content:
        content: JSON = [{"type": "output_text", "text": message.content}]
        yield {"type": "message", "role": "assistant", "content": content}
    for call in message.tool_calls:
        if call.source != "service":
            arguments = wire.arguments_text(call.arguments)
            yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _attached(one: Attachment) -> JSON:
    if one.kind == "image":
        return {"type": "input_image", "image_url": wire.data_url(one)}
    return {"type": "input_file", "filename": one.name, "file_data": wire.data_url(one)}


def _kept(body: Mapping[str, Any], answer: Answer) -> Iterator[JSON]:
    """What the next turn repeats of an answer, in its order: sealed reasoning as it came, the rest without ids."""
    thoughts: list[JSON] = []
    told = False
    for item in body.get("output") or ():
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind == "reasoning" and item.get("encrypted_content"):
            names = ("type", "id", "summary", "encrypted_content")
            thoughts.append({name: item[name] for name in names if name in item})
        elif kind == "function_call" or (kind == "message" and _parts(item)):
            # Reasoning belongs to what follows it; the service refuses any that stands alone.
            yield from thoughts
            thoughts = []
            told = told or kind == "message"
            yield _said(item) if kind == "message" else _called(item)
    if answer.text and not told:
        # Some compatible services leave the message out of a stream's last event.
        yield from thoughts
        yield from _items(Message(role="assistant", content=answer.text))


def _said(item: Mapping[str, Any]) -> JSON:
    return {"type": "message", "role": "assistant", "content": _parts(item)}


def _parts(item: Mapping[str, Any]) -> list[JSON]:
    parts: list[JSON] = []
    for part in item.get("content") or ():
        if part.get("type") == "refusal" and part.get("refusal"):
            parts.append({"type": "refusal", "refusal": wire.text(part["refusal"])})
        elif part.get("type") == "output_text" and part.get("text"):
            parts.append({"type": "output_text", "text": wire.text(part["text"])})
    return parts


def _called(item: Mapping[str, Any]) -> JSON:
    return {"type": "function_call"} | {name: wire.text(item.get(name)) for name in ("call_id", "name", "arguments")}


async def _streamed(reply: wire.Reply, session: Session) -> tuple[Mapping[str, Any], str, float | None]:
    """Read a stream: the response that its last event holds, the text that was seen, and when it began."""
    deltas: list[str] = []
    first: float | None = None
    whole: Mapping[str, Any] | None = None
    async with aclosing(reply.events()) as events:
        async for when, data in events:
            if data == "[DONE]":
                break
            if whole is not None:
                continue  # a connection that is read to its end can be used again
            event = wire.parsed(data.encode(), pieces=True)
            kind = event.get("type")
            if kind == "error" or (kind is None and event.get("error")):
                raise wire.refused(event.get("error") or event, kinds=_kind)
            if kind in ("response.output_text.delta", "response.refusal.delta") and event.get("delta"):
                first = when if first is None else first
                if kind == "response.output_text.delta":
                    deltas.append(wire.text(event.get("delta")))
                    session.heard(deltas[-1])
            if kind in _ENDS and isinstance(event.get("response"), Mapping):
                whole = wire.mended(event["response"], data.encode())
    if whole is not None:
        return whole, whole_text("".join(deltas)), first
    raise ServiceError(
        "truncated_stream", f"the stream ended after {len(''.join(deltas))} characters without its last event"
    )


def _answer(body: Mapping[str, Any], reply: wire.Reply, *, deltas: str, first: float | None) -> Answer:
    """Read a response.

    Raises:
        ServiceError: It failed, was cancelled, or is not finished.
    """
    status = body.get("status")
    if body.get("error") or status == "failed":
        raise wire.refused(body.get("error") or "the response failed and does not say why", kinds=_kind)
    if status not in ("completed", "incomplete"):
        raise ServiceError(
            "protocol", f"the response is {status or 'without a status'}, neither completed nor incomplete"
        )
    output = body.get("output")
    if not isinstance(output, list):
        raise ServiceError("protocol", "the response has no output")
    items = [item for item in output if isinstance(item, Mapping)]
    parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
    calls = tuple(tool_call(item) for item in items if item.get("type") == "function_call")
    said = "".join(wire.text(part.get("text")) for part in parts if part.get("type") == "output_text")
    refusal = "".join(wire.text(part.get("refusal")) for part in parts if part.get("type") == "refusal")
    done = tuple(call for item in items if (call := service_call(item)) is not None)
    return Answer(
        # Some compatible services leave the output out of a stream's last event.
        text=said or deltas,
        usage=read_usage(body.get("usage")),
        start=reply.start,
        end=reply.end,
        first_content=first,
        finish_reason=finish_reason(body, calls=bool(calls)),
        refusal=refusal or None,
        reasoning=_reasoning(items),
        model=wire.word(body.get("model")),
        response_id=wire.word(body.get("id")),
        tool_calls=calls,
        done=done,
        annotations=tuple(_annotations(parts)),
    )


def service_call(item: Mapping[str, Any]) -> ToolCall | None:
    """What a tool of the service's own did, as a call that is answered; None for anything else."""
    kind = wire.text(item.get("type"))
    if not kind.endswith("_call") or kind == "function_call":
        return None
    name = kind.removesuffix("_call")
    arguments: JSON
    output: JSON
    if name == "code_interpreter":
        arguments, output = {"code": item.get("code")}, item.get("outputs")
    elif name == "mcp":
        name, arguments, output = wire.text(item.get("name")), wire.arguments(wire.text(item.get("arguments"))), None
        output = item.get("output")
    else:
        given = {key: item[key] for key in ("queries", "action", "input") if item.get(key) is not None}
        arguments, output = given, item.get("results") if name == "file_search" else item.get("output")
    error = item.get("error")
    return ToolCall(
        id=wire.text(item.get("call_id")) or wire.text(item.get("id")),
        name=name,
        arguments=arguments,
        output=output,
        error=None if error is None else str(error),
        source="service",
    )


def _annotations(parts: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, JSON]]:
    for part in parts:
        for one in part.get("annotations") or ():
            if isinstance(one, Mapping):
                yield {key: value for key, value in one.items() if value is not None}


async def _made(session: Session, annotations: Sequence[Mapping[str, JSON]]) -> AsyncIterator[Attachment]:
    """Fetch the files that the answer cites out of the code interpreter's container, each once."""
    seen: set[str] = set()
    for one in annotations:
        file_id, container = wire.word(one.get("file_id")), wire.word(one.get("container_id"))
        if one.get("type") != "container_file_citation" or not file_id or not container or file_id in seen:
            continue
        seen.add(file_id)
        yield await fetched(session, file_id, name=wire.word(one.get("filename")), container=container)


def finish_reason(body: Mapping[str, Any], *, calls: bool) -> str:
    """Return why a response ended, in the words of Chat Completions, else in the service's.

    Args:
        body: The response.
        calls: Whether it asks for calls of functions.
    """
    if body.get("status") == "completed":
        return "tool_calls" if calls else "stop"
    reason = wire.text((body.get("incomplete_details") or {}).get("reason"))
    return _REASONS.get(reason, reason or "incomplete")


def _reasoning(items: Sequence[Mapping[str, Any]]) -> str | None:
    """Join what a model shows of its reasoning: summaries, or the text itself where a service sends it."""
    parts = [
        wire.text(part.get("text"))
        for item in items
        if item.get("type") == "reasoning"
        for part in (item.get("summary") or item.get("content") or ())
        if isinstance(part, Mapping)
    ]
    return "\n\n".join(filter(None, parts)) or None


def tool_call(item: Mapping[str, Any]) -> ToolCall:
    """Return the call that an item of type `function_call` asks for; what is missing in it is empty."""
    return ToolCall(
        id=wire.text(item.get("call_id")),
        name=wire.text(item.get("name")),
        arguments=wire.arguments(wire.text(item.get("arguments"))),
    )


def _kind(code: str) -> str:
    """An error inside an answer, as a kind: what is wrong with the request will be wrong again, all else may pass."""
    if code == _RATE_LIMITED:
        return "rate_limited"
    return "bad_request" if _OF_REQUESTS.search(code) else "server"
