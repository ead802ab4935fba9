"""The product behind the command line and the pytest plugin: load, plan, run, conclude.

Both front ends call the same functions, so that the same suites give the same verdict in both.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.errors import ExitCode, NothingSelected, UsageError
from harness.events import Event, Subscriber
from harness.loading import load_suites
from harness.plan import Plan, Selection, Trial, build_plan
from harness.plugins import Registry
from harness.promptfiles import PromptFiles
from harness.prompts import PromptLibrary
from harness.records import JSON, Outcome, Result
from harness.scorers import default_registry
from harness.settings import Settings, load_settings
from harness.store import RunFolder, new_run_id
from harness.suites import Suite, is_suite
from harness.summary import RunSummary, summarise
from harness.templates import Templates

if TYPE_CHECKING:
    from harness.costs import PriceTable
    from harness.rendering import Renderer
    from harness.runner import Runner, Stop, Workshop
    from harness.session import Clients

#: Trials at the same time: live, where the service sets the pace, and on replay.
LIVE_CONCURRENCY = 16
REPLAY_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Project:
    """A project's settings and what is looked up with them."""

    settings: Settings
    registry: Registry
    templates: Templates
    prompts: PromptLibrary

    def prices(self) -> PriceTable:
        """Return the price table with the project's overlay."""
        from harness.costs import PriceTable

        return PriceTable(self.settings.prices)

    def renderer(self) -> Renderer:
        from harness.rendering import Renderer

        return Renderer(prompts=self.prompts, templates=self.templates)


def open_project(start: Path | None = None, **flags: Any) -> Project:
    """Find the project around `start` (default: the working folder) and read its settings.

    Args:
        start: A folder, or a file in one.
        flags: Settings that win over pyproject.toml and HARNESS_* variables; None means not given.

    Raises:
        ConfigError: The settings are wrong.
    """
    settings = load_settings(start, **flags)
    return Project(
        settings=settings,
        registry=default_registry(),
        templates=Templates(),
        prompts=PromptLibrary(PromptFiles(root=settings.root, folder=settings.prompts)),
    )


def find_suites(project: Project, paths: Sequence[Path]) -> list[Path]:
    """Return the suite files that `paths` name: files as they are, folders searched; none given: the suites folder.

    Raises:
        UsageError: A path does not exist.
        NothingSelected: There is no suite there.
    """
    found: list[Path] = []
    for path in paths or [project.settings.suites]:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
            found.extend(file for file in files if is_suite(file))
        elif path.is_file():
            found.append(path)
        elif paths:
            raise UsageError(f"no such file or folder: {path}")
    if not found:
        where = ", ".join(str(path) for path in paths) or _shown(project, project.settings.suites)
        raise NothingSelected(f"no suite in {where}: a suite is a YAML file with a top-level `suite:` key")
    return list(dict.fromkeys(found))


def load(project: Project, paths: Sequence[Path]) -> list[Suite]:
    """Load and check suites.

    Raises:
        ConfigError: With every problem of every file.
    """
    return load_suites(
        paths,
        root=project.settings.root,
        registry=project.registry,
        prompts=project.prompts,
        templates=project.templates,
    )


