"""Numbers in prose: a strict grammar, never evaluation.

A number is digits with an optional decimal point, thousands separated by commas, apostrophes or narrow spaces in groups
of three, an optional exponent and an optional sign. Currency signs before it and units after it are passed over; nothing
is converted: `50%` is 50 and `3 km` is 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from harness.plugins import ScoreContext, Scorer, hookimpl
from harness.records import Score
from harness.scorers.arguments import ArgumentModel, shown, verdict

#: Digits of a number that are still read.
MAX_DIGITS = 300

# Every repetition is over one class of characters, or starts with a separator: time is linear in the text.
_RUN = re.compile(r"\d[\d.,'’\u00a0\u2009\u202f]*|\.\d+")
_PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_GROUPED = re.compile(r"\d{1,3}(?:([,'’\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*(?:\.\d+)?")
_SEPARATORS = re.compile(r"[,'’\u00a0\u2009\u202f]")
_EXPONENT = re.compile(r"[eE]([+\-\u2212]?\d{1,3})(?!\w|\.\d)")
_WORD = re.compile(r"\w*")
# A minus that joins the number to what stands before it, as in `3-5` and `2026-11-21`, is no sign.
_SIGN = re.compile(r"(?<![\w)\]%./\-\u2212])([+\-\u2212])[$€£¥₹]?\Z")
_BEFORE = re.compile(r"(?:[A-Z]{3}\s?|[$€£¥₹]\s?)?[+\-\u2212]?(?:[$€£¥₹]\s?)?")
_AFTER = re.compile(r"\s?(?:[%‰°$€£¥₹]|°?[^\W\d_]{1,20}(?:/[^\W\d_]{1,20})?)?\.?")
_EXACT = Context(prec=3 * MAX_DIGITS + 2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One number in a text; `value` is None where the digits have no single reading, as in `1.2.3` or `12,5`."""

    text: str
    value: Decimal | None
    #: Where the digits start and end.
    start: int
    end: int


def find_numbers(text: str) -> Iterator[Found]:
    """Yield the numbers of a text in order.

    Digits inside a word or identifier (`GPT4`, `v2`, `0x1F`) are no number.
    """
    position = 0
    while (match := _RUN.search(text, position)) is not None:
        run = match.group().rstrip(".,'’\u00a0\u2009\u202f")
        start, end = match.start(), match.start() + len(run)
        position = match.end()
        before = text[start - 1 : start]
        if before == "_" or (before.isascii() and before.isalpha()):
            continue
        if run == "0" and text[end : end + 1] in {"x", "X"}:
            position = _WORD.match(text, end).end()  # type: ignore[union-attr]  # it matches anything
            continue
        value = _value(run)
        exponent = _EXPONENT.match(text, end)
        if value is not None and exponent is not None:
            value = value.scaleb(int(exponent.group(1).replace("\u2212", "-")), context=_EXACT)
            end = position = exponent.end()
        sign = _SIGN.search(text[max(start - 3, 0) : start])
        if value is not None and sign is not None and sign.group(1) != "+":
            value = value.copy_negate()
        yield Found(text=(sign.group(1) if sign else "") + text[start:end], value=value, start=start, end=end)


def parse_number(text: str) -> Decimal | None:
    """Return the value of a text that is one number, perhaps with a currency sign or a unit; None if it is not."""
    stripped = text.strip()
    numbers = list(find_numbers(stripped))
    if len(numbers) != 1:
        return None
    alone = _BEFORE.fullmatch(stripped, 0, numbers[0].start) and _AFTER.fullmatch(stripped, numbers[0].end)
    return numbers[0].value if alone else None


def _value(run: str) -> Decimal | None:
    if len(run) > MAX_DIGITS:
        return None
    if _PLAIN.fullmatch(run):
        return Decimal(run)
    return Decimal(_SEPARATORS.sub("", run)) if _GROUPED.fullmatch(run) else None


