"""What a request to Chat Completions may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON
from harness.simulator.schemas import check_json_schema, check_parameters
from harness.simulator.validation import (
    BOOLEAN,
    EFFORT,
    METADATA,
    NAME,
    STRING,
    TEMPERATURE,
    TOP_P,
    Form,
    Schema,
    closed,
    nullable,
)


def _content(*kinds: str, null: bool = False) -> Schema:
    parts: dict[str, Schema] = {
        "text": closed({"type": STRING, "text": STRING}, "type", "text"),
        "refusal": closed({"type": STRING, "refusal": STRING}, "type", "refusal"),
        "image_url": closed(
            {
                "type": STRING,
                "image_url": closed({"url": STRING, "detail": {"enum": ["auto", "low", "high", "original"]}}, "url"),
            },
            "type",
            "image_url",
        ),
        "input_audio": closed(
            {
                "type": STRING,
                "input_audio": closed({"data": STRING, "format": {"enum": ["wav", "mp3"]}}, "data", "format"),
            },
            "type",
            "input_audio",
        ),
        "file": closed(
            {"type": STRING, "file": closed({"file_id": STRING, "filename": STRING, "file_data": STRING})},
            "type",
            "file",
        ),
    }
    return {
        "type": ["string", "array", "null"] if null else ["string", "array"],
        "minItems": 1,
        "items": {"type": "object", "tagged": {"on": "type", "forms": {kind: parts[kind] for kind in kinds}}},
    }


_CALL = closed(
    {
        "id": STRING,
        "type": {"const": "function"},
        "function": closed({"name": STRING, "arguments": STRING}, "name", "arguments"),
    },
    "id",
    "type",
    "function",
)
_INSTRUCTING = closed({"role": STRING, "content": _content("text"), "name": STRING}, "role", "content")
_MESSAGES: Mapping[str, Schema] = {
    "system": _INSTRUCTING,
    "developer": _INSTRUCTING,
    "user": closed(
        {"role": STRING, "content": _content("text", "image_url", "input_audio", "file"), "name": STRING},
        "role",
        "content",
    ),
    "assistant": closed(
        {
            "role": STRING,
            "content": _content("text", "refusal", null=True),
            "refusal": nullable(STRING),
            "name": STRING,
            "tool_calls": {"type": "array", "minItems": 1, "maxItems": 128, "items": _CALL},
            "audio": {"type": ["object", "null"]},
            "function_call": {"type": "null"},
            "annotations": {"type": "array"},
        },
        "role",
    ),
    "tool": closed(
        {"role": STRING, "content": _content("text"), "tool_call_id": STRING}, "role", "content", "tool_call_id"
    ),
}
FUNCTION: Mapping[str, Schema] = {
    "name": NAME,
    "description": nullable(STRING),
    "parameters": {"type": ["object", "null"]},
    "strict": nullable(BOOLEAN),
}
_TOOL = closed({"type": STRING, "function": closed(FUNCTION, "name")}, "type", "function")
_CHOSEN = closed({"type": STRING, "function": closed({"name": STRING}, "name")}, "type", "function")
JSON_SCHEMA: Mapping[str, Schema] = {
    "name": NAME,
    "description": nullable(STRING),
    "schema": {"type": "object"},
    "strict": nullable(BOOLEAN),
}
RESPONSE_FORMAT: Schema = {
    "type": "object",
    "tagged": {
        "on": "type",
        "forms": {
            "text": closed({"type": STRING}, "type"),
            "json_object": closed({"type": STRING}, "type"),
            "json_schema": closed({"type": STRING, "json_schema": closed(JSON_SCHEMA, "name")}, "type", "json_schema"),
        },
    },
}
_LIMIT: Schema = {"type": ["integer", "null"], "minimum": 1}
_PENALTY: Schema = {"type": ["number", "null"], "minimum": -2, "maximum": 2}
_BIAS: Schema = {"type": "number", "minimum": -100, "maximum": 100}
_REQUEST = closed(
    {
        "model": STRING,
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "tagged": {"on": "role", "forms": _MESSAGES}},
        },
        "tools": {
            "type": ["array", "null"],
            "minItems": 1,
            "maxItems": 128,
            "items": {"type": "object", "tagged": {"on": "type", "forms": {"function": _TOOL}}},
        },
        "tool_choice": {
            "anyOf": [
                {"type": "string", "enum": ["none", "auto", "required"]},
                {"type": "object", "tagged": {"on": "type", "forms": {"function": _CHOSEN}}},
                {"type": "null"},
            ]
        },
        "parallel_tool_calls": nullable(BOOLEAN),
        "response_format": {"anyOf": [RESPONSE_FORMAT, {"type": "null"}]},
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "frequency_penalty": _PENALTY,
        "presence_penalty": _PENALTY,
        "max_tokens": _LIMIT,
        "max_completion_tokens": _LIMIT,
        "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
        "stop": {"type": ["string", "array", "null"], "minItems": 1, "maxItems": 4, "items": STRING},
        "stream": nullable(BOOLEAN),
        "stream_options": nullable(closed({"include_usage": BOOLEAN, "include_obfuscation": BOOLEAN})),
        "seed": {"type": ["integer", "null"]},
        "logprobs": nullable(BOOLEAN),
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
        "logit_bias": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
        },
        "metadata": METADATA,
        "user": STRING,
        "safety_identifier": nullable({"type": "string", "maxLength": 64}),
        "prompt_cache_key": nullable(STRING),
        "prompt_cache_retention": {"enum": ["in_memory", "24h", None]},
        "prompt_cache_options": {"type": "object"},
        "service_tier": {"enum": ["auto", "default", "flex", "scale", "priority", None]},
        "reasoning_effort": EFFORT,
        "verbosity": {"enum": ["low", "medium", "high", None]},
        "modalities": {"type": ["array", "null"], "items": {"enum": ["text"]}},
        "prediction": {"type": ["object", "null"]},
        "store": nullable(BOOLEAN),
        "web_search_options": {"type": "object"},
    },
    "model",
    "messages",
)


@cache
def _form() -> Form:
    return Form(_REQUEST, old=True)


def check(body: Mapping[str, JSON], *, strict: bool) -> None:
    """Refuse a request that the API would refuse.

    Raises:
        ApiError: 400.
    """
    _form().check(body, strict=strict)
    _check_together(body)
    tools = enumerate(body.get("tools") or ())
    check_tools(
        ((f"tools[{number}].function", tool["function"]) for number, tool in tools), choice=body.get("tool_choice")
    )
    _check_format(body)
    _check_history(body["messages"])


def _check_together(body: Mapping[str, JSON]) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        raise ApiError(400, "'stream_options' is allowed only where 'stream' is true.", param="stream_options")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise ApiError(400, "Set 'max_completion_tokens' or 'max_tokens', not both.", param="max_tokens")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise ApiError(400, "'top_logprobs' needs 'logprobs' to be true.", param="top_logprobs")
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and not body.get("tools"):
            raise ApiError(400, f"'{name}' is allowed only where there are 'tools'.", param=name)
    if (body.get("n") or 1) != 1:
        raise ApiError(400, "The simulator gives one answer: 'n' must be 1.", param="n", code="unsupported_value")


def check_tools(functions: Iterable[tuple[str, Mapping[str, JSON]]], *, choice: JSON) -> None:
    """Refuse functions that share a name, have parameters that cannot be, or are chosen and not there.

    Args:
        functions: Where each stands in the request, and what it is: name, parameters, strict.
        choice: As in Chat Completions.

    Raises:
        ApiError: 400.
    """
    seen = set()
    for param, function in functions:
        name = function["name"]
        if name in seen:
            raise ApiError(400, f"Tool names must be unique: there are two '{name}'.", param=f"{param}.name")
        seen.add(name)
        strict = bool(function.get("strict"))
        check_parameters(function.get("parameters"), name=name, strict=strict, param=f"{param}.parameters")
    if isinstance(choice, dict) and choice["function"]["name"] not in seen:
        raise ApiError(400, f"Tool choice '{choice['function']['name']}' is none of the 'tools'.", param="tool_choice")


def _check_format(body: Mapping[str, JSON]) -> None:
    format = body.get("response_format") or {"type": "text"}
    if format["type"] == "json_schema":
        described = format["json_schema"]
        check_json_schema(
            described.get("schema") or {"type": "object"},
            name=described["name"],
            strict=bool(described.get("strict")),
            param="response_format",
        )
    if format["type"] == "json_object" and not mentions_json(body["messages"]):
        raise ApiError(
            400,
            "The messages must say the word 'json' where 'response_format' is of type 'json_object'.",
            param="messages",
        )


def mentions_json(messages: Sequence[Mapping[str, JSON]]) -> bool:
    """Whether any message says the word; without it a model might answer with blanks for ever."""
    return any("json" in str(message.get("content")).lower() for message in messages)


def _check_history(messages: Sequence[Mapping[str, JSON]]) -> None:
    """Every call has its answer right after it, and every answer its call right before."""
    open: list[str] = []
    asked = False
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if message["role"] == "tool":
            if not asked or message["tool_call_id"] not in open:
                raise ApiError(
                    400,
                    f"Invalid parameter: a message of role 'tool' must answer one of the 'tool_calls' of the message"
                    f" before it; '{message['tool_call_id']}' is none of them.",
                    param=f"{where}.role" if not asked else f"{where}.tool_call_id",
                )
            open.remove(message["tool_call_id"])
            continue
        _check_answered(open, where)
        _check_speech(message, where)
        open = [call["id"] for call in message.get("tool_calls") or ()]
        asked = bool(open)
    _check_answered(open, "messages")


def _check_answered(open: Sequence[str], where: str) -> None:
    if open:
        raise ApiError(
            400,
            "After an assistant message with 'tool_calls' there must be a tool message for each 'tool_call_id'."
            f" These have none: {', '.join(open)}.",
            param=where,
        )


def _check_speech(message: Mapping[str, JSON], where: str) -> None:
    if message["role"] != "assistant" or any(message.get(name) for name in ("tool_calls", "refusal", "audio")):
        return
    if message.get("content") is None:
        raise ApiError(
            400,
            f"Invalid value for '{where}.content': an assistant message without 'tool_calls' needs a content.",
            param=f"{where}.content",
        )
