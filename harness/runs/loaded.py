"""A run read back from its folder and decided as it was decided then, whatever became of its suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from harness.costs import PriceTable, Rates
from harness.errors import (
    ConfigError,
    ExitCode,
    HarnessError,
    NothingSelected,
    SourceLocation,
    StorageError,
    UsageError,
)
from harness.project.project import Project, find_suites, load
from harness.records import Result
from harness.runs.budgets import read_spend
from harness.runs.manifest import Origin
from harness.runs.outline import Outline, outline_as_is, outline_of, read_outline
from harness.settings import Price
from harness.store import RunFolder, find_run, list_runs
from harness.store.slim import slim
from harness.suites.suite import Suite
from harness.summary import RunSummary, SuiteSummary, summarise
from harness.summary.measuring import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as its folder holds it."""

    folder: RunFolder
    #: run.json; empty where the run was killed before it wrote one.
    manifest: Mapping[str, Any]
    #: As far as they decide the run; they cannot be run again.
    suites: tuple[Suite, ...]
    #: In plan order, without what only their rows on disk need.
    results: tuple[Result, ...]
    summary: RunSummary
    #: Where the cases stood, by suite and id.
    places: Mapping[tuple[str, str], SourceLocation]
    #: What a reader should know of where the verdict comes from, one line each.
    remarks: tuple[str, ...] = ()

    def read(self) -> Iterator[Result]:
        """Yield the whole results, from disk.

        Raises:
            StorageError: A row is damaged.
        """
        return self.folder.read()

    def facts(self) -> dict[str, str]:
        """Return what the page says of how the run was made."""
        versions, git = self.manifest.get("versions"), self.manifest.get("git")
        told = {str(key): str(value) for key, value in versions.items()} if isinstance(versions, dict) else {}
        known = git if isinstance(git, dict) and {"commit", "dirty"} <= git.keys() else None
        return Origin(versions=told, git=known).facts()


@dataclass(frozen=True, slots=True)
class _Quoted:
    """The price table, as the run noted it; its remarks come with the outlines."""

    id: str
    #: The project's own prices.
    own: Mapping[str, Any]

    def note(self, model: str) -> str | None:
        return None

    def input_rate(self, model: str) -> Decimal | None:
        found = self.rates(model)
        return None if found is None else found.input

    def rates(self, model: str) -> Rates | None:
        try:
            own = {name: Price.model_validate(one) for name, one in self.own.items()}
        except ValidationError:
            return None
        return PriceTable(own).rates(model)


def read_run(folder: RunFolder, *, today: Callable[[], Mapping[str, Suite]] = dict, counted: bool = False) -> StoredRun:
    """Read a run and decide it again from what its folder holds.

    Args:
        folder: The run's folder.
        today: Gives suites by name, for runs that did not keep what decides them.
        counted: Whether to count the tokens by which prompts differ.

    Raises:
        StorageError: The manifest or a row is damaged; the message names the file and the line.
    """
    manifest = folder.read_manifest()
    results = tuple(slim(result) for result in folder.read())
    outlines, remarks = _outlines(folder, manifest, results, today)
    if not manifest:
        remarks.append(f"{folder.run} has no run.json: it was cut off, and is reported as interrupted.")
    summary = summarise(
        folder.run,
        [one.suite for one in outlines],
        results,
        planned={(one.suite.name, name): count for one in outlines for name, count in one.planned.items()},
        prices=quoted(manifest),
        interrupted=not manifest or manifest.get("exit_code") == int(ExitCode.INTERRUPTED),
        unstored=_unstored(manifest),
        started=_text(manifest, "started"),
        mode=_mode(manifest),
        spend=read_spend(manifest.get("spend")),
        max_age=_max_age(manifest),
        counted=counted,
    )
    return StoredRun(
        folder=folder,
        manifest=manifest,
        suites=tuple(one.suite for one in outlines),
        results=results,
        summary=replace(summary, suites=tuple(_noted(one, outlines) for one in summary.suites)),
        places={(one.suite.name, case): place for one in outlines for case, place in one.places.items()},
        remarks=tuple(remarks),
    )


def quoted(manifest: Mapping[str, Any]) -> Prices:
    """Return the price table that a run used, as far as its manifest quotes it."""
    return _Quoted(_text(manifest, "prices"), _own_prices(manifest))


def drift(project: Project, run: StoredRun) -> list[str]:
    """Say which suites of a run are no longer what they were, one line each."""
    found = []
    for suite in run.suites:
        # What a suite built in Python comes to is not seen without running the code.
        if not suite.hash or suite.path.suffix not in (".yaml", ".yml"):
            continue
        path = project.settings.root / suite.path
        if not path.is_file():
            found.append(f"{suite.shown} is gone: suite '{suite.name}' is reported as it was run.")
            continue
        try:
            now = load(project, [path])[0].hash
        except HarnessError:
            now = ""
        if now != suite.hash:
            found.append(f"{suite.shown} has changed since: suite '{suite.name}' is reported as it was run.")
    return found


