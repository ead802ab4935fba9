"""What calls cost. The oracle numbers were taken from the public price table by hand."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.costs import PriceTable
from harness.records import Usage
from harness.settings import Price

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gpt-4o", Usage(input=1000, output=200), "0.0045"),
        ("gpt-4o", Usage(input=1000, output=200, cached_input=800), "0.0035"),
        ("gpt-4-turbo", Usage(input=1000, output=200, cached_input=800), "0.016"),
        ("gpt-5", Usage(input=1000, output=200), "0.00325"),
        ("gpt-5", Usage(input=1000, output=200, reasoning=150), "0.00325"),
        ("gpt-4.1-mini", Usage(input=MILLION, output=0), "0.4"),
        ("gpt-4o", Usage(input=0, output=0), "0"),
    ],
)
def test_public_prices_with_cached_and_reasoning_tokens(model: str, usage: Usage, cost: str) -> None:
    assert str(PriceTable().cost(model, usage)) == cost


def test_a_price_that_changed_is_the_one_of_its_day() -> None:
    usage = Usage(input=MILLION, output=0)
    table = PriceTable()
    assert table.cost("o3", usage, at=datetime(2025, 6, 1, tzinfo=UTC)) == 10
    assert table.cost("o3", usage, at=datetime(2025, 6, 11, tzinfo=UTC)) == 2


@pytest.mark.parametrize("model", ["qwen2.5-coder-1.5b-instruct", "gpt-4o-2099-01-01", "mistral-7b", "claude-x", ""])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert PriceTable().cost(model, Usage(input=10, output=10)) is None


def test_a_model_that_is_not_paid_by_the_token_is_unpriced_rather_than_free() -> None:
    assert PriceTable().cost("whisper-1", Usage(input=10, output=10)) is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        Usage(input=10),
        Usage(output=10),
        Usage(input=10, output=10, cached_input=11),
        Usage(input=-1, output=10),
        Usage(input=10, output=-1),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o", "local"])
def test_tokens_that_are_missing_or_contradict_themselves_have_no_cost(model: str, usage: Usage) -> None:
    assert PriceTable({"local": _price()}).cost(model, usage) is None


def test_the_overlay_wins_and_has_a_note() -> None:
    table = PriceTable({"gpt-4o": _price(note="example rate")})
    assert table.cost("gpt-4o", Usage(input=MILLION, output=MILLION)) == Decimal("0.75")
    assert table.note("gpt-4o") == "example rate"
    assert table.note("gpt-5") is None


def test_cached_tokens_cost_their_own_rate_or_that_of_the_input() -> None:
    usage = Usage(input=MILLION, output=0, cached_input=MILLION // 2)
    assert PriceTable({"m": _price(cached="0.05")}).cost("m", usage) == Decimal("0.1")
    assert PriceTable({"m": _price()}).cost("m", usage) == Decimal("0.15")
    assert PriceTable({"m": _price(cached="0")}).cost("m", usage) == Decimal("0.075")


def test_the_id_names_table_and_overlay_and_changes_with_the_overlay() -> None:
    plain, one, other = PriceTable(), PriceTable({"m": _price()}), PriceTable({"m": _price(note="other")})
    assert plain.id.startswith("genai-prices ")
    assert "overlay" not in plain.id
    assert one.id.startswith(f"{plain.id} + overlay ")
    assert one.id != other.id
    assert one.id == PriceTable({"m": _price()}).id


@given(
    uncached=st.integers(0, 10**9),
    cached=st.integers(0, 10**9),
    output=st.integers(0, 10**9),
    rate=st.decimals(0, 1000, places=4),
)
def test_costs_are_exact_and_written_without_exponent(uncached: int, cached: int, output: int, rate: Decimal) -> None:
    table = PriceTable({"m": Price(input=rate, output=rate)})
    usage = Usage(input=uncached + cached, output=output, cached_input=cached)
    cost = table.cost("m", usage)
    assert cost is not None
    assert cost * MILLION == (uncached + cached + output) * rate
    assert "E" not in format(cost, "f")
    assert Decimal(format(cost, "f")) == cost


def test_the_public_table_is_not_loaded_where_the_overlay_knows_the_model() -> None:
    code = (
        "import sys; from harness.costs import PriceTable; from harness.settings import Price;"
        "from harness.records import Usage;"
        "t = PriceTable({'m': Price(input='$1', output='$1')}); t.id; t.cost('m', Usage(input=1, output=1));"
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _price(*, cached: str | None = None, note: str | None = None) -> Price:
    return Price.model_validate({"input": "$0.15", "output": "$0.60", "cached_input": cached, "note": note})
