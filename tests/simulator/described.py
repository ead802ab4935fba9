"""OpenAI's description of its API, and whether what the simulator sends is as described."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

JSON = Any

_REDUCED = Path(__file__).parent / "openapi" / "described.json.gz"
_ROOT = "#/components/schemas/"
#: What streams of threads send; their paths are described without streams.
_OF_THREADS = "AssistantStreamEvent"


@cache
def description() -> JSON:
    """The description, amended where the service itself does otherwise. Nobody may change it."""
    whole = json.loads(gzip.decompress(_REDUCED.read_bytes()))
    _amend(whole["components"]["schemas"])
    for operations in whole["paths"].values():
        for operation in operations.values():
            _wrap_errors(operation["responses"])
    return whole


def _wrap_errors(responses: JSON) -> None:
    """Some operations describe what is within `error` as if it were the whole answer; the service never sends it so."""
    for response in responses.values():
        for content in response.get("content", {}).values():
            if content.get("schema") == {"$ref": f"{_ROOT}Error"}:
                content["schema"] = {"$ref": f"{_ROOT}ErrorResponse"}


def _amend(schemas: JSON) -> None:
    for schema in schemas.values():
        # The service says null for both where a list is empty, as its SDKs expect.
        for edge in ("first_id", "last_id"):
            if "has_more" in schema.get("properties", {}) and edge in schema["properties"]:
                schema["properties"][edge] = {"type": ["string", "null"]}
    run = schemas["RunObject"]["properties"]
    # A run has all tools of its assistant, which may be 128; only a request for a run is bound to 20.
    run["tools"].pop("maxItems")
    # The page on runs says that content filters leave runs incomplete, too; the description has only limits of tokens.
    details = run["incomplete_details"]["anyOf"][0]
    details["properties"]["reason"]["enum"].append("content_filter")
    # Files for evals can be uploaded, and are told of like others.
    schemas["OpenAIFile"]["properties"]["purpose"]["enum"].append("evals")
    # `encoding_format: base64` answers with a text.
    schemas["Embedding"]["properties"]["embedding"] = {"type": ["array", "string"], "items": {"type": "number"}}


def problems(method: str, path: str, status: int, kind: str, body: bytes) -> list[str]:
    """What of an answer is not as described.

    Args:
        method: Of the request.
        path: Of the request, with /v1.
        status: Of the answer.
        kind: Its content type.
        body: The whole of it.
    """
    where = f"{method} {path} -> {status}"
    if status >= 400:
        return _wrong(where, json.loads(body), f"{_ROOT}ErrorResponse")
    operation = _operation(method, path)
    if operation is None:
        return [f"{where}: nothing is described here"]
    content = operation["responses"].get("200", operation["responses"].get("201", {})).get("content", {})
    if "text/event-stream" in kind:
        return [problem for event in events(body) for problem in _of_event(where, event, content)]
    if "application/json" not in kind:
        return []
    described = content.get("application/json", {}).get("schema")
    # Of a deleted response only the status is described, while the service says more.
    return [] if described is None else _wrong(where, json.loads(body), described)


def events(body: bytes) -> Iterator[tuple[str | None, str]]:
    """The events of a stream: their names and data."""
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
        if fields:
            yield fields.get("event"), fields["data"]


def _of_event(where: str, event: tuple[str | None, str], content: JSON) -> list[str]:
    name, text = event
    described = content.get("text/event-stream", {}).get("schema")
    if described is None:
        told = {"event": name, "data": text if name == "done" else json.loads(text)}
        return _wrong(f"{where} {name}", told, _branch(_OF_THREADS, "event", name or ""))
    if text == "[DONE]":
        return []
    data = json.loads(text)
    if name is None:
        # A stream that breaks tells of it in an event of its own form, which is not described.
        return _wrong(where, data, f"{_ROOT}ErrorResponse" if "error" in data else described)
    wrong = [] if data.get("type") == name else [f"{where} {name}: is called {data.get('type')} within"]
    return wrong + _wrong(f"{where} {name}", data, _branch("ResponseStreamEvent", "type", name))


@cache
def _branch(union: str, key: str, value: str) -> str:
    """Where in a union the form stands that says `value`; of many forms one error would say little."""
    for pointer, schema in _forms(f"{_ROOT}{union}"):
        if value in schema.get("properties", {}).get(key, {}).get("enum", ()):
            return pointer
    return f"{_ROOT}{union}"


def _forms(pointer: str) -> Iterator[tuple[str, JSON]]:
    schema = _at(pointer)
    if "$ref" in schema:
        yield from _forms(schema["$ref"])
    for keyword in ("oneOf", "anyOf"):
        for number in range(len(schema.get(keyword, ()))):
            yield from _forms(f"{pointer}/{keyword}/{number}")
    yield pointer, schema


def _at(pointer: str) -> JSON:
    found = description()
    for part in pointer.removeprefix("#/").split("/"):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def _wrong(where: str, value: JSON, described: JSON) -> list[str]:
    schema = {"$ref": described} if isinstance(described, str) else described
    errors = list(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value))
    found = best_match(errors)
    if found is None:
        return []
    while found.context:
        found = min(found.context, key=lambda one: (-len(one.absolute_path), one.validator == "type"))
    return [f"{where}: {found.json_path}: {found.message[:300]}"]


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": description()["components"]})


def _operation(method: str, path: str) -> JSON:
    for pattern, operations in _patterns():
        if pattern.fullmatch(path.removeprefix("/v1")) and method.lower() in operations:
            return operations[method.lower()]
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], JSON]]:
    # Whole names before placeholders: /threads/runs is no thread.
    paths = sorted(description()["paths"].items(), key=lambda one: one[0].count("{"))
    # Only names of models have slashes.
    named = [(path.replace("{model}", ".+"), operations) for path, operations in paths]
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operations) for path, operations in named]
