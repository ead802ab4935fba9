"""What the scorers of tools share: names, bounds, the calls that a check looks at, and how arguments are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from harness.jsontext import same_json
from harness.plugins import ScoreContext
from harness.records import JSON, ToolCall
from harness.scorers.arguments import ArgumentModel, Count, shown

#: Names of calls that a reason lists.
_LISTED = 12
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: A tool's name.
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1)]

_Several: TypeAlias = Annotated[list[Name], Field(min_length=1)]

#: One tool's name, or several.
Names: TypeAlias = Annotated[
    Annotated[tuple[Name, ...], Field(min_length=1)],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=Name | _Several),
]


class Bounds(ArgumentModel):
    """Bounds of a number of things, both included."""

    min: Count | None = Field(default=None, description="at least so many")
    max: Count | None = Field(default=None, description="at most so many")

    @model_validator(mode="after")
    def _ordered(self) -> Bounds:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def holds(self, count: int) -> bool:
        """Say whether a number lies within the bounds."""
        return (self.min is None or count >= self.min) and (self.max is None or count <= self.max)

    def wanted(self) -> str:
        """Say what is asked for."""
        low = "" if self.min is None else f"at least {self.min}"
        high = "" if self.max is None else f"at most {self.max}"
        return " and ".join(part for part in (low, high) if part)


class Times(Bounds):
    """Bounds, or an exact number."""

    times: Count | None = Field(default=None, description="exactly so many")

    @model_validator(mode="after")
    def _one_way(self) -> Times:
        if self.times is not None and (self.min is not None or self.max is not None):
            raise ValueError("give times, or min and max")
        return self

    def holds(self, count: int) -> bool:
        return super().holds(count) if self.times is None else count == self.times

    def wanted(self) -> str:
        return super().wanted() if self.times is None else f"exactly {self.times}"


def calls_of(context: ScoreContext) -> list[ToolCall]:
    """Return the calls of the turns that a check looks at, in order; those that failed too."""
    return [call for turn in context.turns for call in turn.tool_calls]


def called(calls: Iterable[ToolCall]) -> str:
    """Say which tools were called, in order."""
    names = [call.name[:64] for call in calls]
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"called: {', '.join(names[:_LISTED])}{more}" if names else "no tool was called"


def often(count: int) -> str:
    """Say how often a tool was called."""
    return {0: "not called", 1: "called once"}.get(count, f"called {count} times")


def differences(wanted: JSON, got: JSON, *, exact: bool = False, at: str = "$") -> list[str]:
    """Say where a value differs from what is wanted of it, each place as a path; empty: it does not.

    Values are compared as JSON: the text `"1"` is not the number 1. A list has as many items as the one wanted.

    Args:
        wanted: Plain data.
        got: Plain data.
        exact: Mappings may not have further keys, at any depth.
        at: The path of the value.
    """
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        found = [one for key, value in wanted.items() for one in _below(value, got, key, exact=exact, at=at)]
        if exact:
            found += [f"{_path(at, key)}: not expected, got {shown(got[key])}" for key in got if key not in wanted]
        return found
    if isinstance(wanted, list | tuple) and isinstance(got, list | tuple):
        if len(wanted) != len(got):
            return [f"{at}: expected {len(wanted)} items, got {len(got)}"]
        pairs = enumerate(zip(wanted, got, strict=True))
        return [one for n, (left, right) in pairs for one in differences(left, right, exact=exact, at=f"{at}[{n}]")]
    return [] if same_json(wanted, got) else [f"{at}: expected {shown(wanted)}, got {shown(got)}"]


def nearest(calls: Sequence[ToolCall], wanted: Mapping[str, JSON], *, exact: bool) -> tuple[int, list[str]]:
    """Return the call whose arguments differ least from those wanted: which one, from 0, and its differences."""
    compared = [differences(wanted, call.arguments, exact=exact) for call in calls]
    # Arguments that are no object differ in one place only, and in all.
    ranks = [(not isinstance(call.arguments, Mapping), len(found)) for call, found in zip(calls, compared, strict=True)]
    best = min(range(len(calls)), key=ranks.__getitem__)
    return best, compared[best]


def _below(wanted: JSON, got: Mapping[Any, JSON], key: Any, *, exact: bool, at: str) -> list[str]:
    path = _path(at, key)
    if key not in got:
        return [f"{path}: expected {shown(wanted)}, is missing"]
    return differences(wanted, got[key], exact=exact, at=path)


def _path(at: str, key: Any) -> str:
    return f"{at}.{key}" if _PLAIN_KEY.fullmatch(str(key)) else f"{at}[{str(key)!r}]"
