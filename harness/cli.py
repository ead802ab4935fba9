"""The command line: options, and which function of `api` they call. Results go to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from harness import __version__
from harness.cli_prompts import prompts
from harness.errors import ExitCode, HarnessError, UsageError

if TYPE_CHECKING:
    from harness.api import Conclusion, Job, Project
    from harness.plan import Plan
    from harness.runs.stop import Stop

F = TypeVar("F", bound=Callable[..., Any])

_MODES = ("none", "once", "rewrite", "all")
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """Turns every error that is ours into a message and its exit code; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            if ctx.params.get("debug"):
                raise
            _say(str(error))
            ctx.exit(int(error.exit_code))
        except KeyboardInterrupt:
            _say("interrupted")
            ctx.exit(int(ExitCode.INTERRUPTED))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from harness.errors import did_you_mean

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = did_you_mean(name, self.list_commands(ctx)) or "See `harness --help`."
            raise click.UsageError(f"there is no command '{name}'. {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="harness")
@click.option("--debug", envvar="HARNESS_DEBUG", is_flag=True, help="Show tracebacks of errors.")
def main(debug: bool) -> None:
    """Evaluate prompts and agents: recorded once, replayed offline, compared with honest statistics."""


main.add_command(prompts)


def _option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option that can also be set as HARNESS_<NAME>."""
    long = next((name for name in names if name.startswith("--")), names[0])
    return click.option(*names, envvar="HARNESS_" + long.lstrip("-").replace("-", "_").upper(), **settings)


def _selecting(command: F) -> F:
    """Add the options that choose trials."""
    for option in reversed(
        (
            _option(
                "-k", "expression", default="", metavar="EXPR", help="Trials whose names match: words, and, or, not."
            ),
            _option("-t", "--tag", "tags", multiple=True, help="Cases with this tag (repeatable)."),
            _option("--variant", "variants", multiple=True, help="This variant only (repeatable)."),
            _option("--case", "cases", multiple=True, metavar="ID", help="This case only (repeatable)."),
            _option("--limit", type=click.IntRange(min=1), help="At most so many cases per suite."),
            _option(
                "-r", "--repeats", type=click.IntRange(min=1), help="Repeats of each case, instead of the suite's."
            ),
            _option("--baseline", metavar="VARIANT", help="Compare with this variant instead of the suite's baseline."),
        )
    ):
        command = option(command)
    return command


def _running(command: F) -> F:
    """Add the options of commands that run trials."""
    for option in reversed(
        (
            _option("-j", "--concurrency", type=click.IntRange(min=1), help="Trials at the same time."),
            _option("--timeout", metavar="TIME", help="Longest time a trial may take (default 120s)."),
            _option(
                "--retries", type=click.IntRange(min=0), help="Further attempts after a passing failure (default 2)."
            ),
            _option("-x", "--exit-first", is_flag=True, help="Start nothing new after the first failure that decides."),
            _option(
                "-o",
                "--output",
                "outputs",
                multiple=True,
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help="Also write FILE: .html .md .xml .json .jsonl (repeatable).",
            ),
            _option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
            _option("-q", "--quiet", is_flag=True, help="Print verdicts only."),
            _option("-v", "--verbose", is_flag=True, help="Print each trial as it finishes."),
            _option("--no-progress", is_flag=True, help="No progress bar."),
            _option("--no-html", is_flag=True, help="Write no report.html."),
        )
    ):
        command = option(command)
    return command


def _suites(command: F) -> F:
    return click.argument("suites", nargs=-1, type=click.Path(path_type=Path), metavar="[SUITE]...")(command)


@main.command()
@_suites
@_option(
    "--record-mode",
    type=click.Choice(_MODES),
    help="none: replay only (default); once: record what is missing; rewrite, all: record anew.",
)
@_selecting
@_running
def run(suites: tuple[Path, ...], record_mode: str | None, **options: Any) -> None:
    """Run suites and compare their variants; replays recordings unless told otherwise."""
    project, plan = _planned(suites, options, record_mode=record_mode)
    code = _execute(project, plan, options)
    _exit(code)


@main.command()
@_suites
@click.option("--rewrite", is_flag=True, help="Record everything selected anew.")
@click.option("--only-stale", is_flag=True, help="Record what is missing or no longer matches, and nothing else.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_selecting
@_running
def record(suites: tuple[Path, ...], rewrite: bool, only_stale: bool, yes: bool, **options: Any) -> None:
    """Record what is missing, after showing the number of calls and their expected cost."""
    from harness import api

    if rewrite and only_stale:
        raise UsageError("--rewrite records everything anew and --only-stale only what changed: choose one")
    project, plan = _planned(suites, options, record_mode="rewrite" if rewrite else "once")
    stale = api.stale(project, plan) if only_stale else frozenset()
    estimate = api.estimate(project, plan, rewrite=stale)
    _say(estimate.text)
    if estimate.trials:
        api.check_credentials(estimate.trials)
        if not yes and not _agreed():
            raise UsageError("nothing was recorded; without a terminal, say --yes")
    code = _execute(project, plan, options, rewrite=stale)
    _exit(code)


@main.command(name="plan")
@_suites
@_selecting
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show_plan(suites: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Show what would run: trials, what is recorded, and what the rest would cost."""
    from harness import api
    from harness.reports import tables

    project, plan = _planned(suites, options, record_mode="once")
    rows = api.plan_rows(project, plan)
    _print(json.dumps(rows, indent=2) if as_json else tables.listing(rows))


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--explain", is_flag=True, help="Print the suites with every setting, and where it comes from, as YAML.")
def validate(paths: tuple[Path, ...], as_json: bool, explain: bool) -> None:
    """Check suites, prompts and datasets; nothing is sent."""
    from harness import api

    if as_json and explain:
        raise UsageError("--explain prints YAML and --json prints JSON: choose one")
    project = api.open_project(_start(paths))
    found = api.load(project, api.find_suites(project, paths))
    if explain:
        from harness.suites.explain import explain as explained

        texts = [explained(suite, prompts=project.prompts, settings=project.settings) for suite in found]
        _print("---\n".join(texts).rstrip("\n"))
        return
    rows = [
        {
            "suite": suite.shown,
            "cases": len(suite.cases),
            "variants": len(suite.variants),
            "trials": len(suite.cases) * len(suite.variants) * suite.repeats,
        }
        for suite in found
    ]
    if as_json:
        _print(json.dumps(rows, indent=2))
        return
    for row in rows:
        _print(f"{row['suite']}: ok ({row['cases']} cases, {row['variants']} variants, {row['trials']} trials)")
    for note in api.notes(found):
        _say(note)


@main.command()
@click.argument("kind", required=False, type=click.Choice(["suite", "prompt", "settings"]))
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write KIND.schema.json into DIR instead; without a KIND all three.",
)
def schema(kind: Literal["suite", "prompt", "settings"] | None, folder: Path | None) -> None:
    """Print the JSON Schema of a suite (unless KIND says otherwise), with which editors complete and check it."""
    from harness import api
    from harness.suites import schema as schemas

    registry = api.open_project().registry
    if folder is None:
        _print(schemas.text(kind or "suite", registry).rstrip("\n"))
        return
    for path in schemas.write(folder, (kind,) if kind else schemas.KINDS, registry):
        _say(f"wrote {path}")


