"""Reading requests, and answering them with JSON."""

from __future__ import annotations

import json
import math
import re

from starlette.requests import Request
from starlette.responses import Response

from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON

#: How deep objects and arrays of a request may stand within each other.
_DEEPEST = 200


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
        body = json.loads(raw, parse_constant=_refused, parse_float=_finite)
        # A lone surrogate is no text: nothing that is made of it could be sent back.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body of the request is not valid JSON: {_plain(error)}.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body of the request must be a JSON object.")
    if is_deep(body):
        raise ApiError(400, f"The body of the request is nested too deeply: more than {_DEEPEST} levels.")
    return body


def is_deep(value: JSON) -> bool:
    """Whether a value is nested more deeply than any request has a reason to be."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inner(outer)]
        if not level:
            return False
    return True


def _inner(outer: JSON) -> JSON:
    return outer.values() if isinstance(outer, dict) else outer


def _refused(name: str) -> JSON:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused(digits[:20])


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
    first = ids.index(query["after"]) + 1 if "after" in query else 0
    last = ids.index(query["before"]) if "before" in query else len(ids)
    found = found[first : max(first, last)]
    # Before an item is the page that ends with it.
    part = found[-limit:] if "before" in query and "after" not in query else found[:limit]
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
    if not re.fullmatch(r"-?[0-9]+", text):
        raise ApiError(
            400,
            f"Invalid type for 'limit': expected an integer, but got '{text}' instead.",
            param="limit",
            code="invalid_type",
        )
    # A number that is too long to be read is out of bounds by its first digits.
    value = int(text[:12])
    if not 1 <= value <= most:
        code = "integer_below_min_value" if value < 1 else "integer_above_max_value"
        raise ApiError(400, f"Invalid 'limit': {text[:12]} is not between 1 and {most}.", param="limit", code=code)
    return value
