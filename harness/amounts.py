"""Durations, money, rates and hosts as people write them in suites and settings."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?\Z")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_HOST = re.compile(r"[A-Za-z0-9._-]+\Z|[0-9A-Fa-f:]+\Z")


def duration(value: Any) -> Any:
    """Read `250ms`, `4s`, `2m` or a number of seconds; return seconds.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no duration; write 250ms, 4s or 2m")
    return float(match[1]) * _UNITS[match[2]]


def money(value: Any) -> Any:
    """Read `$0.002` or a number of US dollars; return a Decimal.

    Raises:
        ValueError: It is neither, or negative.
    """
    text = str(value).strip().removeprefix("$") if not isinstance(value, bool) else ""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no amount of money; write $0.002") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{value!r} is no amount of money; write $0.002")
    return amount


def _number_or_text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}]})


#: Seconds.
Duration = Annotated[float, BeforeValidator(duration), _number_or_text(r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$")]


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"{value:g} allows nothing; leave it out for no limit")
    return value


#: Seconds, more than none.
Limit = Annotated[Duration, AfterValidator(_positive)]
#: So many a minute.
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
#: US dollars.
Money = Annotated[
    Decimal,
    BeforeValidator(money),
    _number_or_text(r"^\s*\$?\s*[+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"),
]


def host(value: str) -> str:
    """Return the name of a host, in lower case.

    Raises:
        ValueError: It is more than a name, or no name.
    """
    if not _HOST.match(value):
        raise ValueError(f"{value!r} is no host; write its name alone, such as api.example.com")
    return value.lower()


Host = Annotated[str, AfterValidator(host), Field(json_schema_extra={"pattern": r"^[A-Za-z0-9._:-]+$"})]
