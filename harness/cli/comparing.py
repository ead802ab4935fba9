"""The command that compares: variants, runs, prompts, APIs, and the working tree with a commit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.commands import Command
from harness.cli.options import as_json_option, option, output_option
from harness.cli.output import colors, columns, finish, keep_quiet_of, say, show, show_json

if TYPE_CHECKING:
    from harness.api import Conclusion, Job, Project
    from harness.compare import Compared
    from harness.records import Result
    from harness.summary import RunSummary


@click.command(cls=Command)
@click.argument("a", required=False)
@click.argument("b", required=False)
@option("--suite", "suites", multiple=True, metavar="SUITE", help="Only this suite, by name or path (repeatable).")
@option("--no-code", is_flag=True, help="Run no Python code of the other tree.")
@option("--no-html", is_flag=True, help="Write no page.")
@click.option(
    "--format",
    "formats",
    default="",
    metavar="LIST",
    help="Also write html, md, junit, csv, json into the run's folder.",
)
@output_option("Also write FILE: .html .md .xml .csv .json .jsonl (repeatable).")
@as_json_option("Print the summary as JSON.")
def compare(
    a: str | None,
    b: str | None,
    suites: tuple[str, ...],
    no_code: bool,
    no_html: bool,
    formats: str,
    outputs: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Compare the working tree with a commit, or two variants, runs, prompts or APIs.

    Nothing: the last run's variants with its baseline. MAIN (or any commit): the suites of that tree, replayed with its
    own recordings, and today's checks applied to both. RUN [RUN]; SUITE:VARIANT [SUITE:VARIANT] of the last run. With
    --suite: two variants of it by name, by prompt (faq@1 faq@2) or by API (threads responses), replayed now. Ends with 1
    where a candidate is worse, or a gate fails.
    """
    from harness import api
    from harness.comparing.across import compare_now, compare_tree
    from harness.comparing.words import TreeAsked, VariantsAsked, asked
    from harness.runs.opening import redactor_of
    from harness.runs.reporting import format_of, known_format

    project = api.open_project()
    keep_quiet_of(redactor_of(project.settings).text)
    wanted = [known_format(word) for word in dict.fromkeys(filter(None, map(str.strip, formats.split(","))))]
    for path in outputs:
        format_of(path)
    meant = asked(project, a, b, suites=suites)
    options: dict[str, Any] = {"html": not no_html, "argv": tuple(sys.argv)}
    if isinstance(meant, TreeAsked):
        across = compare_tree(project, meant.ref, suites=suites, code=not no_code, **options)
        _run(across.job, wanted, outputs, as_json=as_json, notes=across.notes)
    elif isinstance(meant, VariantsAsked):
        job = compare_now(project, meant.suite, meant.a, meant.b, **options)
        _run(job, wanted, outputs, as_json=as_json)
    else:
        _stored(project, meant, wanted, outputs, as_json=as_json, html=not no_html)


def _run(
    job: Job, formats: Sequence[str], outputs: Sequence[Path], *, as_json: bool, notes: Sequence[str] = ()
) -> None:
    """Run what is to be compared, print what it came to, and end."""
    from harness.runs.job import published
    from harness.runs.loaded import read_run
    from harness.runs.reporting import Reporting
    from harness.store import RunFolder

    conclusion: Conclusion = job.execute()
    for note in job.notes:
        say(note)
    if as_json:
        show_json({**job.plain(conclusion), "notes": list(notes)})
    else:
        _print(conclusion.summary, conclusion.open_results, notes)
    if formats or outputs:
        folder = RunFolder(conclusion.folder.parent, conclusion.folder.name)
        Reporting(run=read_run(folder, counted=True)).write(formats, outputs)
    for note in published(conclusion):
        say(note)
    say(f"report: {job.project.shown(conclusion.report)}")
    finish(int(conclusion.summary.exit_code))


def _stored(
    project: Project,
    found: Compared,
    formats: Sequence[str],
    outputs: Sequence[Path],
    *,
    as_json: bool,
    html: bool,
) -> None:
    """Print what stored arms came to, write the page into the later run's folder, and end."""
    from harness.comparing.stored import joined, write
    from harness.reports import github
    from harness.runs.loaded import suites_of

    if not found.pairs:
        if as_json:
            show_json(found.plain())
        else:
            show(found.text)
        finish(int(found.exit_code))
        return
    both = joined(found, suites_of=lambda run: suites_of(project, run))
    if as_json:
        show_json(both.compared.plain())
    else:
        _print(both.summary, (), found.unmatched)
    written = write(both, [*(["html"] if html else []), "md", *formats], outputs)
    trouble = github.publish(next(path for path in written if path.suffix == ".md"), os.environ)
    if trouble:
        say(trouble)
    say(f"report: {project.shown(written[0])}")
    finish(int(both.compared.exit_code))


def _print(summary: RunSummary, results: Iterable[Result], notes: Sequence[str]) -> None:
    from harness.reports import clean, text

    show(text.render(summary, results, color=colors(), width=columns(), failures=0))
    for note in notes:
        show(clean.line(note, 1000))
