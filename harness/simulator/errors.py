"""Errors as OpenAI's API tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.simulator.brain import Failure


class ApiError(Exception):
    """A request that is refused, with the status and the body that the API would send.

    Args:
        status: HTTP status.
        message: For people.
        param: The path of the parameter that is wrong, such as `messages[0].role`.
        code: A word for programs, such as `model_not_found`.
        type: The family of the error.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.type = type
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the body as the API shapes it."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def missing(kind: str, id: str) -> ApiError:
    """Return the error for an object that does not exist, as the API words the status and shape."""
    return ApiError(404, f"No {kind} found with id '{id}'.")


def failed(failure: Failure) -> ApiError:
    """Return the error that a brain's failure is answered with."""
    if failure.status == 429:
        type = "requests"
    elif failure.status >= 500:
        type = "server_error"
    else:
        type = "invalid_request_error"
    return ApiError(failure.status, failure.message, code=failure.code, type=type, headers=failure.headers)
