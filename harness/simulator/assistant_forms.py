"""What requests to the Assistants API may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from harness.simulator.chat_form import FUNCTION, RESPONSE_FORMAT, check_tools
from harness.simulator.errors import ApiError
from harness.simulator.plain import JSON
from harness.simulator.schemas import check_json_schema
from harness.simulator.validation import (
    BOOLEAN,
    EFFORT,
    METADATA,
    STRING,
    TEMPERATURE,
    TOP_P,
    Form,
    Schema,
    closed,
    nullable,
)

_AUTO_CHUNKS = closed({"type": STRING}, "type")
_STATIC_CHUNKS = closed(
    {
        "type": STRING,
        "static": closed(
            {
                "max_chunk_size_tokens": {"type": "integer", "minimum": 100, "maximum": 4096},
                "chunk_overlap_tokens": {"type": "integer", "minimum": 0},
            },
            "max_chunk_size_tokens",
            "chunk_overlap_tokens",
        ),
    },
    "type",
    "static",
)
CHUNKING: Schema = {
    "type": "object",
    "tagged": {"on": "type", "forms": {"auto": _AUTO_CHUNKS, "static": _STATIC_CHUNKS}},
}

_RANKING = closed(
    {
        "ranker": {"enum": ["auto", "default_2024_08_21"]},
        "score_threshold": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "score_threshold",
)
_TOOL_FORMS = {
    "code_interpreter": closed({"type": STRING}, "type"),
    "file_search": closed(
        {
            "type": STRING,
            "file_search": closed(
                {
                    "max_num_results": {"type": "integer", "minimum": 1, "maximum": 50},
                    "ranking_options": _RANKING,
                }
            ),
        },
        "type",
    ),
    "function": closed({"type": STRING, "function": closed(FUNCTION, "name")}, "type", "function"),
}


def _tools(most: int) -> Schema:
    return {
        "type": "array",
        "maxItems": most,
        "items": {"type": "object", "tagged": {"on": "type", "forms": _TOOL_FORMS}},
    }


def _resources(*, new: bool) -> Schema:
    """Files for the service's own tools; a `new` owner may have vector stores made with it."""
    search: dict[str, Schema] = {"vector_store_ids": {"type": "array", "maxItems": 1, "items": STRING}}
    if new:
        store = closed(
            {
                "file_ids": {"type": "array", "maxItems": 10_000, "items": STRING},
                "chunking_strategy": CHUNKING,
                "metadata": METADATA,
            }
        )
        search["vector_stores"] = {"type": "array", "maxItems": 1, "items": store}
    code = {"file_ids": {"type": "array", "maxItems": 20, "items": STRING}}
    return nullable(closed({"code_interpreter": closed(code), "file_search": closed(search)}))


def _word_or(words: Sequence[str], form: Schema) -> Schema:
    """One of some words, an object of a form, or null."""
    return {
        **form,
        "type": ["string", "object", "null"],
        "if": {"type": "string"},
        "then": {"enum": list(words)},
    }


_FORMAT = _word_or(["auto"], RESPONSE_FORMAT)


def _assistant(*, new: bool) -> Schema:
    return closed(
        {
            "model": STRING,
            "name": {"type": ["string", "null"], "maxLength": 256},
            "description": {"type": ["string", "null"], "maxLength": 512},
            "instructions": {"type": ["string", "null"], "maxLength": 256_000},
            "reasoning_effort": EFFORT,
            "tools": _tools(128),
            "tool_resources": _resources(new=new),
            "metadata": METADATA,
            "temperature": TEMPERATURE,
            "top_p": TOP_P,
            "response_format": _FORMAT,
        },
        *(["model"] if new else []),
    )


