"""Numbers as every report writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.errors import ExitCode
from harness.reports import clean, tables, words
from harness.stats.intervals import Interval


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (None, "-"),
        (0.0, "0ms"),
        (0.41234, "412ms"),
        (0.9996, "1.00s"),
        (1.234, "1.23s"),
        (9.996, "10.0s"),
        (75, "75.0s"),
    ],
)
def test_durations_have_three_digits(duration: float | None, shown: str) -> None:
    assert words.seconds(duration) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "-"),
        ("0", "$0"),
        ("12.4", "$12.40"),
        ("1234.5", "$1234.50"),
        ("0.5", "$0.500"),
        ("0.00123456", "$0.00123"),
        ("0.00000007", "$0.0000000700"),
        ("-0.002", "-$0.00200"),
    ],
)
def test_money_keeps_three_significant_digits(amount: str | None, shown: str) -> None:
    assert words.money(None if amount is None else Decimal(amount)) == shown


def test_a_cost_that_is_not_known_is_said_to_be_so() -> None:
    assert words.cost(None, 3) == "unpriced"
    assert words.cost(None, 0) == "-"
    assert words.cost(Decimal("1.5"), 2) == "$1.50+"


def test_shares() -> None:
    assert words.accuracy(0.9333, Interval(low=0.787, high=0.982, method="Wilson")) == "93.3% [78.7, 98.2]"
    assert words.accuracy(None, None) == "-"


def test_moments_and_days() -> None:
    assert words.moment("2026-11-21T14:32:05Z") == "2026-11-21 14:32 UTC"
    assert words.moment("2026-11-21T14:32:05+01:00") == "2026-11-21 14:32+01:00"
    assert words.moment("soon") == "soon"
    assert words.recorded(("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z")) == "recorded 2026-11-20"
    assert words.recorded(None) == ""


def test_every_exit_code_has_a_word() -> None:
    assert len({words.ending(code) for code in ExitCode}) == len(ExitCode)


def test_listings_show_any_rows() -> None:
    shown = tables.listing(
        [{"name": "faq\x1b[2J", "cases": 30, "ok": True, "tags": ["a", "b"]}, {"name": "x", "note": None}]
    )
    assert shown.splitlines() == [
        "name  cases  ok   tags  note",
        "----  -----  ---  ----  ----",
        "faq      30  yes  a, b",
        "x",
    ]
    wide = tables.listing([{"name": "x " * 80, "note": "日本" * 80}], width=60)
    assert max(clean.cells(line) for line in wide.splitlines()) <= 60
