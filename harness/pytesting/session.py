"""The suites of one pytest process: which trials it holds, their results, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import (
    ConfigError,
    HarnessError,
    NothingSelected,
    Problem,
    UsageError,
    did_you_mean,
)
from harness.plan import Plan, Trial, whole_variants
from harness.project.project import Project, adjusted, load, plan
from harness.pytesting import options
from harness.pytesting.endings import Ending, endings
from harness.pytesting.failures import FailedTrialError, reason, shown
from harness.records import Outcome, Result
from harness.reports import clean
from harness.runs.engine import Engine
from harness.runs.job import Conclusion, Job, published, unkept
from harness.store import decode, encode
from harness.suites.suite import Suite
from harness.summary import fails_alone, missed

#: Columns of a log.
_LOG_WIDTH = 100


class SuiteSession:
    """A pytest plugin that is registered when the first suite shows up.

    Args:
        config: Of the pytest session.
        project: The project that the suites belong to.
    """

    def __init__(self, config: pytest.Config, project: Project) -> None:
        self._config = config
        self._project = project
        self._engine = Engine(project)
        self._futures: dict[str, Future[Result]] = {}
        self._results: dict[str, Result] = {}
        #: By the path of their file.
        self._plans: dict[Path, Plan] = {}
        self._trials: dict[str, Trial] = {}
        self._nodeids: dict[str, str] = {}
        self._selected: dict[str, Trial] = {}
        self._whole: frozenset[tuple[str, str]] = frozenset()
        #: The first trial with each error, by suite, kind and message.
        self._errors: dict[tuple[str, str, str], str] = {}
        self._failed = False
        self._conclusion: Conclusion | None = None
        #: Why there is no conclusion.
        self._trouble = ""

    @property
    def _worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def covers(self, path: Path) -> bool:
        """Whether a file lies in the project's folder of suites."""
        return self._project.settings.suites.resolve() in path.resolve().parents

    def holds(self, nodeid: str) -> bool:
        """Whether an item is a trial of a suite."""
        return nodeid in self._trials

    def load(self, path: Path, nodeid: str) -> dict[str, Trial]:
        """Load a suite and return its trials by the names of their items.

        Args:
            path: The suite's file.
            nodeid: The file's id in pytest.

        Raises:
            ConfigError: Something in it is wrong.
        """
        if path not in self._plans:
            self._plans[path] = self._plan(path)
        found: dict[str, Trial] = {}
        for trial in self._plans[path].trials:
            # Two colons separate the parts of a node id, line ends would tear a report apart, and CI services obey `##[`.
            name = clean.inert(f"{trial.case.id}[{trial.variant.name}-{trial.repeat}]".replace("::", ":"))
            name = " ".join(name.split())
            while name in found:
                name += "'"
            found[name] = trial
            self._trials[f"{nodeid}::{name}"] = trial
            self._nodeids[trial.suite.name] = nodeid
        return found

    def _plan(self, path: Path) -> Plan:
        suites = load(self._project, [path])
        repeats = options.number(self._config, "repeats")
        suites = adjusted(suites, repeats=repeats, baseline=None)
        for suite in suites:
            self._refuse_twins(suite)
        try:
            return plan(self._project, suites)
        except NothingSelected:
            return Plan(suites=tuple(suites), trials=())

    def _refuse_twins(self, suite: Suite) -> None:
        for other in self._suites():
            if other.name == suite.name:
                raise ConfigError(
                    Problem(
                        message=f"{suite.shown}: suite '{suite.name}' is defined in {other.shown} too.",
                        hint="Their recordings and results would lie in one folder: rename one.",
                    )
                )

    def _suites(self) -> list[Suite]:
        return [suite for one in self._plans.values() for suite in one.suites]

    # What is selected.

    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        wanted = options.variants(config)
        if not wanted:
            return
        wrong = self._unknown(wanted)
        if wrong and self._worker:
            # A worker that raises counts as crashed and is replaced, again and again.
            session.shouldstop = wrong
            items.clear()
        elif wrong:
            raise pytest.UsageError(wrong)
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            trial = self._trials.get(item.nodeid)
            (kept if trial is None or trial.variant.name in wanted else dropped).append(item)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = kept

    def _unknown(self, wanted: Iterable[str]) -> str:
        """Return what is wrong with the names of variants, or nothing."""
        known = sorted({variant.name for suite in self._suites() for variant in suite.variants})
        for name in wanted:
            if known and name not in known:
                hint = did_you_mean(name, known) or f"There are: {', '.join(known[:10])}."
                return f"--harness-variant: no variant is called '{name}'. {hint}"
        return ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.select(item.nodeid for item in session.items if item.nodeid in self._trials)

    def select(self, nodeids: Iterable[str]) -> None:
        """Take the trials that are left after all deselection, and see which variants are whole."""
        chosen = [self._trials[nodeid] for nodeid in nodeids]
        self._selected = {trial.id: trial for trial in chosen}
        self._whole = whole_variants(self._selected.values(), self._planned())

    def _planned(self) -> Mapping[tuple[str, str], int]:
        return {key: count for one in self._plans.values() for key, count in one.planned.items()}

    def refuse_live(self) -> None:
        """Refuse to spread suites over processes in a mode that may send something.

        Raises:
            UsageError: It may.
        """
        mode = self._project.settings.record_mode
        if mode != "none" and self._selected:
            names = " ".join(dict.fromkeys(trial.suite.shown for trial in self._selected.values()))
            raise pytest.UsageError(
                f"record mode '{mode}' cannot run on several workers: they only replay. "
                f"record first (`harness record {names}`), then run pytest with -n and record mode none"
            )

    def pytest_report_collectionfinish(self) -> list[str]:
        return self._heading() if self._config.get_verbosity() >= 0 else []

    def announce(self) -> None:
        """Print under xdist what pytest prints by itself after a collection of its own."""
        if self._config.get_verbosity() >= 0:
            for line in self._heading():
                self._say(line)

    def _say(self, line: str) -> None:
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(line)
            reporter.flush()

    def _heading(self) -> list[str]:
        names = list(dict.fromkeys(trial.suite.name for trial in self._selected.values()))
        if not names:
            return []
        mode = self._project.settings.record_mode
        told = f"{mode} (replay only)" if mode == "none" else mode
        word = "suite" if len(names) == 1 else "suites"
        notes = (f"harness: {note}" for note in self._project.settings.notes)
        return [f"harness: {word} {', '.join(names)}; record mode {told}; prices {self._project.prices().id}", *notes]

    # Running.

    def result(self, trial: Trial) -> Result:
        """Wait for a trial's result; the first call starts every trial that this process is about to report."""
        if trial.id not in self._futures:
            if self._worker and self._project.settings.record_mode != "none":
                raise UsageError("workers only replay: record first, in one process")
            # A worker does not know what it will be given, but that a suite stays in one piece.
            group = [one for one in self._selected.values() if not self._worker or one.suite.name == trial.suite.name]
            waiting = [one for one in group or [trial] if one.id not in self._futures]
            self._futures.update(self._engine.submit(waiting, exit_first=self._ends))
        return self._futures[trial.id].result()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        trial = self._trials.get(item.nodeid)
        if trial is None or call.when != "call":
            return report
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, FailedTrialError) and error.missed:
            where = trial.case.where
            report.outcome = "skipped"
            report.longrepr = (where.path, where.line, f"missed: {reason(error.result)}")
            vars(report)["harness_missed"] = True
        elif isinstance(error, FailedTrialError):
            vars(report)["harness_message"] = reason(error.result)
        elif isinstance(error, HarnessError):
            # A refused key or a full disk is every trial's trouble.
            first = f"harness: {error}".splitlines()[0]
            item.session.shouldfail = first
            vars(report)["harness_message"] = first
        future = self._futures.get(trial.id)
        if future is not None and future.done() and future.exception() is None:
            self._keep(report, future.result())
        return report

    def _ends(self, result: Result) -> bool:
        """Whether pytest will stop at a result, as with -x."""
        suite = self._selected[result.id].suite
        return self._config.getoption("maxfail") == 1 and fails_alone(suite, result, whole=self._whole)

    def misses(self, trial: Trial, result: Result) -> bool:
        """Whether a trial that did not pass is for the gates to judge, or does not decide at all."""
        return missed(trial.suite, result, whole=self._whole)

    def same_error(self, result: Result) -> str | None:
        """Return the id of an earlier trial of the suite that ended in the very same error, if there is one."""
        if result.error is None:
            return None
        first = self._errors.setdefault((result.suite, result.error.kind, result.error.message), result.id)
        return first if first != result.id else None

    def _keep(self, report: pytest.TestReport, result: Result) -> None:
        if self._worker:
            vars(report)["harness_result"] = encode(result)
        else:
            self._results[result.id] = result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._worker or report.nodeid not in self._trials:
            return
        self._failed = self._failed or report.failed
        row = report.__dict__.pop("harness_result", None)
        if row is not None:
            result = replace(decode(row), run=self._engine.run)
            self._results[result.id] = result
        message = getattr(report, "harness_message", None)
        if message is not None and isinstance(report.longrepr, str):
            where = self._trials[report.nodeid].case.where
            report.longrepr = shown(report.longrepr, self._config, message=message, path=where.path, line=where.line)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
        if getattr(report, "harness_missed", False):
            return "missed", "m", ("MISSED", {"yellow": True})
        return None

    # The end.

    def abort(self, error: BaseException) -> None:
        """Stop the engine, keep what is finished, and write the reports: pytest is about to leave its loop."""
        # What stops for -x is derived from KeyboardInterrupt too, in pytest as in xdist.
        interrupted = type(error) is KeyboardInterrupt or isinstance(error, pytest.exit.Exception)
        if interrupted and not all(future.done() for future in self._futures.values()):
            self._say(
                "harness: nothing more is sent; finishing what is in flight, 10 s at most; once more stops at once"
            )
        try:
            self._engine.stop(interrupted=interrupted)
        except KeyboardInterrupt:
            self._engine.stop(cancel=True)
        for future in self._futures.values():
            result = future.result() if future.done() and future.exception() is None else None
            # One that says why it was skipped may have been under way, and paid.
            if result is not None and (result.outcome is not Outcome.SKIPPED or result.error is not None):
                self._results.setdefault(result.id, result)
        if not isinstance(error, pytest.UsageError):
            self._conclude(interrupted=interrupted)

    def finish(self, session: pytest.Session) -> None:
        """Stop the engine, write the reports, and report gates as if they were tests."""
        self._engine.stop()
        self._conclude(interrupted=False)
        if self._conclusion is not None:
            for ending in endings(self._conclusion.summary, self._nodeids, already_failed=self._failed):
                self._report(session, ending)
        if self._trouble:
            self._report(session, Ending.of_run("report", self._trouble))

    def _conclude(self, *, interrupted: bool) -> None:
        if self._worker or not self._results:
            return
        try:
            self._conclusion = self._written(interrupted=interrupted)
            self._engine.notes.extend(published(self._conclusion))
            if self._conclusion.trouble is not None:
                self._trouble = self._conclusion.summary.reasons[0]
        except HarnessError as error:
            self._trouble = str(error)

    def _written(self, *, interrupted: bool) -> Conclusion:
        selected = self._selected_plan()
        engine = self._engine
        job = Job(
            project=self._project,
            plan=selected,
            run=engine.run,
            argv=self._config.invocation_params.args,
            notes=engine.notes,
            sendings=engine.sendings,
            ledger=engine.ledger,
        )
        results = [self._results[trial.id] for trial in selected.trials if trial.id in self._results]
        for result in results:
            job.keep(result)
        return job.conclude(results, interrupted=interrupted)

    def _selected_plan(self) -> Plan:
        """Return what is selected, in plan order, however pytest ordered its items."""
        trials = tuple(trial for one in self._plans.values() for trial in one.trials if trial.id in self._selected)
        names = {trial.suite.name for trial in trials}
        return Plan(
            suites=tuple(suite for suite in self._suites() if suite.name in names),
            trials=trials,
            planned={key: count for key, count in self._planned().items() if key[0] in names},
        )

    def _report(self, session: pytest.Session, ending: Ending) -> None:
        # Without this the progress in percent would go beyond 100.
        session.testscollected += 1
        hook = session.config.hook
        report = ending.report(session.config)
        hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        if self._conclusion is None or config.get_verbosity() < -1:
            return
        from harness.reports.text import render

        listed = config.get_verbosity() > 0 or bool(set("maA") & set(config.getoption("reportchars")))
        width = config.get_terminal_writer().fullwidth
        if not terminalreporter.isatty:
            # A log has no edge at which its lines would have to end.
            width = max(width, _LOG_WIDTH)
        color = terminalreporter.hasmarkup
        terminalreporter.section("harness")
        terminalreporter.write(render(self._conclusion.summary, self._untold(failed=listed), color=color, width=width))
        for note in (*self._engine.notes, *unkept(self._conclusion)):
            terminalreporter.write_line(note)
        terminalreporter.write_line(f"report: {_nearest(self._conclusion.report, config.invocation_params.dir)}")

    def _untold(self, *, failed: bool) -> Sequence[Result]:
        """Return the trials that pytest reported as missed: those in error, such as stale recordings, and the failed."""
        suites = self._conclusion.summary.suites if self._conclusion else ()
        decided = {name for suite in suites for name in (*suite.deciding_failures, *suite.deciding_errors)}
        outcomes = (Outcome.ERROR, Outcome.FAILED) if failed else (Outcome.ERROR,)
        return [one for one in self._results.values() if one.outcome in outcomes and one.id not in decided]


def _nearest(path: Path, folder: Path) -> Path:
    try:
        return path.relative_to(folder)
    except ValueError:
        return path
