"""Trials that are recorded under the name that they had before: recognised by their requests.

A recording is that of a trial if replaying it to the trial plays all of it and misses nothing. Nothing is sent, and
checks are not made.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import CassetteDamaged, ConfigError
from harness.hygiene.belonging import Belonging, belonging
from harness.hygiene.moving import Move, moves
from harness.hygiene.places import place_of, recordings
from harness.plan import Trial
from harness.project.project import Project
from harness.recording import read_cassette
from harness.records import Result
from harness.runs.ageing import case_hash
from harness.runs.opening import REPLAY_CONCURRENCY, opened

#: Recordings that are tried for one trial.
_MOST = 20


def recognised(project: Project) -> list[Move]:
    """Return the recordings of no trial that are those of trials without a recording, each with its new place.

    Raises:
        ConfigError: A suite cannot be loaded.
    """
    known = belonging(project)
    orphans = [path for path in recordings([], known.folder) if known.orphaned(path) is not None]
    missing = [trial for trial in known.trials.values() if not trial.answered]
    if not orphans or not missing:
        return []
    candidates = _Candidates(project, known, orphans)
    waiting = {trial.id: (trial, candidates.of(trial)) for trial in missing}
    taken: dict[Path, Trial] = {}
    while True:
        tries: dict[str, tuple[Trial, Path]] = {}
        used: set[Path] = set()
        for id, (trial, found) in waiting.items():
            path = next((one for one in found if one not in taken and one not in used), None)
            if path is not None:
                tries[id] = (trial, path)
                used.add(path)
        if not tries:
            return moves(project, [(path, trial.cassette) for path, trial in taken.items()])
        whole = _replayed(project, list(tries.values()))
        for id, (trial, path) in tries.items():
            waiting[id][1].remove(path)
            if id in whole:
                taken[path] = trial
                del waiting[id]


class _Candidates:
    """The recordings of no trial, and which of them are worth trying for one."""

    def __init__(self, project: Project, known: Belonging, orphans: Sequence[Path]) -> None:
        self._renderer = project.renderer()
        self._by_hash: Mapping[str, list[Path]] = defaultdict(list)
        self._places = {path: place for path in orphans if (place := place_of(path, known.folder)) and not place.judge}
        self._folder = known.folder
        for path in self._places:
            try:
                hash = read_cassette(path, shown=path.name).facts.case_hash
            except (CassetteDamaged, OSError):
                continue
            if hash is not None:
                self._by_hash[hash].append(path)

    def of(self, trial: Trial) -> list[Path]:
        """Return the recordings that may be a trial's, the likeliest first, each once."""
        own = place_of(trial.cassette, self._folder)
        found = dict.fromkeys([*self._said_the_same(trial), *self._near(trial)])
        # The same repeat, the same case and the same variant: the more of a name is left, the likelier.
        alike = {
            path: sum(getattr(place, part) == getattr(own, part) for part in ("suite", "variant", "case"))
            for path, place in self._places.items()
            if path in found and own is not None and place.repeat == own.repeat
        }
        return sorted(alike, key=lambda path: (-alike[path], path))[:_MOST]

    def _said_the_same(self, trial: Trial) -> list[Path]:
        try:
            turns, _ = self._renderer.turns(trial.suite, trial.case, trial.variant)
        except ConfigError:
            return []
        return self._by_hash.get(case_hash(turns), [])

    def _near(self, trial: Trial) -> Iterator[Path]:
        """Yield those of which only one name differs: what was said may depend on what was answered."""
        own = place_of(trial.cassette, self._folder)
        if own is None or len(trial.case.turns) < 2:
            return
        for path, place in self._places.items():
            pairs = ((own.suite, place.suite), (own.variant, place.variant), (own.case, place.case))
            if sum(mine != theirs for mine, theirs in pairs) == 1:
                yield path


def _replayed(project: Project, tries: Sequence[tuple[Trial, Path]]) -> frozenset[str]:
    """Replay recordings to trials that are not theirs; return the ids of those that they fit."""
    from harness.runs.runner import Runner
    from harness.runs.stop import Stop

    results: list[Result] = []

    async def replay(trials: Sequence[Trial]) -> None:
        async with opened(project.with_mode("none"), trials) as workshop:
            await Runner("mv", workshop).run(
                trials, concurrency=REPLAY_CONCURRENCY, stop=Stop(), on_result=results.append
            )

    with tempfile.TemporaryDirectory(prefix="harness-mv-") as folder:
        trials = []
        for trial, path in tries:
            # Checks may be anybody's code, and are of no interest here.
            tried = replace(trial, cassettes=Path(folder), case=replace(trial.case, checks=()))
            tried.cassette.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tried.cassette)
            trials.append(tried)
        asyncio.run(replay(trials))
    return frozenset(one.id for one in results if _fits(one))


def _fits(result: Result) -> bool:
    if not result.attempts or result.extra.get("unused"):
        return False
    return result.error is None or not result.error.kind.startswith(("cassette_", "tool_not_"))
