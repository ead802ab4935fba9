"""SDK clients on a transport that stays within this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.assistants.session import PLACEHOLDER_KEY, async_client, no_websockets

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI, OpenAI

#: An address that no client could reach by itself.
_NOWHERE = "http://simulator.invalid/v1"


def local_async_client(transport: httpx2.AsyncBaseTransport) -> AsyncOpenAI:
    """Return an async client that knows no key and repeats nothing."""
    return async_client(transport, api_key=PLACEHOLDER_KEY, base_url=_NOWHERE)


def local_client(transport: httpx2.BaseTransport) -> OpenAI:
    """Return the same for code that blocks."""
    import httpx2
    from openai import OpenAI

    return OpenAI(
        api_key=PLACEHOLDER_KEY,
        base_url=_NOWHERE,
        max_retries=0,
        http_client=httpx2.Client(transport=transport, follow_redirects=False),
        websocket_base_url=no_websockets(),
    )
