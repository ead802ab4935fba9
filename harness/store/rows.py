"""A result as one line of JSON, and back.

A row holds nothing of wall time, so that two replays of the same recordings write the same lines but for the run id.
Money is a decimal string, durations are seconds rounded to the microsecond.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.records import (
    JSON,
    SCHEMA,
    Attachment,
    CassetteRef,
    CheckResult,
    Failure,
    Message,
    Outcome,
    PromptRef,
    Result,
    ToolCall,
    TurnRecord,
    Usage,
)

#: Recordings hold microseconds; digits beyond them are noise of floating point.
_DIGITS = 6
_DEEPEST = 200
#: Python refuses to print longer integers.
_LARGEST = 1 << 13_000

_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def encode(result: Result) -> str:
    """Return a result as one line of JSON without the line's end; keys stand in the order of the documented format.

    What JSON cannot hold (a number that is not finite, an object of somebody's class) becomes null or a description.
    """
    row = {
        "schema": result.schema,
        "run": result.run,
        "suite": result.suite,
        "case": result.case,
        "variant": result.variant,
        "repeat": result.repeat,
        "tags": result.tags,
        "metadata": result.metadata,
        "outcome": result.outcome.value,
        "score": result.score,
        "checks": [_check(check) for check in result.checks],
        "error": _failure(result.error),
        "input": result.input,
        "output": result.output,
        "messages": [_message(message) for message in result.messages],
        "tool_calls": [_tool_call(call) for call in result.tool_calls],
        "state": result.state,
        "usage": _usage(result.usage),
        "cost": _money(result.cost),
        "judge_cost": _money(result.judge_cost),
        "latency": _seconds(result.latency),
        "ttft": _seconds(result.ttft),
        "attempts": result.attempts,
        "turns": [_turn(turn) for turn in result.turns],
        "extra": result.extra,
        "model": result.model,
        "prompt": {"ref": result.prompt.ref, "hash": result.prompt.hash} if result.prompt else None,
        "cassette": _cassette(result.cassette),
        "finish_reason": result.finish_reason,
        "response_ids": result.response_ids,
    }
    try:
        return _dumps(row)
    except (ValueError, TypeError, RecursionError):
        return _dumps(plain(row))


def decode(line: str) -> Result:
    """Return the result that `encode` wrote as `line`; keys it does not know are passed over.

    Raises:
        ValueError: The line is no such row, or was written by a later version.
    """
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError("not an object")
        if row["schema"] > SCHEMA:
            raise ValueError(f"written by a later version (schema {row['schema']}, known: {SCHEMA})")
        return _result(row)
    except (
        KeyError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(f"not a result: {type(error).__name__} {error}") from error


def _check(check: CheckResult) -> dict[str, JSON]:
    return {
        "scorer": check.scorer,
        "name": check.name,
        "value": check.value,
        "passed": check.passed,
        "reason": check.reason,
        "weight": check.weight,
        "threshold": check.threshold,
        "soft": check.soft,
        "turn": check.turn,
        "where": check.where,
    }


def _failure(failure: Failure | None) -> dict[str, JSON] | None:
    if failure is None:
        return None
    return {"kind": failure.kind, "message": failure.message, "where": failure.where}


def _message(message: Message) -> dict[str, JSON]:
    row: dict[str, JSON] = {"role": message.role, "content": message.content}
    if message.name is not None:
        row["name"] = message.name
    if message.tool_calls:
        row["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        row["tool_call_id"] = message.tool_call_id
    if message.attachments:
        row["attachments"] = [_attachment(one) for one in message.attachments]
    if message.annotations:
        row["annotations"] = message.annotations
    return row


def _tool_call(call: ToolCall) -> dict[str, JSON]:
    row: dict[str, JSON] = {
        "id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "output": call.output,
        "error": call.error,
    }
    told = {"failure": call.failure, "source": call.source, "drift": call.drift, "seconds": _seconds(call.seconds)}
    row |= {name: value for name, value in told.items() if value is not None}
    if call.attachments:
        row["attachments"] = [_attachment(one) for one in call.attachments]
    return row


def _attachment(one: Attachment) -> dict[str, JSON]:
    """A row holds no bytes: what a file is called, what it is, and its digest."""
    digest = hashlib.sha256(one.data).hexdigest()[:16]
    return {"kind": one.kind, "name": one.name, "media_type": one.media_type, "bytes": len(one.data), "sha256": digest}


def _usage(usage: Usage) -> dict[str, JSON]:
    return {
        "input": usage.input,
        "output": usage.output,
        "cached_input": usage.cached_input,
        "reasoning": usage.reasoning,
    }


def _turn(turn: TurnRecord) -> dict[str, JSON]:
    return {
        "input": turn.input,
        "output": turn.output,
        "latency": _seconds(turn.latency),
        "ttft": _seconds(turn.ttft),
        "usage": _usage(turn.usage),
        "finish_reason": turn.finish_reason,
        "tool_calls": [_tool_call(call) for call in turn.tool_calls],
        "refusal": turn.refusal,
        "steps": turn.steps,
    }


def plain_turn(turn: TurnRecord) -> dict[str, JSON]:
    """Return what came back in a turn as plain data, as it stands in a row."""
    found: dict[str, JSON] = plain(_turn(turn))
    return found


def _cassette(cassette: CassetteRef | None) -> dict[str, JSON] | None:
    if cassette is None:
        return None
    return {
        "path": cassette.path,
        "mode": cassette.mode,
        "recorded_at": cassette.recorded_at,
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _seconds(duration: float | None) -> float | None:
    return None if duration is None else round(duration, _DIGITS)


def plain(value: Any, depth: int = 0) -> JSON:
    """Return `value` as what JSON can hold; `depth` counts the levels above it."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _LARGEST else "<a number too long to show>"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEPEST:
        return "<too deep to show>"
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, Decimal):
        return _money(value) if value.is_finite() else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    # Its repr may hold an address, which would differ from run to run.
    return f"<an object of type {type(value).__name__}>"


