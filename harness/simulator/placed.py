"""YAML files of the simulator, read with the line of everything that stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import yaml

from harness.simulator.plain import JSON
from harness.simulator.validation import join

_Path: TypeAlias = tuple[str | int, ...]


class FormError(ValueError):
    """A file cannot be used; the message says where (file and line, or the part) and why."""


class Places:
    """Where things stand in a file, or in Python values.

    Args:
        raises: The error for this kind of file.
        file: Its name; None for Python values.
        lines: The line of each part, by its path.
        whole: What the values are called as a whole.
        bare: The name of the list that the file is, if it is a list alone.
    """

    def __init__(
        self,
        raises: type[FormError],
        *,
        file: str | None = None,
        lines: Mapping[_Path, int] | None = None,
        whole: str = "file",
        bare: str | None = None,
    ) -> None:
        self._raises = raises
        self._file = file
        self._lines = lines or {}
        self._whole = whole
        self._bare = bare

    def error(self, path: Sequence[str | int], message: str) -> FormError:
        """Return the error for what stands at a path."""
        if self._file is None:
            return self._raises(f"{join(list(path)) or self._whole}: {message}")
        at = tuple(path[1:]) if self._bare is not None and path[:1] == [self._bare] else tuple(path)
        while at and at not in self._lines:
            at = at[:-1]
        return self._raises(f"{self._file}:{self._lines.get(at, 1)}: {message}")


def load(path: Path, raises: type[FormError], *, bare: str) -> tuple[JSON, Places]:
    """Read a YAML file: its value, and where everything in it stands.

    Args:
        path: The file.
        raises: What is raised where it cannot be read.
        bare: What a file that is only a list leaves out: the name of the list.

    Raises:
        FormError: It cannot be read, is no YAML, refers to itself or is nested too deeply.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise raises(f"{path}: cannot be read: {reason}.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
        lines = _lines(node, path, raises)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise raises(f"{path}:{mark.line + 1 if mark else 1}: {error.problem}.") from None
    except RecursionError:
        raise raises(f"{path}:1: this is nested too deeply.") from None
    except FormError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise raises(f"{path}:1: this is no YAML: {error}.") from None
    return value, Places(raises, file=str(path), lines=lines, bare=bare if isinstance(value, list) else None)


def _lines(node: yaml.Node | None, path: Path, raises: type[FormError]) -> dict[_Path, int]:
    lines: dict[_Path, int] = {}
    if node is not None:
        circle = _circle(node, ())
        if circle is not None:
            raise raises(f"{path}:{circle.start_mark.line + 1}: this is a part of itself: write it out.")
        _note(node, (), lines)
    return lines


def _circle(node: yaml.Node, outer: tuple[yaml.Node, ...]) -> yaml.Node | None:
    """The first node that refers to itself, if one does."""
    if any(node is one for one in outer):
        return node
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    found = (_circle(one, (*outer, node)) for one in inner)
    return next((one for one in found if one is not None), None)


def _note(node: yaml.Node, path: _Path, lines: dict[_Path, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            at = (*path, str(getattr(key, "value", "")))
            lines[at] = key.start_mark.line + 1
            _note(inner, at, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            _note(inner, (*path, number), lines)
