"""The commands that look at stored runs: compare, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harness.cli.commands import Command
from harness.cli.options import as_json_option
from harness.cli.output import colors, finish, say, show


@click.command(cls=Command)
@click.argument("a", required=False)
@click.argument("b", required=False)
@as_json_option
def compare(a: str | None, b: str | None, as_json: bool) -> None:
    """Compare the last run's variants with its baseline, or A with B: runs, or SUITE:VARIANT of the last run."""
    from harness import api

    project = api.open_project()
    finish(_print_comparisons(api.compared(project, a, b), as_json=as_json))


@click.command(cls=Command)
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
    color = colors()
    shown = json.dumps(reporting.plain(), indent=2) if as_json else reporting.text(color=color)
    written = reporting.write(wanted, outputs)
    show(shown)
    for remark in (*stored.remarks, *api.drift(project, stored)):
        say(remark)
    for path in written:
        say(f"report: {project.shown(path)}")
    if opened:
        _open(next(path for path in written if path.suffix == ".html"))
    finish(int(stored.summary.exit_code))


def _print_comparisons(found: Any, *, as_json: bool) -> int:
    if as_json:
        show(json.dumps(found.plain(), indent=2))
    else:
        show(found.text)
    if found.report is not None:
        say(f"report: {found.report}")
    return int(found.exit_code)


def _words(text: str) -> tuple[str, ...]:
    """The words of a list with commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        say(f"no browser can be started here: open {path} yourself")
