"""What the SDK raises, as the error kinds of results."""

from __future__ import annotations

import json
from typing import Any

from harness.errors import CredentialsError, HarnessError, ServiceError

_SHOWN = 300
#: What the client says of connections that ended too early; all else of this kind is about what came.
_BROKE_OFF = ("Server disconnected", "peer closed")


def service_failure(error: Exception) -> HarnessError:
    """Return the trial error (or, for refused credentials, the run error) that an SDK exception means.

    Anything that is not the SDK's is returned as an `unknown` service error that names its type.
    """
    import httpx2
    import openai

    if isinstance(error, HarnessError):
        return error
    if isinstance(error, openai.APITimeoutError):
        return ServiceError("timeout", f"no answer in time ({_cause(error)})")
    if isinstance(error, httpx2.TimeoutException):
        return ServiceError("timeout", f"no answer in time ({type(error).__name__}: {error})"[:_SHOWN])
    if _unreadable(error):
        return ServiceError("protocol", f"the answer is not HTTP as it should be ({_cause(error)})")
    if isinstance(error, httpx2.TransportError):
        return ServiceError("connection", f"the connection broke off ({type(error).__name__}: {error})"[:_SHOWN])
    if isinstance(error, openai.APIConnectionError):
        return ServiceError("connection", f"no connection to the service, or it broke off ({_cause(error)})")
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return CredentialsError(
            f"the service refused the credentials (HTTP {error.status_code}): {_said(error)} Check the key that "
            "OPENAI_API_KEY, or the suite's `api_key_env`, names."
        )
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        text = f"HTTP {status}: {_said(error)}"
        if status == 429:
            return ServiceError("rate_limited", text)
        if status >= 500 or status == 408 or status == 409:
            return ServiceError("server", text)
        if 300 <= status < 400:
            return ServiceError("redirect", f"{text} (redirects are not followed: the address may be wrong)")
        return ServiceError("bad_request", text)
    return ServiceError("unknown", f"{type(error).__name__}: {error}"[:_SHOWN])


def _unreadable(error: Exception) -> bool:
    """Whether what came is no HTTP, which is more than a connection that broke off."""
    import httpx2

    cause = error if isinstance(error, httpx2.TransportError) else error.__cause__
    return isinstance(cause, httpx2.RemoteProtocolError) and not str(cause).startswith(_BROKE_OFF)


def _cause(error: Exception) -> str:
    cause = error.__cause__
    return f"{type(cause).__name__}: {cause}".rstrip(": ")[:_SHOWN] if cause else str(error)[:_SHOWN]


def _said(error: Any) -> str:
    """What the service said: the message of its error object, or the start of whatever it sent."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        text = inner.get("message") if isinstance(inner, dict) else inner
        text = text if isinstance(text, str) else json.dumps(body)
    else:
        text = str(body or error.message)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
