"""What a model writes as arguments: taken where it fits the tool, told back where it does not."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator

from harness.clock import LiveClock
from harness.records import ToolCall
from harness.tools import Tool, Toolbox, tool, tool_of


class Colour(Enum):
    RED = "red"


@dataclass
class Address:
    street: str


class Item(BaseModel):
    sku: str
    amount: int = Field(ge=1)

    @field_validator("sku")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "boom":
            raise RuntimeError("the shelf is empty")
        if not value.startswith("s"):
            raise ValueError("a sku starts with s")
        return value


def everything(
    text: str = "",
    number: int = 0,
    ratio: float = 0.0,
    flag: bool = False,
    colour: Colour = Colour.RED,
    size: Literal["s", "m"] = "s",
    on: date = date(2026, 1, 1),
    price: Decimal = Decimal(0),
    to: Address | None = None,
    item: Item | None = None,
    tags: set[str] = frozenset(),  # type: ignore[assignment]
    table: dict[str, list[int]] = {},
    what: Any = None,
) -> str:
    """Takes everything."""
    return "taken"


def answer(one: Tool, arguments: Any) -> ToolCall:
    box = Toolbox([one], clock=LiveClock())
    [found] = asyncio.run(box.run([ToolCall(id="c", name=one.name, arguments=arguments)]))
    return found


def taken(**arguments: Any) -> dict[str, Any]:
    return tool_of(everything).validate(arguments)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("text", "a", "a"),
        ("number", 3, 3),
        # JSON has one kind of number.
        ("number", 3.0, 3),
        ("ratio", 2, 2.0),
        ("flag", True, True),
        ("colour", "red", Colour.RED),
        ("size", "m", "m"),
        ("on", "2026-11-21", date(2026, 11, 21)),
        ("price", "1.10", Decimal("1.10")),
        ("to", {"street": "Main"}, Address("Main")),
        ("to", None, None),
        ("item", {"sku": "s1", "amount": 2}, Item(sku="s1", amount=2)),
        ("tags", ["a", "b", "a"], {"a", "b"}),
        ("table", {"a": [1, 2]}, {"a": [1, 2]}),
        ("what", {"x": [None]}, {"x": [None]}),
    ],
)
def test_arguments_arrive_as_the_types_say(name: str, given: Any, value: Any) -> None:
    assert taken(**{name: given}) == {name: value}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"number": "3"}, ["number: should be a valid integer", '"3"']),
        ({"number": True}, ["number: should be a valid integer"]),
        ({"number": 3.5}, ["number"]),
        ({"text": 3}, ["text: should be a valid string, not 3"]),
        ({"flag": "yes"}, ["flag: should be a valid boolean"]),
        ({"size": "xl"}, ["size: should be 's' or 'm'"]),
        ({"on": "tomorrow"}, ["on: "]),
        ({"item": {"sku": "s", "amount": 0}}, ["item.amount: should be greater than or equal to 1"]),
        ({"item": {"sku": "x", "amount": 1}}, ["item.sku: a sku starts with s"]),
        ({"item": {"sku": "boom", "amount": 1}}, ["RuntimeError: the shelf is empty"]),
        ({"to": {}}, ["to.street: is missing"]),
        ({"tabel": {}}, ["tabel: is not known", "Did you mean 'table'?"]),
        ({"number": "x", "flag": 1, "zzz": 0}, ["number:", "flag:", "zzz: is not known. There are: text, number"]),
        ({"ratio": math.nan}, ["not JSON"]),
        ([1], ["a JSON object, not a list"]),
        (None, ["a JSON object, not null"]),
        (True, ["a JSON object, not true or false"]),
        (3, ["a JSON object, not a number"]),
        ('"text"', ["a JSON object, not a text"]),
        ('{"text": "a"', ["not JSON", "line 1"]),
        ('{"text": "a", "text": "b"}', ["the key 'text' stands twice"]),
        ('{"ratio": NaN}', ["NaN"]),
        ("[" * 100_000, ["deeper than"]),
        ('{"text": "\\ud800"}', ["JSON"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_does_not_fit_is_told_to_the_model(arguments: Any, parts: list[str]) -> None:
    found = answer(tool_of(everything), arguments)
    assert found.failure == "arguments"
    assert found.output is None
    assert found.error.startswith("invalid arguments for everything: ")
    for part in parts:
        assert part in found.error


def test_missing_arguments_are_named() -> None:
    def order(order_id: str, amount: int) -> None:
        """Order."""

    found = answer(tool_of(order), {})
    assert found.error == "invalid arguments for order: order_id: is missing; amount: is missing"


@pytest.mark.parametrize("nothing", ["", "  ", "{}", {}])
def test_no_arguments_at_all_are_an_empty_object(nothing: Any) -> None:
    def now() -> str:
        """The time."""
        return "noon"

    assert answer(tool_of(now), nothing).output == "noon"


def test_text_that_holds_an_object_is_read() -> None:
    assert tool_of(everything).validate(' {"number": 4}\n') == {"number": 4}


def test_defaults_are_the_functions_own() -> None:
    seen: list[Any] = []

    def note(words: list[str] = seen, limit: int = Field(3, ge=1)) -> str:
        """Note."""
        words.append("x")
        return f"{limit}"

    assert answer(tool_of(note), {}).output == "3"
    assert seen == ["x"]
    assert answer(tool_of(note), {"limit": 0}).failure == "arguments"


def test_positional_and_renamed_parameters_are_filled() -> None:
    def add(a: int, b: int = 2, /, c: int = Field(alias="from", default=3)) -> int:
        """Add."""
        return a * 100 + b * 10 + c

    assert answer(tool_of(add), {"a": 1, "b": 5, "from": 7}).output == 157
    assert answer(tool_of(add), {"a": 1}).output == 123


def test_an_explicit_schema_is_what_counts() -> None:
    schema = {
        "properties": {"city": {"type": "string", "enum": ["Oslo"]}, "days": {"type": "integer", "maximum": 3}},
        "required": ["city"],
        "additionalProperties": False,
    }

    @tool(parameters=schema)
    def weather(city, **more):  # type: ignore[no-untyped-def]
        return {"city": city, **more}

    one = tool_of(weather)
    assert answer(one, {"city": "Oslo", "days": 2}).output == {"city": "Oslo", "days": 2}
    wrong = answer(one, {"days": 5, "hours": 1})
    assert wrong.failure == "arguments"
    for part in ("'city' is a required property", "days: 5 is greater than", "'hours' was unexpected"):
        assert part in wrong.error


def test_a_schema_that_refers_elsewhere_fetches_nothing() -> None:
    one = Tool(name="x", parameters={"properties": {"a": {"$ref": "http://192.0.2.1/schema.json"}}}, function=print)
    found = answer(one, {"a": 1})
    assert found.failure == "arguments"
    assert "refers to what is not in it" in found.error


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["text", "number", "ratio", "flag", "size", "on", "to", "item", "tags", "table", "what", "zzz"])


@settings(max_examples=300, deadline=None)
@given(arguments=st.dictionaries(NAMES, JSON_VALUES, max_size=5) | JSON_VALUES | st.text())
def test_whatever_a_model_writes_is_either_taken_or_told_back(arguments: Any) -> None:
    found = answer(tool_of(everything), arguments)
    assert (found.output is None) == (found.failure == "arguments") == (found.error is not None)
    if found.failure is None and isinstance(arguments, dict):
        assert "zzz" not in arguments
        assert isinstance(arguments.get("text", ""), str)
        assert isinstance(arguments.get("flag", False), bool)
        number = arguments.get("number", 0)
        assert not isinstance(number, bool)
        assert int(number) == number
    json.dumps(found.error)
