"""YAML that knows where everything stands, and refuses what YAML would let slip.

Grammar is libyaml's; scalars are those of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), so
`yes`, `1:30` and dates are texts. Numbers are decimal and finite: `012`, `0x1F` and `.nan`, which no two readers agree
on, are texts too. Duplicate keys, merge keys and runaway aliases are problems with a place, and reading goes on, so
that one look shows all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from harness.errors import Problem, SourceLocation

Loc: TypeAlias = Sequence[str | int]

_LARGEST = 5_000_000
_DEEPEST = 100
_MOST_NODES = 2_000_000
_MOST_SHARED = 100_000
#: libyaml builds nodes recursively in C: so many levels are safe on a thread's stack, a million end the process.
_SAFE = 1_000
_NESTED = f"nested more than {_DEEPEST} levels deep, or an alias of itself."

#: What libyaml takes for the end of a line.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_INDENTED = re.compile(rf"^[ \t?:-]{{{_SAFE}}}", re.MULTILINE)

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: Mapping[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # which of the two it is, mypy cannot know
    """Leaves what a scalar means to us; a tag that a node has stands in the text."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""


@dataclass(slots=True)
class Document:
    """One parsed text: its plain data, what is wrong with it, and where each part of it stands."""

    #: How messages name it.
    path: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    _root: Any = None
    _lines: list[str] = field(default_factory=list)
    _first_line: int = 1

    def where(self, loc: Loc, *, key: bool = False) -> SourceLocation:
        """Return where the value at `loc` stands (or its key); where it is absent, the nearest parent that is there."""
        node, mark = self._root, self._root.start_mark if self._root is not None else None
        for index, step in enumerate(loc):
            found = _child(node, step)
            if found is None:
                break
            node, own_key = found
            last = index == len(loc) - 1
            mark = own_key.start_mark if key and last and own_key is not None else node.start_mark
        return self._location(mark)

    def problem(self, loc: Loc, message: str, *, hint: str | None = None, key: bool = False) -> Problem:
        """Return a problem at `loc`, with its source line."""
        return self._at(self.where(loc, key=key), message, hint)

    def holds(self, loc: Loc, inner: Loc) -> tuple[str | int, ...]:
        """Return the steps of `inner` that exist below `loc`, one below the other; the others are skipped."""
        node = self._root
        for step in loc:
            found = _child(node, step)
            node = found[0] if found else None
        kept: list[str | int] = []
        for step in inner:
            found = _child(node, step)
            if found is not None:
                node = found[0]
                kept.append(step)
        return tuple(kept)

    def composed(self, parts: Mapping[str, Loc]) -> Document:
        """Return a mapping made of parts of this document, each still at its place; problems are noted in both.

        Args:
            parts: By key, where the value stands here.
        """
        value: dict[str, Any] = {}
        pairs: list[tuple[Any, Any]] = []
        for name, loc in parts.items():
            node, key, found = self._root, None, self.value
            for step in loc:
                node, key = _child(node, step) or (node, key)
                found = found[step]
            mark = (key or node).start_mark
            pairs.append((yaml.ScalarNode("", name, mark, mark), node))
            value[name] = found
        root = yaml.MappingNode("", pairs, self._root.start_mark, self._root.end_mark)
        return Document(self.path, value, self.problems, root, self._lines, self._first_line)

    def complain(self, loc: Loc, message: str, *, hint: str | None = None, key: bool = False) -> None:
        """Note a problem at `loc`."""
        self.problems.append(self.problem(loc, message, hint=hint, key=key))

    def sourced(self, problem: Problem) -> Problem:
        """Return a problem that another module found in this text, with its source line."""
        place = problem.location
        if problem.source is not None or place is None or place.path != self.path:
            return problem
        return self._at(place, problem.message, problem.hint)

    def _at(self, location: SourceLocation, message: str, hint: str | None = None) -> Problem:
        index = location.line - self._first_line
        source = self._lines[index] if 0 <= index < len(self._lines) else None
        return Problem(message=message, location=location, hint=hint, source=source)

    def _location(self, mark: Any) -> SourceLocation:
        if mark is None:
            return SourceLocation(self.path, self._first_line, 1)
        # libyaml puts the end of a text on a line after the last one.
        if mark.line >= len(self._lines):
            return SourceLocation(self.path, len(self._lines) - 1 + self._first_line, len(self._lines[-1]) + 1)
        return SourceLocation(self.path, mark.line + self._first_line, mark.column + 1)


