"""How fast requests and tokens may go out to one service."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.limits.headers import Allowance, allowance

#: Share of a minute's amount that may go out at once.
_BURST = 1 / 60
_LIMIT = re.compile(rb'"max(?:_completion|_output|_prompt)?_tokens"\s*:\s*([0-9]{1,9})')
_USED = re.compile(rb'"total_tokens"\s*:\s*([0-9]{1,9})')
#: Bytes of English text that make a token, about.
_BYTES = 4


class Bucket:
    """A token bucket (https://en.wikipedia.org/wiki/Token_bucket): it fills at a steady rate, and what is sent is taken out.

    What is larger than the bucket passes when the bucket is full; it then owes, and those after it wait longer.
    """

    def __init__(self, rate: float, *, burst: float, now: float = 0.0) -> None:
        """
        Args:
            rate: Units a second.
            burst: What the bucket holds; it is full at first.
            now: Seconds on the clock by which the bucket is asked.
        """
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = now

    def wait(self, amount: float, now: float) -> float:
        """Return how many seconds are left until so much can be taken."""
        self._fill(now)
        missing = min(amount, self.burst) - self._level
        # Sums of floats may fall short of what they should be by less than anybody could wait for.
        return missing / self.rate if missing > 1e-9 * self.burst else 0.0

    def take(self, amount: float, now: float) -> None:
        """Take out so much, whether or not it is there."""
        self._fill(now)
        self._level -= amount

    def give_back(self, amount: float) -> None:
        """Put back what was taken and not needed."""
        self._level = min(self._level + amount, self.burst)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._level + (now - self._at) * self.rate, self.burst)
            self._at = now


class Rates:
    """The rates of one service: those that the user set, and those that its own headers tell of.

    What the service tells is believed only so far: it makes nobody wait longer than `patience`, because what is
    really too fast is answered with 429.
    """

    def __init__(self, *, rpm: float | None = None, tpm: float | None = None, patience: float = 8.0) -> None:
        """
        Args:
            rpm: Requests a minute; None: any.
            tpm: Tokens a minute, those of answers included; None: any.
            patience: Longest wait for what only headers tell of, seconds.
        """
        self._requests = _of(rpm)
        self._tokens = _of(tpm)
        self._patience = patience
        self._told: dict[str, Bucket] = {}

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how large a request is."""
        return self._tokens is not None

    def wait(self, tokens: int, now: float) -> float:
        """Return how many seconds are left until a request of so many tokens may go out."""
        own = (
            self._requests.wait(1, now) if self._requests is not None else 0.0,
            self._tokens.wait(tokens, now) if self._tokens is not None else 0.0,
        )
        told = max((bucket.wait(self._amount(unit, tokens), now) for unit, bucket in self._told.items()), default=0.0)
        return max(*own, min(told, self._patience))

    def take(self, tokens: int, now: float) -> None:
        """Count a request that goes out now."""
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        for unit, bucket in self._told.items():
            bucket.take(self._amount(unit, tokens), now)

    def settle(self, reserved: int, used: int) -> None:
        """Correct what was reserved for a request, now that it is known what it used."""
        if self._tokens is not None:
            self._tokens.give_back(reserved - used)

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Read what a service says about itself."""
        for unit in ("requests", "tokens"):
            told = allowance(headers, unit)
            if told is not None:
                self._told[unit] = self._bucket(told, now)

    def _bucket(self, told: Allowance, now: float) -> Bucket:
        bucket = Bucket(max(told.rate, 1 / self._patience), burst=told.limit, now=now)
        bucket.take(told.limit - told.left, now)
        return bucket

    @staticmethod
    def _amount(unit: str, tokens: int) -> int:
        return 1 if unit == "requests" else tokens


def _of(per_minute: float | None) -> Bucket | None:
    return None if per_minute is None else Bucket(per_minute / 60, burst=max(per_minute * _BURST, 1.0))


def worst_tokens(body: bytes) -> int:
    """Return about how many tokens a request may use: its text, and the longest answer that it allows."""
    found = _LIMIT.search(body)
    return len(body) // _BYTES + (int(found[1]) if found is not None else 0)


def used_tokens(body: bytes) -> int | None:
    """Return how many tokens an answer says were used; None where it does not say."""
    found = _USED.findall(body)
    return int(found[-1]) if found else None
