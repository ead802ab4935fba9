"""What a docstring says about a function and its parameters.

The three common styles are read: Google's (`Args:`, also on one line), numpy's (`Parameters` above a rule) and
Sphinx's (`:param name: text`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_SECTIONS = (
    "Args|Arguments|Parameters|Params|Returns|Return|Yields|Yield|Raises|Attributes|Note|Notes|Example|Examples|"
    "Keyword Args|Keyword Arguments|Other Parameters|See Also|Warnings|Warns|Todo|References"
)
_PARAMETERS = frozenset(
    {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}
)
_HEADING = re.compile(rf"^({_SECTIONS}):?\s*$", re.IGNORECASE)
_RULE = re.compile(r"^-{3,}\s*$")
#: A heading in the middle of a line, as in a docstring of one line.
_INLINE = re.compile(r"(?:^|(?<=\s))(Args|Arguments|Parameters|Returns|Raises):\s+(?=\S)")
_FIELD = re.compile(r"^\s*:(\w+)((?:\s+[^:]+)?):\s?(.*)$")
_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:(?:\s+|$)(.*)$", re.DOTALL)
_NUMPY_ITEM = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docstring:
    """The text before all sections, and what is said of each parameter."""

    summary: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_docstring(text: str | None, names: Sequence[str]) -> Docstring:
    """Read a docstring.

    Args:
        text: It, as it stands in the code.
        names: The function's parameters; nothing else is taken for one.
    """
    if not text or not text.strip():
        return Docstring()
    lines = inspect.cleandoc(text).splitlines()
    summary: list[str] = []
    found: dict[str, str] = {}
    section: list[str] = summary
    sections: list[tuple[bool, list[str]]] = []
    skip = False
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if skip:
            skip = False
        elif heading := _HEADING.match(line):
            numpy = bool(_RULE.match(following))
            if not numpy and not line.rstrip().endswith(":"):
                section.append(line)
                continue
            skip = numpy
            section = []
            if heading.group(1).lower() in _PARAMETERS:
                sections.append((numpy, section))
        elif mark := _FIELD.match(line):
            section = [mark.group(3)]
            words = mark.group(2).split()
            if mark.group(1) in ("param", "parameter", "arg", "argument", "key", "keyword") and words:
                sections.append((False, section))
                section[0] = f"{words[-1]}: {mark.group(3)}"
        else:
            section.append(line)
    for numpy, body in sections:
        found |= _numpy(body, names) if numpy else _google(body, names)
    return _inline(_paragraphs(summary), found, names)


def _google(lines: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    current: str | None = None
    depth: int | None = None
    for line in inspect.cleandoc("\n" + "\n".join(lines)).splitlines():
        item = _ITEM.match(line.strip())
        indent = len(line) - len(line.lstrip())
        if item and item.group(1) in names and (depth is None or indent <= depth):
            current, depth = item.group(1), indent
            found[current] = [item.group(2)]
        elif current is not None:
            if line.strip() and depth is not None and indent < depth:
                break
            found[current].append(line)
    return {name: _one_line(said) for name, said in found.items() if _one_line(said)}


def _numpy(lines: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        item = _NUMPY_ITEM.match(line) if line and not line[0].isspace() else None
        if item:
            current = [name.strip().lstrip("*") for name in item.group(1).split(",")]
            found |= {name: [] for name in current if name in names}
        else:
            for name in current:
                found.get(name, []).append(line)
    return {name: _one_line(said) for name, said in found.items() if _one_line(said)}


def _inline(summary: str, found: dict[str, str], names: Sequence[str]) -> Docstring:
    """Take `Args: name: text` out of a summary that holds it on one line."""
    marks = list(_INLINE.finditer(summary))
    if not marks:
        return Docstring(summary=summary, parameters=found)
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(summary)
        if mark.group(1).lower() in _PARAMETERS:
            found = _named(summary[mark.end() : end], names) | found
    return Docstring(summary=summary[: marks[0].start()].strip(), parameters=found)


def _named(text: str, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    starts = list(re.finditer(rf"(?:^|(?<=[\s,;]))({'|'.join(map(re.escape, names))})\s*(?:\([^)]*\))?:\s+", text))
    ends = [mark.start() for mark in starts[1:]] + [len(text)]
    return {
        mark.group(1): text[mark.end() : end].strip().rstrip(",;").strip()
        for mark, end in zip(starts, ends, strict=True)
    }


def _paragraphs(lines: Sequence[str]) -> str:
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return "\n\n".join(" ".join(block.split()) for block in blocks if block.strip())


def _one_line(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())
