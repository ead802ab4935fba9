"""The command line: options, and which function they call. Results go to stdout, all else to stderr."""

from __future__ import annotations

from harness.cli.main import main

__all__ = ["main"]
