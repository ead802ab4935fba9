"""Recordings whose variant or case has another name now: they are found by what they ask first, and never paid for twice."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import TrialError
from harness.plan import Trial, cassette_path
from harness.recording import Request, read_cassette
from harness.suites.suite import Suite

#: `<case>.<n>.yaml`; a scorer's own calls (`<case>.<n>.judge.yaml`) are no trial's.
_TRIAL = re.compile(r".*\.([0-9]+)\.yaml\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """The first request of a recording, and the hash of what was said in it (None: an old one, which does not tell)."""

    request: Request
    said: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """What there is under a suite's name, looked at once."""

    #: The recordings of the suite's own trials, whether they are there or not.
    claimed: frozenset[Path]
    #: The folders of variants, of those that the suite has no more as well.
    folders: Sequence[Path]
    #: Recordings of no trial, by folder and repeat; filled as folders are asked for.
    free: dict[Path, Mapping[int, Sequence[Path]]] = field(default_factory=dict)


class Strays:
    """The recordings in suites' folders that belong to none of their trials."""

    def __init__(
        self,
        same: Callable[[Request, Request], bool] = lambda recorded, asked: recorded == asked,
        *,
        said: Callable[[Trial], Collection[str] | None] = lambda trial: None,
    ) -> None:
        """
        Args:
            same: Says of a recorded request and of one that is made now whether they are the same.
            said: Returns the hashes that what a trial says may have; None: nobody knows what it will say. The first
                request alone may be that of every case, such as one that makes an assistant or a vector store.
        """
        self._same = same
        self._said = said
        self._shelves: dict[int, _Shelf] = {}
        self._beginnings: dict[Path, _Beginning | None] = {}

    def about(self, trial: Trial) -> bool:
        """Whether there are any that may be a trial's under another name.

        Args:
            trial: One that has no recording.
        """
        return next(self._near(trial), None) is not None

    def of(self, trial: Trial, request: Request) -> Path | None:
        """Return the one that begins with `request` and in which the same was said; None where there is none."""
        said: Collection[str] | None = None
        for number, path in enumerate(self._near(trial)):
            # It need not be rendered where there is nothing to compare it with.
            said = self._said(trial) if number == 0 else said
            begins = self._begins(path)
            if begins is None or (said is not None and begins.said is not None and begins.said not in said):
                continue
            if self._same(begins.request, request):
                return path
        return None

    def _near(self, trial: Trial) -> Iterator[Path]:
        """Yield its case's in other folders, and its variant's others."""
        own = trial.cassette
        shelf = self._shelf(trial)
        for folder in shelf.folders:
            if folder == own.parent:
                yield from self._free(shelf, folder).get(trial.repeat, ())
                continue
            path = folder / own.name
            if path not in shelf.claimed and path.is_file():
                yield path

    def _shelf(self, trial: Trial) -> _Shelf:
        # Suites live as long as the trials of a run, which hold them.
        suite = trial.suite
        if id(suite) not in self._shelves:
            folder = trial.cassette.parent.parent
            self._shelves[id(suite)] = _Shelf(
                claimed=frozenset(_paths(suite, trial.cassettes)),
                folders=sorted(folder.iterdir()) if folder.is_dir() else (),
            )
        return self._shelves[id(suite)]

    def _free(self, shelf: _Shelf, folder: Path) -> Mapping[int, Sequence[Path]]:
        # Whatever a run adds to a folder later is a trial's own.
        if folder not in shelf.free:
            found: dict[int, list[Path]] = {}
            for path in sorted(folder.glob("*.yaml")):
                name = _TRIAL.match(path.name)
                if name and path not in shelf.claimed and path.is_file():
                    found.setdefault(int(name[1]), []).append(path)
            shelf.free[folder] = found
        return shelf.free[folder]

    def _begins(self, path: Path) -> _Beginning | None:
        if path not in self._beginnings:
            self._beginnings[path] = None
            with suppress(TrialError, OSError):
                found = read_cassette(path, shown=path.name)
                first = found.interactions[0].request
                self._beginnings[path] = _Beginning(request=first, said=found.facts.case_hash)
        return self._beginnings[path]


def mending(trial: Trial, found: Path) -> str:
    """Return the command that gives the recordings of a renamed variant or case their new name.

    Args:
        trial: A trial that has none.
        found: The recording that begins as the trial does.
    """
    own = trial.cassette
    suite = own.parent.parent.name
    if found.name == own.name:
        before, after = f"{suite}/{found.parent.name}", f"{suite}/{own.parent.name}"
    else:
        before, after = f"{suite}//{_case(found)}", f"{suite}//{_case(own)}"
    return f"harness cassettes mv {shlex.quote(before)} {shlex.quote(after)}"


def _case(path: Path) -> str:
    return path.name.removesuffix(".yaml").rpartition(".")[0]


def _paths(suite: Suite, cassettes: Path) -> Iterator[Path]:
    for variant in suite.variants:
        for case in suite.cases:
            for repeat in range(1, suite.repeats_of(variant, case) + 1):
                yield cassette_path(cassettes, suite=suite.name, variant=variant.name, case=case.id, repeat=repeat)
