"""Scorers that look at the words of an answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from harness.jsontext import JSONTooLarge, NotJSON, json_text, parse_json, same_json
from harness.patterns import Pattern
from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import JSON, Score
from harness.scorers.arguments import (
    ArgumentModel,
    Count,
    Text,
    Texts,
    shown,
    unscored,
    verdict,
)


class Equals:
    """The answer is the given text, apart from white space around either.

    A number, `true`, `false`, a list or a mapping is compared with the answer read as JSON, by value: `equals: 42` takes
    `42` and `42.0`. Upper and lower case differ; `transform: lower` changes that.
    """

    name = "equals"
    summary = "the answer is this text, or this JSON value"
    Argument = Any

    def score(self, context: ScoreContext, argument: JSON) -> Score:
        try:
            passed = _is(context.output, argument)
        except JSONTooLarge as error:
            return unscored(str(error))
        if passed:
            return verdict(True, f"equals {shown(argument)}")
        return verdict(False, f"expected {shown(argument)}, got {shown(context.output)}")


class OneOf:
    """The answer is one of the values in a list, each compared as `equals` compares."""

    name = "one_of"
    summary = "the answer is one of these"
    Argument = Annotated[tuple[Any, ...], Field(min_length=1)]

    def score(self, context: ScoreContext, argument: tuple[JSON, ...]) -> Score:
        try:
            found = [value for value in argument if _is(context.output, value)]
        except JSONTooLarge as error:
            return unscored(str(error))
        if found:
            return verdict(True, f"is {shown(found[0])}")
        return verdict(False, f"{shown(context.output)} is none of {shown(list(argument))}")


class Contains:
    """The answer contains the text, exactly as written. Numbers need no quotes: `contains: 42`."""

    name = "contains"
    summary = "the answer contains this text"
    Argument = Text

    def score(self, context: ScoreContext, argument: str) -> Score:
        passed = argument in context.output
        return verdict(passed, f"{'contains' if passed else 'does not contain'} {shown(argument)}")


class IContains:
    """The answer contains the text; upper and lower case are the same (Unicode case folding)."""

    name = "icontains"
    summary = "the answer contains this text, in any case"
    Argument = Text

    def score(self, context: ScoreContext, argument: str) -> Score:
        passed = argument.casefold() in context.output.casefold()
        return verdict(passed, f"{'contains' if passed else 'does not contain'} {shown(argument)} in any case")


class ContainsAny:
    """The answer contains at least one text of a list, exactly as written."""

    name = "contains_any"
    summary = "the answer contains at least one of these texts"
    Argument = Texts

    def score(self, context: ScoreContext, argument: tuple[str, ...]) -> Score:
        found = next((text for text in argument if text in context.output), None)
        if found is not None:
            return verdict(True, f"contains {shown(found)}")
        return verdict(False, f"contains none of {shown(list(argument))}")


class ContainsAll:
    """The answer contains every text of a list, exactly as written. Its value is the share that was found, so that
    `threshold: 0.5` asks for half of them."""

    name = "contains_all"
    summary = "the answer contains all of these texts"
    Argument = Texts

    def score(self, context: ScoreContext, argument: tuple[str, ...]) -> Score:
        missing = [text for text in argument if text not in context.output]
        value = (len(argument) - len(missing)) / len(argument)
        reason = f"lacks {shown(missing)}" if missing else f"contains all of {shown(list(argument))}"
        return Score(value=value, passed=not missing, reason=reason)


class StartsWith:
    """The answer starts with the text; white space before either is left out."""

    name = "starts_with"
    summary = "the answer starts with this text"
    Argument = Text

    def score(self, context: ScoreContext, argument: str) -> Score:
        passed = context.output.lstrip().startswith(argument.lstrip())
        start = "" if passed else f", but with {shown(context.output.lstrip()[: len(argument) + 20])}"
        return verdict(passed, f"{'starts' if passed else 'does not start'} with {shown(argument)}{start}")


class EndsWith:
    """The answer ends with the text; white space after either is left out."""

    name = "ends_with"
    summary = "the answer ends with this text"
    Argument = Text

    def score(self, context: ScoreContext, argument: str) -> Score:
        passed = context.output.rstrip().endswith(argument.rstrip())
        end = "" if passed else f", but with {shown(context.output.rstrip()[-len(argument) - 20 :])}"
        return verdict(passed, f"{'ends' if passed else 'does not end'} with {shown(argument)}{end}")


class Regex:
    """The regular expression matches somewhere in the answer.

    The syntax is RE2's, whose time is linear in the text: no look-around and no backreferences, which are refused when the
    suite is read. `(?i)` ignores case, `(?s)` lets `.` match line ends, `(?m)` makes `^` and `$` match at lines. `\\d`,
    `\\w` and `\\b` know ASCII only; `\\p{L}` is any letter.
    """

    name = "regex"
    summary = "this regular expression matches somewhere in the answer"
    Argument = Annotated[Text, AfterValidator(Pattern)]

    def score(self, context: ScoreContext, argument: Pattern) -> Score:
        passed = argument.search(context.output)
        return verdict(passed, f"{'matches' if passed else 'does not match'} {shown(argument.source)}")


class WordRange(ArgumentModel):
    """Bounds of a number of words, both included."""

    short = "max"

    min: Count | None = Field(default=None, description="fewest words")
    max: Count | None = Field(default=None, description="most words")

    @model_validator(mode="after")
    def _some(self) -> WordRange:
        if self.min is None and self.max is None:
            raise ValueError("give a number (the most words), or min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class WordCount:
    """The answer has at most this many words (`word_count: 50`), or a number between bounds (`{min: 20, max: 50}`). Words
    are what white space separates."""

    name = "word_count"
    summary = "the answer has at most this many words, or between min and max"
    Argument = WordRange

    def score(self, context: ScoreContext, argument: WordRange) -> Score:
        count = len(context.output.split())
        if argument.max is not None and count > argument.max:
            return verdict(False, f"{count} words, at most {argument.max} asked for")
        if argument.min is not None and count < argument.min:
            return verdict(False, f"{count} words, at least {argument.min} asked for")
        return verdict(True, f"{count} words")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [
        Equals(),
        OneOf(),
        Contains(),
        IContains(),
        ContainsAny(),
        ContainsAll(),
        StartsWith(),
        EndsWith(),
        Regex(),
        WordCount(),
    ]


def _is(output: str, value: JSON) -> bool:
    if isinstance(value, str):
        return output.strip() == value.strip()
    if output.strip() == json_text(value):
        return True
    try:
        return same_json(parse_json(output), value)
    except NotJSON:
        return False
