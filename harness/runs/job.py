"""A run from its first trial to its reports."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.events import Subscriber
from harness.plan import Plan, whole_variants
from harness.project.project import Project
from harness.records import JSON, Outcome, Result
from harness.runs.manifest import manifest, origin
from harness.runs.opening import assistants_of, concurrency, opened, redactor_of
from harness.store import RunFolder, new_run_id
from harness.store.rows import plain as store_plain

if TYPE_CHECKING:
    from harness.runs.stop import Stop
    from harness.summary import RunSummary


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
        from harness.runs.runner import Runner
        from harness.runs.stop import Stop

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
                        exit_first=self._ending() if self.exit_first else lambda result: False,
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

    def _ending(self) -> Callable[[Result], bool]:
        """Return what says of a result whether it makes the run fail by itself."""
        from harness.summary import fails_alone

        suites = {suite.name: suite for suite in self.plan.suites}
        whole = whole_variants(self.plan.trials, self.plan.planned)
        return lambda result: fails_alone(suites[result.suite], result, whole=whole)

    def folder(self) -> RunFolder:
        """Return the run's folder; secrets of the environment are taken out of everything that is written there."""
        redactor = redactor_of(self.project.settings, assistants_of(self.plan.trials))
        return RunFolder(self.project.settings.reports, self.run, redact=redactor.text)

    def conclude(self, results: Sequence[Result], *, interrupted: bool = False) -> Conclusion:
        """Summarise results that stand in the run's folder already, and write its manifest and reports."""
        from harness.reports import html, junit, markdown
        from harness.summary import summarise

        settings = self.project.settings
        summary = summarise(
            self.run,
            self.plan.suites,
            results,
            planned=self.plan.planned,
            interrupted=interrupted,
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            mode=settings.record_mode,
            prices=self.project.prices(),
        )
        folder = self.folder()
        folder.touch()
        made = origin(settings.root)
        folder.write_manifest(
            manifest(summary, results, suites=self.plan.suites, settings=settings, argv=self.argv, made=made)
        )
        report = folder.write("summary.md", markdown.render(summary, results))
        folder.write("junit.xml", junit.render(summary, results))
        if self.html:
            report = folder.write("report.html", html.render(summary, folder.read, facts=made.facts()))
        open_results = tuple(result for result in results if result.outcome is not Outcome.PASSED)
        return Conclusion(summary=summary, folder=folder.path, report=report, open_results=open_results)

    def plain(self, conclusion: Conclusion) -> dict[str, JSON]:
        """Return the summary as plain data, for `--json`."""
        summary = conclusion.summary
        found: dict[str, JSON] = store_plain(dataclasses.asdict(summary))
        found["report"] = self.project.shown(conclusion.report)
        found["exit_code"] = int(summary.exit_code)
        return found


def slim(result: Result) -> Result:
    """Return a result without what only its row on disk needs: ten thousand of these must fit into memory."""
    if result.outcome is not Outcome.PASSED:
        return replace(result, messages=(), turns=(), tool_calls=(), state=None, files={})
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
        files={},
        cassette=cassette,
        response_ids=(),
    )