def plan(project: Project, suites: Sequence[Suite], selection: Selection = Selection()) -> Plan:
    """Lay out the trials of suites; see `build_plan`."""
    return build_plan(suites, selection=selection, cassettes=project.settings.cassettes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run came to, and where its reports lie."""

    summary: RunSummary
    folder: Path
    #: report.html where it was written, else summary.md.
    report: Path


@dataclass(slots=True, kw_only=True)
class Job:
    """One run of a plan, from its first trial to its reports."""

    project: Project
    plan: Plan
    run: str = field(default_factory=new_run_id)
    subscribers: Sequence[Subscriber] = ()
    #: Ids of trials to record anew whatever the mode.
    rewrite: frozenset[str] = frozenset()
    #: Start nothing new after a trial that decides has failed.
    exit_first: bool = False
    html: bool = True
    argv: Sequence[str] = ()
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def execute(self, *, stop: Stop | None = None) -> Conclusion:
        """Run everything in an event loop of its own.

        Raises:
            HarnessError: Credentials, storage; what was finished by then is on disk.
        """
        return asyncio.run(self.aexecute(stop=stop))

    async def aexecute(self, *, stop: Stop | None = None) -> Conclusion:
        """Run everything in the running event loop."""
        from harness.runner import Runner, Stop

        stop = stop or Stop()
        results: list[Result] = []
        complete = False
        async with AsyncExitStack() as stack:
            folder = self.folder()
            stack.callback(folder.close)
            workshop = await stack.enter_async_context(_Opened(self.project, self.plan, self))

            def keep(result: Result) -> None:
                folder.append(result)
                results.append(slim(result))

            complete = await Runner(self.run, workshop).run(
                self.plan.trials,
                concurrency=concurrency(self.project.settings),
                stop=stop,
                on_result=keep,
                exit_first=self._stops if self.exit_first else lambda result: False,
            )
        interrupted = not complete and not (self.exit_first and any(map(self._stops, results)))
        return self.conclude(results, interrupted=interrupted)

    def folder(self) -> RunFolder:
        return RunFolder(self.project.settings.reports, self.run)

    def conclude(self, results: Sequence[Result], *, interrupted: bool = False) -> Conclusion:
        """Summarise results that stand in the run's folder already, and write its manifest and reports."""
        from harness.reports import html, junit, markdown

        prices = self.project.prices()
        summary = summarise(
            self.run,
            self.plan.suites,
            results,
            planned=self.plan.planned,
            interrupted=interrupted,
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            mode=self.project.settings.record_mode,
            prices=prices,
        )
        folder = self.folder()
        folder.write_manifest(self.manifest(summary, results))
        report = folder.write("summary.md", markdown.render(summary, results))
        folder.write("junit.xml", junit.render(summary, results))
        if self.html:
            report = folder.write("report.html", html.render(summary, folder.read))
        return Conclusion(summary=summary, folder=folder.path, report=report)

    def manifest(self, summary: RunSummary, results: Sequence[Result]) -> dict[str, JSON]:
        """Return what run.json holds: everything needed to know what this run was."""
        counts = {outcome.value: sum(result.outcome is outcome for result in results) for outcome in Outcome}
        costs = [result.cost for result in results if result.cost is not None]
        live = [r.cost for r in results if r.cost is not None and r.cassette and r.cassette.mode == "recorded"]
        return {
            "run": self.run,
            "argv": list(self.argv),
            "versions": _versions(),
            "git": _git(self.project.settings.root),
            "suites": [{"name": suite.name, "path": suite.shown, "hash": suite.hash} for suite in self.plan.suites],
            "settings": self.project.settings.shown(),
            "prices": summary.prices,
            "started": summary.started,
            "ended": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "outcomes": counts,
            "cost": format(sum(costs, Decimal(0)), "f") if costs else None,
            "spent": format(sum(live, Decimal(0)), "f"),
            "gates": [gate.text for suite in summary.suites for gate in suite.gates],
            "comparisons": [one.text for suite in summary.suites for one in suite.comparisons],
            "reasons": list(summary.reasons),
            "exit_code": int(summary.exit_code),
        }

    def _stops(self, result: Result) -> bool:
        return result.outcome is Outcome.ERROR or (
            result.outcome is Outcome.FAILED and result.variant in _deciding(self.plan, result.suite)
        )


class _Opened:
    """Opens what a run needs and closes it again."""

    def __init__(self, project: Project, plan: Plan, job: Job | Engine) -> None:
        self._project = project
        self._plan = plan
        self._job = job
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Workshop:
        from harness.recording import Writer
        from harness.runner import Workshop

        settings = self._project.settings
        live = settings.record_mode != "none" or bool(self._job.rewrite)
        clients = open_clients(self._project, live=live)
        self._stack.push_async_callback(clients.aclose)
        if live:
            check_credentials(self._plan.trials)
        writer = await self._stack.enter_async_context(Writer())
        return Workshop(
            root=settings.root,
            registry=self._project.registry,
            renderer=self._project.renderer(),
            prices=self._project.prices(),
            clients=clients,
            writer=writer,
            mode=settings.record_mode,
            rewrite=self._job.rewrite,
            timeout=settings.timeout,
            emit=_fan_out(self._job.subscribers),
        )

    async def __aexit__(self, *error: Any) -> None:
        await self._stack.__aexit__(*error)


class Engine:
    """Runs trials in a thread of its own while somebody else's loop (pytest's) waits for one result at a time.

    The thread starts with the first `submit`. Results come as futures, keyed by trial id.
    """

    def __init__(
        self, project: Project, *, subscribers: Sequence[Subscriber] = (), run: str | None = None
    ) -> None:
        self.project = project
        self.subscribers = subscribers
        self.rewrite: frozenset[str] = frozenset()
        self.run = run or new_run_id()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stops: list[Stop] = []
        self._tasks: list[concurrent.futures.Future[None]] = []

    def submit(self, trials: Sequence[Trial]) -> dict[str, concurrent.futures.Future[Result]]:
        """Start trials; return a future for each, which holds its result or the error that ended the run."""
        from harness.runner import Stop

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="harness-engine", daemon=True)
            self._thread.start()
        stop = Stop()
        self._stops.append(stop)
        futures: dict[str, concurrent.futures.Future[Result]] = {
            trial.id: concurrent.futures.Future() for trial in trials
        }
        self._tasks.append(asyncio.run_coroutine_threadsafe(self._run(tuple(trials), futures, stop), self._loop))
        return futures

    def stop(self, *, cancel: bool = False) -> None:
        """Start nothing new, let what is under way finish (or cancel it), and end the thread."""
        for stop in self._stops:
            stop.request()
        for task in self._tasks:
            if cancel:
                task.cancel()
            concurrent.futures.wait([task])
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    async def _run(
        self, trials: tuple[Trial, ...], futures: Mapping[str, concurrent.futures.Future[Result]], stop: Stop
    ) -> None:
        from harness.runner import Runner

        plan = Plan(suites=tuple(dict.fromkeys(trial.suite for trial in trials)), trials=trials)
        try:
            async with _Opened(self.project, plan, self) as workshop:
                await Runner(self.run, workshop).run(
                    trials,
                    concurrency=concurrency(self.project.settings),
                    stop=stop,
                    on_result=lambda result: futures[result.id].set_result(result),
                )
        except BaseException as error:
            for future in futures.values():
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise


