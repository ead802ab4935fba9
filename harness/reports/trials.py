"""A trial as the page shows it: what it answered, how it was graded, and its transcript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.jsontext import json_text
from harness.records import CheckResult, Message, Outcome, Result, ToolCall, TurnRecord
from harness.reports import anchors, clean, jsonview, openings, worddiff, words
from harness.reports.cutting import Cut, cut
from harness.reports.room import AGAIN
from harness.reports.worddiff import Piece
from harness.summary import phrases

_INPUT = 4_000
_REASON = 2_000

MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.ERROR: "!", Outcome.SKIPPED: "–"}

#: What gave a tool's result, where the reader would not think of it.
_SOURCES = {"mock": "mocked", "service": "run by the service", "mcp": "over MCP", "assistant": "another assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """A check of a trial, as it is shown."""

    name: str
    #: `passed`, `failed` or `unscored`.
    state: str
    soft: bool
    turn: int | None
    reason: Cut
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back in one turn."""

    #: Counted from 1; 0 where the trial has one turn only.
    turn: int = 0
    asked: Cut | None = None
    timing: str = ""
    text: Cut
    #: It is JSON, and the page set it out in lines.
    json: bool = False
    #: The answer against the baseline's; empty: not compared, or the same.
    pieces: tuple[Piece, ...] = ()
    #: What the comparison came to, in words.
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tool, as the assistant asked for it."""

    name: str
    arguments: Cut
    #: None: the result is a message of its own.
    output: Cut | None
    error: str
    #: What gave the result, where it was not simply the tool.
    source: str = ""
    #: How the result differs from the recorded one.
    drift: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message of a transcript: its text, or where on the page it stands already."""

    role: str
    text: Cut | None = None
    above: str = ""
    calls: tuple[Call, ...] = ()
    #: Files and images that go with the message, and what it cites.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What happened, in order."""

    #: How many messages and calls; empty: nothing is known of them.
    title: str
    #: Where the opening is shown, with its name and size; empty: the page does not show it.
    prompt: str
    opening: str
    lines: tuple[Line, ...]
    #: Model, attempts, recording and the like.
    facts: tuple[tuple[str, str], ...]
    #: Files that the assistant made: name, and path beside the page.
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """One trial as it stands in a case's details."""

    anchor: str
    variant: str
    repeat: int
    outcome: str
    mark: str
    decides: bool
    answers: tuple[Answer, ...]
    checks: tuple[CheckView, ...]
    error: tuple[str, Cut, str] | None
    #: Times, tokens and money in one line.
    facts: str
    transcript: Transcript


def view(result: Result, *, limit: int, decides: bool, prompt: openings.Gathering, taken: anchors.Taken) -> TrialView:
    """Return a trial as it is shown, every text cut to `limit` characters."""
    error = result.error
    start = openings.length(result)
    return TrialView(
        anchor=taken.one(anchors.trial(result.suite, result.case, result.variant, result.repeat)),
        variant=result.variant,
        repeat=result.repeat,
        outcome=result.outcome.value,
        mark=MARKS[result.outcome],
        decides=decides,
        answers=tuple(_answers(result, limit, start)),
        checks=tuple(_check(check, limit) for check in sorted(result.checks, key=_trouble_first)),
        error=(clean.line(error.kind), cut(error.message, _INPUT), clean.line(error.where or "")) if error else None,
        facts=clean.line(" · ".join(_measured(result))),
        transcript=_transcript(result, limit, start, prompt),
    )


def against(view: TrialView, baseline: TrialView) -> TrialView:
    """Return a trial with its answers set against those of another, turn by turn."""
    others = baseline.answers
    return replace(
        view,
        answers=tuple(
            _compared(answer, others[number], clean.line(baseline.variant)) if number < len(others) else answer
            for number, answer in enumerate(view.answers)
        ),
    )


def _compared(answer: Answer, other: Answer, name: str) -> Answer:
    if answer.text.more or other.text.more:
        return replace(answer, note=f"cut, so not set against {name}")
    before = other.text.text
    if answer.json and other.json:
        before = jsonview.laid_out(before, like=answer.text.text) or before
    found = worddiff.words(before, answer.text.text)
    if found is None:
        return replace(answer, note=f"too long to be set against {name} here")
    if found.equal:
        return replace(answer, note=f"same words as {name}" if found.same else "")
    if found.rewritten:
        return replace(answer, note=f"worded quite differently from {name}")
    return replace(answer, pieces=found.pieces, note=f"against {name}: {found.new:,} new, {found.gone:,} gone")


def _answers(result: Result, limit: int, start: int) -> Iterator[Answer]:
    if len(result.turns) < 2:
        if result.output is not None:
            yield _answer(result.output, limit)
        return
    for number, turn in enumerate(result.turns, start=1):
        asked = "\n".join(_asked(result, turn, start) if number == 1 else turn.input)
        answer = _answer(turn.output, limit)
        yield replace(answer, turn=number, asked=cut(asked, _INPUT), timing=_timing(turn))


def _asked(result: Result, turn: TurnRecord, start: int) -> Sequence[str]:
    """What the first turn asked, without the examples of the prompt."""
    examples = sum(message.role == "user" for message in result.messages[:start])
    return turn.input[examples:]


def _timing(turn: TurnRecord) -> str:
    parts = [words.seconds(turn.latency)] if turn.latency is not None else []
    return ", ".join([*parts, *([f"ttft {words.seconds(turn.ttft)}"] if turn.ttft is not None else [])])


