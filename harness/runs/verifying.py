"""How a live trial differs from its recording: in what would matter, which other words for the same thing do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from harness.jsontext import json_text, same_json
from harness.recording import Interaction
from harness.records import JSON, Result

#: Differences of one sort that are named, and characters of each value.
_MOST = 5
_LONGEST = 80


def differences(
    before: Result,
    now: Result,
    *,
    recorded: Sequence[Interaction],
    sent: Sequence[Interaction],
    left: Sequence[str],
    redact: Callable[[JSON], JSON],
) -> tuple[str, ...]:
    """Say how a live trial differs from what its recording gives, one line each; nothing: it does not.

    Compared are final HTTP statuses, tool calls, finish reason, the shape of JSON answers, checks and score.

    Args:
        before: The result of the replay.
        now: The result of the live trial.
        recorded: What the replay played.
        sent: What was sent now.
        left: What was recorded and is not asked for any more, as messages name it.
        redact: Takes secrets out of plain data; recordings hold none.
    """
    if before.error is not None and before.error.kind == "cassette_miss":
        if not recorded and before.cassette is None:
            return ("it is not recorded",)
        return (f"the recording no longer matches: {before.error.message}",)
    sorts = (
        (f"recorded and not made now: {one}" for one in left),
        status_changes(recorded, sent),
        _errors(before, now),
        _tool_calls(before, now, redact),
        _changed("finish reason", before.finish_reason, now.finish_reason),
        _shapes(before, now),
        _checks(before, now),
    )
    return tuple(line for found in sorts for line in _first(list(found)))


def _first(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"and {len(lines) - _MOST} more of this sort"]


def _changed(what: str, before: JSON, now: JSON) -> Iterator[str]:
    if before != now:
        yield f"{what} {_short(before)} -> {_short(now)}"


def status_changes(recorded: Sequence[Interaction], sent: Sequence[Interaction]) -> Iterator[str]:
    """Yield how requests and their final statuses differ.

    How often something unfinished is looked at is chance, so that of GET requests only failures count.
    """
    before, now = _asked(recorded), _asked(sent)
    if len(before) != len(now):
        yield f"requests {len(before)} -> {len(now)}"
    for number, (old, new) in enumerate(zip(before, now, strict=False), start=1):
        yield from _changed(f"request {number}: status", old.status, new.status)
    yield from _changed("failed look-ups: statuses", _failed_looks(recorded), _failed_looks(sent))


def _asked(interactions: Sequence[Interaction]) -> list[Interaction]:
    """The last attempt of each call that is no look-up, in the order of the calls."""
    last = {one.slot: one for one in interactions if one.request.method != "GET"}
    return [last[slot] for slot in sorted(last)]


def _failed_looks(interactions: Sequence[Interaction]) -> JSON:
    last = {one.slot: one for one in interactions if one.request.method == "GET"}
    return sorted({one.status for one in last.values() if one.status >= 400})


def _errors(before: Result, now: Result) -> Iterator[str]:
    old, new = before.error, now.error
    yield from _changed("error", None if old is None else old.kind, None if new is None else new.kind)


def _tool_calls(before: Result, now: Result, redact: Callable[[JSON], JSON]) -> Iterator[str]:
    for number, (old, new) in enumerate(zip_longest(before.tool_calls, now.tool_calls), start=1):
        if old is None or new is None or old.name != new.name:
            yield f"tool call {number}: {old.name if old else 'none'} -> {new.name if new else 'none'}"
        elif not same_json(redact(old.arguments), redact(new.arguments)):
            arguments = f"{_short(redact(old.arguments))} -> {_short(redact(new.arguments))}"
            yield f"tool call {number}, {old.name}: arguments {arguments}"


def _shapes(before: Result, now: Result) -> Iterator[str]:
    old, new = _answers(before), _answers(now)
    for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        then, today = _structured(one), _structured(other)
        where = "the answer" if len(old) == 1 else f"answer {number}"
        if (then is None) != (today is None):
            yield f"{where} {'is no JSON any more' if today is None else 'is JSON, and was not'}"
        elif then is not None:
            yield from (f"{where}: {line}" for line in _shape_changes(_shape(then), _shape(today)))


def _answers(result: Result) -> list[str]:
    turns = [turn.output for turn in result.turns]
    return turns or ([result.output] if result.output is not None else [])


def _structured(text: str) -> JSON:
    """An answer that is a JSON object or array; None: it is anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _shape(value: JSON, path: str = "$") -> dict[str, set[str]]:
    """What kinds of values stand at each path; all elements of an array share one."""
    found: dict[str, set[str]] = {path: {_kind(value)}}
    inner: list[tuple[str, JSON]] = []
    if isinstance(value, dict):
        inner = [(f"{path}.{key}", one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[*]", one) for one in value]
    for place, one in inner:
        for below, kinds in _shape(one, place).items():
            found.setdefault(below, set()).update(kinds)
    return found


def _kind(value: JSON) -> str:
    if value is None:
        return "null"
    names = ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "an array"))
    return next((name for kind, name in names if isinstance(value, kind)), "an object")


def _shape_changes(before: dict[str, set[str]], now: dict[str, set[str]]) -> Iterator[str]:
    for path in [*before, *(path for path in now if path not in before)]:
        parent = path.rpartition("[*]")[0] if "[*]" in path else ""
        if parent and any(parent in one and f"{parent}[*]" not in one for one in (before, now)):
            # An array that is empty says nothing of its elements.
            continue
        if path not in now:
            yield f"{path} is gone (was {_named(before[path])})"
        elif path not in before:
            yield f"{path} is new ({_named(now[path])})"
        elif before[path] != now[path]:
            yield f"{path} is {_named(now[path])}, and was {_named(before[path])}"


def _named(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds))


def _checks(before: Result, now: Result) -> Iterator[str]:
    for old, new in zip(before.checks, now.checks, strict=False):
        if old.passed is not new.passed:
            yield f"check {old.name}: {_said(old.passed)} -> {_said(new.passed)}"
    if before.score is not None and now.score is not None and abs(before.score - now.score) > 1e-6:
        yield f"score {before.score:g} -> {now.score:g}"


def _said(passed: bool | None) -> str:
    return "unscored" if passed is None else "passed" if passed else "failed"


def _short(value: JSON) -> str:
    text = json_text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