def concurrency(settings: Settings) -> int:
    """Return how many trials run at the same time."""
    if settings.concurrency is not None:
        return settings.concurrency
    return REPLAY_CONCURRENCY if settings.record_mode == "none" else LIVE_CONCURRENCY


def open_clients(project: Project, *, live: bool) -> Clients:
    from harness.limits import RetryPolicy
    from harness.session import Clients

    retry = project.settings.retry
    return Clients(
        environ=os.environ,
        policy=RetryPolicy(
            attempts=retry.attempts,
            backoff=retry.backoff,
            factor=retry.factor,
            jitter=retry.jitter,
            longest=retry.longest,
            budget=retry.budget,
        ),
        timeout=project.settings.timeout,
        concurrency=concurrency(project.settings),
        live=live,
    )


def check_credentials(trials: Sequence[Trial]) -> None:
    """Look up every key that recording these trials may need, before anything is sent.

    Raises:
        CredentialsError: One is missing.
    """
    from harness.session import Endpoint

    specs = {id(trial.variant): trial.variant.assistant for trial in trials}.values()
    for endpoint in {Endpoint(spec.base_url, spec.api_key_env) for spec in specs if spec.api != "python"}:
        endpoint.key(os.environ)


def slim(result: Result) -> Result:
    """Return a result without what only its row on disk needs: ten thousand of these must fit into memory."""
    kept = result.output if result.outcome is not Outcome.PASSED else None
    return replace(result, messages=(), turns=(), tool_calls=(), output=kept, state=None)


def exit_code(error: BaseException) -> ExitCode:
    """Return the exit code that an exception means."""
    code = getattr(error, "exit_code", ExitCode.USAGE)
    return code if isinstance(code, ExitCode) else ExitCode.USAGE


def _deciding(plan: Plan, suite: str) -> frozenset[str]:
    found = next(one for one in plan.suites if one.name == suite)
    return frozenset(
        variant.name
        for variant in found.variants
        if len(found.variants) == 1
        or found.gate_baseline
        or (variant.name != found.baseline and not variant.report_only)
    )


def _fan_out(subscribers: Sequence[Subscriber]) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        for subscriber in subscribers:
            subscriber(event)

    return emit


def _versions() -> dict[str, str]:
    return {"harness": __version__, "python": sys.version.split()[0]}


def _git(root: Path) -> dict[str, JSON] | None:
    """Return the commit of the project and whether the tree differs from it; None outside a repository."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True, timeout=5
        )
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


def _shown(project: Project, path: Path) -> str:
    try:
        return str(path.relative_to(project.settings.root))
    except ValueError:
        return str(path)
