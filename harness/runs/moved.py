"""Recordings whose variant or case has another name now: they are found by what they ask first, and never paid for twice."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.errors import TrialError
from harness.plan import Trial, cassette_path
from harness.recording import Request, read_cassette
from harness.suites.suite import Suite

#: `<case>.<n>.yaml`; a scorer's own calls (`<case>.<n>.judge.yaml`) are no trial's.
_TRIAL = re.compile(r".*\.([0-9]+)\.yaml\Z")


class Strays:
    """The recordings in suites' folders that belong to none of their trials."""

    def __init__(self, same: Callable[[Request, Request], bool] = lambda recorded, asked: recorded == asked) -> None:
        """
        Args:
            same: Says of a recorded request and of one that is made now whether they are the same.
        """
        self._same = same
        self._claimed: dict[int, frozenset[Path]] = {}
        self._first: dict[Path, Request | None] = {}

    def about(self, trial: Trial) -> list[Path]:
        """Return those that may be a trial's under another name: its case's in other folders, and its variant's others.

        Args:
            trial: One that has no recording.
        """
        return list(self._near(trial))

    def of(self, trial: Trial, request: Request) -> Path | None:
        """Return the one that begins with `request`; None where there is none."""
        for path in self._near(trial):
            first = self._begins(path)
            if first is not None and self._same(first, request):
                return path
        return None

    def _near(self, trial: Trial) -> Iterator[Path]:
        own = trial.cassette
        claimed = self._of_suite(trial)
        if not own.parent.parent.is_dir():
            return
        for folder in sorted(own.parent.parent.iterdir()):
            if folder == own.parent:
                found = sorted(folder.glob(f"*.{trial.repeat}.yaml"))
            else:
                found = [folder / own.name]
            for path in found:
                name = _TRIAL.match(path.name)
                if path != own and name and int(name[1]) == trial.repeat and path not in claimed and path.is_file():
                    yield path

    def _of_suite(self, trial: Trial) -> frozenset[Path]:
        # Suites live as long as the trials of a run, which hold them.
        suite = trial.suite
        if id(suite) not in self._claimed:
            self._claimed[id(suite)] = frozenset(_paths(suite, trial.cassettes))
        return self._claimed[id(suite)]

    def _begins(self, path: Path) -> Request | None:
        if path not in self._first:
            self._first[path] = None
            with suppress(TrialError, OSError):
                self._first[path] = read_cassette(path, shown=path.name).interactions[0].request
        return self._first[path]


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
