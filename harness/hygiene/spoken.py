"""What was said in a call, whatever API it was: the request's messages and settings, and the answer in one piece."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.assistants.usage import objects
from harness.recording import Interaction, Request
from harness.records import JSON

#: Numbers of a list that are shown: an embedding has thousands.
_NUMBERS = 8
#: Objects that say again what was asked for, apart from their id.
_ECHOES = frozenset(
    {"assistant", "assistant.deleted", "conversation", "conversation.deleted", "thread", "thread.deleted"}
)
#: What comes of reading something that is not what its API says.
_ODD = (AttributeError, TypeError, LookupError, ValueError, RecursionError)
_STREAM_ENDS = ("response.completed", "response.incomplete", "response.failed")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that somebody said: `system`, `user`, `assistant`, `call`, `result`, or another word for what it is."""

    role: str
    text: str

    def plain(self) -> dict[str, JSON]:
        return {"role": self.role, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: what was said, and everything else in it."""

    parts: tuple[Part, ...]
    settings: Mapping[str, JSON]


def asked(request: Request) -> Asked:
    """Read a request."""
    if not request.body:
        return Asked(parts=(), settings={})
    body = _parsed(request.body)
    if not isinstance(body, dict):
        return Asked(parts=(Part("body", _text_of(request.body)),), settings={})
    settings = dict(body)
    try:
        parts = tuple(_taken(settings))
    except _ODD:
        return Asked(parts=(Part("body", _pretty(body)),), settings={})
    return Asked(parts=parts, settings={name: _settled(name, one) for name, one in settings.items()})


def answered(one: Interaction) -> tuple[Part, ...]:
    """Read an answer, a streamed one joined."""
    if one.error is not None:
        return (Part("error", f"no response ({one.error})"),)
    found = objects(one)
    parts: list[Part] = []
    if found:
        try:
            parts = list(_streamed(found) if one.events else _whole(found[0]))
        except _ODD:
            parts = [Part("body", _text_of(one.body))]
    elif one.body:
        parts = [Part("body", _text_of(one.body))]
    return (*parts, Part("note", "the stream was left before its end")) if one.truncated else tuple(parts)


# -- requests


def _taken(settings: dict[str, Any]) -> Iterator[Part]:
    """Take what was said out of a request's body."""
    instructions = settings.get("instructions")
    if isinstance(instructions, str):
        del settings["instructions"]
        yield Part("system", instructions)
    thread = settings.get("thread")
    if isinstance(thread, dict) and isinstance(thread.get("messages"), list):
        settings["thread"] = rest = {name: value for name, value in thread.items() if name != "messages"}
        if not rest:
            del settings["thread"]
        yield from _items(thread["messages"])
    for name in ("messages", "additional_messages", "input", "items", "tool_outputs"):
        value = settings.get(name)
        if isinstance(value, str):
            yield Part("user", value)
        elif isinstance(value, list):
            yield from _items(value)
        else:
            continue
        del settings[name]
    if "content" in settings and isinstance(settings.get("role"), str):
        yield from _item({"role": settings.pop("role"), "content": settings.pop("content")})


def _settled(name: str, value: JSON) -> JSON:
    """Tools by their names, as long as that says all that a reader looks for."""
    if name != "tools" or not isinstance(value, list):
        return value
    return [_tool(one) for one in value]


def _tool(tool: JSON) -> JSON:
    if not isinstance(tool, dict):
        return tool
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name")
    if not isinstance(name, str):
        kind = tool.get("type")
        return kind if isinstance(kind, str) and len(tool) == 1 else tool
    digest = hashlib.sha256(json.dumps(tool, sort_keys=True).encode()).hexdigest()[:6]
    # What it does and takes is long, and seldom what changed; that it changed is not to be missed.
    return f"{name} #{digest}"


# -- answers


def _whole(body: Mapping[str, Any]) -> Iterator[Part]:
    error = body.get("error")
    if isinstance(error, Mapping) and "message" in error and body.get("object") is None:
        yield Part("error", str(error["message"]))
    elif isinstance(body.get("choices"), list):
        for choice in body["choices"]:
            if isinstance(choice, Mapping):
                yield from _item({"role": "assistant", **(choice.get("message") or {})})
    elif body.get("object") == "response":
        yield from _response(body)
    elif body.get("object") == "list" and isinstance(body.get("data"), list):
        for one in body["data"]:
            yield from _whole(one) if isinstance(one, Mapping) else [Part("item", _pretty(one))]
    elif body.get("object") == "thread.message":
        yield from _item({"role": body.get("role"), "content": body.get("content")})
    elif body.get("object") == "thread.run":
        yield from _run(body)
    elif body.get("object") in _ECHOES:
        yield Part("object", f"{body['object']} {body.get('id')}")
    else:
        yield Part("object" if body.get("object") else "answer", _pretty(body))


def _response(body: Mapping[str, Any]) -> Iterator[Part]:
    output = body.get("output")
    yield from _items(output if isinstance(output, list) else [])
    if body.get("status") not in ("completed", None):
        why = body.get("error") or body.get("incomplete_details")
        yield Part("status", f"{body['status']} {json.dumps(why, ensure_ascii=False) if why else ''}".strip())


def _run(body: Mapping[str, Any]) -> Iterator[Part]:
    needed = (body.get("required_action") or {}).get("submit_tool_outputs") or {}
    for call in needed.get("tool_calls") or ():
        yield _call(call)
    last = body.get("last_error")
    yield Part("run", f"{body.get('status')} {json.dumps(last, ensure_ascii=False) if last else ''}".strip())


def _streamed(found: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    chunks = [one for one in found if isinstance(one.get("choices"), list)]
    if chunks:
        yield from _chunks(chunks)
        return
    ends = [
        one["response"] for one in found if one.get("type") in _STREAM_ENDS and isinstance(one.get("response"), dict)
    ]
    if ends:
        yield from _response(ends[-1])
        return
    if any(str(one.get("type", "")).startswith("response.") for one in found):
        yield Part(
            "assistant", "".join(str(one.get("delta", "")) for one in found if "text.delta" in str(one.get("type")))
        )
        return
    told = list(_thread(found))
    yield from told or [Part("events", "\n".join(json.dumps(one, ensure_ascii=False) for one in found))]


def _thread(found: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    messages = {one.get("id"): one for one in found if one.get("object") == "thread.message"}
    deltas: dict[Any, str] = {}
    for one in found:
        if one.get("object") == "thread.message.delta":
            content = (one.get("delta") or {}).get("content") or ()
            said = "".join(str((part.get("text") or {}).get("value") or "") for part in content)
            deltas[one.get("id")] = deltas.get(one.get("id"), "") + said
    for id, message in messages.items():
        parts = list(_item({"role": message.get("role"), "content": message.get("content")}))
        yield from parts or [Part(str(message.get("role")), deltas.pop(id, ""))]
        deltas.pop(id, None)
    yield from (Part("assistant", text) for text in deltas.values())
    runs = [one for one in found if one.get("object") == "thread.run"]
    if runs:
        yield from _run(runs[-1])


def _chunks(chunks: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    texts: dict[Any, str] = {}
    calls: dict[Any, dict[str, str]] = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"] if isinstance(choice, Mapping)):
        delta = choice.get("delta") or {}
        for name in ("content", "refusal"):
            if isinstance(delta.get(name), str):
                texts[choice.get("index")] = texts.get(choice.get("index"), "") + delta[name]
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            known = calls.setdefault((choice.get("index"), call.get("index")), {"id": "", "name": "", "arguments": ""})
            known["id"] = known["id"] or str(call.get("id") or "")
            known["name"] += str(function.get("name") or "")
            known["arguments"] += str(function.get("arguments") or "")
    yield from (Part("assistant", text) for text in texts.values() if text or not calls)
    yield from (_call(call) for call in calls.values())


# -- what both hold


def _items(items: Iterable[Any]) -> Iterator[Part]:
    for item in items:
        yield from _item(item) if isinstance(item, Mapping) else [Part("item", _pretty(item))]


def _item(item: Mapping[str, Any]) -> Iterator[Part]:
    kind = item.get("type")
    if kind == "function_call":
        yield _call(item)
    elif kind == "function_call_output" or item.get("role") == "tool" or "tool_call_id" in item:
        told = item.get("output", item.get("content"))
        yield Part("result", f"{_content(told)}\n(of {item.get('call_id') or item.get('tool_call_id')})")
    elif isinstance(item.get("role"), str):
        content, refusal = item.get("content"), item.get("refusal")
        if content or not (refusal or item.get("tool_calls")):
            yield Part(item["role"], _content(content))
        if refusal:
            yield Part("refusal", str(refusal))
        for call in item.get("tool_calls") or ():
            yield _call(call)
    else:
        yield Part(str(kind or "item"), _pretty({name: one for name, one in item.items() if name != "type"}))


def _call(call: Any) -> Part:
    if not isinstance(call, Mapping):
        return Part("call", _pretty(call))
    function = call.get("function")
    told = function if isinstance(function, Mapping) else call
    id = call.get("call_id") or call.get("id")
    return Part("call", f"{told.get('name')}({told.get('arguments') or ''})" + (f"\n(as {id})" if id else ""))


def _content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_piece(one) for one in content)
    return _pretty(content)


def _piece(piece: Any) -> str:
    if isinstance(piece, Mapping):
        text = piece.get("text", piece.get("refusal"))
        if isinstance(text, Mapping):
            text = text.get("value")
        if isinstance(text, str):
            return text
    return _pretty(piece)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_short(value), ensure_ascii=False, indent=2)


def _short(value: Any) -> Any:
    """Leave long rows of numbers, and files in base64, out."""
    if isinstance(value, Mapping):
        return {str(name): _short(one) for name, one in value.items()}
    if isinstance(value, list):
        if len(value) > _NUMBERS and all(isinstance(one, int | float) for one in value):
            return f"({len(value)} numbers)"
        return [_short(one) for one in value]
    if isinstance(value, str) and value.startswith("data:") and ";base64," in value[:100]:
        return f"({len(value):,} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:12]})"
    return value


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text_of(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(body):,} bytes, sha256 {hashlib.sha256(body).hexdigest()[:12]})"
