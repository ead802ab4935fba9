"""What was said in a trial as a page carries it: messages with the tool calls in them, texts by their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.jsontext import json_text
from harness.records import JSON, Message, Result, ToolCall, TurnRecord
from harness.reports.packing import Strings, thousandths


def messages(result: Result, start: int, strings: Strings) -> list[JSON]:
    """Return the messages of a trial from the one at `start` on.

    A call of a tool stands with its result in the message that asked for it. A message is `[role, text, calls, notes]`,
    a call `[name, arguments, result, error, source, drift, milliseconds]`; what is not there at the end is left out.
    """
    known = {call.id: call for call in result.tool_calls if call.id}
    asked = {call.id for message in result.messages for call in message.tool_calls}
    replies: dict[str | None, str] = {
        one.tool_call_id: one.content for one in result.messages if one.tool_call_id and one.tool_call_id in asked
    }
    found: list[JSON] = []
    for message in result.messages[start:]:
        if message.tool_call_id in replies:
            continue
        role = strings.share(f"{message.role} {message.name}" if message.name else message.role)
        calls = [_call(known.get(call.id, call), replies, strings) for call in message.tool_calls]
        notes = [strings.add(note) for note in _notes(message)]
        row: list[JSON] = [role, strings.add(message.content)]
        found.append([*row, calls, notes] if notes else [*row, calls] if calls else row)
    return found + [
        [strings.share("tool"), -1, [_call(call, {}, strings)]] for call in result.tool_calls if call.id not in asked
    ]


def turns(result: Result, examples: int, strings: Strings) -> list[JSON]:
    """Return each turn: what was asked, the answer, latency and time to first token in milliseconds.

    What users say in the prompt's examples, so many messages, stands at the start of the first turn and is left out.
    """
    return [_turn(one, one.input[0 if number else examples :], strings) for number, one in enumerate(result.turns)]


def _turn(one: TurnRecord, said: Sequence[str], strings: Strings) -> list[JSON]:
    asked = strings.add("\n".join(said))
    return [asked, strings.add(one.output), thousandths(one.latency), thousandths(one.ttft)]


def _call(call: ToolCall, replies: dict[str | None, str], strings: Strings) -> list[JSON]:
    output = replies.get(call.id, None if call.output is None else json_text(call.output))
    return [
        strings.share(call.name),
        strings.add(json_text(call.arguments)),
        -1 if output is None or call.error is not None else strings.add(output),
        -1 if call.error is None else strings.add(call.error),
        strings.share(call.source or ""),
        -1 if call.drift is None else strings.add(call.drift),
        thousandths(call.seconds),
    ]


def _notes(message: Message) -> Iterator[str]:
    """What goes with a message: files and images, and what it cites."""
    for one in message.attachments:
        yield f"{one.kind}: {one.name} ({one.media_type})"
    for cited in message.annotations:
        named = (cited.get(key) for key in ("filename", "title", "url", "text", "file_id"))
        shown = [str(one) for one in named if isinstance(one, str) and one]
        yield f"cites: {', '.join(dict.fromkeys(shown)) or cited.get('type', '')}"
