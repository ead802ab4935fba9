"""Scorers that look at which tools were called, how often, and with what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import Score, ToolCall
from harness.scorers.arguments import ArgumentModel, shown, verdict
from harness.scorers.calls import Name, Names, Times, called, calls_of, differences, nearest, often

#: Failures that are the model's own: it asked for what there is not, or wrongly.
_INVALID = {"unknown": "there is no such tool", "arguments": "its arguments are not valid"}


class CalledArgument(Times):
    """Which tools, and how often each of them."""

    short = "name"

    name: Names = Field(description="the tool, or a list of tools that were all called")

    def holds(self, count: int) -> bool:
        return super().holds(count) and (count > 0 or 0 in (self.times, self.min, self.max))

    def wanted(self) -> str:
        # Called means at least once, unless a bound says otherwise.
        open_below = self.times is None and self.min is None and self.max != 0
        return " and ".join(part for part in ("at least 1" if open_below else "", super().wanted()) if part)


class ToolCalled:
    """The assistant called a tool: `tool_called: search`, or all tools of a list, or `{name: search, times: 2}`, or with
    `min` and `max`.

    A tool is called at least once unless `times`, `min` or `max` is 0. A call counts even where the tool failed;
    `tool_valid` looks at that. The value is the share of the names for which it holds. `not` with a list asks that one of
    them was not called; that none was is `{name: [a, b], times: 0}`. Calls of the last turn count, or of the turn that the
    check stands under; with `scope: all` those of the whole conversation.
    """

    name = "tool_called"
    summary = "the assistant called this tool, or all of these"
    Argument = CalledArgument

    def score(self, context: ScoreContext, argument: CalledArgument) -> Score:
        calls = calls_of(context)
        counts = Counter(call.name for call in calls)
        wrong = [name for name in argument.name if not argument.holds(counts[name])]
        value = 1 - len(wrong) / len(argument.name)
        said = "; ".join(f"{name} was {often(counts[name])}" for name in (wrong or argument.name))
        if not wrong:
            return Score(value=1.0, passed=True, reason=said)
        return Score(value=value, passed=False, reason=f"{said}, {argument.wanted()} asked for; {called(calls)}")


class CountArgument(Times):
    """How many calls, and of which tool."""

    short = "times"

    name: Name | None = Field(default=None, description="count the calls of this tool only")

    @model_validator(mode="after")
    def _some(self) -> CountArgument:
        if self.times is None and self.min is None and self.max is None:
            raise ValueError("give a number (exactly so many calls), or min and max")
        return self


class ToolCount:
    """The assistant called tools so often: `tool_count: 2` (exactly), `{max: 5}`, `{min: 1, max: 3, name: search}`.

    `tool_count: 0` asks that no tool was called. All calls count, of one tool with `name`, those that failed included.
    With `scope: all` they are those of the whole conversation, else those of one turn.
    """

    name = "tool_count"
    summary = "the assistant called tools so many times"
    Argument = CountArgument

    def score(self, context: ScoreContext, argument: CountArgument) -> Score:
        calls = calls_of(context)
        count = sum(argument.name is None or call.name == argument.name for call in calls)
        what = "tools were" if argument.name is None else f"{argument.name} was"
        if argument.holds(count):
            return verdict(True, f"{what} {often(count)}")
        return verdict(False, f"{what} {often(count)}, {argument.wanted()} asked for; {called(calls)}")


class ArgsArgument(ArgumentModel):
    """Which tool, and what its arguments are."""

    name: Name = Field(description="the tool")
    args: dict[str, Any] = Field(description="arguments and their values, compared as JSON")
    match: Literal["subset", "exact"] = Field(
        default="subset", description="exact: the call has no further arguments, at any depth"
    )
    any: bool | None = Field(default=None, description="some call of the tool has these arguments; the default")
    all: bool | None = Field(default=None, description="every call of the tool has these arguments")

    @model_validator(mode="after")
    def _one_way(self) -> ArgsArgument:
        if self.any is not None and self.any == self.all:
            raise ValueError("any and all are opposites; give one of them")
        return self

    @property
    def every(self) -> bool:
        """Whether every call is meant."""
        return self.any is False if self.all is None else self.all


class ToolArgs:
    """A tool was called with these arguments: `tool_args: {name: check_order, args: {order_id: "4712"}}`.

    The call may have further arguments, and mappings in them further keys, unless `match: exact`; lists are as long as
    written here. Values are compared as JSON: `"4712"` is not the number 4712, 1 equals 1.0. One call that fits is enough;
    with `all: true` every call of that tool fits, at least one, and the value is their share. Calls of the last turn
    count, or of the turn that the check stands under; with `scope: all` those of the whole conversation.
    """

    name = "tool_args"
    summary = "a tool was called with these arguments"
    Argument = ArgsArgument

    def score(self, context: ScoreContext, argument: ArgsArgument) -> Score:
        calls = calls_of(context)
        own = [call for call in calls if call.name == argument.name]
        if not own:
            return verdict(False, f"{argument.name} was not called; {called(calls)}")
        exact = argument.match == "exact"
        wrong = [call for call in own if differences(argument.args, call.arguments, exact=exact)]
        if not (wrong if argument.every else len(wrong) == len(own)):
            return verdict(True, f"{argument.name} was called with {shown(argument.args)}")
        index, found = nearest(wrong, argument.args, exact=exact)
        number = next(n for n, call in enumerate(own, start=1) if call is wrong[index])
        which = f"call {number} of {len(own)} of {argument.name}" if len(own) > 1 else f"the call of {argument.name}"
        value = 1 - len(wrong) / len(own) if argument.every else 0.0
        return Score(value=value, passed=False, reason=f"{which}: {_first(found)}")


class ToolValid:
    """Every call named a tool that there is, with arguments that it takes: `tool_valid: true`; `false` asks for the
    contrary.

    The value is the share of such calls, so that `threshold: 0.9` lets one in ten be wrong. A tool that raised or took too
    long was called validly. Calls that were not answered here (by an agent of yours, or by nobody) are valid where their
    arguments are an object.
    Without a call it holds (and `false` does not); `tool_called` asks for one. With `scope: all` the calls are those of
    the whole conversation, else those of one turn.
    """

    name = "tool_valid"
    summary = "every call named a known tool and had valid arguments"
    Argument = bool

    def score(self, context: ScoreContext, argument: bool) -> Score:
        calls = calls_of(context)
        wrong = [(call, why) for call in calls if (why := _invalid(call)) is not None]
        if not calls:
            return verdict(argument, "no tool was called")
        share = 1 - len(wrong) / len(calls)
        reason = f"{len(calls) - len(wrong)} of {len(calls)} calls are valid"
        if wrong:
            call, why = wrong[0]
            reason = f"{reason}; {call.name[:64]}: {call.error[:160] if call.error else why}"
        return Score(value=share if argument else 1 - share, passed=(not wrong) is argument, reason=reason)


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [ToolCalled(), ToolCount(), ToolArgs(), ToolValid()]


def _invalid(call: ToolCall) -> str | None:
    if call.failure is not None:
        return _INVALID.get(call.failure)
    if call.source is None and not isinstance(call.arguments, Mapping | None):
        return "its arguments are no JSON object"
    return None


def _first(found: list[str]) -> str:
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more
