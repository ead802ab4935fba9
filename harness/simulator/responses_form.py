"""What a request to Responses or Conversations may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from harness.simulator import chat_form, filters
from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON
from harness.simulator.schemas import check_json_schema
from harness.simulator.validation import (
    BOOLEAN,
    EFFORT,
    METADATA,
    OBJECT,
    STRING,
    TEMPERATURE,
    TOP_P,
    Form,
    Schema,
    closed,
    nullable,
)

_PARTS: Mapping[str, Schema] = {
    "input_text": closed({"type": STRING, "text": STRING, "prompt_cache_breakpoint": OBJECT}, "type", "text"),
    "input_image": closed(
        {
            "type": STRING,
            "image_url": nullable(STRING),
            "file_id": nullable(STRING),
            "detail": {"enum": ["auto", "low", "high", "original", None]},
            "prompt_cache_breakpoint": OBJECT,
        },
        "type",
    ),
    "input_file": closed(
        {
            "type": STRING,
            "file_id": nullable(STRING),
            "filename": nullable(STRING),
            "file_data": nullable(STRING),
            "file_url": nullable(STRING),
            "detail": nullable(STRING),
            "prompt_cache_breakpoint": OBJECT,
        },
        "type",
    ),
    "output_text": closed(
        {"type": STRING, "text": STRING, "annotations": {"type": "array"}, "logprobs": {"type": ["array", "null"]}},
        "type",
        "text",
    ),
    "refusal": closed({"type": STRING, "refusal": STRING}, "type", "refusal"),
}
_STATUS: Schema = {"enum": ["in_progress", "completed", "incomplete", None]}


def _content(*kinds: str) -> Schema:
    forms = {kind: _PARTS[kind] for kind in kinds}
    return {"type": ["string", "array"], "items": {"type": "object", "tagged": {"on": "type", "forms": forms}}}


def _message(*kinds: str) -> Schema:
    told = {"type": STRING, "role": STRING, "id": STRING, "status": _STATUS, "phase": nullable(STRING)}
    return closed({**told, "content": _content(*kinds)}, "role", "content")


_INPUT = ("input_text", "input_image", "input_file")
_CALL_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 64}
#: Items that are taken as they are.
_TAKEN: Schema = {"type": "object", "properties": {"id": nullable(STRING)}}
#: What the service's own tools did, handed back as it was given.
_DONE = closed(
    {
        **dict.fromkeys(("type", "id"), STRING),
        **{name: {} for name in ("status", "queries", "results", "action", "code", "outputs", "container_id")},
    },
    "type",
    "id",
)
ITEM: Schema = {
    "type": "object",
    "tagged": {
        "on": "type",
        "default": {"role": "message", "id": "item_reference"},
        "forms": {
            "message": {
                "type": "object",
                "tagged": {
                    "on": "role",
                    "forms": {
                        **dict.fromkeys(("user", "system", "developer"), _message(*_INPUT)),
                        "assistant": _message("output_text", "refusal", "input_text"),
                    },
                },
            },
            "function_call": closed(
                {
                    **dict.fromkeys(("type", "id", "name", "arguments", "namespace"), STRING),
                    "call_id": _CALL_ID,
                    "status": _STATUS,
                    "caller": {"type": ["object", "null"]},
                },
                *("type", "call_id", "name", "arguments"),
            ),
            "function_call_output": closed(
                {
                    "type": STRING,
                    "id": nullable(STRING),
                    "call_id": _CALL_ID,
                    "output": _content(*_INPUT),
                    "status": _STATUS,
                },
                *("type", "call_id", "output"),
            ),
            "reasoning": closed(
                {
                    "type": STRING,
                    "id": STRING,
                    "summary": {"type": "array", "items": closed({"type": STRING, "text": STRING}, "type", "text")},
                    "content": {"type": ["array", "null"]},
                    "encrypted_content": nullable(STRING),
                    "status": _STATUS,
                },
                *("type", "id", "summary"),
            ),
            "item_reference": closed({"type": nullable(STRING), "id": STRING}, "id"),
            **dict.fromkeys(("file_search_call", "web_search_call", "code_interpreter_call"), _DONE),
            **dict.fromkeys(("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"), _TAKEN),
        },
    },
}
_OPEN: Schema = {"type": "object"}
_TOOLS: Mapping[str, Schema] = {
    "function": closed(
        {
            **chat_form.FUNCTION,
            "type": STRING,
            "output_schema": {"type": ["object", "null"]},
            "defer_loading": BOOLEAN,
        },
        "type",
        "name",
    ),
    "code_interpreter": closed(
        {
            "type": STRING,
            "container": {
                "anyOf": [
                    STRING,
                    {
                        "type": "object",
                        "properties": {"type": {"const": "auto"}, "file_ids": {"type": "array", "items": STRING}},
                        "required": ["type"],
                    },
                ]
            },
        },
        "type",
        "container",
    ),
    "file_search": closed(
        {
            "type": STRING,
            "vector_store_ids": {"type": "array", "minItems": 1, "items": STRING},
            "max_num_results": {"type": "integer", "minimum": 1, "maximum": 50},
            "ranking_options": closed(
                {
                    "ranker": {"enum": ["auto", "default-2024-11-15"]},
                    "score_threshold": {"type": "number", "minimum": 0, "maximum": 1},
                    "hybrid_search": OBJECT,
                }
            ),
            "filters": {"anyOf": [filters.form(), {"type": "null"}]},
        },
        "type",
        "vector_store_ids",
    ),
    **dict.fromkeys(
        ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"), _OPEN
    ),
    "mcp": {"type": "object", "required": ["server_label"], "properties": {"server_label": STRING}},
}
_CHOICES = ("file_search", "code_interpreter", "web_search", "web_search_preview", "mcp")
_FORMATS: Mapping[str, Schema] = {
    "text": closed({"type": STRING}, "type"),
    "json_object": closed({"type": STRING}, "type"),
    "json_schema": closed({"type": STRING, **chat_form.JSON_SCHEMA}, "type", "name", "schema"),
}
_INCLUDE: Schema = {
    "enum": [
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
    ]
}
_REQUEST = closed(
    {
        "model": STRING,
        "input": {"type": ["string", "array"], "items": ITEM},
        "instructions": nullable(STRING),
        "previous_response_id": nullable(STRING),
        "conversation": {"anyOf": [STRING, closed({"id": STRING}, "id"), {"type": "null"}]},
        "tools": {
            "type": ["array", "null"],
            "maxItems": 128,
            "items": {"type": "object", "tagged": {"on": "type", "forms": _TOOLS}},
        },
        "tool_choice": {
            "anyOf": [
                {"type": "string", "enum": ["none", "auto", "required"]},
                {
                    "type": "object",
                    "tagged": {
                        "on": "type",
                        "forms": {
                            "function": closed({"type": STRING, "name": STRING}, "type", "name"),
                            **dict.fromkeys(_CHOICES, _OPEN),
                        },
                    },
                },
                {"type": "null"},
            ]
        },
        "parallel_tool_calls": nullable(BOOLEAN),
        "max_tool_calls": {"type": ["integer", "null"], "minimum": 1},
        "text": nullable(
            closed(
                {
                    "format": {
                        "anyOf": [{"type": "object", "tagged": {"on": "type", "forms": _FORMATS}}, {"type": "null"}]
                    },
                    "verbosity": {"enum": ["low", "medium", "high", None]},
                }
            )
        ),
        "max_output_tokens": {"type": ["integer", "null"], "minimum": 16},
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
        "reasoning": nullable(
            closed(
                {
                    "effort": EFFORT,
                    "summary": {"enum": ["auto", "concise", "detailed", None]},
                    "generate_summary": {"enum": ["auto", "concise", "detailed", None]},
                }
            )
        ),
        "include": {"type": ["array", "null"], "items": _INCLUDE},
        "metadata": METADATA,
        "store": nullable(BOOLEAN),
        "stream": nullable(BOOLEAN),
        "stream_options": nullable(closed({"include_obfuscation": BOOLEAN})),
        "background": nullable(BOOLEAN),
        "truncation": {"enum": ["auto", "disabled", None]},
        "user": STRING,
        "safety_identifier": nullable({"type": "string", "maxLength": 64}),
        "prompt_cache_key": nullable(STRING),
        "prompt_cache_retention": {"enum": ["in_memory", "24h", None]},
        "prompt_cache_options": _OPEN,
        "service_tier": {"enum": ["auto", "default", "flex", "scale", "priority", None]},
        # The service takes these; the simulator does not.
        "prompt": {"type": ["object", "null"]},
        "moderation": {"type": ["object", "null"]},
        "context_management": {"type": ["array", "null"]},
    },
    "model",
)
_ITEMS: Schema = {"type": ["array", "null"], "maxItems": 20, "items": ITEM}
_NOT_SIMULATED = ("prompt", "moderation", "context_management")


@cache
def _form() -> Form:
    return Form(_REQUEST)


@cache
def conversation_form() -> Form:
    """Return the form of requests that make a conversation."""
    return Form(closed({"items": _ITEMS, "metadata": METADATA}))


@cache
def metadata_form() -> Form:
    """Return the form of requests that change a conversation."""
    return Form(closed({"metadata": METADATA}, "metadata"))


@cache
def items_form() -> Form:
    """Return the form of requests that add to a conversation."""
    return Form(closed({"items": {**_ITEMS, "type": "array", "minItems": 1}}, "items"))


def check(body: Mapping[str, JSON], *, strict: bool) -> None:
    """Refuse a request that the API would refuse, whatever there is to refer to.

    Raises:
        ApiError: 400.
    """
    _form().check(body, strict=strict)
    for name in _NOT_SIMULATED:
        if body.get(name) is not None:
            raise ApiError(400, f"The simulator does not simulate '{name}'.", param=name, code="unsupported_parameter")
    _check_together(body)
    tools = enumerate(body.get("tools") or ())
    named = ((f"tools[{number}]", tool) for number, tool in tools if tool["type"] == "function")
    chat_form.check_tools(named, choice=chosen(body))
    _check_format((body.get("text") or {}).get("format") or {"type": "text"}, body)


def _check_together(body: Mapping[str, JSON]) -> None:
    context = body.get("previous_response_id") or body.get("conversation")
    if body.get("previous_response_id") and body.get("conversation"):
        raise ApiError(
            400,
            "Set 'previous_response_id' or 'conversation', not both.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if "input" not in body and not context:
        raise ApiError(400, "Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise ApiError(400, "'stream_options' is allowed only where 'stream' is true.", param="stream_options")
    if body.get("background") and body.get("stream"):
        raise ApiError(
            400,
            "The simulator does not stream a response that is made in the background: look at it with GET.",
            param="stream",
            code="unsupported_parameter",
        )
    if body.get("background") and body.get("store") is False:
        raise ApiError(400, "A response in the background must be stored.", param="background")
    if body.get("tool_choice") == "required" and not body.get("tools"):
        raise ApiError(400, "'tool_choice' can be 'required' only where there are 'tools'.", param="tool_choice")


def functions(tools: Sequence[Mapping[str, JSON]]) -> list[dict[str, JSON]]:
    """Return the functions among tools in the form of Chat Completions."""
    names = ("name", "description", "parameters", "strict")
    return [
        {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}
        for tool in tools
        if tool["type"] == "function"
    ]


def chosen(body: Mapping[str, JSON]) -> JSON:
    """Return a request's choice of a tool in the form of Chat Completions."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return choice
    return {"type": "function", "function": {"name": choice["name"]}} if choice["type"] == "function" else "auto"


def _check_format(format: Mapping[str, JSON], body: Mapping[str, JSON]) -> None:
    if format["type"] == "json_schema":
        check_json_schema(
            format["schema"], name=format["name"], strict=bool(format.get("strict")), param="text.format.schema"
        )
    if format["type"] == "json_object" and "json" not in f"{body.get('input')} {body.get('instructions')}".lower():
        raise ApiError(
            400,
            "The input must say the word 'json' where 'text.format' is of type 'json_object'.",
            param="input",
        )
