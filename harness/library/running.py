"""`harness.run` and its kin: the same run as on the command line, and nothing printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from harness.clock import on_loop
from harness.errors import UsageError
from harness.library.models import Suite
from harness.library.past import Runs
from harness.library.results import Run
from harness.library.tree import NO_FILE, plant
from harness.modes import RecordMode
from harness.plan import Selection
from harness.project.project import Project, adjusted, find_suites, open_project, plan
from harness.project.project import load as load_suites
from harness.runs.job import Job
from harness.runs.loaded import find_stored
from harness.store import RunFolder
from harness.suites.written import PlacedData, Written

Source: TypeAlias = str | Path | Suite
Words: TypeAlias = str | Iterable[str]


def run(
    suites: Source | Sequence[Source] = (),
    *,
    record_mode: RecordMode | None = None,
    expression: str = "",
    tags: Words = (),
    variants: Words = (),
    cases: Words = (),
    limit: int | None = None,
    repeats: int | None = None,
    baseline: str | None = None,
    concurrency: int | None = None,
    timeout: str | float | None = None,
    run_timeout: str | float | None = None,
    rpm: float | None = None,
    tpm: float | None = None,
    budget: str | float | Decimal | None = None,
    strict: bool | None = None,
    retries: int | None = None,
    exit_first: bool = False,
    stop_early: bool = False,
    html: bool = True,
    root: str | Path | None = None,
) -> Run:
    """Run suites, write the run's folder and return the run; what fails is in the run, not raised.

    Where an event loop runs already, as in a notebook, await `harness.arun` instead, which takes the same arguments.

    Args:
        suites: Suite files, folders of them, and suites built in Python; nothing: the project's folder of suites.
        record_mode: none (replay only; the default), once (record what is missing), new_episodes (and what no longer
            matches), rewrite or all (record anew), or verify (ask anew and compare with the recordings).
        expression: Trials whose names match: words, and, or, not.
        tags: Cases with one of these tags.
        variants: These variants only.
        cases: The cases with these ids only.
        limit: At most so many cases per suite.
        repeats: Repeats of each case, instead of the suite's.
        baseline: Variant to compare with, instead of the suite's.
        concurrency: Trials at the same time.
        timeout: Longest time a trial may take: seconds, or a text such as "2m".
        run_timeout: Longest time the whole run may take.
        rpm, tpm: Most requests, and most tokens, a minute to one service.
        budget: Spend no more than this on live requests: US dollars, or a text such as "$5".
        strict: A recorded request that a trial does not make is an error; default: as the settings say.
        retries: Further attempts after a passing failure.
        exit_first: Start nothing new after the first failure that decides.
        stop_early: Shuffle the cases, look at every tenth of them, and stop a suite once its comparisons are decided.
        html: Write report.html.
        root: A folder in the project; default: found from the first file of `suites`, else from the working folder.

    Raises:
        UsageError: An argument is wrong, or an event loop is running.
        ConfigError: A suite, prompt, dataset or the settings are wrong; every problem is in `problems`.
        NothingSelected: There is no suite, or no trial is selected.
        CredentialsError: A key is missing or was refused.
        StorageError: A file could not be written.
    """
    options = dict(locals())
    given = options.pop("suites")
    if on_loop():
        raise UsageError(
            "an event loop is running here (this is a notebook, or async code): write `await harness.arun(...)` "
            "instead of `harness.run(...)`"
        )
    return asyncio.run(arun(given, **options))


async def arun(
    suites: Source | Sequence[Source] = (),
    *,
    record_mode: RecordMode | None = None,
    expression: str = "",
    tags: Words = (),
    variants: Words = (),
    cases: Words = (),
    limit: int | None = None,
    repeats: int | None = None,
    baseline: str | None = None,
    concurrency: int | None = None,
    timeout: str | float | None = None,
    run_timeout: str | float | None = None,
    rpm: float | None = None,
    tpm: float | None = None,
    budget: str | float | Decimal | None = None,
    strict: bool | None = None,
    retries: int | None = None,
    exit_first: bool = False,
    stop_early: bool = False,
    html: bool = True,
    root: str | Path | None = None,
) -> Run:
    """Do what `harness.run` does, in the running event loop.

    Args and errors are those of `harness.run`.
    """
    sources = _sources(suites)
    for name, given in (("repeats", repeats), ("limit", limit), ("retries", retries)):
        if given is not None and (type(given) is not int or given < (name != "retries")):
            raise UsageError(f"{name}={given!r}: give a whole number, {int(name != 'retries')} or more")
    project = open_project(
        _start(sources, root),
        record_mode=record_mode,
        concurrency=concurrency,
        timeout=timeout,
        run_timeout=run_timeout,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
        strict=strict,
        attempts=None if retries is None else retries + 1,
    )
    loaded = adjusted(
        load_suites(project, _written(project, sources)), repeats=repeats, baseline=baseline, stop_early=stop_early
    )
    selection = Selection(
        expression=expression, tags=_words(tags), variants=_words(variants), cases=_words(cases), limit=limit
    )
    job = Job(project=project, plan=plan(project, loaded, selection), exit_first=exit_first, html=html)
    conclusion = await job.aexecute()
    if conclusion.trouble is not None:
        raise conclusion.trouble
    return Run(RunFolder(conclusion.folder.parent, conclusion.folder.name))


def load(run: str | Path = "latest") -> Run:
    """Return a run that was stored: by this library, on the command line or by pytest.

    Args:
        run: The run's folder, its results.jsonl, its id or the start of it, or `latest`.

    Raises:
        UsageError: There is no such run, or several.
        StorageError: It is damaged; the message names the file and the line.
    """
    if not isinstance(run, (str, Path)) or not str(run).strip():
        raise UsageError(f"a run is an id or a path, not {run!r}")
    path = Path(run)
    there = path.exists()
    stored = find_stored(open_project(path if there else None), str(path.parent if path.is_file() else run))
    return Run(stored.folder, stored)


def load_all(reports: str | Path | None = None) -> Runs:
    """Return every stored run, oldest first, as a sequence with `.frame()` over all trials and `.trend()`.

    Each is read when it is first asked for something.

    Args:
        reports: The folder of runs; default: the project's.
    """
    folder = open_project().settings.reports if reports is None else Path(reports)
    return Runs(folder)


def _sources(suites: Source | Sequence[Source]) -> list[Source]:
    if not isinstance(suites, (str, Path, Suite)) and not isinstance(suites, Iterable):
        raise UsageError(f"a suite is a path or a harness.Suite, not a {type(suites).__name__}")
    found = [suites] if isinstance(suites, (str, Path, Suite)) else list(suites)
    for one in found:
        if not isinstance(one, (str, Path, Suite)):
            raise UsageError(f"a suite is a path or a harness.Suite, not a {type(one).__name__}")
    return found


def _start(sources: Sequence[Source], root: str | Path | None) -> Path | None:
    if root is not None:
        return Path(root)
    first = sources[0] if sources else None
    return first.caller.path if isinstance(first, Suite) else None if first is None else Path(first)


def _written(project: Project, sources: Sequence[Source]) -> list[Path | Written]:
    """The files and suites that are meant, in order."""
    if not sources:
        return list(find_suites(project, []))
    found: list[Path | Written] = []
    for one in sources:
        found.extend([_built(project, one)] if isinstance(one, Suite) else find_suites(project, [Path(one)]))
    return found


def _built(project: Project, suite: Suite) -> Written:
    """A suite built in Python as what a file would have held; its functions become known to the project."""
    tree = plant(suite, shown=project.shown)
    root, path = project.settings.root, suite.caller.path
    if path is None:
        path = Path.cwd() / NO_FILE
    if not path.resolve().is_relative_to(root.resolve()):
        # A script outside the project: what it names is looked up in the project all the same.
        path = root / NO_FILE
    for reference, function in tree.functions.items():
        project.registry.functions.give(reference, function)
    document = PlacedData(path=tree.places[()].path, value=tree.value, problems=tree.problems, places=tree.places)
    content = json.dumps(tree.value, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    return Written(document=document, path=path, content=content)


def _words(value: Words) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
