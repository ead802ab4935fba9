"""Server-sent events: how streams are written, and when they begin."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from harness.simulator.plain import JSON

#: The last event of Chat Completions.
DONE = b"data: [DONE]\n\n"
#: Where some clients end a line, though no event ends there; within JSON they can be written otherwise.
_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\u0085\u2028\u2029"}


def event(data: JSON, name: str | None = None) -> bytes:
    """Return one event; `data` is written as JSON, or as it is where it is a text."""
    text = data if isinstance(data, str) else _json(data)
    head = f"event: {name}\n" if name is not None else ""
    return f"{head}data: {text}\n\n".encode()


def _json(data: JSON) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_BREAKS)


async def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Return the answer that sends `events` as they come.

    The first is waited for: what fails before it is answered with an error status instead of a broken stream.
    """
    head = await anext(events)

    async def body() -> AsyncIterator[bytes]:
        try:
            yield head
            async for one in events:
                yield one
        finally:
            # Whoever goes away early stops the brain too.
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    return StreamingResponse(body(), media_type="text/event-stream", headers={"cache-control": "no-cache"})
