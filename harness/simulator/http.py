"""Reading requests, and answering them with JSON."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from harness.simulator.errors import ApiError

JSON: TypeAlias = Any


def answer(data: JSON, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer of JSON."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status_code=status, headers=headers, media_type="application/json")


async def read(request: Request, *, optional: bool = False) -> dict[str, JSON]:
    """Return the JSON object that a request brings; `{}` where it brings none and need not.

    Raises:
        ApiError: It brings something else.
    """
    raw = await request.body()
    if optional and not raw.strip():
        return {}
    try:
        body = json.loads(raw, parse_constant=_refused)
        # A lone surrogate is no text: nothing that is made of it could be sent back.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body of the request is not valid JSON: {_plain(error)}.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body of the request must be a JSON object.")
    return body


def _refused(name: str) -> JSON:
    raise ValueError(f"{name} is no JSON")


def _plain(error: Exception) -> str:
    return "a text has half a character" if isinstance(error, UnicodeError) else str(error).rstrip(".")


def page(
    items: list[dict[str, JSON]], request: Request, *, order: str = "desc", most: int = 100, usual: int = 20
) -> dict[str, JSON]:
    """Return the part of a list that a request asks for with `limit`, `order`, `after` and `before`.

    Args:
        items: Oldest first, each with an id.
        request: Its query says which part.
        order: Where it does not say.
        most: The highest `limit`.
        usual: The `limit` where the query does not say.

    Raises:
        ApiError: The query is wrong.
    """
    query = request.query_params
    limit = _limit(query.get("limit"), most, usual)
    order = query.get("order", order)
    if order not in ("asc", "desc"):
        raise ApiError(
            400,
            f"Invalid value: '{order}'. Supported values are: 'asc' and 'desc'.",
            param="order",
            code="invalid_value",
        )
    found = items if order == "asc" else items[::-1]
    ids = [item["id"] for item in found]
    for name in ("after", "before"):
        if name in query and query[name] not in ids:
            raise ApiError(400, f"There is no item with id '{query[name]}' in this list.", param=name)
    if "after" in query:
        found = found[ids.index(query["after"]) + 1 :]
    if "before" in query:
        kept = [item["id"] for item in found]
        found = found[: kept.index(query["before"])] if query["before"] in kept else []
    part = found[:limit]
    return {
        "object": "list",
        "data": part,
        "first_id": part[0]["id"] if part else None,
        "last_id": part[-1]["id"] if part else None,
        "has_more": len(found) > limit,
    }


def _limit(text: str | None, most: int, usual: int) -> int:
    if text is None:
        return usual
    if not text.lstrip("-").isdecimal() or not text.isascii():
        raise ApiError(
            400,
            f"Invalid type for 'limit': expected an integer, but got '{text}' instead.",
            param="limit",
            code="invalid_type",
        )
    value = int(text)
    if not 1 <= value <= most:
        code = "integer_below_min_value" if value < 1 else "integer_above_max_value"
        raise ApiError(400, f"Invalid 'limit': {value} is not between 1 and {most}.", param="limit", code=code)
    return value
