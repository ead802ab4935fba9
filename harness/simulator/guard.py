"""Keeping web pages away from a server on loopback: what a browser shows could have it ask a model at its owner's cost."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.simulator.errors import ApiError
from harness.simulator.http import answer


class Guard:
    """Lets through what comes from this machine's own programs.

    Refused with 403 are requests from pages of other origins, and those that call this machine by another name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Request(scope).headers
            host, origin = headers.get("host"), headers.get("origin")
            if not (_is_own(f"//{host or 'localhost'}") and (origin is None or _is_own(origin))):
                told = ApiError(403, "This server answers only to programs on its own machine.", code="forbidden")
                await answer(told.body(), status=told.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_own(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
