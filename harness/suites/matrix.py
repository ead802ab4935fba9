"""A matrix of settings, multiplied out: every combination of its values is a variant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from harness.errors import did_you_mean
from harness.jsontext import json_text, same_json
from harness.located import Document
from harness.records import JSON
from harness.suites.fields import AssistantFields, check_name

Path_: TypeAlias = tuple[str | int, ...]

#: Variants that one matrix may make.
LARGEST = 64
#: What may be varied.
AXES = (*AssistantFields.model_fields, "vars")

#: A text that is longer needs a name: it would be a file's name, and a column's heading.
_LONGEST = 60
_SHAPE = "such as `matrix: {prompt: [faq@1, faq@2], temperature: [0, 1]}`"
_NAMED = "Name the values: {low: ..., high: ...}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of values."""

    name: str
    #: By setting, where its value stands.
    places: Mapping[str, Path_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    name: str
    value: JSON
    place: Path_


class MatrixReader:
    """Reads the matrix of one suite; what is wrong with it is noted in its document."""

    def __init__(self, document: Document) -> None:
        """
        Args:
            document: The suite's file.
        """
        self._document = document

    def read(self, given: JSON) -> tuple[Cell, ...] | None:
        """Return the combinations, the last setting varying fastest; None where the matrix cannot be read.

        Args:
            given: What stands under `matrix:`.
        """
        if not isinstance(given, dict) or not given:
            self._document.complain(("matrix",), f"`matrix:` is a mapping of settings to values, {_SHAPE}.", key=True)
            return None
        known = len(self._document.problems)
        axes = {name: list(self._options(name, value)) for name, value in given.items() if self._is_setting(name)}
        if {"prompt", "system"} <= axes.keys():
            self._document.complain(("matrix", "system"), "there is `prompt:` and `system:`; choose one.", key=True)
        count = math.prod(map(len, axes.values()))
        if count > LARGEST:
            message = f"this matrix makes {count:,} variants; {LARGEST} is the most."
            self._document.complain(("matrix",), message, hint="Take values out, or write `variants:`.", key=True)
        if len(self._document.problems) > known:
            return None
        return tuple(
            Cell(
                name=",".join(option.name for option in options),
                places={name: option.place for name, option in zip(axes, options, strict=True)},
            )
            for options in itertools.product(*axes.values())
        )

    def _is_setting(self, name: str) -> bool:
        if name not in AXES:
            hint = did_you_mean(name, AXES)
            self._document.complain(("matrix", name), f"unknown setting '{name}'.", hint=hint, key=True)
        return name in AXES

    def _options(self, axis: str, given: JSON) -> Iterator[_Option]:
        loc = ("matrix", axis)
        if given in ([], {}):
            self._document.complain(loc, f"`{axis}:` has no values.", hint="Give it some, or take it out.", key=True)
        elif isinstance(given, (list, dict)) and len(given) > LARGEST:
            message = f"`{axis}:` has {len(given):,} values; a matrix makes {LARGEST} variants at most."
            self._document.complain(loc, message, hint="Take values out, or write `variants:`.", key=True)
        elif isinstance(given, (list, dict)):
            steps = given.items() if isinstance(given, dict) else enumerate(given)
            found: list[_Option] = []
            for step, value in steps:
                option = self._option(value, (*loc, step), step if isinstance(step, str) else None)
                if option is not None and not self._is_double(option, found, axis):
                    found.append(option)
            yield from found
        else:
            message = f"`{axis}:` is a list of values here, or a mapping of names to values."
            self._document.complain(loc, message, key=True)

    def _option(self, value: JSON, place: Path_, name: str | None) -> _Option | None:
        if value is None:
            self._document.complain(place, "this value is empty.", hint="Take it out, or quote it.", key=True)
            return None
        if name is None and isinstance(value, (list, dict)):
            kind = "list" if isinstance(value, list) else "mapping"
            self._document.complain(place, f"a value that is a {kind} needs a name.", hint=_NAMED)
            return None
        called = json_text(value) if name is None else name
        try:
            check_name(called)
        except ValueError:
            called = ""
        if not called or len(called) > _LONGEST:
            self._document.complain(place, "this cannot be part of a variant's name.", hint=_NAMED, key=True)
            return None
        return _Option(name=called, value=value, place=place)

    def _is_double(self, option: _Option, others: list[_Option], axis: str) -> bool:
        for other in others:
            if same_json(option.value, other.value):
                line = self._document.where(other.place, key=True).line
                message = f"this value of `{axis}:` stands in line {line} already."
                self._document.complain(option.place, message, hint="Remove one.", key=True)
                return True
        return False
