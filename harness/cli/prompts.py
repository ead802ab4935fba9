"""The commands that look at prompts: show, diff, render."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from harness.cli.commands import Command, Group
from harness.cli.options import as_json_option
from harness.cli.output import colors, say, show, show_json

if TYPE_CHECKING:
    from harness.project.prompting import Opened


@click.group(cls=Group)
def prompts() -> None:
    """Look at prompts: what is in one, what differs between two, what one comes to."""


@prompts.command(cls=Command, name="show")
@click.argument("ref")
@as_json_option()
def show_prompt(ref: str, as_json: bool) -> None:
    """Show a prompt: where it is, where it comes from, its variables and its text.

    REF is a name (its newest version), name@2, name@latest, name@git:main or name@2@git:main.
    """
    from harness.project.project import open_project
    from harness.project.prompting import described

    found = described(open_project(), ref)
    show_json(found) if as_json else show(_description(found))


@prompts.command(cls=Command)
@click.argument("a")
@click.argument("b")
def diff(a: str, b: str) -> None:
    """Show which words differ between two prompts: [-gone-] and {+new+}, or red and green on a terminal."""
    from harness.project.project import open_project
    from harness.project.prompting import sources
    from harness.reports import linediff

    (first, before), (second, after) = sources(open_project(), a, b)
    text = linediff.render(before, after, names=(first, second), color=colors())
    if text:
        show(text.rstrip("\n"))
    else:
        say(f"{first} and {second} are the same")


@prompts.command(cls=Command)
@click.argument("ref")
@click.option("--case", metavar="SUITE::CASE", help="Render it for this case.")
@click.option("--var", "given", multiple=True, metavar="NAME=VALUE", help="Value of a variable (repeatable).")
@as_json_option()
def render(ref: str, case: str | None, given: tuple[str, ...], as_json: bool) -> None:
    """Show the messages that a prompt comes to; without a case, {{ input }} stands for the input."""
    from harness.project.project import open_project
    from harness.project.prompting import rendered

    opened = rendered(open_project(), ref, case=case, given=given)
    show_json(opened.plain()) if as_json else show(_messages(opened))


def _messages(opened: Opened) -> str:
    from harness.reports import clean

    parts = []
    for number, messages in enumerate(opened.turns, start=1):
        for message in messages:
            head = message.role if len(opened.turns) == 1 else f"{message.role}, turn {number}"
            parts.append(f"{click.style(head, bold=True) if colors() else head}:\n{clean.block(message.content)}")
    return "\n\n".join(parts) or "nothing is said before the input"


def _description(found: Mapping[str, Any]) -> str:
    from harness.reports import clean

    facts = {
        "description": found["description"],
        "parent": found["parent"],
        "versions": ", ".join(found["versions"]),
        "commit": found["commit"],
        "defaults": _plain(found["defaults"]),
    }
    lines = [f"{found['prompt']}  {found['file']}"]
    lines += [f"  {name:<12} {clean.line(str(value))}" for name, value in facts.items() if value]
    lines += [f"  {'variable':<12} {clean.line(_variable(name, one))}" for name, one in found["variables"].items()]
    return "\n".join([*lines, "", clean.block(found["body"]).rstrip("\n")])


def _variable(name: str, variable: Mapping[str, Any]) -> str:
    told = [str(variable["type"])]
    if variable.get("enum"):
        told.append("one of " + ", ".join(map(_plain, variable["enum"])))
    told.append(f"default {_plain(variable['default'])}" if "default" in variable else "needed")
    if variable.get("description"):
        told.append(str(variable["description"]))
    return f"{name}: {', '.join(told)}"


def _plain(value: Any) -> str:
    return "" if value in (None, {}) else json.dumps(value, ensure_ascii=False)