def read_yaml(path: Path, *, shown: str | None = None) -> Document:
    """Read a YAML file; everything wrong with it is in the document's `problems`.

    Args:
        path: The file.
        shown: How messages name it; default: the path.
    """
    name = shown or str(path)
    document = Document(path=name)
    try:
        raw = path.read_bytes()
    except OSError as error:
        document.problems.append(Problem(message=f"cannot read {name}: {error.strerror or error}"))
        return document
    if len(raw) > _LARGEST:
        message = f"{len(raw):,} bytes; a YAML file may have {_LARGEST:,}. Put cases into a dataset file"
        document.problems.append(Problem(message=message, location=SourceLocation(name)))
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        document.problems.append(Problem(message="the file is not UTF-8 text", location=SourceLocation(name, line)))
        return document
    return parse_yaml(text, shown=name)


def parse_yaml(text: str, *, shown: str, first_line: int = 1) -> Document:
    """Parse YAML text; everything wrong with it is in the document's `problems`.

    Args:
        text: The YAML.
        shown: How messages name where it comes from.
        first_line: The line of `shown` at which it starts, for front matter.
    """
    document = Document(path=shown, _lines=_BREAK.split(text), _first_line=first_line)
    try:
        if (deep := _too_deep(text)) is not None:
            document.problems.append(document._at(document._location(deep), _NESTED))
            return document
        loader = _Loader(text)
        try:
            document._root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        document.problems.append(document._at(document._location(error.problem_mark), *_syntax(error)))
        return document
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + first_line
        document.problems.append(
            document._at(SourceLocation(shown, line), f"not readable: {str(error).splitlines()[0]}")
        )
        return document
    except (RecursionError, UnicodeEncodeError) as error:
        message = _NESTED if isinstance(error, RecursionError) else "the text is not valid Unicode."
        document.problems.append(document._at(SourceLocation(shown, first_line), message))
        return document
    if document._root is not None:
        builder = _Builder(document)
        try:
            document.value = builder.build(document._root, 0)
        except _TooMuchError as error:
            document.problems.append(document._at(document._location(error.mark), str(error)))
    return document


def _too_deep(text: str) -> Any:
    """Return where a text nests too deeply, before anything recursive reads it; None where it does not.

    Only a text that could be dangerous is looked at, event by event: each level costs a bracket, or a column.
    """
    if text.count("[") + text.count("{") < _SAFE and not _INDENTED.search(text):
        return None
    loader = _Loader(text)
    depth = 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEEPEST:
                    return event.start_mark
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    finally:
        loader.dispose()
    return None


class _TooMuchError(Exception):
    def __init__(self, message: str, mark: Any) -> None:
        super().__init__(message)
        self.mark = mark


class _Builder:
    """Turns nodes into plain data, once, counting what aliases multiply."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0
        self._shared = 0
        self._seen: set[int] = set()

    def build(self, node: Any, depth: int) -> Any:
        self._nodes += 1
        if not isinstance(node, yaml.ScalarNode):
            if id(node) in self._seen:
                self._shared += 1
            self._seen.add(id(node))
        if depth > _DEEPEST:
            raise _TooMuchError(_NESTED, node.start_mark)
        if self._nodes > _MOST_NODES or (self._shared and self._nodes > _MOST_SHARED):
            raise _TooMuchError("aliases make this too large.", node.start_mark)
        if node.tag:
            location = self._document._location(node.start_mark)
            message = f"tags ({node.tag}) are not supported."
            self._document.problems.append(self._document._at(location, message, "Remove it."))
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(one, depth + 1) for one in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        document = self._document
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            where = document._location(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                document.problems.append(document._at(where, "a key must be a text.", "Quote it."))
                continue
            key = key_node.value
            if key == "<<" and not key_node.style:
                document.problems.append(
                    document._at(where, "merge keys (<<) are not supported.", "Write the keys out.")
                )
                continue
            if key in found:
                document.problems.append(
                    document._at(where, f"'{key}' stands here twice, first in line {lines[key]}.", "Remove one.")
                )
            lines.setdefault(key, where.line)
            found[key] = self.build(value_node, depth + 1)
        return found


def _scalar(node: Any) -> Any:
    text = node.value
    # libyaml gives plain scalars the style "", the pure parser None.
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 400 and _INT.match(text):
        return int(text)
    if _FLOAT.match(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return value, key
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step], None
    return None


def _syntax(error: yaml.MarkedYAMLError) -> tuple[str, str | None]:
    said = " ".join(str(part) for part in (error.problem, error.context) if part)
    if "found character that cannot start any token" in said:
        return "this character cannot start a value.", "Quote the text."
    if "mapping values are not allowed" in said:
        return "a colon is in a place where it means a key.", "Quote the text, or check the indentation."
    if "did not find expected ',' or" in said:
        return "a bracket or brace is not closed, or a comma is missing.", "Quote texts that hold , ] or }."
    return f"not readable as YAML: {said}.", None