_DETAIL: Schema = {"enum": ["auto", "low", "high"]}
_CONTENT: Schema = {
    "type": ["string", "array"],
    "minItems": 1,
    "items": {
        "type": "object",
        "tagged": {
            "on": "type",
            "forms": {
                "text": closed({"type": STRING, "text": {"type": "string", "maxLength": 256_000}}, "type", "text"),
                "image_file": closed(
                    {"type": STRING, "image_file": closed({"file_id": STRING, "detail": _DETAIL}, "file_id")},
                    "type",
                    "image_file",
                ),
                "image_url": closed(
                    {
                        "type": STRING,
                        # A URL has a scheme and holds no blanks.
                        "image_url": closed(
                            {"url": {"type": "string", "pattern": "^[a-z]+:[^\\s]+$"}, "detail": _DETAIL}, "url"
                        ),
                    },
                    "type",
                    "image_url",
                ),
            },
        },
    },
}
_ATTACHED = closed(
    {
        "file_id": STRING,
        "tools": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "tagged": {
                    "on": "type",
                    "forms": dict.fromkeys(("code_interpreter", "file_search"), closed({"type": STRING}, "type")),
                },
            },
        },
    },
    "file_id",
    "tools",
)
_MESSAGE = closed(
    {
        "role": {"type": "string", "enum": ["user", "assistant"]},
        "content": _CONTENT,
        "attachments": {"type": ["array", "null"], "items": _ATTACHED},
        "metadata": METADATA,
    },
    "role",
    "content",
)
_THREAD = closed(
    {
        "messages": {"type": "array", "items": _MESSAGE},
        "tool_resources": _resources(new=True),
        "metadata": METADATA,
    }
)
_CHOICE = _word_or(
    ["none", "auto", "required"],
    {
        "tagged": {
            "on": "type",
            "forms": {
                "function": closed({"type": STRING, "function": closed({"name": STRING}, "name")}, "type", "function"),
                "code_interpreter": closed({"type": STRING}, "type"),
                "file_search": closed({"type": STRING}, "type"),
            },
        }
    },
)
_BUDGET: Schema = {"type": ["integer", "null"], "minimum": 256}
_RUN: Mapping[str, Schema] = {
    "assistant_id": STRING,
    "model": nullable(STRING),
    "reasoning_effort": EFFORT,
    "instructions": {"type": ["string", "null"], "maxLength": 256_000},
    "tools": nullable(_tools(20)),
    "metadata": METADATA,
    "temperature": TEMPERATURE,
    "top_p": TOP_P,
    "stream": nullable(BOOLEAN),
    "max_prompt_tokens": _BUDGET,
    "max_completion_tokens": _BUDGET,
    "truncation_strategy": nullable(
        closed(
            {
                "type": {"type": "string", "enum": ["auto", "last_messages"]},
                "last_messages": {"type": ["integer", "null"], "minimum": 1},
            },
            "type",
        )
    ),
    "tool_choice": _CHOICE,
    "parallel_tool_calls": BOOLEAN,
    "response_format": _FORMAT,
}
_OUTPUTS = closed(
    {
        "tool_outputs": {
            "type": "array",
            "items": closed({"tool_call_id": STRING, "output": STRING}, "tool_call_id", "output"),
        },
        "stream": nullable(BOOLEAN),
    },
    "tool_outputs",
)
_METADATA_ONLY = closed({"metadata": METADATA})


@cache
def _forms() -> Mapping[str, Form]:
    run = {
        **_RUN,
        "additional_instructions": {"type": ["string", "null"], "maxLength": 256_000},
        "additional_messages": {"type": ["array", "null"], "items": _MESSAGE},
    }
    thread_and_run = {**_RUN, "thread": _THREAD, "tool_resources": _resources(new=False)}
    return {
        "assistant": Form(_assistant(new=True)),
        "changed assistant": Form(_assistant(new=False)),
        "thread": Form(_THREAD),
        "changed thread": Form(closed({"tool_resources": _resources(new=False), "metadata": METADATA})),
        "message": Form(_MESSAGE),
        "metadata": Form(_METADATA_ONLY),
        "run": Form(closed(run, "assistant_id")),
        "thread and run": Form(closed(thread_and_run, "assistant_id")),
        "tool outputs": Form(_OUTPUTS),
    }


def check(form: str, body: Mapping[str, JSON], *, strict: bool) -> None:
    """Refuse a request that the API would refuse.

    Args:
        form: Which request it is, such as `run`.
        body: The request.
        strict: Refuse parameters that the API does not know.

    Raises:
        ApiError: 400.
    """
    _forms()[form].check(body, strict=strict)
    if "tools" in body or "tool_choice" in body:
        _check_tools(body.get("tools") or ())
    _check_format(body.get("response_format"))
    truncation = body.get("truncation_strategy") or {"type": "auto"}
    if truncation["type"] == "last_messages" and truncation.get("last_messages") is None:
        raise ApiError(
            400,
            "'truncation_strategy' of type 'last_messages' needs 'last_messages', a number.",
            param="truncation_strategy.last_messages",
        )


def check_choice(choice: JSON, tools: Sequence[Mapping[str, JSON]]) -> None:
    """Refuse a choice of a tool that a run does not have.

    Raises:
        ApiError: 400.
    """
    if isinstance(choice, str) or choice is None:
        if choice == "required" and not tools:
            raise ApiError(400, "'tool_choice' is 'required', and there are no tools.", param="tool_choice")
        return
    if choice["type"] == "function":
        name = choice["function"]["name"]
        there = any(tool["type"] == "function" and tool["function"]["name"] == name for tool in tools)
    else:
        name = choice["type"]
        there = any(tool["type"] == name for tool in tools)
    if not there:
        raise ApiError(400, f"Tool choice '{name}' is none of the run's tools.", param="tool_choice")


def _check_tools(tools: Sequence[Mapping[str, JSON]]) -> None:
    functions = [
        (f"tools[{number}].function", tool["function"])
        for number, tool in enumerate(tools)
        if tool["type"] == "function"
    ]
    check_tools(functions, choice=None)
    own = [tool["type"] for tool in tools if tool["type"] != "function"]
    twice = next((name for name in own if own.count(name) > 1), None)
    if twice is not None:
        raise ApiError(400, f"The tool '{twice}' is there twice.", param="tools")


def _check_format(format: JSON) -> None:
    if isinstance(format, dict) and format["type"] == "json_schema":
        described = format["json_schema"]
        check_json_schema(
            described.get("schema") or {"type": "object"},
            name=described["name"],
            strict=bool(described.get("strict")),
            param="response_format",
        )
