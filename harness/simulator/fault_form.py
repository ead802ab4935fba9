"""Reading faults: YAML, or the same as Python values, with a place for everything that is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.simulator.placed import FormError, Places, load
from harness.simulator.plain import JSON
from harness.simulator.validation import BOOLEAN, STRING, Form, Schema, closed

_COUNT: Schema = {"type": "integer", "minimum": 0}
_FROM_ONE: Schema = {"type": "integer", "minimum": 1}
_SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 3600}
_TEXTS: Schema = {"type": ["string", "array"], "minItems": 1, "items": STRING}
#: Where an answer ends: before anything of it was sent, after its headers, or after so many bytes of its body.
_PLACE: Schema = {"type": ["string", "integer"], "if": {"type": "string"}, "then": {"enum": ["before", "headers"]}}
_MATCH = closed(
    {
        **dict.fromkeys(("path", "method", "model", "contains"), _TEXTS),
        "nth": {"type": ["integer", "array"], "minimum": 1, "minItems": 1, "items": _FROM_ONE},
    }
)
FAULT = closed(
    {
        "delay": _SECONDS,
        "status": {"type": "integer", "minimum": 200, "maximum": 599},
        "headers": {"type": "object", "additionalProperties": STRING},
        **dict.fromkeys(("text", "html", "raw", "redirect"), STRING),
        "json": {},
        **dict.fromkeys(("size", "bomb"), _FROM_ONE),
        "type": STRING,
        "encoding": STRING,
        "set": {"type": "object", "minProperties": 1},
        "delete": _TEXTS,
        "invalid_utf8": BOOLEAN,
        "hide_usage": BOOLEAN,
        "truncate": _COUNT,
        "header_bytes": _FROM_ONE,
        "header_line": STRING,
        **dict.fromkeys(("reset", "close", "hang"), _PLACE),
        "drip": closed({"bytes": _FROM_ONE, "every": _SECONDS}, "bytes", "every"),
        "split": _FROM_ONE,
        "stream": closed(
            {
                "after": _COUNT,
                "then": {"enum": ["cut", "close", "reset", "stall", "error", "bad"]},
                "comments": BOOLEAN,
            }
        ),
    }
)
RULE = closed(
    {
        "match": _MATCH,
        **dict.fromkeys(("times", "every"), _FROM_ONE),
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "per": {"enum": ["request"]},
        "fault": FAULT,
    },
    "fault",
)
_FILE = closed({"faults": {"type": "array", "items": RULE}}, "faults")

#: Where the whole answer comes from, if not from the simulator.
OWN = ("text", "html", "json", "raw", "redirect", "bomb", "status")
_BODIES = ("text", "html", "json", "raw", "bomb")
#: How a connection can end early.
ENDS = ("reset", "close", "hang")
#: What `raw` leaves no room for.
_WITH_RAW = frozenset({"raw", "delay", *ENDS, "drip", "split"})
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")


class FaultError(FormError):
    """Faults cannot be used; the message says where (file and line, or the rule) and why."""


@cache
def _form() -> Form:
    return Form(_FILE)


def read(path: Path) -> list[Mapping[str, JSON]]:
    """Read the rules of a file.

    Args:
        path: A YAML file: a list of rules, or `faults:` with one.

    Raises:
        FaultError: It cannot be read, or holds something else.
    """
    value, places = load(path, FaultError, bare="faults")
    try:
        return _checked(value, places)
    except RecursionError:
        raise FaultError(f"{path}:1: this is nested too deeply.") from None


def checked(rules: Sequence[Mapping[str, JSON]]) -> list[Mapping[str, JSON]]:
    """Return rules that come as Python values.

    Raises:
        FaultError: They are none.
    """
    return _checked(list(rules), Places(FaultError, whole="faults"))


def _checked(value: JSON, places: Places) -> list[Mapping[str, JSON]]:
    given = {"faults": value} if isinstance(value, list) else value
    if not isinstance(given, dict):
        raise places.error([], "faults are a list of rules, or a mapping with 'faults'.")
    wrong = _form().problem(given)
    if wrong is not None:
        raise places.error(*wrong)
    rules: list[Mapping[str, JSON]] = given["faults"]
    for number, rule in enumerate(rules):
        _check_chance(["faults", number], rule, places)
        _check_fault(["faults", number, "fault"], rule["fault"], places)
    return rules


def _check_chance(path: list[str | int], rule: Mapping[str, JSON], places: Places) -> None:
    given = [name for name in ("times", "every", "share") if name in rule]
    if len(given) > 1:
        raise places.error([*path, given[1]], f"'{given[0]}' and '{given[1]}' exclude each other: keep one.")


def _check_fault(path: list[str | int], fault: Mapping[str, JSON], places: Places) -> None:
    if not fault:
        raise places.error(path, f"this does nothing: give one of {', '.join(FAULT['properties'])}.")
    for names in (_BODIES, ENDS, ("redirect", "status")):
        given = [name for name in names if name in fault]
        if len(given) > 1:
            raise places.error([*path, given[1]], f"'{given[0]}' and '{given[1]}' exclude each other: keep one.")
    if "size" in fault and not {"text", "html"} & fault.keys():
        raise places.error([*path, "size"], "'size' repeats a 'text' or 'html': give one.")
    if "stream" in fault and any(name in fault for name in OWN):
        raise places.error([*path, "stream"], "'stream' is about the simulator's own stream: leave other answers out.")
    if len({"after", "then"} & fault.get("stream", {}).keys()) == 1:
        raise places.error(
            [*path, "stream"], "'after' says how many events come first, 'then' what happens: give both."
        )
    if "raw" in fault and not fault.keys() <= _WITH_RAW:
        name = next(name for name in fault if name not in _WITH_RAW)
        raise places.error([*path, name], f"'raw' is the whole answer: leave '{name}' out.")
    _check_numbers(path, fault, places)
    _check_heads(path, fault, places)


def _check_numbers(path: list[str | int], fault: Mapping[str, JSON], places: Places) -> None:
    for name in ENDS:
        if isinstance(fault.get(name), int) and fault[name] < 0:
            raise places.error([*path, name], f"'{name}' is 'before', 'headers' or a number of bytes of the body.")
    for at, seconds in (("delay", fault.get("delay", 0)), ("drip", fault.get("drip", {}).get("every", 0))):
        if not math.isfinite(seconds):
            raise places.error([*path, at], f"'{at}' must be a number of seconds.")


def _check_heads(path: list[str | int], fault: Mapping[str, JSON], places: Places) -> None:
    given = {**fault.get("headers", {}), **{name: fault[name] for name in ("type", "encoding") if name in fault}}
    for name, value in given.items():
        at = [*path, "headers", name] if name in fault.get("headers", {}) else [*path, name]
        if not _HEADER.fullmatch(name):
            raise places.error(at, f"'{name}' cannot be the name of a header.")
        if not _VALUE.fullmatch(value):
            raise places.error(at, f"the header '{name}' has a character that none can have: plain ASCII, in one line.")
    for name in ("raw", "header_line", "redirect"):
        try:
            str(fault.get(name, "")).encode("latin-1")
        except UnicodeEncodeError:
            raise places.error([*path, name], f"'{name}' is sent as bytes: use characters up to \\xff.") from None
