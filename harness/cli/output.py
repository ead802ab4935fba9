"""Where words go: results to stdout, all else to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click


def show(text: str) -> None:
    """Print a result."""
    click.echo(text)


def show_json(value: Any) -> None:
    """Print plain data as a result."""
    show(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Print a message."""
    click.echo(text, err=True)


def colors() -> bool:
    """Whether results may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def finish(code: int) -> None:
    """End the command."""
    click.get_current_context().exit(code)
