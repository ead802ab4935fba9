"""What requests about vector stores may say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from harness.simulator import filters
from harness.simulator.assistant_forms import CHUNKING
from harness.simulator.plain import JSON
from harness.simulator.validation import BOOLEAN, METADATA, STRING, Form, closed, nullable

_EXPIRY = closed(
    {
        "anchor": {"type": "string", "enum": ["last_active_at"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 365},
    },
    "anchor",
    "days",
)
_ATTRIBUTES = {
    "type": ["object", "null"],
    "maxProperties": 16,
    "propertyNames": {"maxLength": 64},
    "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": 512},
}
_ADDED = closed({"file_id": STRING, "chunking_strategy": CHUNKING, "attributes": _ATTRIBUTES}, "file_id")
_QUERY = {"type": "string", "minLength": 1}


@cache
def _forms() -> Mapping[str, Form]:
    return {
        "store": Form(
            closed(
                {
                    "file_ids": {"type": "array", "maxItems": 500, "items": STRING},
                    "name": nullable(STRING),
                    "description": nullable(STRING),
                    "expires_after": nullable(_EXPIRY),
                    "chunking_strategy": CHUNKING,
                    "metadata": METADATA,
                }
            )
        ),
        "changed store": Form(
            closed({"name": nullable(STRING), "expires_after": nullable(_EXPIRY), "metadata": METADATA})
        ),
        "search": Form(
            closed(
                {
                    "query": {"type": ["string", "array"], "minLength": 1, "minItems": 1, "items": _QUERY},
                    "rewrite_query": BOOLEAN,
                    "max_num_results": {"type": "integer", "minimum": 1, "maximum": 50},
                    "filters": filters.form(),
                    "ranking_options": closed(
                        {
                            "ranker": {"enum": ["none", "auto", "default-2024-11-15"]},
                            "score_threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        }
                    ),
                },
                "query",
            )
        ),
        "file": Form(_ADDED),
        "attributes": Form(closed({"attributes": _ATTRIBUTES}, "attributes")),
        "batch": Form(
            closed(
                {
                    "file_ids": {"type": "array", "minItems": 1, "maxItems": 2000, "items": STRING},
                    "files": {"type": "array", "minItems": 1, "maxItems": 2000, "items": _ADDED},
                    "chunking_strategy": CHUNKING,
                    "attributes": _ATTRIBUTES,
                }
            )
        ),
    }


def check(form: str, body: Mapping[str, JSON], *, strict: bool) -> None:
    """Refuse a request that the API would refuse.

    Args:
        form: Which request it is, such as `store`.
        body: The request.
        strict: Refuse parameters that the API does not know.

    Raises:
        ApiError: 400.
    """
    _forms()[form].check(body, strict=strict)
