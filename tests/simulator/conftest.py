"""Every answer of every simulator in these tests must be as OpenAI describes its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.simulator.app import Simulator
from tests.simulator.described import problems


class Watched:
    """An app, and what of its answers is not as described."""

    def __init__(self, app: ASGIApp, found: list[str]) -> None:
        self._app = app
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body = b""
        whole = False

        async def watched(message: Message) -> None:
            nonlocal body, whole
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body += message.get("body", b"")
                whole = not message.get("more_body", False)
            await send(message)

        await self._app(scope, receive, watched)
        # A client that left early has not heard everything.
        if whole:
            kind = dict(start["headers"]).get(b"content-type", b"").decode()
            self._found += problems(scope["method"], scope["path"], start["status"], kind, body)


@pytest.fixture(autouse=True)
def as_described(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Watch all simulators of a test."""
    found: list[str] = []
    make = Simulator.__init__

    def watching(self: Simulator, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        self.app = Watched(self.app, found)

    monkeypatch.setattr(Simulator, "__init__", watching)
    yield
    assert not found, "\n".join(found[:10])
