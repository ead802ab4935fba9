"""Where words go: results to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.records import JSON

#: Columns of a table in a file or a pipe.
_WIDE = 240


def show(text: str) -> None:
    """Print a result."""
    click.echo(text)


def show_json(value: Any) -> None:
    """Print plain data as a result."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    show(json.dumps(value, indent=2, ensure_ascii=not utf8))


def show_rows(rows: Sequence[Mapping[str, JSON]]) -> None:
    """Print rows as a table, as wide as the terminal; where there is none, a table need not be broken."""
    from harness.reports import tables

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    show(tables.listing(rows, width=width))


def say(text: str) -> None:
    """Print a message."""
    click.echo(text, err=True)


def colors() -> bool:
    """Whether results may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def finish(code: int) -> None:
    """End the command."""
    click.get_current_context().exit(code)
