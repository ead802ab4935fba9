"""What the SDK raises, as the error kinds of results."""

from __future__ import annotations

import json
import math
from typing import Any

from harness.errors import CredentialsError, HarnessError, ServiceError
from harness.limits.headers import retry_after
from harness.limits.kinds import advice
from harness.limits.verdicts import QUOTA, unreachable
from harness.recording import RECORDED

#: Characters of what a service or a library said that are shown.
SHOWN = 500
#: What the client says of connections that ended too early; all else of this kind is about what came.
_BROKE_OFF = ("Server disconnected", "peer closed")


def service_failure(error: Exception, *, key: str | None = None) -> HarnessError:
    """Return the trial error (or, for refused credentials, the run error) that an SDK exception means.

    Anything that is not the SDK's is returned as an `unknown` service error that names its type.

    Args:
        error: The exception.
        key: Name of the variable that holds the key that was sent, if it is known.
    """
    import httpx2
    import openai

    if isinstance(error, HarnessError):
        return error
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return advised("timeout", f"no answer in time ({_cause(error)}).")
    if _unreadable(error):
        return ServiceError("protocol", f"the answer is not HTTP as it should be ({_cause(error)})")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return advised("connection", _no_connection(error))
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return CredentialsError(
            f"the service refused the credentials (HTTP {error.status_code}): {_said(error)} Check the key in "
            f"{key or 'OPENAI_API_KEY, or in the variable that `api_key_env:` names'}."
        )
    if isinstance(error, openai.APIStatusError):
        headers = error.response.extensions.get(RECORDED, error.response.headers)
        # How long it is until a date depends on when that is asked: replay could not say the same.
        asked = retry_after(headers, now=math.inf)
        codes = {str(error.code), str(error.type)}
        return status_failure(error.status_code, f"HTTP {error.status_code}: {_said(error)}", codes=codes, asked=asked)
    return ServiceError("unknown", cut(f"{type(error).__name__}: {error}"))


def status_failure(
    status: int, text: str, *, codes: set[str] | None = None, asked: float | None = None
) -> ServiceError:
    """Return the failure that a status means.

    Args:
        status: Of the answer; 401 and 403 are not for here.
        text: What happened.
        codes: What the answer's error object calls it.
        asked: Seconds that the service asked to wait.
    """
    if status == 429 and codes is not None and not QUOTA.isdisjoint(codes):
        return advised("quota", text)
    if status == 429:
        return advised(
            "rate_limited", text if asked is None else f"{_sentence(text)} The service asks to wait {asked:g} s."
        )
    if status >= 500 or status in (408, 409):
        return advised("server", text)
    return advised("redirect" if 300 <= status < 400 else "bad_request", text)


def advised(kind: str, text: str) -> ServiceError:
    """Return a failure whose message ends with what to do about its kind."""
    told = advice(kind)
    return ServiceError(kind, f"{_sentence(text)} {told}" if told else text)


def _sentence(text: str) -> str:
    """What a service says of itself seldom ends as a sentence does."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def cut(text: str) -> str:
    """Return a text on one line and no longer than messages show."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _no_connection(error: Exception) -> str:
    import httpx2

    reason, cause = unreachable(error), error.__cause__ or error
    if reason is not None:
        return f"{_host(error)} cannot be reached: {reason}."
    if isinstance(cause, httpx2.ConnectError):
        return f"nobody answers at {_host(error)} ({_cause(error)})."
    return f"the connection to {_host(error)} broke off ({_cause(error)})."


def _host(error: Exception) -> str:
    try:
        url = error.request.url  # type: ignore[attr-defined]  # both kinds of errors have it, if it was set
    except (AttributeError, RuntimeError):
        return "the service"
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def _unreadable(error: Exception) -> bool:
    """Whether what came is no HTTP, which is more than a connection that broke off."""
    import httpx2

    cause = error if isinstance(error, httpx2.TransportError) else error.__cause__
    return isinstance(cause, httpx2.RemoteProtocolError) and not str(cause).startswith(_BROKE_OFF)


def _cause(error: Exception) -> str:
    cause = error.__cause__ or error
    return cut(f"{type(cause).__name__}: {cause}".rstrip(": "))


def _said(error: Any) -> str:
    """What the service said: the message of its error object, or the start of whatever it sent."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        text = inner.get("message") if isinstance(inner, dict) else inner
        text = text if isinstance(text, str) else json.dumps(body)
    else:
        text = str(body or error.message)
    return cut(text)
