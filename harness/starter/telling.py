"""What a person is told about a new project."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from harness.starter.starting import Started


def told(started: Started, *, where: str) -> str:
    """Return what a person is told: files written and kept, what to add by hand, and the next commands.

    Args:
        started: What became of the files.
        where: The folder as it was given.
    """
    parts = [_files(started, where)]
    if started.kept:
        parts.append(_lines(f"kept {name} as it is" for name in started.kept))
    parts.extend(started.advice)
    parts.append(_next(where))
    return "\n\n".join(parts)


def _files(started: Started, where: str) -> str:
    if not started.written:
        return f"nothing to write: every file of the project is in {where} already"
    count = len(started.written)
    head = f"wrote {count} file{'s' if count != 1 else ''} in {where}"
    return _lines([head, *(f"  {line}" for line in _folded(started.written))])


def _folded(names: Iterable[str]) -> list[str]:
    """One line for each file, but for recordings: these are counted by folder."""
    lines: list[str] = []
    counts: dict[str, int] = {}
    for name in names:
        if not name.startswith("cassettes/"):
            lines.append(name)
            continue
        folder = name.rpartition("/")[0]
        counts[folder] = counts.get(folder, 0) + 1
    return lines + [f"{folder}/ ({count} recordings)" for folder, count in counts.items()]


def _next(where: str) -> str:
    enter = [] if where == "." else [f"cd {shlex.quote(where)}"]
    commands: Mapping[str, str] = {
        "pytest suites/": "replays the recorded answers: no network, no key",
        "harness compare": "says whether v2 is better than v1, and how sure that is",
        "harness record": "records what is missing; how to use a model of yours stands in suites/reply.yaml",
    }
    lines = [f"  {command:<16}  # {what}" for command, what in commands.items()]
    return _lines(["next:", *(f"  {line}" for line in enter), *lines])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
