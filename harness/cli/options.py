"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

#: What `--by` says of itself.
BY = "Break down by tag, case, variant, model, prompt, api, cluster, finish_reason, error or metadata.NAME."


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option that can also be set as HARNESS_<NAME>."""
    long = next((name for name in names if name.startswith("--")), names[0])
    return click.option(*names, envvar="HARNESS_" + long.lstrip("-").replace("-", "_").upper(), **settings)


def selecting(command: F) -> F:
    """Add the options that choose trials."""
    for add in reversed(
        (
            option(
                "-k", "expression", default="", metavar="EXPR", help="Trials whose names match: words, and, or, not."
            ),
            option("-t", "--tag", "tags", multiple=True, help="Cases with this tag (repeatable)."),
            option("--variant", "variants", multiple=True, help="This variant only (repeatable)."),
            option("--case", "cases", multiple=True, metavar="ID", help="This case only (repeatable)."),
            option("--limit", type=click.IntRange(min=1), help="At most so many cases per suite."),
            option("-r", "--repeats", type=click.IntRange(min=1), help="Repeats of each case, instead of the suite's."),
            option("--baseline", metavar="VARIANT", help="Compare with this variant instead of the suite's baseline."),
        )
    ):
        command = add(command)
    return command


def running(command: F) -> F:
    """Add the options of commands that run trials."""
    for add in reversed(
        (
            option("-j", "--concurrency", type=click.IntRange(min=1), help="Trials at the same time."),
            option("--timeout", metavar="TIME", help="Longest time a trial may take (default 120s)."),
            option("--run-timeout", metavar="TIME", help="Longest time the whole run may take (default: any)."),
            option("--rpm", metavar="N", help="Most requests a minute to one service (default: any)."),
            option("--tpm", metavar="N", help="Most tokens a minute to one service, answers included (default: any)."),
            option(
                "--retries", type=click.IntRange(min=0), help="Further attempts after a passing failure (default 2)."
            ),
            budget_option(),
            option("--strict", is_flag=True, help="A recorded request that a trial does not make is an error."),
            option("-x", "--exit-first", is_flag=True, help="Start nothing new after the first failure that decides."),
            stop_early_option(),
            output_option("Also write FILE: .html .md .xml .csv .json .jsonl .parquet (repeatable)."),
            option("--by", default="", metavar="LIST", help=BY),
            as_json_option("Print the summary as JSON."),
            option("-q", "--quiet", is_flag=True, help="Print verdicts only."),
            option("-v", "--verbose", is_flag=True, help="Print each model call, tool call and trial as it ends."),
            option("--no-progress", is_flag=True, help="No progress bar."),
            option("--no-html", is_flag=True, help="Write no report.html."),
        )
    ):
        command = add(command)
    return command


def stop_early_option() -> Callable[[F], F]:
    """`--stop-early`."""
    return option(
        "--stop-early",
        is_flag=True,
        help="Shuffle the cases, look at every tenth of them, and stop a suite once its comparisons are decided.",
    )


def share(text: str, source: str) -> float:
    """Read a share of all cases: `0.05` or `5%`.

    Raises:
        UsageError: It is none, or not between 0 and 1.
    """
    number = text.strip().removesuffix("%")
    try:
        found = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 < found < 1:
        raise UsageError(f"{source}: {text!r} is no share between 0 and 1; write 0.05 or 5%")
    return found


def suite_arguments(command: F) -> F:
    """`[SUITE]...`; none: all suites of the project."""
    return click.argument("suites", nargs=-1, type=click.Path(path_type=Path), metavar="[SUITE]...")(command)


def as_json_option(help: str = "Print as JSON.") -> Callable[[F], F]:
    """`--json`."""
    return option("--json", "as_json", is_flag=True, help=help)


def budget_option() -> Callable[[F], F]:
    """`--budget`."""
    return option("--budget", metavar="MONEY", help="Spend no more than this on live requests, such as $5.")


def output_option(help: str) -> Callable[[F], F]:
    """`-o FILE`."""
    file = click.Path(dir_okay=False, path_type=Path)
    return option("-o", "--output", "outputs", multiple=True, type=file, metavar="FILE", help=help)


def words(text: str) -> tuple[str, ...]:
    """The words of a list with commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
