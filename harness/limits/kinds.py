"""The kinds of failures that end a trial, in words for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure."""

    name: str
    #: What happened.
    means: str
    #: What to do about it; it ends messages.
    advice: str = ""
    #: When a request is sent again after it.
    again: str = "no"


KINDS = (
    Kind(
        "rate_limited",
        "the service said that it is too much (429)",
        "Lower `--rpm` or `-j`, or run again later: what was recorded stays.",
        "yes, after everybody has waited",
    ),
    Kind("quota", "the account has no money or quota left", "Add credit or raise its limit, then run again."),
    Kind(
        "timeout",
        "no whole answer in time",
        "`--timeout` allows more time.",
        "yes, within the trial's time, unless `broken` is false",
    ),
    Kind(
        "connection",
        "no connection, or it broke; an unknown host or certificate is not tried again",
        "Look whether the service is there, and at `base_url:`.",
        "yes, once it was sent only while `broken` is true",
    ),
    Kind("server", "the service failed (5xx, 408, 409)", "Run again later: what was recorded stays.", "yes"),
    Kind("bad_request", "the service refused the request for what it is (4xx)", "", "only with `x-should-retry: true`"),
    Kind("authentication", "the service does not know the key (401)", "Check the key."),
    Kind("permission", "the key may not do this (403)", "Check what the key may do."),
    Kind("redirect", "the service sent us elsewhere", "Redirects are not followed: the address may be wrong."),
    Kind("protocol", "the answer is not what the API promises", "", "no, unless it is not even HTTP"),
    Kind("too_large", "the answer is larger than anybody reads", ""),
    Kind("truncated_stream", "a stream ended before its end", ""),
    Kind("filtered", "the service's content filter withheld the answer, and no check of the case is about that", ""),
    Kind("unknown", "anything else", ""),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


def advice(name: str) -> str:
    """Return what to do about a kind of failure, a sentence, or nothing."""
    found = _BY_NAME.get(name)
    return found.advice if found is not None else ""
