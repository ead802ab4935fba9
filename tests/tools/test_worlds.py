"""The world that tools act on, and what of it stands in a result."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.clock import LiveClock
from harness.errors import TrialError, UsageError
from harness.functions import Functions, Place
from harness.records import ToolCall
from harness.tools import Tool, Toolbox, ToolSpec, load_tools, new_world, snapshot, tool_of


@dataclass
class Order:
    id: str
    price: Decimal
    closed: bool = False


class Colour(Enum):
    RED = "red"


class Item(BaseModel):
    sku: str
    price: Decimal


class Shelf:
    def __init__(self) -> None:
        self.number = 1
        self._hidden = 2


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self) -> None:
        self.left = 1


class Shop:
    def __init__(self) -> None:
        self.orders = {"4712": Order("4712", Decimal("1.10")), 7: Order("7", Decimal(2))}
        self.tags = {"b", "a", "c"}
        self.sizes = {10, 9, 2.5}
        self.opened = datetime(2026, 11, 21, tzinfo=UTC)
        self.log = deque(["x"])
        self.pair = (1, None)
        self.colour = Colour.RED
        self.item = Item(sku="s", price=Decimal(3))
        self.shelf = Shelf()
        self.slotted = Slotted()
        self.path = PurePosixPath("a/b")
        self.raw = b"bytes"
        self.nan = float("nan")
        self.huge = 10**500
        self.odd = "\ud800"
        self.itself = self
        self.other = object()
        self._secret = "no"

    def close(self, order_id: str) -> str:
        """Close an order."""
        self.orders[order_id].closed = True
        return "closed"


def test_public_attributes_become_plain_json() -> None:
    state = snapshot(Shop())
    assert state == {
        "orders": {
            "4712": {"id": "4712", "price": "1.10", "closed": False},
            "7": {"id": "7", "price": "2", "closed": False},
        },
        "tags": ["a", "b", "c"],
        "sizes": [2.5, 9, 10],
        "opened": "2026-11-21T00:00:00+00:00",
        "log": ["x"],
        "pair": [1, None],
        "colour": "red",
        "item": {"sku": "s", "price": "3"},
        "shelf": {"number": 1},
        "slotted": {"left": 1},
        "path": "a/b",
        "raw": "bytes",
        "nan": "nan",
        "huge": "an integer of 1661 bits",
        "odd": "?",
        "itself": "...",
        "other": "<object object>",
    }
    assert json.loads(json.dumps(state, allow_nan=False).encode()) == state


def test_a_world_may_say_itself_what_it_looks_like() -> None:
    class Own:
        def __init__(self) -> None:
            self.noise = 1

        def snapshot(self) -> Any:
            return {"orders": {1, 2}}

    assert snapshot(Own()) == {"orders": [1, 2]}


def test_a_snapshot_that_fails_is_an_error_of_the_trial() -> None:
    class Own:
        def snapshot(self) -> Any:
            raise ValueError("no view")

    with pytest.raises(TrialError, match=r"Own\.snapshot\(\) failed: ValueError: no view") as raised:
        snapshot(Own())
    assert raised.value.kind == "env"


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.decimals()
        | st.binary()
        | st.datetimes(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner) | st.tuples(inner, inner),
        max_leaves=10,
    )
)
def test_whatever_a_world_holds_becomes_json_that_a_file_can_hold(value: Any) -> None:
    class World:
        def __init__(self) -> None:
            self.value = value

    state = snapshot(World())
    text = json.dumps(state, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == state


def tools_of(world: type, *names: str) -> tuple[Tool, ...]:
    specs = [ToolSpec(kind="env", reference=f"env:{name}") for name in names]
    place: Any = Place(root=None, folder=None)  # type: ignore[arg-type]
    return load_tools(specs, functions=Functions(), place=place, world_class=world)


def test_methods_change_the_world_of_their_trial_and_no_other() -> None:
    async def work() -> list[Any]:
        states = []
        for order in ("4712", 7):
            world = await new_world(Shop)
            box = Toolbox(tools_of(Shop, "close"), clock=LiveClock(), world=world)
            [answer] = await box.run([ToolCall(id="c", name="close", arguments={"order_id": str(order)})])
            states.append((answer.output or answer.error, box.state()["orders"]["4712"]["closed"]))
        return states

    assert asyncio.run(work()) == [("closed", True), ("KeyError: '7'", False)]


def test_calls_on_the_world_run_one_after_the_other_in_their_order() -> None:
    class Counter:
        def __init__(self) -> None:
            self.seen: list[str] = []
            self.inside = 0

        async def add(self, name: str) -> int:
            """Add."""
            self.inside += 1
            await asyncio.sleep(0)
            self.seen.append(name)
            self.inside -= 1
            return self.inside

    def look(env: Any, name: str) -> str:
        """Look."""
        env.seen.append(name)
        return "seen"

    world = Counter()
    box = Toolbox([*tools_of(Counter, "add"), tool_of(look)], clock=LiveClock(), world=world)
    names = [f"n{number}" for number in range(20)]
    calls = [
        ToolCall(id=name, name="add" if number % 2 else "look", arguments={"name": name})
        for number, name in enumerate(names)
    ]
    answers = asyncio.run(box.run(calls))
    assert world.seen == names
    assert {answer.output for answer in answers} == {0, "seen"}


def test_a_world_that_cannot_be_made_is_an_error_of_the_trial() -> None:
    class Broken:
        def __init__(self) -> None:
            raise RuntimeError("no stock")

    with pytest.raises(TrialError, match="Broken could not be made: RuntimeError: no stock") as raised:
        asyncio.run(new_world(Broken))
    assert raised.value.kind == "env"


def test_without_a_world_there_is_no_state_and_nothing_may_act_on_one() -> None:
    assert Toolbox([], clock=LiveClock()).state() is None
    with pytest.raises(UsageError, match="the tool 'close' acts on a world"):
        Toolbox(tools_of(Shop, "close"), clock=LiveClock())
