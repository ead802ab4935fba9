"""Where words go: results to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.errors import StorageError

if TYPE_CHECKING:
    from harness.records import JSON

#: Columns of a table in a file or a pipe.
_WIDE = 240
#: Columns of sentences in a file or a pipe, and at most on a terminal.
_LOG, _READABLE = 100, 140


_REDACT = f"{__name__}.redact"


def keep_quiet_of(redact: Callable[[str], str]) -> None:
    """Take secrets out of all that this command prints from now on."""
    click.get_current_context().meta[_REDACT] = redact


def discreet(text: str) -> str:
    """Return a text as this command may print it."""
    context = click.get_current_context(silent=True)
    redact = context.meta.get(_REDACT) if context is not None else None
    return text if redact is None else str(redact(text))


def show(text: str) -> None:
    """Print a result.

    Raises:
        StorageError: It goes to a file that cannot take it.
    """
    try:
        click.echo(discreet(text))
    except OSError as error:
        raise StorageError(f"cannot write standard output: {error.strerror or error}") from error


def show_json(value: Any) -> None:
    """Print plain data as a result."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    show(json.dumps(value, indent=2, ensure_ascii=not utf8))


def show_rows(rows: Sequence[Mapping[str, JSON]]) -> None:
    """Print rows as a table, as wide as the terminal; where there is none, a table need not be broken."""
    from harness.reports import tables

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    show(tables.listing(rows, width=width))


def columns() -> int:
    """How wide a result may be: as the terminal, within reason; a log has no edge."""
    return min(shutil.get_terminal_size().columns, _READABLE) if sys.stdout.isatty() else _LOG


def say(text: str) -> None:
    """Print a message."""
    click.echo(discreet(text), err=True)


def colors() -> bool:
    """Whether results may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def finish(code: int) -> None:
    """End the command."""
    click.get_current_context().exit(code)
