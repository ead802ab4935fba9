"""A run from its first trial to its reports, and the thread that runs trials for pytest."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.errors import HarnessError, UsageError
from harness.events import Event, Subscriber
from harness.plan import Plan, Trial
from harness.project.project import Project
from harness.records import JSON, Outcome, Result
from harness.runs.estimates import unrecorded
from harness.settings import Settings
from harness.store import RunFolder, new_run_id, write_file
from harness.store.rows import plain as store_plain
from harness.suites.suite import Suite

if TYPE_CHECKING:
    from harness.assistants.session import Clients
    from harness.runs.runner import Stop, Workshop
    from harness.summary import RunSummary

#: Trials at the same time: live, where the service sets the pace, and on replay.
LIVE_CONCURRENCY = 16
REPLAY_CONCURRENCY = 64

#: Which report of a run `-o FILE` copies.
_EXPORTS = {
    ".html": "report.html",
    ".md": "summary.md",
    ".xml": "junit.xml",
    ".json": "run.json",
    ".jsonl": "results.jsonl",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run came to, and where its reports lie."""

    summary: RunSummary
    folder: Path
    #: report.html where it was written, else summary.md.
    report: Path
    #: Results that did not pass.
    open_results: tuple[Result, ...] = ()


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
        from harness.runs.runner import Runner, Stop

        stop = stop or Stop()
        results: list[Result] = []
        folder = self.folder()

        def keep(result: Result) -> None:
            folder.append(result)
            results.append(slim(result))

        task = asyncio.current_task()
        assert task is not None
        try:
            with stop.aborts(task):
                async with opened(
                    self.project, self.plan.trials, rewrite=self.rewrite, subscribers=self.subscribers
                ) as workshop:
                    complete = await Runner(self.run, workshop).run(
                        self.plan.trials,
                        concurrency=concurrency(self.project.settings),
                        stop=stop,
                        on_result=keep,
                        exit_first=self._stops if self.exit_first else lambda result: False,
                    )
        except (asyncio.CancelledError, HarnessError) as error:
            # Stopped the hard way: what was finished by then is still worth a report.
            folder.close()
            if isinstance(error, asyncio.CancelledError) and stop.interrupted:
                return self.conclude(results, interrupted=True)
            if results:
                self.conclude(results, interrupted=True)
            raise
        finally:
            folder.close()
        return self.conclude(results, interrupted=stop.interrupted and not complete)

    def folder(self) -> RunFolder:
        """Return the run's folder; secrets of the environment are taken out of everything that is written there."""
        from harness.recording import Redactor

        redactor = Redactor.from_environment(os.environ, also=_secrets(self.plan.trials))
        return RunFolder(self.project.settings.reports, self.run, redact=redactor.text)

    def conclude(self, results: Sequence[Result], *, interrupted: bool = False) -> Conclusion:
        """Summarise results that stand in the run's folder already, and write its manifest and reports."""
        from harness.reports import html, junit, markdown
        from harness.summary import summarise

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
            report = folder.write("report.html", html.render(summary, folder.read, facts=self._facts()))
        open_results = tuple(result for result in results if result.outcome is not Outcome.PASSED)
        return Conclusion(summary=summary, folder=folder.path, report=report, open_results=open_results)

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

    def export(self, conclusion: Conclusion, outputs: Sequence[Path]) -> None:
        """Copy reports of the run to other places, each by the suffix of its name.

        Raises:
            StorageError: One could not be written.
        """
        for path in outputs:
            write_file(path, (conclusion.folder / _EXPORTS[path.suffix]).read_text(encoding="utf-8"))

    def plain(self, conclusion: Conclusion) -> dict[str, JSON]:
        """Return the summary as plain data, for `--json`."""
        summary = conclusion.summary
        found: dict[str, JSON] = store_plain(dataclasses.asdict(summary))
        found["report"] = self.project.shown(conclusion.report)
        found["exit_code"] = int(summary.exit_code)
        return found

    def _facts(self) -> dict[str, str]:
        """What the page says about how the run was made."""
        git = _git(self.project.settings.root)
        facts = {f"{name} version": version for name, version in _versions().items()}
        if git:
            facts["commit"] = f"{str(git['commit'])[:12]}{' with changes' if git['dirty'] else ''}"
        return facts

    def _stops(self, result: Result) -> bool:
        """Whether a result makes the run fail by itself."""
        from harness.summary import missed

        if result.outcome not in (Outcome.FAILED, Outcome.ERROR):
            return False
        suite = next(suite for suite in self.plan.suites if suite.name == result.suite)
        whole = self._whole(suite, result.variant)
        baseline_whole = suite.baseline is None or self._whole(suite, suite.baseline)
        return not missed(suite, result, whole=whole, baseline_whole=baseline_whole)

    def _whole(self, suite: Suite, variant: str) -> bool:
        selected = sum(trial.suite is suite and trial.variant.name == variant for trial in self.plan.trials)
        return selected == self.plan.planned.get((suite.name, variant))


