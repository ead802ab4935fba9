"""The commands that run trials, or would: run, record, plan."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.commands import Command
from harness.cli.options import (
    as_json_option,
    budget_option,
    option,
    running,
    selecting,
    share,
    stop_early_option,
    suite_arguments,
    words,
)
from harness.cli.output import colors, columns, discreet, finish, keep_quiet_of, say, show, show_json, show_rows
from harness.errors import UsageError
from harness.modes import RECORD_MODES, modes_in_words

if TYPE_CHECKING:
    from harness.api import Conclusion, Job, Project
    from harness.plan import Plan
    from harness.runs.effects import Sight
    from harness.runs.reporting import Reporting
    from harness.runs.stop import Stop

#: Windows hangs up on nobody.
_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@click.command(cls=Command)
@suite_arguments
@option(
    "--record-mode",
    type=click.Choice(RECORD_MODES),
    help=f"{modes_in_words()}.",
)
@selecting
@running
def run(suites: tuple[Path, ...], record_mode: str | None, **options: Any) -> None:
    """Run suites and compare their variants; replays recordings unless told otherwise."""
    project, plan = planned(suites, options, record_mode=record_mode)
    code = _execute(project, plan, options)
    finish(code)


@click.command(cls=Command)
@suite_arguments
@click.option("--rewrite", is_flag=True, help="Record everything selected anew.")
@click.option("--only-stale", is_flag=True, help="Record what is missing or no longer matches, and nothing else.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@selecting
@running
def record(suites: tuple[Path, ...], rewrite: bool, only_stale: bool, yes: bool, **options: Any) -> None:
    """Record what is missing, after showing the number of calls and their expected cost."""
    from harness import api

    if rewrite and only_stale:
        raise UsageError("--rewrite records everything anew and --only-stale only what changed: choose one")
    project, plan = planned(suites, options, record_mode="rewrite" if rewrite else "once")
    if not rewrite:
        _refuse_renamed(api.elsewhere(project, plan))
    stale = api.stale(project, plan) if only_stale else frozenset()
    estimate = api.estimate(project, plan, rewrite=stale)
    say(estimate.text)
    if not estimate.trials and not only_stale and (changed := api.stale(project, plan)):
        again = api.estimate(project, plan, rewrite=changed)
        told = (
            "one of these recordings no longer matches"
            if len(changed) == 1
            else (f"{len(changed)} of these recordings no longer match")
        )
        calls = f"{again.calls} call{'s' if again.calls != 1 else ''}"
        say(f"{told} what would be sent; the same command with --only-stale makes them anew: {calls}, {again.price}")
    if estimate.trials:
        for line in api.savings(project, plan, rewrite=stale):
            say(line)
        api.check_credentials(estimate.trials, trusted=project.settings.trusted_hosts)
        api.check_budgets(project, estimate.trials)
        if not yes and not _agreed():
            raise UsageError("nothing was recorded; without a terminal, say --yes")
    code = _execute(project, plan, options, rewrite=stale)
    finish(code)


def _refuse_renamed(commands: Mapping[str, str]) -> None:
    """Refuse to pay again for what is recorded under another name.

    Raises:
        UsageError: Something is.
    """
    if commands:
        lines = "\n".join(f"  {command}" for command in dict.fromkeys(commands.values()))
        trials = f"{len(commands)} trial{'s' if len(commands) != 1 else ''}"
        raise UsageError(
            f"{trials} without a recording begin as recordings do that no trial of this suite has (first "
            f"{next(iter(commands))}): a variant or case was renamed. Nothing was sent. This gives them their new names:\n"
            f"{lines}\nOr delete those recordings, and they are made anew and paid for."
        )


@click.command(cls=Command, name="plan")
@suite_arguments
@selecting
@budget_option()
@stop_early_option()
@click.option(
    "--effect", metavar="SHARE", help="Say whether the suites can see a difference this large, such as 0.05 or 5%."
)
@as_json_option()
def show_plan(suites: tuple[Path, ...], effect: str | None, as_json: bool, **options: Any) -> None:
    """Show what would run: trials, what is recorded, and what the rest would cost."""
    from harness import api

    size = None if effect is None else share(effect, "--effect")
    project, plan = planned(suites, options, record_mode="once")
    if size is not None:
        _show_sights(api.sights(project, plan, size), as_json=as_json)
        return
    rows = api.plan_rows(project, plan)
    show_json(rows) if as_json else show_rows(rows)
    for line in (*api.over_budget(project, plan), *api.plan_notes(project, plan)):
        say(line)
    for line in api.savings(project, plan):
        say(line)
    if not as_json and any(suite.baseline is not None for suite in plan.suites):
        say("`harness plan --effect 0.05` says whether so many cases can see a difference of 5 points")


def _show_sights(found: Sequence[Sight], *, as_json: bool) -> None:
    if as_json:
        show_json([one.plain for one in found])
        return
    if not found:
        say("there is nothing to compare: no suite has a baseline and another variant among what is selected")
        return
    show_rows([one.row for one in found])
    for one in found:
        say(one.text)


def planned(suites: tuple[Path, ...], options: dict[str, Any], *, record_mode: str | None) -> tuple[Project, Plan]:
    """Open the project, load the suites and lay out the selected trials."""
    from harness import api
    from harness.plan import Selection
    from harness.runs.opening import assistants_of, redactor_of

    retries = options.pop("retries", None)
    project = api.open_project(
        suites[0] if suites else None,
        record_mode=record_mode,
        concurrency=options.pop("concurrency", None),
        timeout=options.pop("timeout", None),
        run_timeout=options.pop("run_timeout", None),
        rpm=options.pop("rpm", None),
        tpm=options.pop("tpm", None),
        strict=options.pop("strict", False) or None,
        attempts=None if retries is None else retries + 1,
        budget=options.pop("budget", None),
    )
    keep_quiet_of(redactor_of(project.settings).text)
    selection = Selection(
        expression=options.pop("expression"),
        tags=options.pop("tags"),
        variants=options.pop("variants"),
        cases=options.pop("cases"),
        limit=options.pop("limit"),
    )
    loaded = api.load(project, api.find_suites(project, suites))
    loaded = api.adjusted(
        loaded,
        repeats=options.pop("repeats"),
        baseline=options.pop("baseline"),
        stop_early=options.pop("stop_early", False),
    )
    laid_out = api.plan(project, loaded, selection)
    keep_quiet_of(redactor_of(project.settings, assistants_of(laid_out.trials)).text)
    return project, laid_out


def _execute(project: Project, plan: Plan, options: dict[str, Any], *, rewrite: frozenset[str] = frozenset()) -> int:
    """Run a plan with a progress display, print what it came to, and return the exit code."""
    from harness import api
    from harness.reports.progress import Progress
    from harness.runs.loaded import read_run
    from harness.runs.reporting import Reporting, format_of
    from harness.store import RunFolder

    notes = (*project.settings.notes, *(note for suite in plan.suites for note in suite.notes))
    for note in dict.fromkeys(notes):
        say(note)
    by = words(options["by"])
    api.check_keys(by, (name for trial in plan.trials for name in trial.case.metadata))
    outputs: Sequence[Path] = options["outputs"]
    for path in outputs:
        format_of(path)
    show = not options["no_progress"] and not options["quiet"] and sys.stderr.isatty()
    with Progress(len(plan.trials), shown=show, verbose=options["verbose"], redact=discreet) as progress:
        job = api.Job(
            project=project,
            plan=plan,
            rewrite=rewrite,
            subscribers=(progress,),
            exit_first=options["exit_first"],
            html=not options["no_html"],
            argv=tuple(sys.argv),
        )
        for note in job.notes:
            say(note)
        with _stopping() as stop:
            conclusion = job.execute(stop=stop)
    for note in api.unkept(conclusion):
        say(note)
    stored = None
    if outputs or by:
        stored = Reporting(
            run=read_run(RunFolder(conclusion.folder.parent, conclusion.folder.name), counted=True), by=by
        )
    _print_conclusion(job, conclusion, options, stored if by else None)
    if stored is not None and by:
        stored.write(("md",))
    # After summary.md has its slices: the job's step is told the same.
    for note in api.published(conclusion):
        say(note)
    if stored is not None:
        stored.write((), outputs)
    return int(conclusion.summary.exit_code)


def _print_conclusion(job: Job, conclusion: Conclusion, options: dict[str, Any], broken_down: Reporting | None) -> None:
    from harness.reports import text

    if options["as_json"]:
        more = {} if broken_down is None else {"breakdown": broken_down.plain()["breakdown"]}
        show_json({**job.plain(conclusion), **more})
        return
    quiet = options["quiet"]
    show(text.render(conclusion.summary, conclusion.open_results, color=colors(), width=columns(), quiet=quiet))
    if broken_down is not None:
        show(broken_down.broken_down(width=columns()))
    say(f"report: {job.project.shown(conclusion.report)}")


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Ctrl-C, SIGTERM or SIGHUP once: finish what is in flight and save. Twice: stop at once."""
    from harness.runs.stop import Stop

    stop = Stop()
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: object) -> None:
        if stop.interrupted:
            if not stop.abort():
                raise KeyboardInterrupt
            return
        stop.interrupt()
        say("nothing more is sent; finishing what is in flight, 10 s at most; once more stops at once")

    for number in _ENDING:
        # Whoever starts a command with nohup wants it to outlive the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Record?", err=True)
