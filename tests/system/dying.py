"""Runs the command line in a process that is killed at the n-th call by which it changes what is on disk."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any


def _dying(call: Callable[..., Any], counts: itertools.count[int], at: int, *, after: bool) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:
        dies = next(counts) == at
        if dies and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return call(*arguments, **named)
        finally:
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)

    return called


def main() -> None:
    from harness.cli import main as command

    counts = itertools.count(1)
    for name in ("open", "write", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir"):
        call = getattr(os, name)
        setattr(os, name, _dying(call, counts, int(os.environ["DIE_AT"]), after=bool(os.environ["DIE_AFTER"])))
    command(prog_name="harness")


if __name__ == "__main__":
    main()
