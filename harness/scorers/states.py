"""Scorers that look at what a conversation came to: the world's state, an end by a tool, its length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from harness.jsontext import JSONTooLarge, same_json
from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import JSON, Score
from harness.scorers.arguments import Text, shown, unscored, verdict
from harness.scorers.calls import Bounds, differences

if TYPE_CHECKING:
    from harness.jsonpath import JSONPath

#: Where a transcript says that a tool ended the run.
_END_RUN = "end_run"

_Wanted: TypeAlias = "tuple[tuple[JSONPath, JSON], ...]"


def _compiled(value: Mapping[str, JSON]) -> _Wanted:
    from harness.jsonpath import JSONPath

    return tuple((JSONPath(path), wanted) for path, wanted in value.items())


class State:
    """The world that the tools act on (`env:`) ended like this: `state: {"$.orders['4712'].closed": true}`.

    Keys are JSONPaths (RFC 9535) into the world's snapshot, values are what stands there, compared as JSON: 1 equals 1.0,
    `"1"` does not; mappings and lists are compared whole. All must hold; of a path that selects several values each must
    be the one written, and one that selects nothing does not hold. The value is the share of paths that hold. Not scored
    for an assistant without `env`, nor under a turn that is not the last, since the snapshot is taken at the end.
    """

    name = "state"
    summary = "the world that the tools act on ended in this state"
    Argument = Annotated[dict[Text, Any], Field(min_length=1), AfterValidator(_compiled)]

    def score(self, context: ScoreContext, argument: _Wanted) -> Score:
        state = context.transcript.state
        if state is None:
            return unscored("this assistant has no env, so there is no state")
        if not _at_the_end(context):
            return unscored("the state is known at the end of a trial; write this check in the case's expect")
        try:
            wrong = [why for path, wanted in argument if (why := _unlike(path, wanted, state)) is not None]
        except JSONTooLarge as error:
            return unscored(str(error))
        reason = "; ".join(wrong) or "; ".join(f"{path.source} is {shown(wanted)}" for path, wanted in argument)
        return Score(value=1 - len(wrong) / len(argument), passed=not wrong, reason=reason)


class EndRun:
    """A tool ended the run: `end_run: true`; `false` asks for the contrary.

    Anything else is compared with the data that the tool gave: a mapping says what the data holds at least (as the
    arguments in `tool_args`), a text, number or list is the data itself. Under a turn it asks whether that turn was
    ended.
    """

    name = "end_run"
    summary = "a tool ended the run, perhaps with this data"
    Argument = Any

    def score(self, context: ScoreContext, argument: JSON) -> Score:
        ended = _END_RUN in context.transcript.extra and _at_the_end(context)
        end = context.transcript.extra.get(_END_RUN)
        data = end.get("data") if isinstance(end, Mapping) else end
        said = f"a tool ended the run with {shown(data)}" if ended else "no tool ended the run"
        if isinstance(argument, bool):
            return verdict(ended is argument, said)
        if not ended:
            return verdict(False, said)
        found = differences(argument, data, exact=not isinstance(argument, Mapping))
        return verdict(not found, f"{said}: {'; '.join(found[:3])}" if found else said)


class TurnsArgument(Bounds):
    """Bounds of a number of turns."""

    short = "max"

    @model_validator(mode="after")
    def _some(self) -> TurnsArgument:
        if self.min is None and self.max is None:
            raise ValueError("give a number (the most turns), or min and max")
        return self


class Turns:
    """The conversation took at most so many turns: `turns: 6`, or a number between bounds, `{min: 2, max: 6}`.

    A turn is what the user says and the assistant's answer to it, however often it calls tools in between. All turns of
    the trial are counted, wherever the check stands.
    """

    name = "turns"
    summary = "the conversation took at most so many turns, or between min and max"
    Argument = TurnsArgument

    def score(self, context: ScoreContext, argument: TurnsArgument) -> Score:
        count = _turns(context)
        said = f"{count} turn{'' if count == 1 else 's'}"
        if argument.holds(count):
            return verdict(True, said)
        return verdict(False, f"{said}, {argument.wanted()} asked for")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [State(), EndRun(), Turns()]


def _turns(context: ScoreContext) -> int:
    return max(len(context.transcript.turns), 1)


def _at_the_end(context: ScoreContext) -> bool:
    return context.number in (None, _turns(context))


def _unlike(path: JSONPath, wanted: JSON, state: JSON) -> str | None:
    found = path.find(state)
    if not found:
        return f"{path.source} selects nothing, expected {shown(wanted)}"
    wrong = [value for value in found if not same_json(value, wanted)]
    return f"{path.source}: expected {shown(wanted)}, got {shown(wrong[0])}" if wrong else None
