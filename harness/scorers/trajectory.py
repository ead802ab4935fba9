"""Scorers that look at the way an assistant took: the order of its calls, and what it said between them."""

from __future__ import annotations

from collections import Counter
from operator import eq
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import Score, ToolCall
from harness.scorers.arguments import ArgumentModel, Text, shown
from harness.scorers.calls import Name, called, calls_of, differences, nearest
from harness.scorers.course import Event, events_of, first_missing, longest

#: Events that a reason lists, and characters of what was said.
_LISTED = 12
_SAID = 40


class SequenceArgument(ArgumentModel):
    """Which tools, and how strictly in this order."""

    short = "names"

    names: tuple[Name, ...] = Field(min_length=1, description="tools in the order of their calls")
    mode: Literal["in_order", "exact", "any_order"] = Field(
        default="in_order",
        description="in_order: other calls may stand between; exact: no others; any_order: at any place",
    )


class ToolSequence:
    """The assistant called these tools in this order: `tool_sequence: [search, check_order, refund]`.

    Other calls may stand before, between and after. `{names: [..], mode: exact}` allows no others; `mode: any_order`
    takes them in any order, each as often as it is listed. The value is the share of the names that were called as asked
    (with `exact` of the names or of the calls, whichever are more). The order is that in which the model asked for them.
    With `scope: all` it goes across the turns, else within one.
    """

    name = "tool_sequence"
    summary = "the assistant called these tools in this order"
    Argument = SequenceArgument

    def score(self, context: ScoreContext, argument: SequenceArgument) -> Score:
        calls = calls_of(context)
        names, actual = argument.names, [call.name for call in calls]
        if argument.mode == "any_order":
            missing = list((Counter(names) - Counter(actual)).elements())
            value = 1 - len(missing) / len(names)
            reason = f"not called, or not often enough: {', '.join(missing)}" if missing else ""
        elif argument.mode == "exact":
            value = longest(names, actual, eq) / max(len(names), len(actual))
            reason = "" if list(names) == actual else f"expected exactly {', '.join(names)}"
        else:
            value = longest(names, actual, eq) / len(names)
            reason = _out_of_order(names, actual)
        said = f"{reason}; {called(calls)}" if reason else called(calls)
        return Score(value=value, passed=not reason, reason=said)


class StepArgument(ArgumentModel):
    """One step: a call, or something said."""

    tool: Name | None = Field(default=None, description="a call of this tool")
    args: dict[str, Any] | None = Field(default=None, description="with these arguments, and perhaps others")
    say: Text | None = Field(default=None, description="the assistant says something that contains this text")

    @model_validator(mode="after")
    def _one_kind(self) -> StepArgument:
        if (self.tool is None) == (self.say is None):
            raise ValueError("a step is {tool: NAME} or {say: TEXT}")
        if self.args is not None and self.tool is None:
            raise ValueError("args go with a tool")
        return self

    def fits(self, event: Event) -> bool:
        """Say whether this is what happened."""
        if isinstance(event, str):
            return self.say is not None and self.say in event
        return event.name == self.tool and (self.args is None or not differences(self.args, event.arguments))

    def __str__(self) -> str:
        if self.say is not None:
            return f"say {shown(self.say)}"
        return f"call {self.tool}" if self.args is None else f"call {self.tool} with {shown(self.args)}"


class Trajectory:
    """The assistant went this way: `trajectory: [{tool: search}, {tool: refund, args: {id: "4712"}}, {say: refunded}]`.

    Each step is a call of a tool, perhaps with arguments (compared as in `tool_args`, as a subset), or `say:`, a text that
    something said by the assistant contains, exactly as written. The steps happened in this order; anything else may
    have happened between them, and one thing that happened is one step at most. The value is the share of the steps found
    in order, so that `threshold: 0.5` asks for half of them. With `scope: all` the way goes across the turns, else within
    one.
    """

    name = "trajectory"
    summary = "the assistant's calls and words followed these steps, in order"
    Argument = Annotated[tuple[StepArgument, ...], Field(min_length=1)]

    def score(self, context: ScoreContext, argument: tuple[StepArgument, ...]) -> Score:
        events = events_of(context)
        missing = first_missing(argument, events, StepArgument.fits)
        if missing is None:
            return Score(value=1.0, passed=True, reason=f"all {len(argument)} steps in order")
        found = longest(argument, events, StepArgument.fits)
        number, position = missing
        after = f" after step {number}" if number else ""
        reason = f"step {number + 1} ({argument[number]}) did not happen{after}"
        reason += _nearly(argument[number], events[position:])
        share = f"{found} of {len(argument)} steps in order"
        return Score(value=found / len(argument), passed=False, reason=f"{reason}; {share}; {_happened(events)}")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [ToolSequence(), Trajectory()]


def _out_of_order(names: tuple[str, ...], actual: list[str]) -> str:
    missing = first_missing(names, actual, eq)
    if missing is None:
        return ""
    number, _ = missing
    if names[number] not in actual:
        return f"{names[number]} was not called"
    return (
        f"{names[number]} was not called {'again ' if names[number] in names[:number] else ''}after {names[number - 1]}"
    )


def _nearly(step: StepArgument, events: list[Event]) -> str:
    """Say in what a call of the right tool differs from a step."""
    calls = [event for event in events if isinstance(event, ToolCall) and event.name == step.tool]
    if step.args is None or not calls:
        return ""
    _, found = nearest(calls, step.args, exact=False)
    return f": {'; '.join(found[:3])}"


def _happened(events: list[Event]) -> str:
    told = [
        f"said {shown(event if len(event) <= _SAID else event[:_SAID] + '...')}"
        if isinstance(event, str)
        else event.name
        for event in events
    ]
    more = f", and {len(told) - _LISTED} more" if len(told) > _LISTED else ""
    return f"happened: {', '.join(told[:_LISTED])}{more}" if told else "nothing happened"