@main.command(name="list")
@click.argument("kind", type=click.Choice(["suites", "prompts", "scorers", "variants", "runs", "plugins"]))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_things(kind: str, as_json: bool) -> None:
    """Show suites, prompts, scorers, variants, runs or plugins as a table."""
    from harness import api
    from harness.reports import tables

    rows = api.listing(api.open_project(), kind)
    if as_json:
        _print(json.dumps(rows, indent=2))
    elif rows:
        _print(tables.listing(rows))
    else:
        _say(f"there are no {kind} here")


@main.command()
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def compare(a: str | None, b: str | None, as_json: bool) -> None:
    """Compare the last run's variants with its baseline, or A with B: runs, or SUITE:VARIANT of the last run."""
    from harness import api

    project = api.open_project()
    _exit(_print_comparisons(api.compared(project, a, b), as_json=as_json))


@main.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--minimal", is_flag=True, help="Prompts, a suite of three cases and its recordings, and nothing else.")
def init(directory: Path, minimal: bool) -> None:
    """Write a small project into DIR (default: here) that passes at once, offline; files that are there stay."""
    from harness import starter

    started = starter.start_project(directory, minimal=minimal)
    _print(starter.told(started, where=str(directory)))


@main.command()
@click.argument("run", required=False)
@click.option(
    "--format", "formats", default="", metavar="LIST", help="html, md, junit, csv, json (default: html,md,junit)."
)
@click.option("--by", default="", metavar="LIST", help="Break down by tag, case, model, prompt or metadata.NAME.")
@click.option("--no-outputs", is_flag=True, help="Leave out what the assistant said.")
@click.option("--open", "opened", is_flag=True, help="Open the report in a browser.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write FILE instead: .html .md .xml .csv .json (repeatable).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def report(
    run: str | None,
    formats: str,
    by: str,
    no_outputs: bool,
    opened: bool,
    outputs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the reports of a stored run again.

    RUN is an id, the start of one, or a folder; without it, the last run. Ends with the exit code that the run ended with.
    """
    from harness import api
    from harness.runs.reporting import DEFAULTS, Reporting

    project = api.open_project()
    stored = api.find_stored(project, run)
    reporting = Reporting(run=stored, by=_words(by), outputs=not no_outputs)
    wanted = _words(formats) or (() if outputs else DEFAULTS)
    if opened and "html" not in wanted and not any(path.suffix == ".html" for path in outputs):
        wanted = (*wanted, "html")
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shown = json.dumps(reporting.plain(), indent=2) if as_json else reporting.text(color=color)
    written = reporting.write(wanted, outputs)
    _print(shown)
    for remark in (*stored.remarks, *api.drift(project, stored)):
        _say(remark)
    for path in written:
        _say(f"report: {project.shown(path)}")
    if opened:
        _open(next(path for path in written if path.suffix == ".html"))
    _exit(int(stored.summary.exit_code))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(as_json: bool) -> None:
    """Say what is installed, found and missing, and how to mend it; keys are never shown."""
    from harness import api
    from harness.project import doctor as checks
    from harness.reports import tables

    project = api.open_project()
    found = checks.examine(project, load=lambda: api.suite_count(project), recorded=lambda: api.recorded(project))
    if as_json:
        _print(json.dumps([check.plain() for check in found], indent=2))
    else:
        _print(tables.listing([check.plain() for check in found]))
    _exit(0 if all(check.ok for check in found) else int(ExitCode.USAGE))


def _exit(code: int) -> None:
    click.get_current_context().exit(code)


def _planned(suites: tuple[Path, ...], options: dict[str, Any], *, record_mode: str | None) -> tuple[Project, Plan]:
    """Open the project, load the suites and lay out the selected trials."""
    from harness import api
    from harness.plan import Selection

    retries = options.pop("retries", None)
    project = api.open_project(
        _start(suites),
        record_mode=record_mode,
        concurrency=options.pop("concurrency", None),
        timeout=options.pop("timeout", None),
        attempts=None if retries is None else retries + 1,
    )
    selection = Selection(
        expression=options.pop("expression"),
        tags=options.pop("tags"),
        variants=options.pop("variants"),
        cases=options.pop("cases"),
        limit=options.pop("limit"),
    )
    loaded = api.load(project, api.find_suites(project, suites))
    loaded = api.adjusted(loaded, repeats=options.pop("repeats"), baseline=options.pop("baseline"))
    return project, api.plan(project, loaded, selection)


def _execute(project: Project, plan: Plan, options: dict[str, Any], *, rewrite: frozenset[str] = frozenset()) -> int:
    """Run a plan with a progress display, print what it came to, and return the exit code."""
    from harness import api
    from harness.reports.progress import Progress

    outputs: Sequence[Path] = options["outputs"]
    api.check_outputs(outputs, html=not options["no_html"])
    show = not options["no_progress"] and not options["quiet"] and sys.stderr.isatty()
    with Progress(len(plan.trials), shown=show, verbose=options["verbose"]) as progress:
        job = api.Job(
            project=project,
            plan=plan,
            rewrite=rewrite,
            subscribers=(progress,),
            exit_first=options["exit_first"],
            html=not options["no_html"],
            argv=tuple(sys.argv),
        )
        with _stopping() as stop:
            conclusion = job.execute(stop=stop)
    job.export(conclusion, outputs)
    _print_conclusion(job, conclusion, options)
    return int(conclusion.summary.exit_code)


def _print_conclusion(job: Job, conclusion: Conclusion, options: dict[str, Any]) -> None:
    from harness.reports import text

    if options["as_json"]:
        _print(json.dumps(job.plain(conclusion), indent=2))
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    _print(text.render(conclusion.summary, conclusion.open_results, color=color, quiet=options["quiet"]))
    _say(f"report: {job.project.shown(conclusion.report)}")


def _print_comparisons(found: Any, *, as_json: bool) -> int:
    if as_json:
        _print(json.dumps(found.plain(), indent=2))
    else:
        _print(found.text)
    if found.report is not None:
        _say(f"report: {found.report}")
    return int(found.exit_code)


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Ctrl-C or SIGTERM once: finish what is in flight and save. Twice: stop at once."""
    from harness.runs.stop import Stop

    stop = Stop()
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, frame: object) -> None:
        if stop.interrupted:
            if not stop.abort():
                raise KeyboardInterrupt
            return
        stop.interrupt()
        _say("finishing what is in flight; once more stops at once")

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _words(text: str) -> tuple[str, ...]:
    """The words of a list with commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        _say(f"no browser can be started here: open {path} yourself")


def _agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Record?", err=True)


def _start(paths: Sequence[Path]) -> Path | None:
    return paths[0] if paths else None


def _print(text: str) -> None:
    click.echo(text)


def _say(text: str) -> None:
    click.echo(text, err=True)
