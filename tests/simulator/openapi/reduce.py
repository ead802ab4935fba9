"""Make `described.json.gz` out of OpenAI's description of its API: the paths that are simulated and what they reach.

    python tests/simulator/openapi/reduce.py SOURCE

SOURCE is the published description as JSON; see NOTICE for where it comes from.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

JSON = Any

TARGET = Path(__file__).with_name("described.json.gz")
METHODS = ("get", "post", "delete")
#: Simulated paths; all methods that the description knows, but for those in `UNSIMULATED`.
PATHS = (
    "/assistants",
    "/assistants/{assistant_id}",
    "/chat/completions",
    "/containers/{container_id}/files",
    "/containers/{container_id}/files/{file_id}",
    "/containers/{container_id}/files/{file_id}/content",
    "/conversations",
    "/conversations/{conversation_id}",
    "/conversations/{conversation_id}/items",
    "/conversations/{conversation_id}/items/{item_id}",
    "/embeddings",
    "/files",
    "/files/{file_id}",
    "/files/{file_id}/content",
    "/models",
    "/models/{model}",
    "/moderations",
    "/responses",
    "/responses/{response_id}",
    "/responses/{response_id}/cancel",
    "/responses/{response_id}/input_items",
    "/threads",
    "/threads/runs",
    "/threads/{thread_id}",
    "/threads/{thread_id}/messages",
    "/threads/{thread_id}/messages/{message_id}",
    "/threads/{thread_id}/runs",
    "/threads/{thread_id}/runs/{run_id}",
    "/threads/{thread_id}/runs/{run_id}/cancel",
    "/threads/{thread_id}/runs/{run_id}/steps",
    "/threads/{thread_id}/runs/{run_id}/steps/{step_id}",
    "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
    "/vector_stores",
    "/vector_stores/{vector_store_id}",
    "/vector_stores/{vector_store_id}/file_batches",
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}",
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
    "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
    "/vector_stores/{vector_store_id}/files",
    "/vector_stores/{vector_store_id}/files/{file_id}",
    "/vector_stores/{vector_store_id}/files/{file_id}/content",
    "/vector_stores/{vector_store_id}/search",
)
UNSIMULATED = {
    ("/chat/completions", "get"),
    ("/containers/{container_id}/files", "post"),
    ("/containers/{container_id}/files/{file_id}", "delete"),
    ("/models/{model}", "delete"),
}
#: Reached by no path: errors are described for few statuses, and what threads stream is not tied to their paths.
ALSO = ("AssistantStreamEvent", "ErrorResponse")
_PROSE = ("description", "summary", "title", "example", "examples", "externalDocs", "deprecated", "discriminator")
#: Maps from names to schemas: what stands right in them is no keyword.
_NAMED = ("properties", "patternProperties", "$defs", "schemas", "responses", "content", "headers", "paths")


def reduced(source: JSON) -> JSON:
    """Return the reduced description."""
    paths = {
        path: {
            method: _operation(operation)
            for method, operation in source["paths"][path].items()
            if method in METHODS and (path, method) not in UNSIMULATED
        }
        for path in PATHS
    }
    components = source["components"]
    found: dict[str, dict[str, JSON]] = {"schemas": {}, "responses": {}}
    waiting = [f"#/components/schemas/{name}" for name in ALSO] + _references(paths)
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name not in found[kind]:
            found[kind][name] = plain(components[kind][name], own=name)
            waiting += _references(found[kind][name])
    _say_something(found["responses"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenAI API, reduced", "version": source["info"]["version"]},
        "paths": paths,
        "components": {kind: dict(sorted(named.items())) for kind, named in found.items()},
    }


def _operation(operation: JSON) -> JSON:
    kept = {
        name: operation[name] for name in ("operationId", "parameters", "requestBody", "responses") if name in operation
    }
    told: JSON = plain(kept)
    _say_something(told["responses"])
    return told


def _say_something(responses: dict[str, JSON]) -> None:
    """Responses must have a description, be it empty."""
    for response in responses.values():
        if "$ref" not in response:
            response["description"] = ""


def plain(value: JSON, *, own: str = "", named: bool = False) -> JSON:
    """Return a part of the description without prose, and in JSON Schema 2020-12.

    Args:
        value: The part.
        own: The schema that it is a part of.
        named: Its keys are names and not keywords.
    """
    if isinstance(value, list):
        return [plain(one, own=own) for one in value]
    if not isinstance(value, dict):
        return value
    if named:
        return {name: plain(one, own=own, named=False) for name, one in value.items()}
    if value.get("$recursiveRef") == "#":
        return {"$ref": f"#/components/schemas/{own}"}
    kept = {
        name: plain(one, own=own, named=name in _NAMED)
        for name, one in value.items()
        if name not in (*_PROSE, "nullable", "$recursiveAnchor") and not name.startswith("x-")
    }
    return _with_null(kept) if value.get("nullable") is True else kept


def _with_null(schema: dict[str, JSON]) -> dict[str, JSON]:
    """Say in JSON Schema what `nullable: true` says in the description, which claims to be OpenAPI 3.1 and is not."""
    if not schema:
        # `allOf: [{...}, {nullable: true}]` means that the whole may be null.
        return {"x-null": True}
    return {"anyOf": [schema, {"type": "null"}]}


def _lifted(value: JSON) -> JSON:
    """Return a part with the null of an `allOf` lifted to where it counts."""
    if isinstance(value, list):
        return [_lifted(one) for one in value]
    if not isinstance(value, dict):
        return value
    schema = {name: _lifted(one) for name, one in value.items()}
    all_of = schema.get("allOf")
    if isinstance(all_of, list) and {"x-null": True} in all_of:
        rest = [one for one in all_of if one != {"x-null": True}]
        return {"anyOf": [{**schema, "allOf": rest}, {"type": "null"}]}
    return schema


def _references(value: JSON) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _references(one)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for one in value.values() for found in _references(one)]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: reduce.py SOURCE (the description of the API, as JSON)")
    told = _lifted(reduced(json.loads(Path(sys.argv[1]).read_text())))
    body = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    # Without a time in it, the same source makes the same file.
    TARGET.write_bytes(gzip.compress(body, mtime=0))
    print(f"{TARGET.name}: {len(told['paths'])} paths, {len(told['components']['schemas'])} schemas")


if __name__ == "__main__":
    main()
