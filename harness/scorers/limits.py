"""Scorers that look at what an answer took: time, tokens, money; and at how it ended."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from harness.amounts import Duration, Money
from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import Score, Usage
from harness.scorers.arguments import ArgumentModel, Count, Texts, unscored, verdict
from harness.scorers.refusals import opening_refusal


class Latency:
    """The answer took at most this long: `latency: 5s`, `800ms`.

    Under a turn: from the turn's start to the end of its last model step. Elsewhere the whole trial, as in reports: tools
    and retries included, waits for rate limits excluded. On replay it is the recorded time. Not scored where nothing was
    measured.
    """

    name = "latency"
    summary = "the answer took at most this long"
    Argument = Duration

    def score(self, context: ScoreContext, argument: float) -> Score:
        taken = context.transcript.latency if context.number is None else context.turn.latency
        if taken is None:
            return unscored("no latency was measured")
        return verdict(taken <= argument, f"took {_seconds(taken)}, limit {_seconds(argument)}")


class Ttft:
    """The first piece of the answer came within this time: `ttft: 800ms`. It needs `stream: true`; an answer that was not
    streamed is not scored. Elsewhere than under a turn the last turn counts, as in reports."""

    name = "ttft"
    summary = "the first piece of a streamed answer came within this time"
    Argument = Duration

    def score(self, context: ScoreContext, argument: float) -> Score:
        taken = context.transcript.ttft if context.number is None else context.turn.ttft
        if taken is None:
            return unscored("the answer was not streamed, so it has no time to first token; set stream: true")
        return verdict(taken <= argument, f"first token after {_seconds(taken)}, limit {_seconds(argument)}")


class TokenLimits(ArgumentModel):
    """The most tokens, input and output together or each."""

    short = "max"

    max: Count | None = Field(default=None, description="most tokens, input and output together")
    input: Count | None = Field(default=None, description="most input tokens, cached ones included")
    output: Count | None = Field(default=None, description="most output tokens, reasoning included")

    @model_validator(mode="after")
    def _some(self) -> TokenLimits:
        if self.max is None and self.input is None and self.output is None:
            raise ValueError("give a number (the most tokens in all), or max, input, output")
        return self


class Tokens:
    """The model calls took at most so many tokens: `tokens: 500` for input and output together, or `{max: 500, input: 400,
    output: 100}`. Under a turn those of the turn, else of the whole trial. Not scored where the service gave no usage."""

    name = "tokens"
    summary = "the model calls took at most so many tokens"
    Argument = TokenLimits

    def score(self, context: ScoreContext, argument: TokenLimits) -> Score:
        usage: Usage = context.transcript.usage if context.number is None else context.turn.usage
        counts = {
            "tokens": (usage.total, argument.max),
            "input tokens": (usage.input, argument.input),
            "output tokens": (usage.output, argument.output),
        }
        asked = {word: (count, limit) for word, (count, limit) in counts.items() if limit is not None}
        above = [f"{count} {word}, limit {limit}" for word, (count, limit) in asked.items() if _above(count, limit)]
        if above:
            return verdict(False, "; ".join(above))
        missing = [word for word, (count, _) in asked.items() if count is None]
        if missing:
            return unscored(f"the service gave no count of {', '.join(missing)}")
        return verdict(True, "; ".join(f"{count} {word}" for word, (count, _) in asked.items()))


class Cost:
    """The trial's model calls cost at most this much: `cost: $0.01`. On replay it is the recorded cost. A trial whose model
    has no price is not scored; nor is a turn of a trial with several, since costs are known per trial."""

    name = "cost"
    summary = "the trial's model calls cost at most this much"
    Argument = Money

    def score(self, context: ScoreContext, argument: Any) -> Score:
        cost = context.transcript.cost
        if context.number is not None and len(context.transcript.turns) > 1:
            return unscored("costs are known per trial; write this check in the case's expect")
        if cost is None:
            model = context.transcript.model
            return unscored(f"{model or 'the model'} has no known price; give it one in [tool.harness.prices]")
        return verdict(cost <= argument, f"cost ${cost:f}, limit ${argument:f}")


class FinishReason:
    """The model stopped for this reason, as the service names it: `finish_reason: stop`, or a list of reasons that are all
    right. With `scope: all` every turn must have."""

    name = "finish_reason"
    summary = "the model stopped for this reason"
    Argument = Annotated[
        Texts,
        BeforeValidator(
            lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | list[str]
        ),
    ]

    def score(self, context: ScoreContext, argument: tuple[str, ...]) -> Score:
        reasons = [turn.finish_reason for turn in context.turns]
        wrong = [reason for reason in reasons if reason is not None and reason not in argument]
        if wrong:
            return verdict(False, f"stopped for {wrong[0]!r}, expected {' or '.join(map(repr, argument))}")
        if None in reasons:
            return unscored("the service gave no finish reason")
        return verdict(True, f"stopped for {reasons[-1]!r}")


class Refused:
    """The assistant refused: `refused: true`; `refused: false` asks for the contrary.

    It did if the service says so (the refusal field of the answer), or if the answer opens with a refusal in plain
    English: an apology or none, then one of "I can't / cannot / won't / am unable to / am not able to / must decline to"
    with help, assist, comply, do that, provide, ... as listed in the docs. "I can't find that in the policy" is no
    refusal. Refusals in other words or languages need `regex` or a judge. With `scope: all` one turn is enough.
    """

    name = "refused"
    summary = "the assistant refused"
    Argument = bool

    def score(self, context: ScoreContext, argument: bool) -> Score:
        for turn in context.turns:
            if turn.refusal:
                return verdict(argument, f"the service marks a refusal: {turn.refusal[:80]}")
            opening = opening_refusal(turn.output)
            if opening is not None:
                return verdict(argument, f"opens with a refusal: {opening}")
        return verdict(not argument, "no refusal")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [Latency(), Ttft(), Tokens(), Cost(), FinishReason(), Refused()]


def _above(count: int | None, limit: int | None) -> bool:
    return count is not None and limit is not None and count > limit


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
