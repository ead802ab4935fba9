"""The parts of the documentation that are made from the code, so that they cannot drift from it."""

from __future__ import annotations

import ast
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
    waiting: list[tuple[str, Any]] = [("harness", main)]
    while waiting:
        name, command = waiting.pop(0)
        with click.Context(command, info_name=name, max_content_width=100, terminal_width=100) as context:
            parts.append(f"### `{name}`\n\n```text\n{command.get_help(context)}\n```")
        inner = sorted(command.commands.items()) if isinstance(command, click.Group) else []
        waiting = [(f"{name} {one}", found) for one, found in inner] + waiting
    return "\n\n".join(parts)


def features() -> str:
    """A table of what each API can do, from the tests that show it."""
    from tests.features.table import markdown

    return markdown()


def scorers() -> str:
    """A table of the built-in scorers, and what each says about itself."""
    from harness.scorers import default_registry

    registry = default_registry(entry_points=False)
    found = [registry.get(name) for name in registry.names()]
    rows = ["| scorer | passes when |", "| --- | --- |", *(f"| `{one.name}` | {_cell(one.summary)} |" for one in found)]
    pages = [f"**`{one.name}`**: {_paragraph(type(one).__doc__)}" for one in found]
    return "\n".join(rows) + "\n\n" + "\n\n".join(pages)


def events() -> str:
    """A table of what a run tells, in the order of `harness.events`."""
    import dataclasses
    import inspect

    from harness import events as module

    found = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
    rows = ["| event | told when | what it holds |", "| --- | --- | --- |"]
    for one in found:
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(one))
        rows.append(f"| `{one.__name__}` | {_cell(_paragraph(one.__doc__))} | {fields} |")
    return "\n".join(rows)


def failure_kinds() -> str:
    """A table of the kinds of failures of services, and after which of them a request is sent again."""
    from harness.limits.kinds import KINDS

    rows = [f"| `{one.name}` | {_cell(one.means)} | {one.again} | {_cell(one.advice)} |" for one in KINDS]
    return "\n".join(["| error | what happened | sent again | what to do |", "| --- | --- | --- | --- |", *rows])


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
    shown_elsewhere = set(_models()[without].model_fields if without else ())
    # The root is where pyproject.toml is, and nobody may set it.
    shown_elsewhere |= {"root"} if name == "Settings" else set()
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


def columns() -> str:
    """A table of the columns of CSV and Parquet files."""
    from harness.reports.export import COLUMNS

    rows = [f"| `{name}` | {_cell(what)} |" for name, what in COLUMNS.items()]
    return "\n".join(["| column | what it is |", "| --- | --- |", *rows])


def formats() -> str:
    """A table of the formats of `harness report`: what to ask for, and the file in the run's folder."""
    from harness.runs.reporting import DEFAULTS, FORMATS

    rows = [f"| `{name}` | `{file}` | {'yes' if name in DEFAULTS else ''} |" for name, file in FORMATS.items()]
    return "\n".join(["| `--format` | file | written by every run |", "| --- | --- | --- |", *rows])


def summary_keys() -> str:
    """A table of the keys of each object in a summary as JSON, with the comments that stand above the fields."""
    from harness.stats import intervals, latency, paired, verdicts
    from harness.summary import facets, view

    wanted = (
        (view, "RunSummary SuiteSummary VariantSummary Comparison GateResult RunSpend Spend"),
        (facets, "TagContrast Flip Change Stopping Look TimeParts CostPart ToolUse FailureGroup FrontPoint Repeats"),
        (paired, "Difference MeanDifference"),
        (latency, "Ratio"),
        (verdicts, "Verdict"),
        (intervals, "Interval"),
    )
    parts = []
    for module, names in wanted:
        source = Path(str(module.__file__)).read_text()
        found = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
        for name in names.split():
            what = (ast.get_docstring(found[name]) or "").splitlines()[0]
            fields = _fields(found[name], source)
            rows = [f"| `{key}` | `{_cell(kind)}` | {_cell(text)} |" for key, kind, text in fields]
            head = [f"**{name}**: {what}\n", "| key | type | what it is |", "| --- | --- | --- |"]
            parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts)


