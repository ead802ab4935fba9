"""Libraries of others that a page carries: packed, with their licences, and known to the page's policy by hash.

`scripts/vendor.py` fetched them and wrote down where each came from.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources

#: The class of every figure that Plot draws; loader.js gives it. It stands in the style that Plot puts beside them.
PLOT_CLASS = "plotted"

#: What a page asks for, and the files behind it in the order in which they are run.
_LIBRARIES = {"plot": ("d3.js", "plot.js"), "tabulator": ("tabulator.css", "tabulator.js")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One file that a page carries."""

    #: `plot.js`
    name: str
    package: str
    version: str
    #: Gzipped, then base64.
    packed: str
    #: SHA-256 of the unpacked file, hexadecimal.
    digest: str
    licence: str
    #: A style that it adds to pages; empty: none.
    style: str = ""


def libraries(names: Iterable[str]) -> tuple[Library, ...]:
    """Return the files behind `plot` and `tabulator`, those of the names that are given."""
    return tuple(_read(names))


def _read(names: Iterable[str]) -> Iterator[Library]:
    folder = resources.files("harness.reports") / "assets" / "vendor"
    known = json.loads((folder / "vendor.json").read_text("utf-8"))
    for wanted in names:
        for name in _LIBRARIES[wanted]:
            told = known[name]
            yield Library(
                name=name,
                package=told["package"],
                version=told["version"],
                packed=base64.b64encode((folder / f"{name}.gz").read_bytes()).decode("ascii"),
                digest=told["plain"]["sha256"],
                licence=(folder / f"LICENSE.{name.partition('.')[0]}").read_text("utf-8"),
                style=told.get("style", "").replace("${className}", PLOT_CLASS),
            )