@asynccontextmanager
async def opened(
    project: Project,
    trials: Sequence[Trial],
    *,
    rewrite: frozenset[str] = frozenset(),
    subscribers: Sequence[Subscriber] = (),
) -> AsyncIterator[Workshop]:
    """Open what a run needs, and close it again.

    Args:
        trials: What will be run.
        rewrite: Ids of trials to record anew whatever the mode.
        subscribers: Who hears the events.
    """
    from harness.assistants.session import Endpoint
    from harness.recording import Writer
    from harness.runs.runner import Workshop

    settings = project.settings
    live = settings.record_mode != "none" or bool(rewrite)
    if live:
        check_credentials(trials)
    clients = open_clients(project, live=live, secrets=_secrets(trials))
    try:
        specs = {id(trial.variant): trial.variant.assistant for trial in trials}.values()
        for endpoint in {Endpoint(spec.base_url, spec.api_key_env) for spec in specs if spec.api != "python"}:
            clients.warm(endpoint)
        async with Writer() as writer:
            yield Workshop(
                root=settings.root,
                registry=project.registry,
                renderer=project.renderer(),
                prices=project.prices(),
                clients=clients,
                writer=writer,
                unrecorded=unrecorded(project, trials) if settings.record_mode == "none" else {},
                mode=settings.record_mode,
                rewrite=rewrite,
                timeout=settings.timeout,
                emit=_fan_out(subscribers),
            )
    finally:
        await clients.aclose()


class Engine:
    """Runs trials in a thread of its own while somebody else's loop (pytest's) waits for one result at a time.

    The thread starts with the first `submit`. Results come as futures, keyed by trial id.
    """

    def __init__(self, project: Project, *, subscribers: Sequence[Subscriber] = (), run: str | None = None) -> None:
        self.project = project
        self.subscribers = subscribers
        self.run = run or new_run_id()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stops: list[Stop] = []
        self._tasks: list[concurrent.futures.Future[None]] = []

    def submit(self, trials: Sequence[Trial]) -> dict[str, concurrent.futures.Future[Result]]:
        """Start trials; return a future for each, which holds its result or the error that ended the run."""
        from harness.runs.runner import Stop

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
        from harness.runs.runner import Runner

        try:
            async with opened(self.project, trials, subscribers=self.subscribers) as workshop:
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


def check_outputs(outputs: Sequence[Path], *, html: bool) -> None:
    """Refuse a file that cannot be written as any report, before anything runs.

    Raises:
        UsageError: Its suffix says nothing, or its folder is not there.
    """
    for path in outputs:
        if path.suffix not in _EXPORTS or (path.suffix == ".html" and not html):
            known = ", ".join(suffix for suffix in _EXPORTS if html or suffix != ".html")
            raise UsageError(f"-o {path}: the suffix says what to write; known are {known}")
        if not path.parent.is_dir():
            raise UsageError(f"-o {path}: there is no folder {path.parent}")


def stale(project: Project, plan: Plan) -> frozenset[str]:
    """Replay a plan and return the ids of trials that have no recording which matches what they would send now."""
    from harness.runs.runner import Runner, Stop

    replaying = project.with_mode("none")
    results: list[Result] = []

    async def replay() -> None:
        async with opened(replaying, plan.trials) as workshop:
            await Runner("stale", workshop).run(
                plan.trials, concurrency=REPLAY_CONCURRENCY, stop=Stop(), on_result=results.append
            )

    asyncio.run(replay())
    return frozenset(one.id for one in results if one.error is not None and one.error.kind == "cassette_miss")


def concurrency(settings: Settings) -> int:
    """Return how many trials run at the same time."""
    if settings.concurrency is not None:
        return settings.concurrency
    return REPLAY_CONCURRENCY if settings.record_mode == "none" else LIVE_CONCURRENCY


def open_clients(project: Project, *, live: bool, secrets: Sequence[str] = ()) -> Clients:
    from harness.assistants.retries import RetryPolicy
    from harness.assistants.session import Clients

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
        secrets=secrets,
    )


def _secrets(trials: Sequence[Trial]) -> list[str]:
    """Return the values of the variables that suites name for their keys, whatever those variables are called."""
    named = {trial.variant.assistant.api_key_env for trial in trials}
    return [value for name in named if name and (value := os.environ.get(name))]


def check_credentials(trials: Sequence[Trial]) -> None:
    """Look up every key that recording these trials may need, before anything is sent.

    Raises:
        CredentialsError: One is missing.
    """
    from harness.assistants.session import Endpoint

    specs = {id(trial.variant): trial.variant.assistant for trial in trials}.values()
    for endpoint in {Endpoint(spec.base_url, spec.api_key_env) for spec in specs if spec.api != "python"}:
        endpoint.key(os.environ)


def slim(result: Result) -> Result:
    """Return a result without what only its row on disk needs: ten thousand of these must fit into memory."""
    if result.outcome is not Outcome.PASSED:
        return replace(result, messages=(), turns=(), tool_calls=(), state=None)
    cassette = result.cassette and replace(result.cassette, path="")
    return replace(
        result,
        checks=(),
        messages=(),
        turns=(),
        tool_calls=(),
        output=None,
        state=None,
        prompt=None,
        cassette=cassette,
        response_ids=(),
    )


def _fan_out(subscribers: Sequence[Subscriber]) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        for subscriber in subscribers:
            subscriber(event)

    return emit


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"harness": __version__, "python": sys.version.split()[0], "openai": version("openai")}


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