def _fields(node: ast.ClassDef, source: str) -> Iterator[tuple[str, str, str]]:
    """The fields of a dataclass: name, type, and the `#:` comment above."""
    lines = source.splitlines()
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            above = itertools.takewhile(lambda line: line.strip().startswith("#:"), reversed(lines[: field.lineno - 1]))
            told = " ".join(line.strip().removeprefix("#:").strip() for line in reversed([*above]))
            yield field.target.id, ast.unparse(field.annotation), told


def breakdown() -> str:
    """A table of the columns of a breakdown, besides its keys."""
    from harness.reports.sliced import COLUMNS

    rows = [f"| `{name}` | {kind} | {_cell(what)} |" for name, (kind, what) in COLUMNS.items()]
    return "\n".join(["| column | type | what it is |", "| --- | --- | --- |", *rows])


def trend() -> str:
    """A table of the columns of `harness.load_all().trend()`."""
    from harness.library.frames import TREND

    rows = [f"| `{name}` | {kind} | {_cell(what)} |" for name, (kind, what) in TREND.items()]
    return "\n".join(["| column | type | what it is |", "| --- | --- | --- |", *rows])


def defaults() -> str:
    """A table of what holds where nobody says anything, from the models and constants that it stands in."""
    from typing import get_args

    from harness.assistants.session import CONNECT_TIMEOUT
    from harness.limits.budget import WARNING
    from harness.recording import read
    from harness.runs import opening
    from harness.scorers.evaluation import DEFAULT_THRESHOLD
    from harness.settings import Retry, Settings
    from harness.suites import suite
    from harness.suites.fields import SuiteFields
    from harness.suites.matrix import LARGEST as LARGEST_MATRIX
    from harness.templates import meter

    def of(model: type[BaseModel], name: str) -> Any:
        return model.model_fields[name].default

    retry = "`[tool.harness.retry]`"
    rows = [
        ("record mode", of(Settings, "record_mode"), "`--record-mode`, `record_mode`"),
        ("trials at the same time, live", opening.LIVE_CONCURRENCY, "`-j`, `concurrency`"),
        ("trials at the same time, on replay", opening.REPLAY_CONCURRENCY, "`-j`, `concurrency`"),
        ("longest trial, longest wait for an answer", _seconds(of(Settings, "timeout")), "`--timeout`, `timeout`"),
        ("longest wait for a connection", _seconds(CONNECT_TIMEOUT), ""),
        ("attempts of one call", of(Retry, "attempts"), f"`--retries` (further ones), `attempts` in {retry}"),
        ("first wait before another attempt", _seconds(of(Retry, "backoff")), f"`backoff` in {retry}"),
        ("each wait, times the one before", f"{of(Retry, 'factor'):g}", f"`factor` in {retry}"),
        ("share of a wait that chance may take off", of(Retry, "jitter"), f"`jitter` in {retry}"),
        ("longest wait nobody asked for", _seconds(of(Retry, "longest")), f"`longest` in {retry}"),
        ("all waits of one call together", _seconds(of(Retry, "budget")), f"`budget` in {retry}"),
        ("failures in a row after which a service is left alone", of(Retry, "breaker"), f"`breaker` in {retry}"),
        ("budget", "none", "`--budget`, `budget`, `budget` in a suite"),
        ("share of a budget at which a warning is told", WARNING, ""),
        ("API", suite.AssistantSpec().api, "`api` in a suite"),
        ("what a later turn sends on Responses", get_args(suite.Chain)[0], "`chain` in a suite"),
        ("repeats", of(SuiteFields, "repeats"), "`-r`, `repeats` in a suite"),
        ("smallest difference in accuracy that matters", suite.DEFAULT_MARGIN, "`margin` in a suite"),
        ("score from which a number passes", DEFAULT_THRESHOLD, "`threshold` of a check"),
        ("most variants of a matrix", LARGEST_MATRIX, ""),
        ("largest cassette", f"{read.LARGEST:,} bytes", ""),
        ("longest output of a template", f"{meter.LARGEST:,} characters", ""),
        ("most steps of the loops in a template", f"{meter.MOST_STEPS:,}", ""),
    ]
    head = ["| what | default | what changes it |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {what} | {value} | {key or 'nothing'} |" for what, value, key in rows)])


def _seconds(value: float) -> str:
    return f"{value:g} s"


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
    shown: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("  failing trials") and not inside:
            inside = True
            shown += ["  (failing trials, each with what was expected and what was answered)", ""]
        inside = inside and not line.startswith("  answers:")
        shown += [] if inside else [line]
    return "```text\n" + "\n".join(shown) + "\n```"


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
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
