"""What a template can call to make much out of little, each weighed before it is done."""

from __future__ import annotations

import functools
import operator
import re
import string
from collections.abc import Callable, Mapping
from typing import Any

from jinja2.utils import _PassArg

from harness.templates.meter import Meter, TooMuch

#: Bits of the largest integer that a template may make.
_BITS = 4096
#: Characters that the fields of one format may hold, all together.
_FIELDS = 10_000_000
# 9,999 is the widest field.
_WIDE = re.compile(r"[0-9]{5,}")
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?.", re.DOTALL)

# Filters that write values out as text, and so must know their length first.
_WRITERS = frozenset(
    {
        *("capitalize", "center", "e", "escape", "forceescape", "format", "indent", "join", "lower", "pprint"),
        *("replace", "string", "striptags", "title", "tojson", "trim", "truncate", "upper", "urlencode", "urlize"),
        *("wordcount", "wordwrap", "xmlattr"),
    }
)
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "*": operator.mul,
    "**": operator.pow,
    "%": operator.mod,
    "+": operator.add,
}


def operate(meter: Meter, sign: str, left: Any, right: Any) -> Any:
    """Apply `*`, `**`, `%` or `+`, unless the result would be huge."""
    if isinstance(left, int) and isinstance(right, int):
        bits = {
            "*": left.bit_length() + right.bit_length(),
            "+": max(left.bit_length(), right.bit_length()),
            "**": left.bit_length() * max(right, 0),
        }
        if bits.get(sign, 0) > _BITS:
            raise TooMuch(f"it makes a number of more than {_BITS:,} bits")
    elif sign == "*":
        for sequence, count in ((left, right), (right, left)):
            if isinstance(sequence, (str, list, tuple)) and isinstance(count, int):
                _room(meter, sequence, len(sequence) * max(count, 0))
    elif sign == "+" and isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
        _room(meter, left, len(left) + len(right))
    elif sign == "%" and isinstance(left, str):
        _check_percent(meter, left, right if isinstance(right, (tuple, Mapping)) else (right,))
    return meter.weighed(_OPERATORS[sign](left, right))


