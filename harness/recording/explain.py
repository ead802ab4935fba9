"""Why a request has no recording: which field differs from the nearest one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from harness.recording.cassette import Request, resource
from harness.recording.toolresults import changed_result, tool_names
from harness.records import JSON

_SHOWN = 60
_FIELDS = 3
_ABSENT = object()
#: Work that one message is worth: bytes of bodies that are compared, where each comparison costs as much as some more.
_MOST_COMPARED = 1_000_000
_EACH = 5_000


def explain_miss(request: Request, recorded: Sequence[Request], *, shown: str, played: int, hint: str) -> str:
    """Say what is missing from the cassette `shown`, compared with the nearest of `recorded`, and what to do.

    Args:
        request: What was asked.
        recorded: What the cassette holds and has not played yet.
        shown: How the message names the cassette.
        played: How often the very same request was recorded (all of them were played already).
        hint: The last sentence, usually a command.
    """
    name = f"{request.method} {urlsplit(request.uri).path}"
    if played:
        times = "once" if played == 1 else f"{played} times"
        head = f"{shown} has {name} recorded {times}, and it is asked for once more."
    else:
        differences = _nearest(request, recorded)
        head = f"{shown} has no recording of this {name}."
        if differences:
            head += " What differs from the nearest one: " + "; ".join(differences) + "."
    return f"{head} {hint}".rstrip()


def _nearest(request: Request, recorded: Sequence[Request]) -> list[str]:
    best: list[str] = []
    best_size: int | None = None
    for other in _candidates(request, recorded):
        found = list(_differences(request, other))
        size = sum(weight for weight, _ in found)
        if best_size is None or size < best_size:
            best_size = size
            best = [text for _, text in found[:_FIELDS]]
            if len(found) > _FIELDS:
                best.append(f"and {len(found) - _FIELDS} more")
    return best


def _candidates(request: Request, recorded: Sequence[Request]) -> Iterator[Request]:
    """Yield what may be the nearest, requests to the same resource first; of very many, those that are next in order."""
    left = _MOST_COMPARED
    for other in sorted(recorded, key=lambda other: _apart(request, other)):
        yield other
        left -= _EACH + len(request.body or b"") + len(other.body or b"")
        if left < 0:
            return


def _apart(now: Request, then: Request) -> bool:
    return now.method != then.method or resource(urlsplit(now.uri).path) != resource(urlsplit(then.uri).path)


def _differences(now: Request, then: Request) -> Iterator[tuple[int, str]]:
    if now.method != then.method:
        yield 1000, f"method {then.method} -> {now.method}"
    old, new = urlsplit(then.uri), urlsplit(now.uri)
    if resource(old.path) != resource(new.path):
        yield 1000, f"path {old.path} -> {new.path}"
    if old.query != new.query:
        yield 100, f"query {old.query} -> {new.query}"
    before, after = _parsed(then.body), _parsed(now.body)
    if before is _ABSENT or after is _ABSENT:
        if then.body != now.body:
            yield 100, f"body ({len(then.body or b'')} -> {len(now.body or b'')} bytes)"
        return
    yield from _walk(before, after, "", tool_names(after))


def _parsed(body: bytes | None) -> JSON:
    try:
        return json.loads(body or b"null")
    except (ValueError, RecursionError):
        return _ABSENT


def _walk(before: JSON, after: JSON, path: str, names: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield what differs, and how much that weighs; results of tools are told by their calls.

    Args:
        before, after: What was recorded, and what is asked.
        path: Where both stand.
        names: Of tools, by ids of their calls.
    """
    result = changed_result(before, after, names=names, walk=lambda old, new, start: _walk(old, new, start, {}))
    if result is not None:
        yield from result
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            place = f"{path}.{key}" if path else key
            if key not in before:
                yield 10, f"{place} is new ({_short(after[key])})"
            elif key not in after:
                yield 10, f"{place} is gone (was {_short(before[key])})"
            else:
                yield from _walk(before[key], after[key], place, names)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _walk_list(before, after, path, names)
    elif isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield _distance(before, after), f"{path}: {_text_change(before, after)}"
    elif before != after or type(before) is not type(after):
        yield 10, f"{path} {_short(before)} -> {_short(after)}"


def _walk_list(
    before: Sequence[JSON], after: Sequence[JSON], path: str, names: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    for index in range(max(len(before), len(after))):
        place = f"{path}[{index}]"
        if index >= len(before):
            yield 10, f"{place} is new ({_short(after[index])})"
        elif index >= len(after):
            yield 10, f"{place} is gone (was {_short(before[index])})"
        else:
            yield from _walk(before[index], after[index], place, names)


def _distance(before: str, after: str) -> int:
    ratio = difflib.SequenceMatcher(None, before, after, autojunk=False).quick_ratio()
    return 1 + round(20 * (1 - ratio))


def _text_change(before: str, after: str) -> str:
    """Quote the part that changed, with a little of what stands around it."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    stop = 0
    while stop < min(len(before), len(after)) - start and before[-1 - stop] == after[-1 - stop]:
        stop += 1
    start = max(before.rfind(" ", 0, start) + 1, start - 20, 0)
    lead = "…" if start else ""
    return f"{_quote(before, start, stop, lead)} -> {_quote(after, start, stop, lead)}"


def _quote(text: str, start: int, stop: int, lead: str) -> str:
    end = min(len(text), len(text) - stop + 12)
    part = text[start:end]
    tail = "…" if end < len(text) or len(part) > _SHOWN else ""
    return json.dumps(lead + part[:_SHOWN] + tail, ensure_ascii=False)


def _short(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
