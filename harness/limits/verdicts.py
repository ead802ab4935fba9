"""What an attempt came to: an answer, or a failure of which kind, and whether sending it again may help."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from harness.limits.headers import retry_after
from harness.settings import Retry

#: The service is busy, or somebody else was faster: both pass.
_TRANSIENT = frozenset({408, 409, 429})
#: Codes by which services say that there is no money left, which no waiting changes.
QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
#: Before these, nothing of a request had been sent.
_UNSENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.ProxyError,
)
#: An answer that is an error object and nothing else.
_ERROR = re.compile(rb'\s*\{\s*"error"\s*:\s*[{"]')
_LARGEST_ERROR = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attempt came to."""

    #: None: the service answered, or refused this request for what it is.
    kind: str | None = None
    #: What happened, in a few words.
    said: str = ""
    #: Whether sending the same again may help.
    again: bool = False
    #: Seconds that the service asked to wait.
    asked: float | None = None
    #: Whether it concerns every request to this service, not this one alone.
    everybody: bool = False


ANSWERED = Verdict()


def wants_body(response: httpx2.Response) -> bool:
    """Whether the verdict on an answer depends on its body."""
    if response.status_code == 429:
        return True
    content_type = response.headers.get("content-type", "")
    return response.status_code == 200 and "json" in content_type


def of_answer(response: httpx2.Response, body: bytes = b"") -> Verdict:
    """Judge an answer.

    Args:
        response: The answer.
        body: Its whole body where `wants_body`, else nothing.
    """
    status, error = response.status_code, _error(body)
    if status == 200 and error is not None:
        status = _status(error)
    if 200 <= status < 400:
        return ANSWERED
    headers = response.headers
    if status == 429 and error is not None and not QUOTA.isdisjoint(_codes(error)):
        return Verdict(kind="quota", said=f"HTTP {status}, {error.get('code') or error.get('type')}")
    told = headers.get("x-should-retry")
    again = told == "true" if told in ("true", "false") else status in _TRANSIENT or status >= 500
    asked = retry_after(headers, now=time.time())
    kind = "rate_limited" if status == 429 else "server" if status >= 500 or status in _TRANSIENT else None
    return Verdict(
        kind=kind,
        said=f"HTTP {status}",
        again=again,
        asked=asked,
        everybody=status == 429 or (status == 503 and asked is not None),
    )


def of_error(error: httpx2.TransportError, retry: Retry) -> Verdict:
    """Judge a failure without an answer."""
    kind = "timeout" if isinstance(error, httpx2.TimeoutException) else "connection"
    reason = unreachable(error)
    if reason is not None:
        return Verdict(kind=kind, said=reason)
    return Verdict(kind=kind, said=type(error).__name__, again=retry.broken or isinstance(error, _UNSENT))


def unreachable(error: BaseException) -> str | None:
    """Return why a service cannot be reached as things are set up, so that trying again is no use; None: another failure."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return f"the name of the host is not known ({cause.strerror or cause})"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the service's certificate is not trusted ({cause.verify_message})"
    return None


def maybe_paid(error: str) -> bool:
    """Whether an attempt that failed may have been paid for: it had been sent when it broke.

    Args:
        error: The words that a recording keeps: `connection: ReadError: what it said`.
    """
    return error.partition(": ")[2].partition(": ")[0] not in {one.__name__ for one in _UNSENT}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def codes_of(body: bytes) -> set[str]:
    """Return what an answer's error object calls its error; nothing where the answer is no error object."""
    error = _error(body)
    return set() if error is None else _codes(error)


def _codes(error: dict[str, Any]) -> set[str]:
    return {str(error.get("code")), str(error.get("type"))}


def _error(body: bytes) -> dict[str, Any] | None:
    """The error object that a body consists of; None where it is something else."""
    if len(body) > _LARGEST_ERROR or not _ERROR.match(body):
        return None
    try:
        found = json.loads(body)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return found if isinstance(found, dict) else {"message": found}


def _status(error: dict[str, Any]) -> int:
    """The status that an error object sent with 200 means: only what may pass matters here."""
    for name in ("status", "code"):
        value = error.get(name)
        if (
            isinstance(value, int | str)
            and str(value).isdecimal()
            and (int(value) in _TRANSIENT or 500 <= int(value) < 600)
        ):
            return int(value)
    return 200
