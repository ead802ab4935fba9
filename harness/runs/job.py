"""A run from its first trial to its reports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StorageError
from harness.events import Event, Noted, Subscriber
from harness.plan import Plan, whole_variants
from harness.project.project import Project
from harness.records import JSON, Outcome, Result
from harness.runs.budgets import new_ledger, spend_of
from harness.runs.keeping import Keeping
from harness.runs.looked import looked_before
from harness.runs.manifest import manifest, origin
from harness.runs.opening import assistants_of, concurrency, opened, redactor_of
from harness.runs.outline import places
from harness.store import RunFolder, new_run_id
from harness.store.slim import slim
from harness.store.space import Refuge

if TYPE_CHECKING:
    from harness.limits.budget import Ledger
    from harness.runs.sending import Sending
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
    #: Requests that may have been paid and are in no recording, and of how many trials they are.
    maybe_paid: tuple[int, int] = (0, 0)
    #: What could not be written where it belongs; None: everything was.
    trouble: StorageError | None = None
    #: Why the page of all runs does not have it, one line; empty: it has, or no page was wanted.
    unlisted: tuple[str, ...] = ()


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
    #: Results that are there already, from elsewhere; they stand before those of the plan's trials.
    given: Sequence[Result] = ()
    #: What else the manifest says.
    facts: Mapping[str, JSON] = field(default_factory=dict)
    #: What it spends; None: one is made when it runs.
    ledger: Ledger | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: What was told that no result says.
    notes: list[str] = field(default_factory=list)
    #: What was sent.
    sendings: list[Sending] = field(default_factory=list)
    #: Takes what cannot be written where it belongs.
    refuge: Refuge = field(init=False)
    keeping: Keeping = field(init=False)

    def __post_init__(self) -> None:
        self.refuge = Refuge(self.run, root=self.project.settings.root)
        self.notes += looked_before(self.project.settings.reports, self.plan.suites)
        self.keeping = self._keeping()

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
        ledger = self.ledger = self.ledger or new_ledger(self.project)

        def keep(result: Result) -> None:
            self.keep(result)
            results.append(slim(result))
            if self.keeping.trouble is not None:
                stop.halt("storage", str(self.keeping.trouble))

        def note(event: Event) -> None:
            if isinstance(event, Noted):
                self.notes.append(event.text)

        self._add_given(keep)
        task = asyncio.current_task()
        assert task is not None
        complete = False
        try:
            with stop.aborts(task):
                async with opened(
                    self.project,
                    self.plan.trials,
                    ledger=ledger,
                    run=self.run,
                    stop=stop,
                    refuge=self.refuge,
                    rewrite=self.rewrite,
                    subscribers=(note, *self.subscribers),
                ) as workshop:
                    self.sendings.append(workshop.sending)
                    complete = await Runner(self.run, workshop).run(
                        self.plan.trials,
                        concurrency=concurrency(self.project.settings),
                        stop=stop,
                        on_result=keep,
                        exit_first=self._ending() if self.exit_first else lambda result: False,
                    )
        except asyncio.CancelledError:
            # Stopped the hard way: what was finished by then is still worth a report.
            if not stop.interrupted:
                if results:
                    self.conclude(results, interrupted=True)
                raise
        except StorageError as error:
            if not results:
                raise
            return self.conclude(results, trouble=error)
        except Exception:
            # Also after a fault of ours: what was finished is on disk then.
            if results:
                self.conclude(results, interrupted=True)
            raise
        return self.conclude(results, interrupted=stop.interrupted and not complete)

    def _add_given(self, keep: Callable[[Result], None]) -> None:
        for result in self.given:
            keep(replace(result, run=self.run))

    def keep(self, result: Result) -> None:
        """Add a row to the run's folder.

        Raises:
            StorageError: It can be written nowhere.
        """
        self.keeping.append(result)

    def _ending(self) -> Callable[[Result], bool]:
        """Return what says of a result whether it makes the run fail by itself."""
        from harness.summary import fails_alone

        suites = {suite.name: suite for suite in self.plan.suites}
        whole = whole_variants(self.plan.trials, self.plan.planned)
        return lambda result: fails_alone(suites[result.suite], result, whole=whole)

    def _keeping(self) -> Keeping:
        """Return what keeps the run; secrets of the environment are taken out of everything that is written there."""
        redactor = redactor_of(self.project.settings, assistants_of(self.plan.trials))
        keeping = Keeping(self.project.settings.reports, self.run, redact=redactor.text, refuge=self.refuge)
        if not keeping.writable():
            # Nothing was paid yet: a run that goes live is refused before it is. What replays needs no place of its own.
            keeping.move()
            shown = self.project.shown(self.project.settings.reports)
            self.notes.append(f"{shown}/ cannot be written: the reports of this run are in {keeping.folder.path}")
        return keeping

    def conclude(
        self, results: Sequence[Result], *, interrupted: bool = False, trouble: StorageError | None = None
    ) -> Conclusion:
        """Summarise results that were kept already, and write the run's manifest and reports.

        Args:
            results: All of them, in plan order.
            interrupted: Whether the user or the system stopped the run.
            trouble: What could not be written, apart from rows and reports.

        Raises:
            StorageError: Not even a temporary folder could be written.
        """
        self.keeping.close()
        return self.keeping.do(lambda folder: self._concluded(folder, results, interrupted, trouble))

    def _concluded(
        self, folder: RunFolder, results: Sequence[Result], interrupted: bool, trouble: StorageError | None
    ) -> Conclusion:
        from harness.reports import github, html, junit, markdown
        from harness.runs.indexing import indexed
        from harness.summary import summarise

        trouble = trouble or self.keeping.trouble
        settings = self.project.settings
        summary = summarise(
            self.run,
            self.plan.suites,
            results,
            planned=self.plan.planned,
            interrupted=interrupted,
            unstored="" if trouble is None else self._told(trouble),
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            mode=settings.record_mode,
            max_age=settings.cassette_max_age,
            prices=self.project.prices(),
            spend=spend_of(self.project, results, suites=self.plan.suites, ledger=self.ledger),
            counted=self.html,
        )
        folder.touch()
        made = origin(settings.root)
        told = manifest(summary, results, suites=self.plan.suites, settings=settings, argv=self.argv, made=made)
        calls, trials = map(sum, zip((0, 0), *(one.maybe_paid for one in self.sendings), strict=True))
        told.update(self.facts, maybe_paid={"calls": calls, "trials": trials}, notes=list(self.notes))
        folder.write_manifest(told)
        report = folder.write("summary.md", markdown.render(summary, results, link=github.artifacts(os.environ)))
        folder.write("junit.xml", junit.render(summary, results, places=places(self.plan.suites)))
        if self.html:
            report = folder.write("report.html", html.render(summary, folder.read, facts=made.facts()), ours=html.OURS)
        listed = self.html and not self.keeping.moved
        open_results = tuple(result for result in results if result.outcome is not Outcome.PASSED)
        return Conclusion(
            summary=summary,
            folder=folder.path,
            report=report,
            open_results=open_results,
            maybe_paid=(calls, trials),
            trouble=trouble,
            unlisted=tuple(indexed(folder.path.parent)) if listed else (),
        )

    def _told(self, trouble: StorageError) -> str:
        place = f"; results and reports are in {self.keeping.folder.path}" if self.keeping.moved else ""
        return f"{trouble}{place}"

    def plain(self, conclusion: Conclusion) -> dict[str, JSON]:
        """Return the summary as plain data, for `--json`."""
        from harness.reports.export import summary_data

        return {**summary_data(conclusion.summary), "report": self.project.shown(conclusion.report)}


def published(conclusion: Conclusion) -> list[str]:
    """Add the run to the summary of a CI job's step, where there is one; say where that or the list of runs failed."""
    from harness.reports import github

    trouble = github.publish(conclusion.folder / "summary.md", os.environ)
    return [*conclusion.unlisted, *([trouble] if trouble else [])]


def unkept(conclusion: Conclusion) -> list[str]:
    """Say what may have been paid without an answer that was kept; nothing where all is recorded."""
    from harness.summary.phrases import count

    calls, trials = conclusion.maybe_paid
    if not calls:
        return []
    of = count(trials, "trial")
    return [
        f"{count(calls, 'call')} of {of} may have been paid and left no recording: another run may pay for them again"
    ]
