"""A clock that tests move."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class HandClock:
    """Stands until somebody sleeps on it; then it goes to the moment at which the first sleeper wakes."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._numbers), future))
        await future

    def sleep_sync(self, seconds: float) -> None:
        self.time += seconds

    async def run(self, work: asyncio.Task[object]) -> None:
        """Move on whenever everybody sleeps, until the work is done."""
        while not work.done():
            for _ in range(50):
                await asyncio.sleep(0)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)  # somebody woke up before
            if self._sleepers and not work.done():
                moment, _, future = heapq.heappop(self._sleepers)
                self.time = max(self.time, moment)
                future.set_result(None)
