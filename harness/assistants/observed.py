"""What a target did with its tools, read from the calls that it made through the session's clients.

An agent that runs its own loop need not tell what it called: the model's answers name the calls, and the requests after
them carry the results. Both are in the trial's recording, live as on replay.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.assistants import responses, threadanswers, wire
from harness.assistants.usage import objects, paid
from harness.recording import Interaction
from harness.records import JSON, ToolCall, Usage

#: Items of Responses that name a function of the caller's, and those that give its result.
_CALLS = ("function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_ENDED = ("completed", "incomplete")
#: Statuses of a run that has nothing more to say.
_OVER = ("failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one turn's calls of models say."""

    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    #: What was sent and answered.
    interactions: tuple[Interaction, ...] = ()
    #: Why the last answer ended, in the words of Chat Completions; None: no model was asked, or it did not say.
    finish_reason: str | None = None
    #: What the last answer refused with.
    refusal: str | None = None
    #: How many times a model answered.
    steps: int = 0
    response_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One answer of a model, however often it was looked at."""

    #: None: it belongs to an answer that is counted already.
    key: Hashable
    #: Keys tell calls of one answer apart; services give ids that are only unique inside it.
    calls: Sequence[tuple[Hashable, ToolCall]] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    response_id: str | None = None


class Observer:
    """Follows a trial's recorded calls, a turn at a time."""

    def __init__(self) -> None:
        self._read: set[tuple[int, int]] = set()
        self._steps: set[Hashable] = set()
        self._keys: set[Hashable] = set()
        self._calls: list[ToolCall] = []
        #: The turn of each call, counted from 0.
        self._turn_of: list[int] = []
        self._answered: set[int] = set()
        self._turns = 0

    def turn(self, interactions: Iterable[Interaction]) -> Observed:
        """Read what was sent and answered since the last time, which is one turn.

        Args:
            interactions: Everything that the trial sent so far, ordered by start.
        """
        new = self._new(interactions)
        last = {one.slot: one.attempt for one in new}
        steps: list[_Step] = []
        refusals: dict[str, str] = {}
        for one in new:
            if one.error is None and one.status < 400 and one.attempt == last[one.slot]:
                self._answer(_outputs(one))
                steps += self._fresh(_steps(one))
                refusals.update(_refusals(one))
        self._turns += 1
        usage = Usage()
        for call in paid(new):
            usage = usage + call.usage
        end = steps[-1] if steps else _Step(key=None)
        return Observed(
            tool_calls=self.calls(self._turns - 1),
            usage=usage,
            interactions=tuple(new),
            finish_reason=end.finish_reason,
            refusal=end.refusal or refusals.get(end.response_id or ""),
            steps=len(steps),
            response_ids=tuple(step.response_id for step in steps if step.response_id),
        )

    def _new(self, interactions: Iterable[Interaction]) -> list[Interaction]:
        found = []
        for one in interactions:
            # A look that was recorded once may be played again.
            if (one.slot, one.attempt) not in self._read:
                self._read.add((one.slot, one.attempt))
                found.append(one)
        return found

    def calls(self, turn: int) -> tuple[ToolCall, ...]:
        """Return the calls of a turn, counted from 0, with the results that are known by now."""
        return tuple(call for call, of in zip(self._calls, self._turn_of, strict=True) if of == turn)

    def _fresh(self, steps: Iterable[_Step]) -> Iterator[_Step]:
        for step in steps:
            for key, call in step.calls:
                if key not in self._keys:
                    self._keys.add(key)
                    self._calls.append(call)
                    self._turn_of.append(self._turns)
            if step.key is not None and step.key not in self._steps:
                self._steps.add(step.key)
                yield step

    def _answer(self, outputs: Iterable[tuple[str, JSON]]) -> None:
        """Give calls their results.

        A conversation is sent again with each request, and some services use an id twice: the last result of an id
        belongs to the last call that has it.
        """
        given: dict[str, list[JSON]] = defaultdict(list)
        for id, output in outputs:
            given[id].append(output)
        for id, values in given.items():
            made = [number for number, call in enumerate(self._calls) if call.id == id]
            for number, value in zip(reversed(made), reversed(values), strict=False):
                if number not in self._answered:
                    self._answered.add(number)
                    self._calls[number] = replace(self._calls[number], output=value)


def _steps(one: Interaction) -> list[_Step]:
    """Return the model's answers that a service's answer holds; none where it is about something else."""
    read = {"chat": _chat, "responses": _response, "threads": _runs}.get(_names(one)[0])
    try:
        return [] if read is None else list(read(one))
    except wire.UNREADABLE:
        return []


def _names(one: Interaction) -> list[str]:
    return one.resource.split("/")


