"""What a run of the Assistants API came to: its messages, what its own tools did, the files that it made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from harness.assistants import wire
from harness.assistants.conversation import Answer
from harness.assistants.resources import BETA, fetched
from harness.assistants.session import Session
from harness.assistants.usage import read_usage
from harness.errors import ServiceError
from harness.records import JSON, Attachment, ToolCall

#: Statuses after which nothing more happens by itself.
_STOPS = frozenset({"requires_action", "completed", "failed", "cancelled", "expired", "incomplete"})
#: Why a run is incomplete, in the words of Chat Completions.
_REASONS = {"max_completion_tokens": "length", "max_prompt_tokens": "length", "content_filter": "content_filter"}


@dataclass(slots=True, kw_only=True)
class Found:
    """A run that stopped, and what a stream told on the way. Times are seconds from trial start."""

    run: Mapping[str, Any]
    start: float
    end: float
    first_content: float | None = None
    #: Of the run, in order; None: it was not streamed, and they have to be asked for.
    messages: list[Mapping[str, Any]] | None = None
    steps: list[Mapping[str, Any]] = field(default_factory=list)


def stopped(run: Mapping[str, Any]) -> bool:
    """Say whether a run has stopped; a status that is not known means that it goes on."""
    return run.get("status") in _STOPS


def id_of(body: Mapping[str, Any], what: str) -> str:
    """Return an object's id.

    Raises:
        ServiceError: It has none.
    """
    found = wire.word(body.get("id"))
    if found is None:
        raise ServiceError("protocol", f"the service's {what} has no id")
    return found


async def listened(
    reply: wire.Reply, *, started: Callable[[Mapping[str, Any]], None], heard: Callable[[str], None] = lambda text: None
) -> Found:
    """Read the stream of a run to its end.

    Args:
        reply: The stream.
        started: Is told the run as soon as it is known.
        heard: Is told each piece of text as it comes.

    Raises:
        ServiceError: The service sent an error, or the stream ended before the run stopped.
    """
    messages: list[Mapping[str, Any]] = []
    found = Found(run={}, start=reply.start, end=reply.end, messages=messages)
    seen = 0
    async with aclosing(reply.events()) as events:
        async for when, data in events:
            if data == "[DONE]":
                break
            body = wire.parsed(data.encode())
            kind = body.get("object")
            if kind is None and (body.get("error") or "message" in body):
                raise wire.refused(body.get("error") or body)
            if kind == "thread.run":
                found.run, found.end = body, when
                started(body)
            elif kind == "thread.message.delta":
                text = _delta(body)
                seen += len(text)
                heard(text)
                found.first_content = when if found.first_content is None and text else found.first_content
            elif kind == "thread.message" and body.get("status") in ("completed", "incomplete"):
                messages.append(body)
            elif kind == "thread.run.step" and body.get("completed_at"):
                found.steps.append(body)
    if not stopped(found.run):
        raise ServiceError("truncated_stream", f"the stream ended after {seen} characters before the run did")
    return found


async def read(
    session: Session, found: Found, *, thread: str, assistant: str, steps: bool, resumed: bool = False
) -> Answer:
    """Read what a run that stopped has to say.

    Args:
        session: The trial's.
        found: The run.
        thread: The thread's id.
        assistant: The assistant's id.
        steps: Whether to ask for the run's steps, where they are not known.
        resumed: Whether the run had stopped for tools before.

    Raises:
        ServiceError: The run failed, was cancelled or expired.
    """
    run = found.run
    status = run.get("status")
    extra: dict[str, JSON] = {"thread_id": thread, "run_id": id_of(run, "run"), "assistant_id": assistant}
    check(run)
    if status == "requires_action":
        calls = tuple(wanted_calls(run))
        if not calls:
            raise ServiceError("protocol", "the run waits for something, and names no calls of functions")
        return Answer(
            text="\n\n".join(map(_text, found.messages or ())),
            usage=read_usage(run.get("usage")),
            start=found.start,
            end=found.end,
            first_content=found.first_content,
            finish_reason="tool_calls",
            model=wire.word(run.get("model")),
            tool_calls=calls,
            extra=extra,
        )
    end = found.end
    messages = found.messages
    if messages is None:
        messages, end = await _listed(session, f"/threads/{thread}/messages", run_id=str(run["id"]))
    own = [one for one in messages if one.get("role") == "assistant"]
    traces = found.steps
    if steps and found.messages is None:
        traces, _ = await _listed(session, f"/threads/{thread}/runs/{run['id']}/steps")
    parts = [part for one in own for part in one.get("content") or () if isinstance(part, Mapping)]
    # Looked at, a run that had stopped tells of all its messages at the end; the last is what it says now.
    said, last = (own[:-1], own[-1:]) if resumed and found.messages is None else ([], own)
    texts = [text for one in own for text in _texts(one)]
    annotations = [one for text in texts for one in text.get("annotations") or () if isinstance(one, Mapping)]
    refusal = "".join(wire.text(part.get("refusal")) for part in parts if part.get("type") == "refusal")
    return Answer(
        text="\n\n".join(map(_text, last)),
        usage=read_usage(run.get("usage")),
        start=found.start,
        end=end,
        first_content=found.first_content,
        finish_reason=finish_reason(run),
        refusal=refusal or None,
        model=wire.word(run.get("model")),
        response_id=wire.word(run.get("id")),
        done=tuple(call for step in traces for call in service_calls(step)),
        attachments=tuple([one async for one in _files(session, parts, annotations)]),
        annotations=tuple(annotations),
        earlier=tuple(map(_text, said)),
        extra=extra,
    )


def _texts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = [part for part in message.get("content") or () if isinstance(part, Mapping)]
    return [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), Mapping)]


def _text(message: Mapping[str, Any]) -> str:
    return "\n\n".join(wire.text(text.get("value")) for text in _texts(message))


def check(run: Mapping[str, Any]) -> None:
    """Refuse a run that came to nothing.

    Raises:
        ServiceError: It failed, was cancelled or expired.
    """
    status = str(run.get("status"))
    if status not in _VERBS:
        return
    error = run.get("last_error")
    error = error if isinstance(error, Mapping) else {}
    said = f" ({error['code']}): {error.get('message')}" if error.get("code") else ""
    raise ServiceError(f"run_{status}", f"the run {run.get('id')} {_VERBS[status]}{said}")


_VERBS = {"failed": "failed", "cancelled": "was cancelled", "expired": "expired"}


def finish_reason(run: Mapping[str, Any]) -> str:
    """Return why a run that is over ended, in the words of Chat Completions, else in the service's."""
    if run.get("status") == "completed":
        return "stop"
    reason = wire.text((run.get("incomplete_details") or {}).get("reason"))
    return _REASONS.get(reason, reason or "incomplete")


