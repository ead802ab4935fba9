"""What a report carries packed for its table of cases: no search through the file finds it."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

_PACKED = re.compile(r'<script type="application/json" id="page:packed:([^"]+)">"([^"]*)"</script>')


def carried(html: str) -> dict[str, Any]:
    """By its anchor, what a page carries of each suite."""
    found = {name: gzip.decompress(base64.b64decode(text)) for name, text in _PACKED.findall(html)}
    return {name: json.loads(text) for name, text in found.items() if not name.endswith((".js", ".css"))}


def texts(html: str) -> list[str]:
    """Every text that a page carries."""
    return [one if isinstance(one, str) else one[0] for data in carried(html).values() for one in data["strings"]]


def column(values: Any, length: int) -> list[Any]:
    """A column, as the page reads it."""
    if isinstance(values, list):
        return values
    if "all" in values:
        return [values["all"]] * length
    found, total = [], 0
    for step in values["steps"]:
        total += step
        found.append(total)
    return found


def columns(data: Any, what: str) -> dict[str, list[Any]]:
    """The columns of `cases` or `trials`."""
    length = data["counts"][0 if what == "cases" else 1]
    return {name: column(values, length) for name, values in data[what].items()}


def places(html: str) -> list[str]:
    """Where each case of a page can be found."""
    found = []
    for anchor, data in carried(html).items():
        cases = columns(data, "cases")
        names = [data["strings"][number] for number in cases["name"]]
        found += [place or f"{anchor}/{name}" for place, name in zip(cases["place"], names, strict=True)]
    return found
