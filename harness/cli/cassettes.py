"""The commands that keep recordings in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.commands import Command, Group
from harness.cli.options import as_json_option
from harness.cli.output import finish, show, show_json
from harness.errors import ExitCode

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def cassettes() -> None:
    """Keep recordings in order: check, read, compare, count, clean and rename them; nothing is sent."""


def _paths(command: F) -> F:
    return click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")(command)


@cassettes.command(cls=Command)
@_paths
@as_json_option()
def verify(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check that recordings are whole, hold no secret, and belong to a trial; exit code 1 if one cannot be trusted.

    PATH is a file or a folder of recordings; default: all of the project's.
    """
    from harness.hygiene.verifying import verify as verified
    from harness.project.project import open_project

    found = verified(open_project(paths[0] if paths else None), paths)
    if as_json:
        show_json(found.plain())
    else:
        for one in found.findings:
            show(f"{one.level}: {one.path}: {one.message}")
        show(
            f"{_count(found.files, 'recording')}, {_count(found.errors, 'error')}, {_count(found.warnings, 'warning')}"
        )
    finish(int(ExitCode.FAILED) if found.errors else 0)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"
