"""Suites that lie outside the folder of suites, or are built in Python: nobody loads them to prune."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.settings import Settings
from harness.suites.suite import is_suite, slug

_NAME = re.compile(r"^(?:suite|\"suite\"|'suite')[ \t]*:[ \t]*[\"']?(?P<name>[^\"'#\n]+)", re.MULTILINE)
_LITERAL = re.compile(r"([\"'])(?P<text>(?:(?!\1)[^\\\n]){1,200})\1")
_LARGEST = 2_000_000


def suites_elsewhere(settings: Settings) -> frozenset[str]:
    """Return slugs that suites outside the folder of suites may have.

    Of a suite file its name; of Python code that mentions `Suite` every text in quotes: too many rather than too few,
    since what has one of these names is kept.
    """
    found: set[str] = set()
    for path in _files(settings):
        if path.suffix == ".py":
            text = _text(path)
            if "Suite" in text:
                found.update(slug(one["text"]) for one in _LITERAL.finditer(text))
        elif path.suffix in (".yaml", ".yml") and is_suite(path):
            found.update(slug(one["name"].strip()) for one in _NAME.finditer(_text(path)))
    return frozenset(found)


def _files(settings: Settings) -> Iterator[Path]:
    ours = {settings.suites, settings.cassettes, settings.reports}
    for root, folders, names in os.walk(settings.root):
        here = Path(root)
        folders[:] = [name for name in folders if not _passed(here / name)]
        for name in names:
            # Python code beside the suites may build some.
            if name.endswith(".py") or (name.endswith((".yaml", ".yml")) and not _in(here, ours)):
                yield here / name


def _in(folder: Path, ours: set[Path]) -> bool:
    return any(folder.is_relative_to(one) for one in ours)


def _passed(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name == "node_modules" or (folder / "pyvenv.cfg").exists()


def _text(path: Path) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