def suites_of(project: Project, folder: RunFolder) -> tuple[Suite, ...]:
    """Return the suites of a stored run, as far as they decide it.

    Raises:
        StorageError: It is damaged.
    """
    return read_run(folder, today=lambda: _today(project)).suites


def find_stored(project: Project, name: str | None = None) -> StoredRun:
    """Return a run of a project; `name` is an id, its start, `latest` or a path; None is the last run.

    Raises:
        UsageError: There is no such run, or several.
        StorageError: It is damaged; the message names the file and the line.
    """
    reports = project.settings.reports
    if name in (None, "latest") and not list_runs(reports):
        raise UsageError(f"there is no run under {project.shown(reports)}: `harness run` makes one")
    return read_run(find_run(reports, name or "latest"), today=lambda: _today(project), counted=True)


def _today(project: Project) -> dict[str, Suite]:
    """The suites that can be loaded as they are now, by name."""
    found: dict[str, Suite] = {}
    try:
        paths = find_suites(project, [])
    except NothingSelected:
        return {}
    for path in paths:
        with suppress(ConfigError):
            found.update({suite.name: suite for suite in load(project, [path])})
    return found


def _outlines(
    folder: RunFolder, manifest: Mapping[str, Any], results: Sequence[Result], today: Callable[[], Mapping[str, Suite]]
) -> tuple[list[Outline], list[str]]:
    kept = _kept(folder, manifest)
    by_suite: dict[str, list[Result]] = {}
    for result in results:
        by_suite.setdefault(result.suite, []).append(result)
    outlines: list[Outline] = []
    remarks: list[str] = []
    known = {} if by_suite.keys() <= kept.keys() else today()
    for name, own in by_suite.items():
        ran = {result.variant for result in own}
        if name in kept:
            outlines.append(kept[name])
        elif name in known and ran <= known[name].by_name.keys():
            outlines.append(outline_as_is(known[name]))
            remarks.append(f"The run did not keep the gates of suite '{name}': today's are applied.")
        else:
            outlines.append(outline_of(name, own))
            remarks.append(
                f"Nothing is known of the gates and roles of suite '{name}': the first variant is the baseline."
            )
        lost = sorted(ran - outlines[-1].suite.by_name.keys())
        if lost:
            raise StorageError(f"{folder.manifest}:1: run.json is damaged: it lacks the variant {lost[0]!r}")
    # Suites stand in the order in which they were given, not in that of their results.
    order = [*kept, *by_suite]
    return sorted(outlines, key=lambda one: order.index(one.suite.name)), remarks


def _kept(folder: RunFolder, manifest: Mapping[str, Any]) -> dict[str, Outline]:
    entries = manifest.get("suites", [])
    found: dict[str, Outline] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        # Runs from before outlines were kept name their suites and no more.
        if not isinstance(entry, dict) or "variants" not in entry:
            continue
        try:
            outline = read_outline(entry)
        except ValueError as error:
            line = _line(folder, f'"{entry.get("name")}"')
            raise StorageError(f"{folder.manifest}:{line}: run.json is damaged: suites[{number}]: {error}") from error
        found[outline.suite.name] = outline
    return found


def _line(folder: RunFolder, text: str) -> int:
    lines = folder.manifest.read_text("utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if text in line), 1)


def _noted(suite: SuiteSummary, outlines: Sequence[Outline]) -> SuiteSummary:
    notes = next((one.price_notes for one in outlines if one.suite.name == suite.name), {})
    return replace(suite, variants=tuple(replace(one, price_note=notes.get(one.name, "")) for one in suite.variants))


def _text(manifest: Mapping[str, Any], key: str) -> str:
    value = manifest.get(key)
    return value if isinstance(value, str) else ""


def _unstored(manifest: Mapping[str, Any]) -> str:
    """The first reason of a run that ended so is what could not be stored."""
    reasons = manifest.get("reasons")
    if manifest.get("exit_code") != int(ExitCode.STORAGE):
        return ""
    return str(reasons[0]) if isinstance(reasons, list) and reasons else "not everything could be stored"


def _mode(manifest: Mapping[str, Any]) -> str:
    settings = manifest.get("settings")
    return str(settings.get("record_mode", "")) if isinstance(settings, dict) else ""


def _own_prices(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = manifest.get("settings")
    found = settings.get("prices") if isinstance(settings, dict) else None
    return found if isinstance(found, dict) else {}


def _max_age(manifest: Mapping[str, Any]) -> float | None:
    settings = manifest.get("settings")
    found = settings.get("cassette_max_age") if isinstance(settings, dict) else None
    return float(found) if isinstance(found, int | float) else None
