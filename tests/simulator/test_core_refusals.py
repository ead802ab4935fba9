"""What the API would refuse, the simulator refuses: with the same status, and the same shape of error."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.simulator.sdk import URL, awaited, client_of

HELLO = [{"role": "user", "content": "hi"}]
CALLING = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "1"}


def tool(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


def schema(**more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", **more}}


LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
LACKING = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
STRICT = {**LACKING, "required": ["a"]}
NESTED = {**STRICT, "properties": {"a": LOOSE}}

CHAT: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"messages": None}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": "hi"}, "messages", "invalid_type"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, "messages[0].mood", "unknown_parameter"),
    ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, "messages[0].content[0].type", "invalid_value"),
    ({"messages": [{"role": "assistant"}]}, "messages[0].content", None),
    ({"messages": [ANSWER]}, "messages[0].role", None),
    ({"messages": [*HELLO, CALLING, {**ANSWER, "tool_call_id": "c2"}]}, "messages[2].tool_call_id", None),
    ({"messages": [*HELLO, CALLING]}, "messages", None),
    ({"messages": [*HELLO, CALLING, *HELLO]}, "messages[2]", None),
    ({"messages": [*HELLO, CALLING, ANSWER, ANSWER]}, "messages[3].tool_call_id", None),
    ({"model": 3}, "model", "invalid_type"),
    ({"mood": 1}, None, None),
    ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
    ({"temperature": -1}, "temperature", "integer_below_min_value"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"top_p": 1.5}, "top_p", "decimal_above_max_value"),
    ({"presence_penalty": 3}, "presence_penalty", "integer_above_max_value"),
    ({"frequency_penalty": -3}, "frequency_penalty", "integer_below_min_value"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_type"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", None),
    ({"n": 2}, "n", "unsupported_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
    ({"stream_options": {"include_usage": True}}, "stream_options", None),
    ({"top_logprobs": 2}, "top_logprobs", None),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "integer_above_max_value"),
    ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
    ({"metadata": {str(number): "x" for number in range(17)}}, "metadata", "object_above_max_properties"),
    ({"tools": [tool("no spaces")]}, "tools[0].function.name", "invalid_value"),
    ({"tools": [tool("x" * 65)]}, "tools[0].function.name", "invalid_value"),
    ({"tools": [tool(), tool()]}, "tools[1].function.name", None),
    ({"tools": [tool(str(number)) for number in range(129)]}, "tools", "array_above_max_length"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    ({"tools": [tool(parameters={"type": "string"})]}, "tools[0].function.parameters", "invalid_function_parameters"),
    ({"tools": [tool(parameters={"type": "object", "properties": 1})]}, "tools[0].function.parameters", "invalid_function_parameters"),
    ({"tools": [tool(parameters=LOOSE, strict=True)]}, "tools[0].function.parameters", "invalid_function_parameters"),
    ({"tool_choice": "auto"}, "tool_choice", None),
    ({"parallel_tool_calls": True}, "parallel_tool_calls", None),
    ({"tools": [tool()], "tool_choice": "maybe"}, "tool_choice", "invalid_value"),
    ({"tools": [tool()], "tool_choice": tool("g")}, "tool_choice", None),
    ({"response_format": {"type": "yaml"}}, "response_format.type", "invalid_value"),
    ({"response_format": {"type": "json_object"}}, "messages", None),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
    ({"response_format": schema(schema=LOOSE, strict=True)}, "response_format", "invalid_json_schema"),
    ({"response_format": schema(schema=LACKING, strict=True)}, "response_format", "invalid_json_schema"),
    ({"response_format": schema(schema=NESTED, strict=True)}, "response_format", "invalid_json_schema"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "param", "code"), CHAT)
@awaited
async def test_chat_completions_refuses(wrong: dict[str, Any], param: str | None, code: str | None) -> None:
    await _refused("/chat/completions", {"model": "any", "messages": HELLO, **wrong}, param, code)


@pytest.mark.parametrize(
    "fine",
    [
        {"temperature": 2},
        {"temperature": None, "tools": None},
        {"messages": [*HELLO, CALLING, ANSWER, *HELLO]},
        {
            "messages": [
                {"role": "developer", "content": "x"},
                {"role": "user", "content": [{"type": "text", "text": "y"}]},
            ]
        },
        {"response_format": schema(schema=STRICT, strict=True)},
        {"response_format": schema(schema=LOOSE)},
        {"tools": [tool(parameters=STRICT, strict=True), tool("g")], "tool_choice": tool("g")},
        {"messages": [{"role": "user", "content": "as JSON"}], "response_format": {"type": "json_object"}},
    ],
)
@awaited
async def test_chat_completions_takes(fine: dict[str, Any]) -> None:
    assert (await _post("/chat/completions", {"model": "any", "messages": HELLO, **fine})).status_code == 200


CALL_ITEM = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT_ITEM = {"type": "function_call_output", "call_id": "c1", "output": "1"}
RESPONSES: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"mood": 1}, "mood", "unknown_parameter"),
    ({"input": 1}, "input", "invalid_type"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
    ({"input": [{"type": "thought"}]}, "input[0].type", "invalid_value"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "input[0].content[0].type", "invalid_value"),
    ({"input": [*HELLO, CALL_ITEM]}, "input", None),
    ({"input": [OUTPUT_ITEM]}, "input", None),
    ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
    ({"temperature": 3}, "temperature", "integer_above_max_value"),
    ({"tools": [{"type": "teleport"}]}, "tools[0].type", "invalid_value"),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
    ({"tools": [{"type": "file_search"}]}, "tools[0].vector_store_ids", "missing_required_parameter"),
    ({"tools": [tool()]}, "tools[0].function", "unknown_parameter"),
    ({"tools": [{"type": "function", "name": "f", "parameters": LOOSE, "strict": True}]}, "tools[0].parameters", "invalid_function_parameters"),
    ({"text": {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": LOOSE}}}, "text.format.schema", "invalid_json_schema"),
    ({"text": {"format": schema(schema=STRICT)}}, "text.format.name", "missing_required_parameter"),
    ({"previous_response_id": "resp_none"}, "previous_response_id", "previous_response_not_found"),
    ({"previous_response_id": "a", "conversation": "b"}, "previous_response_id", "mutually_exclusive_parameters"),
    ({"include": ["everything"]}, "include[0]", "invalid_value"),
    ({"truncation": "some"}, "truncation", "invalid_value"),
    ({"background": True, "store": False}, "background", None),
    ({"background": True, "stream": True}, "stream", "unsupported_parameter"),
    ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "param", "code"), RESPONSES)
@awaited
async def test_responses_refuses(wrong: dict[str, Any], param: str | None, code: str | None) -> None:
    await _refused("/responses", {"model": "any", "input": "hi", **wrong}, param, code)


@pytest.mark.parametrize(
    "fine",
    [
        {"input": [*HELLO, CALL_ITEM, OUTPUT_ITEM]},
        {"input": [{"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}, *HELLO]},
        {"tools": [{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "x", "server_url": "https://x"}]},
        {"temperature": None, "metadata": None, "truncation": "auto", "include": []},
    ],
)
@awaited
async def test_responses_takes(fine: dict[str, Any]) -> None:
    assert (await _post("/responses", {"model": "any", "input": "hi", **fine})).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "param"), [("/chat/completions", {}, "model"), ("/responses", {"model": "m"}, "input")]
)
@awaited
async def test_what_is_missing_is_named(path: str, body: dict[str, Any], param: str) -> None:
    await _refused(path, body, param, "missing_required_parameter")


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"\xff", b'{"model": NaN}', b'{"model": 1e999}', b'{"model": "\\ud800"}', b""),
        *(b'{"model": ' + b"[" * deep + b"]" * deep + b"}" for deep in (300, 900, 990, 100_000)),
    ],
    ids=str,
)
@awaited
async def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    async with httpx2.AsyncClient(transport=Simulator(ScriptBrain()).transport(), base_url=URL) as client:
        answer = await client.post("/responses", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("deep", [20, 90, 150, 400])
@awaited
async def test_a_schema_as_deep_as_can_be_is_taken_or_refused(deep: int, strict: bool) -> None:
    inner: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    for _ in range(deep):
        inner = {**inner, "properties": {"a": inner}, "required": ["a"]}
    answer = await _post(
        "/chat/completions", {"model": "m", "messages": HELLO, "tools": [tool(parameters=inner, strict=strict)]}
    )
    assert answer.status_code == (200 if deep <= 90 else 400), answer.text
    assert deep <= 90 or "nested too deeply" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("--5", "invalid_type"),
        ("5-", "invalid_type"),
        ("\u0665", "invalid_type"),
        ("", "invalid_type"),
        ("-5", "integer_below_min_value"),
        ("0", "integer_below_min_value"),
        ("9" * 5000, "integer_above_max_value"),
        ("-" + "9" * 5000, "integer_below_min_value"),
    ],
    ids=lambda value: value[:8],
)
@awaited
async def test_a_limit_that_is_none_is_refused(limit: str, code: str) -> None:
    async with httpx2.AsyncClient(transport=Simulator(ScriptBrain()).transport(), base_url=URL) as client:
        answer = await client.get("/files", params={"limit": limit})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/chat/completions"), ("DELETE", "/models/m"), ("POST", "/responses/input_tokens"), ("GET", "/batches")],
)
@awaited
async def test_what_is_not_simulated_is_not_found_and_named(method: str, path: str) -> None:
    async with httpx2.AsyncClient(transport=Simulator(ScriptBrain()).transport(), base_url=URL) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
    assert answer.json()["error"]["message"].startswith(f"Not simulated: {method} /v1{path}.")


@awaited
async def test_the_older_api_names_an_unknown_argument_in_its_own_words() -> None:
    async with client_of(ScriptBrain()) as client:
        with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: mood"):
            await client.chat.completions.create(
                model="any", messages=[{"role": "user", "content": "hi"}], extra_body={"mood": 1}
            )


@awaited
async def test_a_simulator_that_is_not_strict_lets_unknown_parameters_pass_and_nothing_else() -> None:
    async with client_of(ScriptBrain(), strict=False) as client:
        answer = await client.responses.create(model="any", input="hi", extra_body={"mood": 1})
        assert answer.output_text == "hi"
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(model="any", input="hi", temperature=3)


async def _post(path: str, body: dict[str, Any]) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=Simulator(ScriptBrain()).transport(), base_url=URL) as client:
        return await client.post(path, json=body)


async def _refused(path: str, body: dict[str, Any], param: str | None, code: str | None) -> None:
    answer = await _post(path, body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.pop("message")
    assert error == {"type": "invalid_request_error", "param": param, "code": code}
