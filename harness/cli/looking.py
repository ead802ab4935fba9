"""The commands that look at a project or begin one: validate, schema, list, doctor, init."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from harness.cli.commands import Command
from harness.cli.options import as_json_option
from harness.cli.output import finish, say, show, show_json, show_rows
from harness.errors import ExitCode, UsageError


@click.command(cls=Command)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@as_json_option()
@click.option("--explain", is_flag=True, help="Print the suites with every setting, and where it comes from, as YAML.")
def validate(paths: tuple[Path, ...], as_json: bool, explain: bool) -> None:
    """Check suites, prompts and datasets; nothing is sent."""
    from harness import api

    if as_json and explain:
        raise UsageError("--explain prints YAML and --json prints JSON: choose one")
    project = api.open_project(paths[0] if paths else None)
    found = api.check(project, paths)
    if explain:
        from harness.suites.explain import explain as explained

        texts = [explained(suite, prompts=project.prompts, settings=project.settings) for suite in found]
        show("---\n".join(texts).rstrip("\n"))
        return
    rows = [
        {
            "suite": suite.shown,
            "cases": len(suite.cases),
            "variants": len(suite.variants),
            "trials": sum(suite.repeats_of(variant, case) for variant in suite.variants for case in suite.cases),
        }
        for suite in found
    ]
    if as_json:
        show_json(rows)
        return
    if not rows:
        show(f"{project.shown(project.settings.prompts)}: ok")
    for row in rows:
        show(f"{row['suite']}: ok ({row['cases']} cases, {row['variants']} variants, {row['trials']} trials)")
    for note in api.notes(found):
        say(note)


@click.command(cls=Command)
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
        show(schemas.text(kind or "suite", registry).rstrip("\n"))
        return
    for path in schemas.write(folder, (kind,) if kind else schemas.KINDS, registry):
        say(f"wrote {path}")


@click.command(cls=Command, name="list")
@click.argument("kind", type=click.Choice(["suites", "prompts", "scorers", "variants", "runs", "plugins"]))
@as_json_option()
def list_things(kind: str, as_json: bool) -> None:
    """Show suites, prompts, scorers, variants, runs or plugins as a table."""
    from harness import api

    rows = api.listing(api.open_project(), kind)
    if as_json:
        show_json(rows)
    elif rows:
        show_rows(rows)
    else:
        say(f"there are no {kind} here")


@click.command(cls=Command)
@click.argument("directory", default=".", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--minimal", is_flag=True, help="Prompts, a suite of three cases and its recordings, and nothing else.")
def init(directory: Path, minimal: bool) -> None:
    """Write a small project into DIR (default: here) that passes at once, offline; files that are there stay."""
    from harness import starter

    started = starter.start_project(directory, minimal=minimal)
    show(starter.told(started, where=str(directory)))


@click.command(cls=Command)
@as_json_option()
def doctor(as_json: bool) -> None:
    """Say what is installed, found and missing, and how to mend it; keys are never shown."""
    from harness import api
    from harness.project import doctor as checks

    project = api.open_project()
    found = checks.examine(project, load=lambda: api.suite_count(project), ready=lambda: api.readiness(project))
    if as_json:
        show_json([check.plain() for check in found])
    else:
        show_rows([check.plain() for check in found])
    finish(0 if all(check.ok for check in found) else int(ExitCode.USAGE))
