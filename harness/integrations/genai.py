"""What happened in a trial, in the attribute names of OpenTelemetry's GenAI semantic conventions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from harness.events import CallCompleted, CallFailed
from harness.records import JSON, Message, Outcome, Result, ToolCall, Usage

#: None: not known, and not told.
Attributes: TypeAlias = Mapping[str, Any]

_OPERATION = "gen_ai.operation.name"
_STATUS = {Outcome.PASSED: "pass", Outcome.FAILED: "fail"}


def name_of(attributes: Attributes, subject: str) -> str:
    """Return the name of a span: what is done, and with what."""
    return f"{attributes[_OPERATION]} {subject}"


def trial_attributes(result: Result, *, api: str, content: bool) -> Attributes:
    """Return what a trial's span says.

    Args:
        result: The trial's.
        api: How its assistant is spoken to.
        content: Say what was said, too.
    """
    cassette = result.cassette
    return {
        _OPERATION: "invoke_agent",
        "gen_ai.provider.name": _provider(api),
        "gen_ai.agent.name": result.variant,
        "gen_ai.response.model": result.model,
        "gen_ai.response.finish_reasons": [result.finish_reason] if result.finish_reason else None,
        "gen_ai.prompt.name": result.prompt.ref if result.prompt is not None else None,
        "test.suite.name": result.suite,
        "test.case.name": result.case,
        "test.case.result.status": _STATUS.get(result.outcome),
        "harness.trial": result.id,
        "harness.repeat": result.repeat,
        "harness.outcome": result.outcome.value,
        "harness.score": result.score,
        "harness.cost_usd": None if result.cost is None else float(result.cost),
        "harness.tags": list(result.tags) or None,
        "harness.cassette": None if cassette is None else cassette.mode,
        "harness.recorded_at": None if cassette is None else cassette.recorded_at,
        **(_said(result) if content else {}),
    }


def call_attributes(event: CallCompleted | CallFailed, *, api: str) -> Attributes:
    """Return what a model call's span says."""
    usage = event.usage if isinstance(event, CallCompleted) else Usage()
    return {
        # A deployed agent is no model, whatever it asks.
        _OPERATION: "invoke_agent" if api == "http" else "chat",
        "gen_ai.provider.name": _provider(api),
        "gen_ai.request.model": event.model,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }


def tool_attributes(call: ToolCall, *, content: bool) -> Attributes:
    """Return what a tool call's span says.

    Args:
        call: The call, answered.
        content: Say what the tool got and gave, too.
    """
    return {
        _OPERATION: "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.id,
        "gen_ai.tool.type": "extension" if call.source == "service" else "function",
        "harness.tool.source": call.source,
        "gen_ai.tool.call.arguments": _json(call.arguments) if content else None,
        "gen_ai.tool.call.result": _json(call.output) if content and call.error is None else None,
    }


def _provider(api: str) -> str | None:
    """Whose protocol is spoken, which is not always who answers."""
    return None if api in ("http", "outputs") else "openai"


def _said(result: Result) -> Attributes:
    """Return a trial's messages: instructions, what led to the last answer, and that answer."""
    told = [message for message in result.messages if message.role not in ("system", "developer")]
    rest, last = (told[:-1], told[-1:]) if told and told[-1].role == "assistant" else (told, [])
    instructions = [message for message in result.messages if message.role in ("system", "developer")]
    texts = [{"type": "text", "content": message.content} for message in instructions]
    answers = [{**_message(message), "finish_reason": result.finish_reason or "stop"} for message in last]
    return {
        "gen_ai.system_instructions": _json(texts) if texts else None,
        "gen_ai.input.messages": _json([_message(message) for message in rest]),
        "gen_ai.output.messages": _json(answers),
    }


def _message(message: Message) -> dict[str, JSON]:
    return {"role": message.role, "parts": list(_parts(message))}


def _parts(message: Message) -> Iterable[dict[str, JSON]]:
    if message.role == "tool":
        yield {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        return
    if message.content:
        yield {"type": "text", "content": message.content}
    for call in message.tool_calls:
        yield {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}


def _json(value: JSON) -> str:
    # Escaped as secrets are looked for: their plain form, or the one that JSON in ASCII has.
    return json.dumps(value, default=str)
