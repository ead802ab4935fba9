"""Runs in processes of their own, which can be killed, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.loopback import ChatServer
from tests.projects import write

#: What differs between a run and the same run in pieces: its name, when it was, how long the network took.
_OF_THE_RUN = ("run", "latency", "ttft", "response_ids")


def suite(root: Path, url: str, *, cases: int, extra: str = "") -> Path:
    """Write a project of one suite with one variant; every case is one call."""
    listed = "".join(f"  - {{id: c{number}, input: Question {number}, expected: 5 days}}\n" for number in range(cases))
    text = f"""\
suite: faq
model: test-model
base_url: {url}
variants: {{v1: {{prompt: faq@1}}}}
{extra}
expect: {{icontains: "{{{{ expected }}}}"}}
cases:
{listed}"""
    return write(root, {"prompts/faq/1.j2": "Answer briefly.", "suites/faq.yaml": text})


def start(
    root: Path, *arguments: str, before: Sequence[str] = (), program: Sequence[str] = ("-m", "harness"), **more: Any
) -> subprocess.Popen[str]:
    """Start a command of the harness in a process of its own."""
    command = [*before, sys.executable, *program, *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen(command, cwd=root, text=True, **pipes)


class Killer:
    """An answer of a `ChatServer` that kills a process when a request arrives.

    Attributes:
        process: Whom to kill.
        at: At which request, counted from 1 over the life of the server; None: never.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.at: int | None = None

    def __call__(self, number: int, body: dict[str, Any]) -> str:
        if self.at is not None and number >= self.at and self.process is not None:
            self.process.send_signal(signal.SIGKILL)
        return "It takes 5 days."


@contextlib.contextmanager
def killing() -> Iterator[tuple[ChatServer, Killer]]:
    """Serve answers until a process is to be killed."""
    killer = Killer()
    with ChatServer(killer) as server:
        yield server, killer


def killed_at(root: Path, killer: Killer, number: int, *arguments: str) -> subprocess.Popen[str]:
    """Run a command until the server has got so many requests; then it is killed."""
    process = start(root, *arguments)
    killer.process, killer.at = process, number
    process.communicate(timeout=300)
    killer.process, killer.at = None, None
    return process


def folders(root: Path) -> list[Path]:
    """The folders of runs that hold results, oldest first."""
    found = (root / "reports").glob("2*/results.jsonl")
    return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]


def rows(root: Path) -> list[dict[str, Any]]:
    """The rows of the newest run, as they would be in any run with these answers."""
    return [lasting(json.loads(line)) for line in (folders(root)[-1] / "results.jsonl").read_text().splitlines()]


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is of its run only."""
    cassette = row["cassette"] and {"path": row["cassette"]["path"]}
    kept = {key: value for key, value in row.items() if key not in _OF_THE_RUN}
    kept["turns"] = [{key: value for key, value in turn.items() if key not in _OF_THE_RUN} for turn in row["turns"]]
    return {**kept, "cassette": cassette}


def manifest(root: Path) -> dict[str, Any]:
    """run.json of the newest run."""
    found: dict[str, Any] = json.loads((folders(root)[-1] / "run.json").read_text())
    return found


def cassettes(root: Path) -> list[Path]:
    """The recordings, by name."""
    return sorted((root / "cassettes").rglob("*.yaml"))


def left(root: Path) -> list[str]:
    """What should not lie in a project when no run is under way: halves of recordings, locks, journals."""
    found = [*(root / "cassettes").rglob("*.tmp"), *(root / ".harness").rglob("*")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look until something is true of a process that is alive."""
    while not condition():
        assert process.poll() is None, process.communicate()
        os.sched_yield()
