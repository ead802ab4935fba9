"""The command that looks at stored runs: report."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.commands import Command
from harness.cli.options import BY, as_json_option, output_option, words
from harness.cli.output import colors, columns, finish, keep_quiet_of, say, show, show_json


@click.command(cls=Command)
@click.argument("run", required=False)
@click.option(
    "--format",
    "formats",
    default="",
    metavar="LIST",
    help="html, md, junit, csv, json, parquet (default: html,md,junit).",
)
@click.option("--by", default="", metavar="LIST", help=BY)
@click.option("--no-outputs", is_flag=True, help="Leave out what the assistant said.")
@click.option("--open", "opened", is_flag=True, help="Open the report in a browser.")
@output_option("Write FILE instead: .html .md .xml .csv .json .jsonl .parquet (repeatable).")
@as_json_option("Print the summary as JSON.")
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
    from harness.runs.indexing import indexed
    from harness.runs.opening import redactor_of
    from harness.runs.reporting import DEFAULTS, Reporting

    project = api.open_project()
    keep_quiet_of(redactor_of(project.settings).text)
    stored = api.find_stored(project, run)
    reporting = Reporting(run=stored, by=words(by), outputs=not no_outputs)
    wanted = words(formats) or (() if outputs else DEFAULTS)
    if opened and "html" not in wanted and not any(path.suffix == ".html" for path in outputs):
        wanted = (*wanted, "html")
    written = reporting.write(wanted, outputs)
    reports = project.settings.reports
    unlisted = indexed(reports) if wanted and stored.folder.path.parent == reports else []
    if as_json:
        show_json(reporting.plain())
    else:
        show(reporting.text(color=colors(), width=columns()))
    for remark in (*stored.remarks, *api.drift(project, stored), *unlisted):
        say(remark)
    for path in written:
        say(f"report: {project.shown(path)}")
    if opened:
        _open(next(path for path in written if path.suffix == ".html"))
    finish(int(stored.summary.exit_code))


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        say(f"no browser can be started here: open {path} yourself")
