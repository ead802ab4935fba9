"""A service on loopback that speaks Chat Completions and Responses, for tests: deterministic answers, streams, and faults on request.

It marks its answers as simulated. Sockets are handled by hand, so that broken and cut answers can be sent too.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent instead of the usual answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Close the connection after so many bytes of the body.
    cut: int | None = None
    #: Seconds to wait first.
    delay: float = 0.0
    #: Seconds between two bytes of the body; 0: all at once.
    pace: float = 0.0


#: Takes the number of the request (from 1) and its parsed body; None: the usual answer.
Faults = Callable[[int, dict[str, Any]], Reply | None]


class ChatServer:
    """Answers in a thread of its own; a context manager.

    Args:
        answer: Text of the answer to a request, given its number and body.
        faults: What to send instead.
        delay: Seconds before each answer, and between the pieces of a streamed one.
    """

    def __init__(
        self,
        answer: Callable[[int, dict[str, Any]], str] = lambda number, body: "Hello",
        *,
        faults: Faults = lambda number, body: None,
        delay: float = 0.0,
    ) -> None:
        self._answer = answer
        self._faults = faults
        self._delay = delay
        self._lock = threading.Lock()
        #: Every request, as (headers, body).
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = head.split("\r\n")[1:]
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name
                }
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
                with self._lock:
                    self.requests.append((headers, body))
                    number = len(self.requests)
                if not await self._respond(writer, number, body):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _respond(self, writer: asyncio.StreamWriter, number: int, body: dict[str, Any]) -> bool:
        fault = self._faults(number, body)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            headers = {"content-type": "application/json", **fault.headers}
            writer.write(_head(fault.status, {**headers, "content-length": str(len(fault.body))}))
            body_sent = fault.body if fault.cut is None else fault.body[: fault.cut]
            for number in range(len(body_sent) if fault.pace else 0):
                writer.write(body_sent[number : number + 1])
                await writer.drain()
                await asyncio.sleep(fault.pace)
            if not fault.pace:
                writer.write(body_sent)
            await writer.drain()
            return fault.cut is None
        await asyncio.sleep(self._delay)
        text = self._answer(number, body)
        if not body.get("stream"):
            whole = completion if "messages" in body else response
            content = json.dumps(whole(text, number, body)).encode()
            writer.write(
                _head(200, {"content-type": "application/json", "content-length": str(len(content))}) + content
            )
            await writer.drain()
            return True
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
        parts = pieces if "messages" in body else response_events
        for piece in parts(text, number, body):
            writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(self._delay)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def completion(text: str, number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A whole Chat Completions answer."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": str(body.get("model")),
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": len(text.split()), "total_tokens": 10 + len(text.split())},
    }


def pieces(text: str, number: int, body: dict[str, Any]) -> list[bytes]:
    """The same as server-sent events, a word each."""
    base = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": str(body.get("model")),
    }
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in words
    ]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**base, "choices": [], "usage": completion(text, number, body)["usage"]})
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def response(text: str, number: int, body: dict[str, Any]) -> dict[str, Any]:
    """A whole Responses answer."""
    usage = {"input_tokens": 10, "output_tokens": len(text.split()), "total_tokens": 10 + len(text.split())}
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": content}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": str(body.get("model")),
        "error": None,
        "incomplete_details": None,
        "output": [message],
        "usage": usage,
    }


def response_events(text: str, number: int, body: dict[str, Any]) -> list[bytes]:
    """The same as server-sent events, a word each."""
    whole = response(text, number, body)
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
        *({"type": "response.output_text.delta", "item_id": f"msg_{number}", "delta": word} for word in words),
        {"type": "response.completed", "response": whole},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def error(message: str = "try again") -> bytes:
    """The body of an error answer."""
    return json.dumps({"error": {"message": message, "type": "test", "code": None}}).encode()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} X",
        "x-harness-simulated: true",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
