"""Which recordings no longer match what would be sent now."""

from __future__ import annotations

import asyncio

from harness.plan import Plan
from harness.project.project import Project
from harness.records import Result
from harness.runs.opening import REPLAY_CONCURRENCY, opened


def stale(project: Project, plan: Plan) -> frozenset[str]:
    """Replay a plan and return the ids of trials that have no recording which matches what they would send now."""
    from harness.runs.runner import Runner
    from harness.runs.stop import Stop

    replaying = project.with_mode("none")
    results: list[Result] = []

    async def replay() -> None:
        async with opened(replaying, plan.trials) as workshop:
            await Runner("stale", workshop).run(
                plan.trials, concurrency=REPLAY_CONCURRENCY, stop=Stop(), on_result=results.append
            )

    asyncio.run(replay())
    return frozenset(one.id for one in results if one.error is not None and one.error.kind == "cassette_miss")
