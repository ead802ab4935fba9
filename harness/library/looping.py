"""Blocking calls of what is async: each runs in an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from harness.clock import on_loop
from harness.errors import UsageError

T = TypeVar("T")


def blocking(work: Coroutine[Any, Any, T], *, name: str, twin: str) -> T:
    """Run a coroutine to its end and return what it returns.

    Args:
        work: What to run.
        name: What was called.
        twin: What to await instead where an event loop is running.

    Raises:
        UsageError: An event loop is running in this thread.
    """
    try:
        refuse_loop(name=name, twin=twin)
    except UsageError:
        work.close()
        raise
    return asyncio.run(work)


def refuse_loop(*, name: str, twin: str) -> None:
    """Refuse to block the thread of a running event loop.

    Raises:
        UsageError: One is running in this thread.
    """
    if on_loop():
        raise UsageError(
            f"an event loop is running here (this is a notebook, or async code): write `{twin}` instead of `{name}`"
        )
