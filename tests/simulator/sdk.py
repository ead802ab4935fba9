"""The SDK against a simulator in this process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from openai import AsyncOpenAI

from harness.simulator.app import Simulator
from harness.simulator.brain import Brain

#: Where clients believe the simulator is.
URL = "http://simulator/v1"


@asynccontextmanager
async def client_of(brain: Brain, **settings: Any) -> AsyncIterator[AsyncOpenAI]:
    """A client of a new simulator; failures are not tried again."""
    async with client_for(Simulator(brain, **settings)) as client:
        yield client


@asynccontextmanager
async def client_for(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    """A client of this simulator, which is closed at the end."""
    http = httpx2.AsyncClient(transport=simulator.transport())
    try:
        async with AsyncOpenAI(api_key="none", base_url=URL, http_client=http, max_retries=0) as client:
            yield client
    finally:
        await simulator.aclose()


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, in a loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run