def _as_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")  # noqa: TRY004 (pydantic collects these)
    if isinstance(value, str):
        number = parse_number(value)
        if number is None:
            raise ValueError(f"{shown(value)} is not one number")
        return number
    return value


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far off a number may be: an amount, or a share of the expected number."""

    amount: Decimal
    relative: bool

    @classmethod
    def of(cls, value: Any) -> Tolerance:
        """Read `0.5`, or `1%` of the expected number."""
        number = value if isinstance(value, Decimal) else None
        relative = isinstance(value, str) and value.strip().endswith("%")
        if isinstance(value, str):
            number = parse_number(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            number = Decimal(str(value))
        if number is None or not number.is_finite() or number < 0:
            raise ValueError(f"{shown(value)} is no tolerance; write an amount (0.5) or a share (1%)")
        return cls(number / 100 if relative else number, relative)

    def around(self, value: Decimal) -> Decimal:
        """Return the amount for this expected number."""
        return _EXACT.multiply(self.amount, abs(value)) if self.relative else self.amount


Number: TypeAlias = Annotated[Decimal, BeforeValidator(_as_number, json_schema_input_type=float | str)]


class NumericArgument(ArgumentModel):
    """Which number is asked for: a value, or bounds (both included)."""

    short = "value"

    value: Number | None = Field(default=None, description="the number, or a text that is one number")
    tolerance: Annotated[Tolerance, PlainValidator(Tolerance.of, json_schema_input_type=float | str)] | None = Field(
        default=None, description="how far off it may be: an amount, or a share of the value such as 1%"
    )
    min: Number | None = Field(default=None, description="the smallest number that passes")
    max: Number | None = Field(default=None, description="the largest number that passes")
    pick: Literal["last", "first", "any", "only"] = Field(
        default="last", description="which number of the answer counts; only: there must be exactly one"
    )

    @model_validator(mode="after")
    def _consistent(self) -> NumericArgument:
        bounds = self.min is not None or self.max is not None
        if (self.value is not None) == bounds:
            raise ValueError("give a number, or min and max")
        if self.tolerance is not None and bounds:
            raise ValueError("tolerance goes with a number, not with min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def accepts(self, number: Decimal | None) -> bool:
        """Say whether a number of the answer is the one asked for."""
        if number is None:
            return False
        if self.value is None:
            return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)
        if self.tolerance is None:
            return number == self.value
        return abs(_EXACT.subtract(number, self.value)) <= self.tolerance.around(self.value)

    def wanted(self) -> str:
        """Say what is asked for."""
        if self.value is not None:
            off = self.tolerance
            around = "" if off is None else f" ± {off.amount * 100 if off.relative else off.amount}"
            return f"{self.value}{around}{'%' if off is not None and off.relative else ''}"
        low = "" if self.min is None else f"at least {self.min}"
        high = "" if self.max is None else f"at most {self.max}"
        return " and ".join(part for part in (low, high) if part)


class Numeric:
    """A number in the answer is the one asked for: `numeric: 42`, `{value: 42, tolerance: 0.5}`, `{value: 42, tolerance:
    1%}` or `{min: 1, max: 10}`.

    The last number of the answer counts (`The 3 items cost $42.` gives 42); `pick` says `first`, `any` or `only` instead.
    Thousands may be separated (`1,234.50`, `1'234`), a minus, an exponent (`1.5e3`), a currency sign before and a unit
    after are understood, and nothing is converted: `50%` is 50. The decimal mark is the point. Digits that can be read in
    two ways (`12,5`, `1.2.3`) equal no number. The number asked for may be a text from a dataset (`"$1,234"`).
    """

    name = "numeric"
    summary = "a number in the answer is this one, or lies within bounds"
    Argument = NumericArgument

    def score(self, context: ScoreContext, argument: NumericArgument) -> Score:
        numbers = list(find_numbers(context.output))
        if not numbers:
            return verdict(False, f"no number in the answer, expected {argument.wanted()}")
        if argument.pick == "only" and len(numbers) > 1:
            return verdict(False, f"{len(numbers)} numbers in the answer ({_listed(numbers)}), expected only one")
        picked = {"last": numbers[-1:], "first": numbers[:1]}.get(argument.pick, numbers)
        found = next((number for number in picked if argument.accepts(number.value)), None)
        if found is not None:
            return verdict(True, f"found {found.text}")
        unclear = next((number for number in picked if number.value is None), None)
        note = f"; {shown(unclear.text)} can be read in more than one way" if unclear else ""
        return verdict(False, f"expected {argument.wanted()}, found {_listed(picked)}{note}")


def _listed(numbers: Sequence[Found]) -> str:
    return ", ".join(number.text[:40] for number in numbers[:8]) + (", ..." if len(numbers) > 8 else "")


@hookimpl
def harness_scorers() -> list[Scorer]:
    return [Numeric()]
