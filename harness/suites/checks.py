"""What stands under `expect:`, read into checks.

A check is a mapping with one scorer's name. A mapping with several scorers is several checks, unless a sibling such as
`weight:` makes it one; `not:` wraps a check, `any_of:` and `all_of:` hold lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import SourceLocation, did_you_mean
from harness.located import Document
from harness.records import JSON

#: Keys that may stand beside a scorer's name, and what they hold.
SIBLINGS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "weight": (int, float),
    "threshold": (int, float),
    "transform": (str,),
    "soft": (bool,),
    "args": (dict,),
    "scope": (str,),
}
GROUPS = ("any_of", "all_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One check: a scorer, its argument (which may hold templates), and how it counts."""

    scorer: str
    argument: JSON = None
    name: str | None = None
    weight: float = 1.0
    threshold: float | None = None
    transform: str | None = None
    #: Reported, does not decide.
    soft: bool = False
    args: Mapping[str, JSON] | None = None
    #: `last`: the last turn's answer; `all`: every answer.
    scope: str = "last"
    negate: bool = False
    #: The checks of `any_of` and `all_of`.
    children: tuple[CheckSpec, ...] = ()
    where: SourceLocation
    #: The turn whose answer is looked at, from 1; None: the whole trial.
    turn: int | None = None
    #: The argument came from a dataset's cell: data, never a template.
    literal: bool = False


class CheckReader:
    """Reads checks out of a document and notes what is wrong with them there."""

    def __init__(self, document: Document, *, scorers: Sequence[str]) -> None:
        self._document = document
        self._scorers = (*scorers, *GROUPS)

    def read(self, value: Any, loc: tuple[str | int, ...], *, turn: int | None = None) -> tuple[CheckSpec, ...]:
        """Read what stands at `loc`: a mapping, or a list of mappings."""
        if value is None:
            return ()
        if isinstance(value, Mapping):
            return self._mapping(value, loc, turn)
        if isinstance(value, list):
            return tuple(check for index, one in enumerate(value) for check in self._entry(one, (*loc, index), turn))
        self._complain(loc, "checks are a mapping or a list of mappings, such as `contains: 30 days`.")
        return ()

    def _entry(self, value: Any, loc: tuple[str | int, ...], turn: int | None) -> tuple[CheckSpec, ...]:
        if isinstance(value, Mapping):
            return self._mapping(value, loc, turn)
        shown = f"'{value}'" if isinstance(value, str) else "this"
        self._complain(loc, f"{shown} is no check; a check is a mapping such as `contains: 30 days`.")
        return ()

    def _mapping(self, value: Mapping[str, Any], loc: tuple[str | int, ...], turn: int | None) -> tuple[CheckSpec, ...]:
        siblings = {key: value[key] for key in value if key in SIBLINGS}
        names = [key for key in value if key not in SIBLINGS]
        if not names:
            self._complain(loc, "this check names no scorer.", "`harness list scorers` shows all.")
            return ()
        if siblings and len(names) > 1:
            beside = ", ".join(f"`{name}`" for name in siblings)
            both = ", ".join(f"'{name}'" for name in names)
            empty = [name for name in names if value[name] is None]
            hint = f"Quote the text if it holds a comma: '{empty[0]}' has no value." if empty else "Write two checks."
            self._complain((*loc, names[1]), f"{beside} makes this one check, and it names {both}.", hint, key=True)
            return ()
        found = [self._one(name, value[name], siblings, (*loc, name), turn) for name in names]
        return tuple(check for check in found if check is not None)

    def _one(
        self, name: str, argument: Any, siblings: Mapping[str, Any], loc: tuple[str | int, ...], turn: int | None
    ) -> CheckSpec | None:
        settings = self._settings(siblings, loc[:-1])
        where = self._document.where(loc, key=True)
        if name == "not":
            return self._negated(argument, settings, loc, turn)
        if name not in self._scorers:
            if argument is None:
                self._complain(
                    loc,
                    f"'{name}' stands where a scorer should.",
                    "Quote the text before it if it holds a comma.",
                    key=True,
                )
            else:
                hint = did_you_mean(name, [*self._scorers, "not", *SIBLINGS]) or "`harness list scorers` shows all."
                self._complain(loc, f"unknown scorer '{name}'.", hint, key=True)
            return None
        if argument is None or argument == "":
            self._complain(
                loc, f"`{name}:` has no argument.", "Quote it, if it starts with # or is meant to be empty.", key=True
            )
            return None
        if name in GROUPS:
            if not isinstance(argument, list) or not argument:
                self._complain(loc, f"`{name}:` holds a list of checks.", key=True)
                return None
            children = self.read(argument, loc, turn=turn)
            return CheckSpec(scorer=name, children=children, where=where, turn=turn, **settings) if children else None
        return CheckSpec(scorer=name, argument=argument, where=where, turn=turn, **settings)

    def _negated(
        self, argument: Any, settings: Mapping[str, Any], loc: tuple[str | int, ...], turn: int | None
    ) -> CheckSpec | None:
        inner = self.read(argument, loc, turn=turn) if isinstance(argument, Mapping) else ()
        if not isinstance(argument, Mapping) or argument == {}:
            self._complain(loc, "`not:` wraps one check, such as `not: {contains: sorry}`.", key=True)
        if len(inner) != 1:
            if len(inner) > 1:
                self._complain(
                    loc, f"`not:` wraps one check, and there are {len(inner)}.", "Write `not:` for each.", key=True
                )
            return None
        one = inner[0]
        merged = {
            "scorer": one.scorer,
            "argument": one.argument,
            "children": one.children,
            "where": one.where,
            "turn": turn,
            "negate": not one.negate,
        }
        own = {key: getattr(one, key) for key in SIBLINGS}
        return CheckSpec(**{**own, **settings, **merged})

    def _settings(self, siblings: Mapping[str, Any], loc: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in siblings.items():
            kinds = SIBLINGS[key]
            wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
            if wrong:
                names = {"weight": "a number", "threshold": "a number", "soft": "true or false", "args": "a mapping"}
                self._complain((*loc, key), f"`{key}:` should be {names.get(key, 'a text')}.")
            elif key == "scope" and value not in ("last", "all"):
                self._complain((*loc, key), f"`scope:` is `last` or `all`, not '{value}'.")
            elif key == "threshold" and not 0 <= value <= 1:
                self._complain((*loc, key), f"`threshold:` is a score from 0 to 1, not {value}.")
            elif key == "weight" and value < 0:
                self._complain((*loc, key), f"`weight:` cannot be negative ({value}).")
            else:
                found[key] = float(value) if key in ("weight", "threshold") else value
        return found

    def _complain(self, loc: Sequence[str | int], message: str, hint: str | None = None, *, key: bool = False) -> None:
        self._document.complain(loc, message, hint=hint, key=key)
