"""Pages from templates: all text of others is escaped, and a name that is not there is an error."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from harness.reports import clean, words
from harness.summary import phrases

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Return what the pages' templates are rendered with; one for all pages, for compiling them is the dear part."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from harness.reports import anchors, bars, sections, tables

    made = Environment(
        loader=FunctionLoader(lambda name: _asset("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "line": clean.line,
        "percent": words.percent,
        "seconds": words.seconds,
        "money": words.money,
    }
    made.globals |= {
        "anchors": anchors,
        "bars": bars,
        "phrases": phrases,
        "sections": sections,
        "tables": tables,
        "words": words,
    }
    return made


def joined(names: Iterable[str]) -> str:
    """Return styles or scripts of pages as one text."""
    return "".join(_asset("assets", name) for name in names)


def _asset(folder: str, name: str) -> str:
    return (resources.files("harness.reports") / folder / name).read_text("utf-8")
