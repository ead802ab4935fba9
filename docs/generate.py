"""The parts of the documentation that are made from the code, so that they cannot drift from it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent


def commands() -> str:
    """The help text of every command."""
    import click

    from harness.cli import main

    parts = []
    for path in ((), *((name,) for name in sorted(main.commands))):
        command: Any = main if not path else main.commands[path[0]]
        info = "harness " + " ".join(path)
        with click.Context(command, info_name=info.strip(), max_content_width=100, terminal_width=100) as context:
            parts.append(f"### `{info.strip()}`\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts)


def scorers() -> str:
    """A table of the built-in scorers, and what each says about itself."""
    from harness.scorers import default_registry

    registry = default_registry(entry_points=False)
    found = [registry.get(name) for name in registry.names()]
    rows = ["| scorer | passes when |", "| --- | --- |", *(f"| `{one.name}` | {_cell(one.summary)} |" for one in found)]
    pages = [f"**`{one.name}`**: {_paragraph(type(one).__doc__)}" for one in found]
    return "\n".join(rows) + "\n\n" + "\n\n".join(pages)


def exit_codes() -> str:
    """A table of exit codes, and which wins."""
    from harness.errors import PRECEDENCE, ExitCode

    comments = _comments(ROOT / "harness/errors.py", ExitCode.__name__)
    rows = [f"| {int(code)} | {_cell(comments[code.name])} |" for code in ExitCode]
    order = ", ".join(str(int(code)) for code in PRECEDENCE)
    return (
        "\n".join(["| code | meaning |", "| --- | --- |", *rows])
        + f"\n\nThe first of these that applies wins: {order}."
    )


def model(name: str, without: str | None = None) -> str:
    """A table of the keys of one of the models that files are validated with, perhaps without those of another."""
    found = _models()[name]
    shown_elsewhere = _models()[without].model_fields if without else {}
    rows = ["| key | default | what it is |", "| --- | --- | --- |"]
    for key, info in found.model_fields.items():
        if key in shown_elsewhere:
            continue
        default = (
            ""
            if info.is_required() or info.default in (None, "", ())
            else f"`{_plain(info.get_default(call_default_factory=True))}`"
        )
        rows.append(f"| `{info.alias or key}` | {default} | {_cell(info.description or '')} |")
    return "\n".join(rows)


def defaults() -> str:
    """A table of defaults that are no key of a file."""
    from harness.recording import read
    from harness.runs import opening
    from harness.settings import Retry
    from harness.suites.suite import DEFAULT_MARGIN

    rows = [
        ("trials at the same time, live", opening.LIVE_CONCURRENCY),
        ("trials at the same time, on replay", opening.REPLAY_CONCURRENCY),
        *((f"retry: {name}", field.default) for name, field in Retry.model_fields.items()),
        ("margin", DEFAULT_MARGIN),
        ("largest cassette, bytes", f"{read.LARGEST:,}"),
    ]
    return "\n".join(["| what | default |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def sample() -> str:
    """What replaying the shipped suites prints, without what differs from run to run."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "--no-html", "--no-progress"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(", run 2")[0] for line in done.stdout.rstrip().splitlines()]
    first = next((number for number, line in enumerate(lines) if line.startswith("  failing trials")), len(lines))
    notes = next((number for number, line in enumerate(lines) if line.startswith("  answers:")), first)
    lines[first:notes] = ["  (the failing trials, each with what was expected and what was answered)", ""]
    return "```text\n" + "\n".join(lines) + "\n```"


def _models() -> dict[str, type[BaseModel]]:
    """Every model that validates a file, by name."""
    import harness.api  # noqa: F401 (what it imports defines them)

    def below(one: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for inner in one.__subclasses__():
            yield inner
            yield from below(inner)

    return {one.__name__: one for one in below(BaseModel) if one.__module__.startswith("harness.")}


def _comments(path: Path, name: str) -> dict[str, str]:
    """The `#:` comment above each member of an enumeration."""
    found: dict[str, str] = {}
    for comment, line in itertools.pairwise(path.read_text().splitlines()):
        if comment.strip().startswith("#:") and " = " in line:
            found[line.split(" = ")[0].strip()] = comment.strip().removeprefix("#:").strip()
    return found


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split())


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
