"""From models in Python to the plain data that a YAML file would have held, with the place of each part."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, Protocol, TypeAlias

from harness.errors import Problem, SourceLocation
from harness.functions import Function
from harness.library.marking import is_scorer
from harness.records import JSON

Steps: TypeAlias = tuple[str | int, ...]

#: How messages name code that is in no file.
NO_FILE = "<notebook>"
#: Keys whose value names a function.
_NAMING = ("python", "target")
#: Keys that hold variants, and assistants for others to use; what equips an assistant stands at the top, or in these.
_HOLDERS = ("variants", "assistants")
_DEEPEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where a model was made."""

    #: None: code that is in no file, as in a notebook.
    path: Path | None
    line: int


class Planted(Protocol):
    """A model that holds keys as a file would."""

    @property
    def keys(self) -> dict[str, Any]: ...

    @property
    def caller(self) -> Caller: ...


@dataclass(slots=True)
class Tree:
    """Plain data, where its parts were written, and the functions that it names."""

    shown: Callable[[Path], str]
    value: JSON = None
    places: dict[Steps, SourceLocation] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def plain(self, value: Any, loc: Steps) -> JSON:
        """Return a value as a file would hold it; what no file can hold is a problem."""
        if len(loc) > _DEEPEST:
            return self._problem(loc[:1], f"nested more than {_DEEPEST} levels deep.")
        if _is_model(value):
            self.places[loc] = self._place(value.caller)
            return self.plain(value.keys, loc)
        if isinstance(value, Enum):
            return self.plain(value.value, loc)
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        if isinstance(value, (Decimal, Fraction)):
            return str(value)
        if isinstance(value, PurePath):
            return value.as_posix()
        if isinstance(value, Mapping):
            return self._mapping(value, loc)
        if isinstance(value, (list, tuple)):
            return [self.plain(one, (*loc, index)) for index, one in enumerate(value)]
        if callable(value):
            return self._function(value, loc)
        return self._problem(loc, f"{_path(loc)} holds a {type(value).__name__}, which a suite cannot hold.")

    def _mapping(self, value: Mapping[Any, Any], loc: Steps) -> JSON:
        found: dict[str, JSON] = {}
        for key, one in value.items():
            if not isinstance(key, str):
                self._problem(loc, f"the key {key!r} in {_path(loc)} is no text.")
                continue
            found[key] = self.plain(one, (*loc, key))
        return found

    def _function(self, function: Function, loc: Steps) -> JSON:
        name = getattr(function, "__name__", type(function).__name__)
        place = _setting(loc)
        if loc and (loc[-1] in _NAMING or place in (("env",), ("tools", "*", "function"))):
            return self._reference(function, name)
        if place == ("tools", "*"):
            return {"function": self._reference(function, name)}
        if "expect" not in loc:
            return self._problem(loc, f"{_path(loc)} holds the function '{name}', which has no meaning there.")
        if not is_scorer(function):
            hint = f"Mark it with @harness.scorer, or write {{'python': {name}}}."
            return self._problem(loc, f"{_path(loc)} holds the function '{name}', which is no scorer.", hint)
        return {"python": self._reference(function, name)}

    def _reference(self, function: Function, name: str) -> str:
        reference, number = name, 1
        while self.functions.setdefault(reference, function) is not function:
            number += 1
            reference = f"{name}#{number}"
        return reference

    def _place(self, caller: Caller) -> SourceLocation:
        return SourceLocation(NO_FILE if caller.path is None else self.shown(caller.path), caller.line)

    def _problem(self, loc: Steps, message: str, hint: str | None = None) -> None:
        places = (self.places.get(loc[:length]) for length in range(len(loc), -1, -1))
        place = next((one for one in places if one is not None), None)
        self.problems.append(Problem(message=message, location=place, hint=hint))


def plant(model: Planted, *, shown: Callable[[Path], str]) -> Tree:
    """Return the data of a model.

    Args:
        model: A suite, variant or case.
        shown: How messages name a file.
    """
    tree = Tree(shown=shown)
    tree.value = tree.plain(model, ())
    return tree


def _is_model(value: Any) -> bool:
    return isinstance(getattr(value, "caller", None), Caller)


def _setting(loc: Steps) -> Steps:
    """Return the place of something within its assistant, with a star for every position in a list."""
    while len(loc) > 1 and loc[0] in _HOLDERS:
        loc = loc[2:]
    return tuple("*" if isinstance(step, int) else step for step in loc)


def _path(loc: Steps) -> str:
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return f"`{shown.removeprefix('.') or os.curdir}`"
