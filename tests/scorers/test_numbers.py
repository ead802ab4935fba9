from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.numbers import find_numbers, parse_number

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)


@given(number=decimals, written=st.sampled_from(["{:f}", "{:,f}", "{:.3e}", "{:+f}"]))
def test_numbers_are_read_as_they_are_written(number: Decimal, written: str) -> None:
    text = written.format(number)
    assert parse_number(text) == Decimal(text.replace(",", ""))
    (found,) = find_numbers(f"It is {text}.")
    assert found.value == parse_number(text)


@given(number=st.integers(-(10**15), 10**15))
def test_every_separator_of_thousands_is_read(number: int) -> None:
    for separator in (",", "'", "\u2019", "\u00a0", "\u202f", "\u2009"):
        assert parse_number(f"{number:,}".replace(",", separator)) == number


@given(text=st.text(max_size=80))
def test_any_text_can_be_searched(text: str) -> None:
    for found in find_numbers(text):
        assert text[found.start : found.end]
        assert found.value is None or found.value.is_finite()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The answer is 42.", ["42"]),
        ("$1,234.50 and -$5", ["1234.50", "-5"]),
        ("3-5 days, 10:30, 2026-11-21", ["3", "5", "10", "30", "2026", "11", "21"]),
        ("- 5 apples\n- 6 pears", ["5", "6"]),
        ("\u22123 degrees", ["-3"]),
        ("GPT4, v2.1, H2O, A_4, 0x1F", []),
        ("50% of 4s, 2nd", ["50", "4", "2"]),
        ("1.5e3 and 2E-2.", ["1500", "0.02"]),
        ("1, 2, 3", ["1", "2", "3"]),
        (".5 or 0.5...", ["0.5", "0.5"]),
    ],
)
def test_numbers_in_prose(text: str, values: list[str]) -> None:
    assert [found.value for found in find_numbers(text)] == [Decimal(value) for value in values]


@pytest.mark.parametrize("text", ["12,5", "1.2.3", "1,23,456", "1.234,56", "127.0.0.1"])
def test_digits_with_two_readings_equal_no_number(texts: Bench, text: str) -> None:
    (found,) = find_numbers(text)
    assert found.value is None
    result = texts.check("numeric", {"min": -(10**9), "max": 10**9}, text)
    assert result.passed is False
    assert "more than one way" in result.reason


@pytest.mark.parametrize(
    ("argument", "output", "passed"),
    [
        (42, "The 3 items cost $42.", True),
        (42, "42 of 50", False),
        ({"value": 42, "pick": "first"}, "42 of 50", True),
        ({"value": 42, "pick": "any"}, "7, 42 and 50", True),
        ({"value": 42, "pick": "only"}, "42 of 50", False),
        ({"value": 42, "pick": "only"}, "just 42", True),
        (0.1, "0.10", True),
        ("$1,234", "That is 1234 dollars", True),
        ({"value": 10, "tolerance": 0.5}, "10.5", True),
        ({"value": 10, "tolerance": 0.5}, "10.51", False),
        ({"value": -200, "tolerance": "1%"}, "-198", True),
        ({"value": -200, "tolerance": "1%"}, "-197.9", False),
        ({"min": 1}, "0.99", False),
        ({"min": 1, "max": 10}, "10", True),
        ({"max": 10}, "10.0001", False),
        (42, "no digits", False),
        (5, "five", False),
        (2, "__import__('os').system('true') or 1+1", False),
    ],
)
def test_numeric(texts: Bench, argument: object, output: str, passed: bool) -> None:
    assert texts.passes("numeric", argument, output) is passed


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("3-5 days", "is not one number"),
        ("many", "is not one number"),
        (True, "true is not a number"),
        (None, "give a number"),
        ({"value": 1, "min": 0}, "give a number, or min and max"),
        ({"min": 3, "max": 1}, "min 3 is above max 1"),
        ({"min": 3, "tolerance": 1}, "tolerance goes with a number"),
        ({"value": 3, "tolerance": -1}, "is no tolerance"),
        ({"value": 3, "tolerance": "some"}, "is no tolerance"),
        ({"value": float("nan")}, "finite number"),
        ({"value": 3, "pick": "best"}, "'last', 'first', 'any' or 'only'"),
    ],
)
def test_wrong_arguments(texts: Bench, argument: object, said: str) -> None:
    complaints = texts.complaints("numeric", argument)
    assert any(said in complaint for complaint in complaints), complaints


def test_endless_digits_are_quick_and_equal_nothing(texts: Bench) -> None:
    started = time.process_time()
    for output in ("9" * 1_000_000, "1," * 500_000, "1e999999999", "1'" * 300_000, "-" * 300_000 + "1"):
        assert texts.passes("numeric", 7, output) is False
    assert time.process_time() - started < 5