def _answer(text: str, limit: int) -> Answer:
    shown = jsonview.laid_out(text) if len(text) <= limit else None
    return Answer(text=cut(text if shown is None else shown, limit), json=shown is not None)


def _transcript(result: Result, limit: int, start: int, prompt: openings.Gathering) -> Transcript:
    opening = result.messages[:start]
    above = {clean.block(text): where for text, where in _above(result)}
    own = {message.tool_call_id for message in result.messages if message.tool_call_id}
    lines = [_line(message, above, own, limit) for message in result.messages[start:]]
    told = {call.id for message in result.messages for call in message.tool_calls}
    lines += [Line(role="tool", calls=(_call(call, own, limit),)) for call in result.tool_calls if call.id not in told]
    for name, value in (("state", result.state), ("facts", dict(result.extra))):
        if value:
            lines.append(Line(role=name, text=cut(json_text(value), limit)))
    sizes = f"{phrases.count(len(opening), 'message')}, {sum(len(one.content) for one in opening):,} characters"
    return Transcript(
        title=", ".join(_title(result)),
        prompt=prompt.anchor(opening) if opening else "",
        opening=sizes if opening else "",
        lines=tuple(lines),
        facts=tuple((term, clean.line(text)) for term, text in _facts(result) if text),
        files=tuple(_files(result)),
    )


def _title(result: Result) -> Iterator[str]:
    if result.messages:
        yield phrases.count(len(result.messages), "message")
    if result.tool_calls:
        yield phrases.count(len(result.tool_calls), "tool call")


def _above(result: Result) -> Iterator[tuple[str, str]]:
    """What the page shows of a trial before its transcript, and where."""
    if isinstance(result.input, str):
        yield result.input, "the input, as above"
    for number, turn in enumerate(result.turns, start=1):
        if turn.output:
            yield turn.output, f"the answer of turn {number}, as above" if len(result.turns) > 1 else "the answer above"


def _line(message: Message, above: dict[str, str], own: set[str], limit: int) -> Line:
    role = f"{message.role} {message.name}" if message.name else message.role
    calls = tuple(_call(call, own, limit) for call in message.tool_calls)
    text = clean.block(message.content)
    notes = tuple(clean.line(note) for note in _notes(message))
    if len(text) > min(AGAIN, limit) and text in above:
        return Line(role=clean.line(role), above=above[text], calls=calls, notes=notes)
    shown = cut(message.content, limit) if message.content else None
    return Line(role=clean.line(role), text=shown, calls=calls, notes=notes)


def _notes(message: Message) -> Iterator[str]:
    for one in message.attachments:
        yield f"{one.kind}: {one.name} ({one.media_type})"
    for cited in message.annotations:
        named = (cited.get(key) for key in ("filename", "title", "url", "text", "file_id"))
        shown = [str(one) for one in named if isinstance(one, str) and one]
        yield f"cites: {', '.join(dict.fromkeys(shown)) or cited.get('type', '')}"


def _files(result: Result) -> Iterator[tuple[str, str]]:
    kept = result.extra.get("files")
    for path in kept if isinstance(kept, list | tuple) else ():
        # A target may say anything under `extra`; only what a run keeps itself is linked.
        if isinstance(path, str) and path.startswith("files/") and ".." not in path and ":" not in path:
            yield clean.line(path.rpartition("/")[2]), clean.line(path)


def _call(call: ToolCall, own: set[str], limit: int) -> Call:
    return Call(
        name=clean.line(call.name),
        arguments=cut(json_text(call.arguments), limit),
        output=None if call.id in own or call.output is None else cut(json_text(call.output), limit),
        error=clean.line(call.error or "", _REASON),
        source=_SOURCES.get(call.source or "", ""),
        drift=clean.line(call.drift or "", _REASON),
    )


def _measured(result: Result) -> Iterator[str]:
    yield f"latency {words.seconds(result.latency)}"
    if result.ttft is not None:
        yield f"ttft {words.seconds(result.ttft)}"
    if result.usage.total is not None:
        yield f"{result.usage.input:,} + {result.usage.output:,} tokens"
    if result.cost is not None:
        yield words.money(result.cost)


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    yield "model", result.model or ""
    yield "finish", result.finish_reason or ""
    yield "attempts", str(result.attempts) if result.attempts else ""
    usage = result.usage
    yield "cached input", f"{usage.cached_input:,} tokens" if usage.cached_input else ""
    yield "reasoning", f"{usage.reasoning:,} tokens" if usage.reasoning else ""
    yield "judge", words.money(result.judge_cost) if result.judge_cost is not None else ""
    yield "score", f"{result.score:g}" if result.score is not None else ""
    if result.prompt is not None:
        yield "prompt", " ".join(part for part in (result.prompt.ref, result.prompt.hash[:12]) if part)
    if result.cassette is not None:
        made = words.moment(result.cassette.recorded_at or "")
        happened = "replayed" if result.cassette.mode == "replayed" else "recorded in this run"
        yield happened, ", ".join(part for part in (result.cassette.path, made) if part)


def _trouble_first(check: CheckResult) -> tuple[bool, bool]:
    return (check.passed is True, check.soft)


def _check(check: CheckResult, limit: int) -> CheckView:
    return CheckView(
        name=clean.line(check.name if check.name == check.scorer else f"{check.name} ({check.scorer})"),
        state="unscored" if check.passed is None else "passed" if check.passed else "failed",
        soft=check.soft,
        turn=check.turn,
        reason=cut(check.reason, min(limit, _REASON)),
        where=clean.line(check.where or ""),
    )
