"""What services say in headers about when to come again. All of it is hearsay: nonsense is read as nothing."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

_LONGEST_DURATION = 64
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read `retry-after-ms` and `Retry-After` (seconds or an HTTP date, RFC 9110 §10.2.3); seconds from `now`.

    Nonsense, zero, negative and infinite values are None: then the back-off decides.

    Args:
        headers: Of the answer, their names in lower case.
        now: Seconds since the epoch.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None and seconds > 0:
            return seconds / scale
    given = headers.get("retry-after")
    try:
        moment = None if given is None else email.utils.parsedate_tz(given)
        seconds = None if moment is None else email.utils.mktime_tz(moment) - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return seconds if seconds is not None and seconds > 0 else None


def go_duration(text: str) -> float | None:
    """Read a duration as Go writes it, `12ms` or `1m30s`, or a plain number of seconds; None: it is neither.

    https://pkg.go.dev/time#ParseDuration
    """
    plain = _number(text)
    if plain is not None:
        return plain if plain >= 0 else None
    text = text.strip()
    parts = _PART.findall(text) if len(text) <= _LONGEST_DURATION else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return math.fsum(float(number) * _UNITS[unit] for number, unit in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a service says is left of what it allows: of `limit` units `left`, and all again after `reset` s."""

    limit: float
    left: float
    reset: float

    @property
    def rate(self) -> float:
        """Units a second at which it fills up again."""
        return (self.limit - self.left) / self.reset


def allowance(headers: Mapping[str, str], unit: str) -> Allowance | None:
    """Read `x-ratelimit-{limit,remaining,reset}-<unit>`; None where they say nothing that can be believed.

    Some gateways send -1 or 0 where they know nothing, so neither is ever taken for what is left.

    Args:
        headers: Of the answer, their names in lower case.
        unit: `requests` or `tokens`.
    """
    limit = _number(headers.get(f"x-ratelimit-limit-{unit}"))
    left = _number(headers.get(f"x-ratelimit-remaining-{unit}"))
    reset = go_duration(headers.get(f"x-ratelimit-reset-{unit}", ""))
    if limit is None or left is None or reset is None:
        return None
    return Allowance(limit=limit, left=left, reset=reset) if 0 < left < limit and reset > 0 else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None and len(text) <= _LONGEST_DURATION else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