def _result(row: dict[str, Any]) -> Result:
    prompt, cassette, error = row["prompt"], row["cassette"], row["error"]
    return Result(
        schema=row["schema"],
        run=row["run"],
        suite=row["suite"],
        case=row["case"],
        variant=row["variant"],
        repeat=row["repeat"],
        tags=tuple(row["tags"]),
        metadata=row["metadata"],
        outcome=Outcome(row["outcome"]),
        score=row["score"],
        checks=tuple(_read_check(check) for check in row["checks"]),
        error=Failure(kind=error["kind"], message=error["message"], where=error["where"]) if error else None,
        input=row["input"],
        output=row["output"],
        messages=tuple(_read_message(message) for message in row["messages"]),
        tool_calls=tuple(_read_tool_call(call) for call in row["tool_calls"]),
        state=row["state"],
        usage=_read_usage(row["usage"]),
        cost=_read_money(row["cost"]),
        judge_cost=_read_money(row["judge_cost"]),
        latency=row["latency"],
        ttft=row["ttft"],
        attempts=row["attempts"],
        turns=tuple(_read_turn(turn) for turn in row["turns"]),
        extra=row["extra"],
        model=row["model"],
        prompt=PromptRef(ref=prompt["ref"], hash=prompt["hash"]) if prompt else None,
        cassette=CassetteRef(
            path=cassette["path"],
            mode=cassette["mode"],
            recorded_at=cassette["recorded_at"],
        )
        if cassette
        else None,
        finish_reason=row["finish_reason"],
        response_ids=tuple(row["response_ids"]),
    )


def _read_check(row: dict[str, Any]) -> CheckResult:
    return CheckResult(
        scorer=row["scorer"],
        name=row["name"],
        value=row["value"],
        passed=row["passed"],
        reason=row["reason"],
        weight=row["weight"],
        threshold=row["threshold"],
        soft=row["soft"],
        turn=row["turn"],
        where=row["where"],
    )


def _read_message(row: dict[str, Any]) -> Message:
    return Message(
        role=row["role"],
        content=row["content"],
        name=row.get("name"),
        tool_calls=tuple(_read_tool_call(call) for call in row.get("tool_calls", ())),
        tool_call_id=row.get("tool_call_id"),
        attachments=_read_attachments(row),
        annotations=tuple(row.get("annotations", ())),
    )


def _read_tool_call(row: dict[str, Any]) -> ToolCall:
    return ToolCall(
        id=row["id"],
        name=row["name"],
        arguments=row["arguments"],
        output=row["output"],
        error=row["error"],
        failure=row.get("failure"),
        source=row.get("source"),
        attachments=_read_attachments(row),
        drift=row.get("drift"),
        seconds=row.get("seconds"),
    )


def _read_attachments(row: dict[str, Any]) -> tuple[Attachment, ...]:
    """Return what a row tells of attachments; their bytes are not in it."""
    return tuple(
        Attachment(kind=one["kind"], name=one["name"], media_type=one["media_type"], data=b"")
        for one in row.get("attachments", ())
    )


def _read_usage(row: dict[str, Any]) -> Usage:
    return Usage(
        input=row["input"],
        output=row["output"],
        cached_input=row["cached_input"],
        reasoning=row["reasoning"],
    )


def _read_turn(row: dict[str, Any]) -> TurnRecord:
    return TurnRecord(
        input=tuple(row["input"]),
        output=row["output"],
        latency=row["latency"],
        ttft=row["ttft"],
        usage=_read_usage(row["usage"]),
        finish_reason=row["finish_reason"],
        tool_calls=tuple(_read_tool_call(call) for call in row["tool_calls"]),
        refusal=row["refusal"],
        steps=row.get("steps", 1),
    )


def _read_money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
