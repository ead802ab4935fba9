"""Which recordings no longer match what would be sent now, and which lie under another name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import CassetteDamaged
from harness.plan import Plan, Trial
from harness.project.project import Project
from harness.records import Result
from harness.runs.ageing import age, changes, definition_hash
from harness.runs.opening import REPLAY_CONCURRENCY, opened
from harness.summary import phrases


def stale(project: Project, plan: Plan) -> frozenset[str]:
    """Replay a plan and return the ids of trials whose recording is missing or of another conversation.

    Those that lie under another name are not among them: they have to be moved, not paid for again.
    """
    from harness.runs.recordings import STALE

    results, elsewhere = replayed(project, plan.trials)
    return frozenset(
        one.id
        for one in results
        if one.id not in elsewhere and (one.extra.get("unused") or (one.error is not None and one.error.kind in STALE))
    )


def elsewhere(project: Project, plan: Plan) -> Mapping[str, str]:
    """Return the commands that give recordings the names of trials which have none, by the trials' ids.

    Only the first request of such a trial is made, and not sent.
    """
    from harness.runs.renamed import Strays, mending

    strays = Strays()
    missing = [one for one in plan.trials if not one.answered and strays.about(one)]
    if not missing:
        return {}
    _, found = replayed(project, missing)
    return {one.id: mending(one, found[one.id]) for one in missing if one.id in found}


def plan_notes(project: Project, plan: Plan) -> list[str]:
    """Return what there is to say of a plan's recordings before anything is run: damage, changes, age, former names."""
    now, settings, prices = datetime.now(UTC), project.settings, project.prices().id
    found: dict[tuple[str, str, str], int] = {}
    for trial in plan.trials:
        for text in _notes(trial, now=now, prices=prices, max_age=settings.cassette_max_age):
            key = (trial.suite.name, trial.variant.name, text)
            found[key] = found.get(key, 0) + 1
    notes = [
        f"{suite} {variant}: {text} ({phrases.count(number, 'recording')})"
        for (suite, variant, text), number in found.items()
    ]
    commands = dict.fromkeys(elsewhere(project, plan).values())
    return notes + [f"recorded under another name; this gives it the new one: `{command}`" for command in commands]


def _notes(trial: Trial, *, now: datetime, prices: str, max_age: float) -> Sequence[str]:
    from harness.recording import read_cassette

    spec = trial.variant.assistant
    if spec.api == "outputs":
        return ()
    try:
        facts = read_cassette(trial.cassette, shown=trial.cassette.name).facts
    except FileNotFoundError:
        return ()
    except CassetteDamaged:
        return ("damaged: `harness cassettes verify` says how",)
    changed = changes(facts, definition=definition_hash(spec), sources={})
    return (*changed, *age(facts, now=now, prices=prices, max_age=max_age))


def replayed(project: Project, trials: Sequence[Trial]) -> tuple[list[Result], Mapping[str, Path]]:
    """Replay trials without a run's folder; return their results, and where those are recorded that have another name."""
    from harness.runs.runner import Runner
    from harness.runs.stop import Stop

    replaying = project.with_mode("none")
    results: list[Result] = []

    async def replay() -> Mapping[str, Path]:
        async with opened(replaying, trials) as workshop:
            runner = Runner("stale", workshop)
            await runner.run(trials, concurrency=REPLAY_CONCURRENCY, stop=Stop(), on_result=results.append)
            return runner.elsewhere

    return results, asyncio.run(replay())
