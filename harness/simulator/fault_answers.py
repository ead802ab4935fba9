"""Answers as a fault has them: one of its own, or the simulator's with something wrong in it."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from harness.simulator.plain import JSON

Fault: TypeAlias = Mapping[str, JSON]

_PIECE = 1 << 20
#: What frames the simulator's own answer; it is framed anew.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


class Ended(Exception):
    """The connection ends here. `how` is reset, close or hang."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


@dataclass(slots=True, kw_only=True)
class Answer:
    """A status line, headers without those that frame a body, and a body: whole, or the events of a stream."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes]
    #: Leaves what the body comes from.
    leave: Callable[[], Awaitable[None]] | None = None

    def head(self, fault: Fault) -> bytes:
        """Return all that comes before the body."""
        own = (("content-type", fault.get("type")), ("content-encoding", fault.get("encoding")))
        others = [(name, value) for name, value in own if value is not None] + [*fault.get("headers", {}).items()]
        replaced = {name.lower() for name, _ in others}
        headers = [one for one in self.headers if one[0] not in replaced] + others
        if "header_bytes" in fault:
            headers.append(("x-long", "x" * fault["header_bytes"]))
        if isinstance(self.body, bytes):
            headers.append(("content-length", str(len(self.body))))
        else:
            headers.append(("transfer-encoding", "chunked"))
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}", *(f"{name}: {value}" for name, value in headers)]
        if "header_line" in fault:
            lines.append(fault["header_line"])
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def own(fault: Fault) -> Answer:
    """Return the answer that a fault gives instead of the simulator's."""
    body, kind = _own_body(fault)
    if "size" in fault:
        body = (body * (fault["size"] // max(len(body), 1) + 1))[: fault["size"]]
    headers = [("content-type", kind), ("x-harness-simulated", "true")]
    if "bomb" in fault:
        headers.append(("content-encoding", "gzip"))
    if "redirect" in fault:
        headers.append(("location", fault["redirect"]))
    status = fault.get("status", 307 if "redirect" in fault else 200)
    return Answer(status=status, headers=headers, body=body[: fault.get("truncate", len(body))])


def _own_body(fault: Fault) -> tuple[bytes, str]:
    if "json" in fault:
        return json.dumps(fault["json"]).encode(), "application/json"
    if "bomb" in fault:
        return _bomb(fault["bomb"]), "application/json"
    for name, kind in (("text", "text/plain; charset=utf-8"), ("html", "text/html; charset=utf-8")):
        if name in fault:
            return fault[name].encode("utf-8", errors="surrogatepass"), kind
    status = fault.get("status", 307)
    if status < 400:
        return b"", "application/json"
    told = {"message": f"{_phrase(status)} (as the faults say)", "type": "server_error", "param": None, "code": None}
    return json.dumps({"error": told}).encode(), "application/json"


def _bomb(size: int) -> bytes:
    """Blanks, packed; as JSON they are nothing at all."""
    packer = zlib.compressobj(1, wbits=31)
    parts = [packer.compress(b" " * min(_PIECE, size - done)) for done in range(0, size, _PIECE)]
    return b"".join([*parts, packer.flush()])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def framed_anew(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return an answer's headers without those that frame its body."""
    return [(name.lower(), value) for name, value in headers.items() if name.lower() not in _FRAMING]


# -- the simulator's answer, with something wrong in it


def spoiled(body: bytes, fault: Fault) -> bytes:
    """Return a whole body as a fault leaves it."""
    edited = _edited(body, fault, absent=True)
    if fault.get("invalid_utf8"):
        edited = _half(edited)
    return edited[: fault.get("truncate", len(edited))]


async def spoiled_stream(events: AsyncIterator[bytes], fault: Fault, *, path: str) -> AsyncIterator[bytes]:
    """Yield the events of a stream as a fault leaves them.

    Raises:
        Ended: The connection ends in the middle.
    """
    said = fault.get("stream", {})
    passed = 0
    async for event in events:
        if said.get("comments"):
            yield b": keep-alive\n\n"
        if passed == said.get("after"):
            match said["then"]:
                case "cut":
                    return
                case "error":
                    yield _error_event(path)
                    return
                case "bad":
                    yield b'data: {"id": "bad", "choices": [{"del\n\n'
                case how:
                    raise Ended({"stall": "hang"}.get(how, how))
        yield _edited_event(event, fault)
        passed += 1


async def split_events(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the events of the simulator's own streams, each with its blank line."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        for event in whole:
            yield event + b"\n\n"
    if rest:
        yield rest


def _error_event(path: str) -> bytes:
    told = {"message": "The server had an error (as the faults say)", "code": "server_error", "param": None}
    if path.endswith("/chat/completions"):
        return b"data: " + json.dumps({"error": {**told, "type": "server_error"}}).encode() + b"\n\n"
    return b"event: error\ndata: " + json.dumps({"type": "error", **told}).encode() + b"\n\n"


def _edited_event(event: bytes, fault: Fault) -> bytes:
    lines = event.split(b"\n")
    for number, line in enumerate(lines):
        if line.startswith(b"data: {"):
            data = _edited(line[len(b"data: ") :], fault, absent=False)
            lines[number] = b"data: " + (_half(data) if fault.get("invalid_utf8") else data)
    return b"\n".join(lines)


def _half(body: bytes) -> bytes:
    """Put a byte that is no UTF-8 at the end of the last text."""
    place = max(body.rfind(b'"'), 0)
    return body[:place] + b"\xff" + body[place:]


def _edited(body: bytes, fault: Fault, *, absent: bool) -> bytes:
    """Return JSON with a fault's edits.

    Args:
        body: The JSON.
        fault: What to edit.
        absent: Set also what is not there yet. In a stream only what an event has, and is not null, is set.
    """
    if not {"set", "delete", "hide_usage"} & fault.keys():
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for path, wanted in fault.get("set", {}).items():
        holder, key = _found(value, path)
        if absent or _get(holder, key) is not None:
            _put(holder, key, wanted)
    for path in _many(fault.get("delete", ())):
        holder, key = _found(value, path)
        if _get(holder, key, _NOTHING) is not _NOTHING:
            del holder[key]
    if fault.get("hide_usage"):
        _hide_usage(value)
    return json.dumps(value).encode()


_NOTHING = object()


def _found(value: JSON, path: str) -> tuple[JSON, JSON]:
    """Return the object or array that holds what a path such as `choices.0.message` names, and its key there."""
    *outer, last = path.split(".")
    for name in outer:
        value = _get(value, _key(value, name))
    return value, _key(value, last)


def _key(holder: JSON, name: str) -> str | int:
    return int(name) if isinstance(holder, list) and name.isdecimal() else name


def _get(holder: JSON, key: JSON, default: JSON = None) -> JSON:
    try:
        return holder[key]
    except (LookupError, TypeError):
        return default


def _put(holder: JSON, key: JSON, wanted: JSON) -> None:
    try:
        holder[key] = wanted
    except (LookupError, TypeError):
        return


def _hide_usage(value: JSON) -> None:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            one.pop("usage", None)
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _many(given: JSON) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
