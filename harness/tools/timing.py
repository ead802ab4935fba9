"""Running somebody's code: for so long and no longer, and several pieces of it side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

#: Seconds that cancelled code gets to clean up after itself, before it is left to itself.
_GRACE = 1.0


class TooLate(Exception):
    """Code took longer than it may."""


async def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """Await work for so long and no longer, even if it takes no notice of being cancelled."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=_GRACE)
        raise
    if done:
        return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=_GRACE)
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    raise TooLate


async def side_by_side(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Await all; where one raises, the others are cancelled first."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