def checked_method(meter: Meter, text: str, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Weigh a method of a text before it is called; return the arguments to call it with."""
    if name in ("center", "ljust", "rjust", "zfill") and args and isinstance(args[0], int):
        meter.make(max(args[0], 0))
    elif name == "expandtabs":
        size = args[0] if args and isinstance(args[0], int) else 8
        meter.make(len(text) + text.count("\t") * max(size, 0))
    elif name == "replace" and len(args) > 1:
        _weigh_replacement(meter, text, args[0], args[1])
    elif name == "join" and args:
        parts = list(meter.counted(args[0]))
        meter.make(sum(len(part) for part in parts if isinstance(part, str)) + len(text) * len(parts))
        return (parts, *args[1:])
    return args


def metered_format(meter: Callable[[], Meter], text: str, format_: Callable[..., str]) -> Callable[..., str]:
    """Return `str.format` for one text that weighs its fields first."""

    def limited(*args: Any, **keywords: Any) -> str:
        fields = 0
        for _, name, spec, _ in string.Formatter().parse(text):
            fields += name is not None
            if spec and ("{" in spec or _WIDE.search(spec)):
                raise TooMuch("a format asks for a huge or a computed width")
        _weigh_fields(meter(), fields, (*args, *keywords.values()))
        return format_(*args, **keywords)

    return functools.update_wrapper(limited, format_)


def metered_filter(meter: Callable[[], Meter], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that weighs what goes in and what comes out."""
    first = 0 if _PassArg.from_obj(function) is None else 1
    check = _CHECKS.get(name)

    def limited(*args: Any, **keywords: Any) -> Any:
        mine = meter()
        mine.step()
        value, more = args[first], (*args[first + 1 :], *keywords.values())
        if name in _WRITERS:
            for one in (value, *more):
                if isinstance(one, (list, tuple, dict)):
                    mine.measure(one)
        if check is not None:
            check(mine, value, more)
        if name == "join":
            args = _joinable(mine, first, args, keywords)
        if name == "sum":
            return _sum(mine, args, keywords, function)
        return mine.weighed(function(*args, **keywords))

    return functools.update_wrapper(limited, function)


def _check_width(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    lines = value.count("\n") + 1 if isinstance(value, str) else 1
    for one in more:
        meter.make(lines * (len(one) if isinstance(one, str) else max(one, 0) if isinstance(one, int) else 0))


def _check_count(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    meter.step(sum(max(one, 0) for one in more if isinstance(one, int)))


def _check_places(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    if any(isinstance(one, int) and abs(one) > 300 for one in more):
        raise TooMuch("it rounds to more than 300 places")


def _check_short(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    if any(isinstance(one, str) and len(one) > 100 for one in more):
        raise TooMuch("what it puts between lines is longer than 100 characters")


def _check_indentation(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    if any(isinstance(one, int) and one > 16 for one in more):
        raise TooMuch("it indents by more than 16")


def _check_replacement(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    if len(more) > 1:
        _weigh_replacement(meter, meter.text(value), meter.text(more[0]), meter.text(more[1]))


def _check_format(meter: Meter, value: Any, more: tuple[Any, ...]) -> None:
    _check_percent(meter, meter.text(value), more)


#: What a filter's value and further arguments must satisfy.
_CHECKS: Mapping[str, Callable[[Meter, Any, tuple[Any, ...]], None]] = {
    "batch": _check_count,
    "center": _check_width,
    "format": _check_format,
    "indent": _check_width,
    "replace": _check_replacement,
    "round": _check_places,
    "slice": _check_count,
    "tojson": _check_indentation,
    "urlize": _check_short,
    "wordwrap": _check_short,
}


def _joinable(meter: Meter, first: int, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> tuple[Any, ...]:
    """Take the parts of a join out of their stream, so that the whole can be weighed."""
    parts = list(meter.counted(args[first]))
    between = args[first + 1] if len(args) > first + 1 else keywords.get("d", "")
    meter.make(meter.measure(parts) + len(meter.text(between)) * len(parts))
    return (*args[:first], parts, *args[first + 1 :])


def _sum(meter: Meter, args: tuple[Any, ...], keywords: Mapping[str, Any], function: Callable[..., Any]) -> Any:
    """Add up step by step where the sum is no number, since lists grow with every step."""
    start = keywords.get("start", args[3] if len(args) > 3 else 0)
    if isinstance(start, (int, float)):
        return function(*args, **keywords)
    attribute = keywords.get("attribute", args[2] if len(args) > 2 else None)
    for value in meter.counted(args[1]):
        # The environment comes first: the filter asks for it.
        part = value if attribute is None else args[0].getitem(value, attribute)
        start = operate(meter, "+", start, part)
    return start


def _check_percent(meter: Meter, text: str, given: Any) -> None:
    fields = 0
    for match in _PERCENT.finditer(text):
        fields += 1
        if any(part and ("*" in part or len(part) > 4) for part in match.groups()):
            raise TooMuch("a format asks for a huge or a computed width")
    _weigh_fields(meter, fields, given.values() if isinstance(given, Mapping) else given)


def _weigh_fields(meter: Meter, fields: int, given: Any) -> None:
    if fields * max((meter.measure(one) for one in given), default=0) > _FIELDS:
        raise TooMuch("a format repeats a long text many times")


def _weigh_replacement(meter: Meter, text: str, old: Any, new: Any) -> None:
    if isinstance(old, str) and isinstance(new, str):
        meter.make(len(text) + text.count(old) * len(new))


def _room(meter: Meter, kind: Any, size: int) -> None:
    if isinstance(kind, str):
        meter.make(size)
    else:
        meter.step(size)
