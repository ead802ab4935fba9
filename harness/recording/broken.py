"""What a connection broke off with, in words that a recording keeps, and raised again from them."""

from __future__ import annotations

import httpx2

#: Characters of the transport's own words that are kept.
_SHOWN = 300


def in_words(error: Exception) -> str:
    """Return `timeout` or `connection`, the error's class, and what it said, as in `timeout: ReadTimeout: timed out`."""
    kind = "timeout" if isinstance(error, httpx2.TimeoutException) else "connection"
    said = " ".join(str(error).split())[:_SHOWN]
    return f"{kind}: {type(error).__name__}: {said}" if said else f"{kind}: {type(error).__name__}"


def from_words(words: str) -> httpx2.TransportError:
    """Return the error that `in_words` put into words, of the same class, so that whoever meets it says the same."""
    kind, _, rest = words.partition(": ")
    name, _, said = rest.partition(": ")
    found = getattr(httpx2, name, None)
    if isinstance(found, type) and issubclass(found, httpx2.TransportError):
        return found(said)
    return httpx2.ReadTimeout(words) if kind == "timeout" else httpx2.ReadError(words)