def wanted_calls(run: Mapping[str, Any]) -> Iterator[ToolCall]:
    """Yield the calls of functions whose results a run waits for, in the service's order; none where it does not wait."""
    action = run.get("required_action") or {}
    for call in (action.get("submit_tool_outputs") or {}).get("tool_calls") or ():
        function = call.get("function") or {}
        yield ToolCall(
            id=wire.text(call.get("id")),
            name=wire.text(function.get("name")),
            arguments=wire.arguments(wire.text(function.get("arguments"))),
        )


def service_calls(step: Mapping[str, Any]) -> Iterator[ToolCall]:
    """What tools of the service's own did in a step of a run; functions are known already."""
    details = step.get("step_details") or {}
    for call in details.get("tool_calls") or ():
        kind = wire.text(call.get("type"))
        told = call.get(kind) or {}
        if kind == "code_interpreter":
            arguments, output = {"code": told.get("input")}, told.get("outputs")
        elif kind == "file_search":
            arguments, output = {}, told.get("results")
        else:
            continue
        yield ToolCall(id=wire.text(call.get("id")), name=kind, arguments=arguments, output=output, source="service")


async def _files(
    session: Session, parts: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]
) -> AsyncIterator[Attachment]:
    """Fetch the images and files that messages name, each once."""
    wanted: dict[str, str | None] = {}
    for part in parts:
        if part.get("type") == "image_file":
            wanted.setdefault(str((part.get("image_file") or {}).get("file_id")), None)
    for one in annotations:
        if one.get("type") == "file_path":
            wanted.setdefault(str((one.get("file_path") or {}).get("file_id")), wire.word(one.get("text")))
    for file_id, name in wanted.items():
        yield await fetched(session, file_id, name=name)


async def _listed(session: Session, path: str, *, run_id: str | None = None) -> tuple[list[Mapping[str, Any]], float]:
    """Return everything that a list holds, oldest first, and when the last page of it was there."""
    found: list[Mapping[str, Any]] = []
    query = {"limit": "100", "order": "asc"} | ({} if run_id is None else {"run_id": run_id})
    while True:
        async with wire.sent(session, "GET", path, query=query, headers=BETA) as reply:
            page = await reply.body()
            end = reply.end
        if not isinstance(page.get("data"), list):
            raise ServiceError("protocol", "the service answered with something else than a list")
        found += [one for one in page["data"] if isinstance(one, Mapping)]
        last = wire.word(page.get("last_id"))
        if not page.get("has_more") or last is None:
            return found, end
        query["after"] = last


def _delta(body: Mapping[str, Any]) -> str:
    parts = (body.get("delta") or {}).get("content") or ()
    return "".join(wire.text((part.get("text") or {}).get("value")) or wire.text(part.get("refusal")) for part in parts)