def _chat(one: Interaction) -> Iterator[_Step]:
    calls: dict[tuple[int, int], dict[str, str]] = {}
    finish = response_id = None
    refusal = ""
    found = False
    for body in objects(one):
        response_id = wire.word(body.get("id")) or response_id
        for choice in body.get("choices") or ():
            found = True
            index = int(choice.get("index") or 0)
            said = choice.get("message") or choice.get("delta") or {}
            for place, call in enumerate(said.get("tool_calls") or ()):
                function = call.get("function") or call.get("custom") or {}
                # In whole messages, and from some services, the order is all there is.
                at = place if call.get("index") is None else int(call["index"])
                whole = calls.setdefault((index, at), {"id": "", "name": "", "given": ""})
                whole["id"] = wire.text(call.get("id")) or whole["id"]
                whole["name"] += wire.text(function.get("name"))
                whole["given"] += wire.text(function.get("arguments")) or wire.text(function.get("input"))
            if index == 0:
                finish = wire.word(choice.get("finish_reason")) or finish
                refusal += wire.text(said.get("refusal"))
    if found:
        yield _Step(
            key=one.slot,
            calls=[
                (
                    (one.slot, place),
                    ToolCall(id=call["id"], name=call["name"], arguments=wire.arguments(call["given"])),
                )
                for place, call in sorted(calls.items())
            ],
            finish_reason=finish,
            refusal=refusal or None,
            response_id=response_id,
        )


def _response(one: Interaction) -> Iterator[_Step]:
    if len(_names(one)) > 2:
        return  # its input items, or that it was cancelled
    body: Mapping[str, Any] = {}
    streamed: list[Mapping[str, Any]] = []
    for event in objects(one):
        if event.get("type") == "response.output_item.done":
            streamed.append(event["item"])
        found = event.get("response", event)
        if found.get("object") == "response":
            body = found
    if body.get("status") not in _ENDED and not streamed:
        return
    # Some services leave the output out of a stream's last event, and a stream may be left before it.
    items = body.get("output") or streamed
    response_id = wire.word(body.get("id"))
    key = response_id or one.slot
    calls = [
        ((key, number), call)
        for number, item in enumerate(items)
        if (call := _called(item) or responses.service_call(item)) is not None
    ]
    own = any(item.get("type") in _CALLS for item in items)
    parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
    yield _Step(
        key=key,
        calls=calls,
        finish_reason=responses.finish_reason(body, calls=own) if body.get("status") in _ENDED else None,
        refusal="".join(wire.text(part.get("refusal")) for part in parts if part.get("type") == "refusal") or None,
        response_id=response_id,
    )


def _called(item: Mapping[str, Any]) -> ToolCall | None:
    """Return the function that an item calls; None where it is something else."""
    if item.get("type") == "custom_tool_call":
        name, given = wire.text(item.get("name")), wire.text(item.get("input"))
        return ToolCall(id=wire.text(item.get("call_id")), name=name, arguments=given)
    return responses.tool_call(item) if item.get("type") == "function_call" else None


def _runs(one: Interaction) -> Iterator[_Step]:
    for body in objects(one):
        if body.get("object") == "thread.run":
            yield from _run(body)
        for step in body.get("data") or [body]:
            if step.get("object") == "thread.run.step" and step.get("completed_at"):
                # What the service's own tools did is told beside the answer that it led to.
                done = [((wire.text(step["id"]), call.id), call) for call in threadanswers.service_calls(step)]
                if done:
                    yield _Step(key=None, calls=done)


def _run(body: Mapping[str, Any]) -> Iterator[_Step]:
    run, status = wire.text(body["id"]), body.get("status")
    if status == "requires_action":
        calls = [((run, call.id), call) for call in threadanswers.wanted_calls(body)]
        yield _Step(key=(run, *(key for key, _ in calls)), calls=calls, finish_reason="tool_calls")
    elif status in _ENDED:
        reason = threadanswers.finish_reason(body)
        yield _Step(key=run, finish_reason=reason, response_id=wire.word(run))
    elif status in _OVER:
        yield _Step(key=run, finish_reason=str(status), response_id=wire.word(run))


def _refusals(one: Interaction) -> Iterator[tuple[str, str]]:
    """Yield runs whose messages refuse, and their words."""
    if _names(one)[0] != "threads":
        return
    try:
        for body in objects(one):
            for message in body.get("data") or [body]:
                parts = message.get("content") or () if message.get("object") == "thread.message" else ()
                said = "".join(wire.text(part.get("refusal")) for part in parts)
                if said:
                    yield wire.text(message.get("run_id")), said
    except wire.UNREADABLE:
        return


def _outputs(one: Interaction) -> list[tuple[str, JSON]]:
    """Return the results of tools that a request carries: the call's id, and what its tool said."""
    kind = _names(one)[0]
    if kind not in ("chat", "responses", "threads"):
        return []
    try:
        body = json.loads(one.request.body or b"{}")
        if kind == "chat":
            said = [(part["tool_call_id"], part.get("content")) for part in body["messages"] if part["role"] == "tool"]
        elif kind == "responses":
            items = body["input"] if isinstance(body["input"], list) else ()
            said = [(item["call_id"], item.get("output")) for item in items if item.get("type") in _OUTPUTS]
        else:
            said = [(part["tool_call_id"], part.get("output")) for part in body.get("tool_outputs") or ()]
        return [(str(id), _value(output)) for id, output in said if id]
    except wire.UNREADABLE:
        return []


def _value(output: JSON) -> JSON:
    """Return what a tool said: data where it wrote an object or a list, else its text."""
    if isinstance(output, list):
        output = "".join(wire.text(part.get("text")) for part in output)
    if isinstance(output, str) and output.lstrip()[:1] in ("{", "["):
        return wire.arguments(output)
    return output
