"""Suites as pytest files, trials as pytest items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, HarnessError, Problem
from harness.plan import Trial
from harness.pytesting.failures import FailedTrialError, describe, first_line, reason, shown
from harness.pytesting.options import open_project
from harness.pytesting.session import SuiteSession
from harness.records import Outcome
from harness.suites.suite import is_suite
from harness.summary import differences_of


def collect_suite(path: Path, parent: pytest.Collector, *, name: str) -> SuiteFile | None:
    """Return the collector of a suite file, or None where it is no suite or not ours to collect.

    Args:
        path: A YAML file.
        parent: Its folder's collector.
        name: The name under which the session's suites are registered with pytest.
    """
    if not is_suite(path):
        return None
    try:
        suites = _session(parent.config, path, name)
    except HarnessError as error:
        return SuiteFile.from_parent(parent, path=path, broken=error)
    if not parent.session.isinitpath(path) and not suites.covers(path):
        return None
    if hasattr(parent.config, "workerinput") and not path.is_relative_to(parent.config.rootpath):
        # The controlling process could not tell from its items' ids which file this is.
        told = ConfigError(Problem(message=f"{path} lies outside pytest's root folder.", hint="Run it without -n."))
        return SuiteFile.from_parent(parent, path=path, broken=told)
    return SuiteFile.from_parent(parent, path=path, suites=suites)


def adopt(config: pytest.Config, files: Sequence[str], ids: Sequence[str], *, name: str) -> None:
    """Tell the process that controls xdist's workers which trials they are about to run.

    Args:
        config: Of that process.
        files: YAML files that have items, as node ids.
        ids: Node ids of all items.
        name: The name under which the session's suites are registered with pytest.

    Raises:
        UsageError: The record mode may go live, which one process does and not several.
    """
    found = {file: path for file in files if is_suite(path := config.rootpath / file)}
    if not found:
        return
    try:
        for file, path in found.items():
            suites = _session(config, path, name)
            suites.load(path, file)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    suites.select(nodeid for nodeid in ids if suites.holds(nodeid))
    suites.refuse_live()
    suites.announce()


class SuiteFile(pytest.File):
    """A suite; its children are its trials."""

    def __init__(self, *, suites: SuiteSession | None = None, broken: HarnessError | None = None, **rest: Any) -> None:
        super().__init__(**rest)
        self._suites = suites
        self._broken = broken

    def collect(self) -> Iterator[TrialItem]:
        if self._broken is not None or self._suites is None:
            raise self._broken or HarnessError(f"{self.path} has no project")
        trials = self._suites.load(self.path, self.nodeid)
        for tag in sorted({tag for trial in trials.values() for tag in trial.case.tags}):
            self.config.addinivalue_line("markers", f"{mark_name(tag)}: cases tagged {tag!r} in suites")
        items = [
            # pytest 9.2 takes brackets out of ids that it builds itself, and then finds no such item again for --lf.
            TrialItem.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", suites=self._suites, trial=trial)
            for name, trial in trials.items()
        ]
        self._repeat_failed_gates(items)
        yield from items

    def _repeat_failed_gates(self, items: Sequence[TrialItem]) -> None:
        """Let --lf run a whole suite again whose gates failed: a gate is about all of it."""
        plugin = self.config.pluginmanager.get_plugin("lfplugin")
        last = getattr(plugin, "lastfailed", None) if plugin and self.config.getoption("lf") else None
        if last and any(str(nodeid).startswith(f"{self.nodeid}::gates[") for nodeid in last):
            last.update((item.id, True) for item in items)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class TrialItem(pytest.Item):
    """One trial."""

    def __init__(self, *, suites: SuiteSession, trial: Trial, **rest: Any) -> None:
        super().__init__(**rest)
        self._suites = suites
        self.trial = trial
        self.extra_keyword_matches.update((trial.suite.name, trial.case.id, trial.variant.name, *trial.case.tags))
        for tag in trial.case.tags:
            self.add_marker(mark_name(tag))

    def runtest(self) -> None:
        result = self._suites.result(self.trial)
        self.user_properties.extend(_properties(result.id, result))
        if result.outcome is Outcome.SKIPPED:
            pytest.skip(reason(result))
        if result.outcome is not Outcome.PASSED or differences_of(result):
            raise FailedTrialError(self.trial, result, missed=self._suites.misses(self.trial, result))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        where = self.trial.case.where
        return self.path, where.line - 1 if where.path == self.trial.suite.shown else None, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        where = self.trial.case.where
        if isinstance(error, FailedTrialError):
            if error.missed:
                return reason(error.result)
            text = describe(error.trial, error.result, like=self._suites.same_error(error.result))
            return shown(text, self.config, message=reason(error.result), path=where.path, line=where.line)
        if isinstance(error, HarnessError):
            return shown(str(error), self.config, message=str(error), path=where.path, line=where.line)
        return super().repr_failure(excinfo, style)


def mark_name(tag: str) -> str:
    """Return the pytest mark of a tag: the tag, but for what a mark's name cannot hold."""
    return re.sub(r"[:(]", "-", tag).strip().lstrip("_") or "tag"


def _session(config: pytest.Config, path: Path, name: str) -> SuiteSession:
    """Return the session's suites, opening the project around `path` for the first."""
    suites: SuiteSession | None = config.pluginmanager.get_plugin(name)
    if suites is None:
        suites = SuiteSession(config, open_project(config, path))
        config.pluginmanager.register(suites, name)
    return suites


def _properties(trial: str, result: Any) -> Iterator[tuple[str, str]]:
    """Facts of a trial for JUnit and other reporters."""
    yield "trial", trial
    yield "outcome", result.outcome.value
    for key in ("score", "latency", "ttft", "cost", "model"):
        value = getattr(result, key)
        if value is not None:
            yield key, first_line(str(value))
