"""Which tools were called, how often, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import ToolCall
from tests.scorers.talks import call, talk

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

CALLS = [call("search", q="a"), call("search", q="b"), call("refund", order_id="4712")]
TRIAL = talk(CALLS)
TWO = talk([call("search", q="a")], [call("refund", "raised", order_id="4712")])
SCORERS = {
    "tool_called": "search",
    "tool_sequence": ["search"],
    "tool_args": {"name": "search", "args": {}},
    "tool_count": 1,
    "tool_valid": True,
    "trajectory": [{"tool": "search"}],
}


@pytest.mark.parametrize(
    ("argument", "passed", "value"),
    [
        ("search", True, 1),
        ("gone", False, 0),
        ("Search", False, 0),
        (["search", "refund"], True, 1),
        (["search", "gone"], False, 0.5),
        ({"name": "search"}, True, 1),
        ({"name": "search", "times": 2}, True, 1),
        ({"name": "search", "times": 1}, False, 0),
        ({"name": "search", "min": 3}, False, 0),
        ({"name": "search", "max": 1}, False, 0),
        ({"name": "search", "min": 1, "max": 2}, True, 1),
        ({"name": "gone", "max": 3}, False, 0),
        ({"name": "gone", "min": 0, "max": 3}, True, 1),
        ({"name": "gone", "times": 0}, True, 1),
        ({"name": ["gone", "away"], "max": 0}, True, 1),
        ({"name": ["gone", "refund"], "times": 0}, False, 0.5),
        ({"name": ["search", "refund"], "times": 2}, False, 0.5),
    ],
)
def test_tool_called(texts: Bench, argument: Any, passed: bool, value: float) -> None:
    result = texts.check("tool_called", argument, TRIAL)
    assert (result.passed, result.value) == (passed, value)


def test_reasons_say_what_was_called(texts: Bench) -> None:
    assert texts.check("tool_called", ["search", "gone"], TRIAL).reason == (
        "gone was not called, at least 1 asked for; called: search, search, refund"
    )
    assert texts.check("tool_called", {"name": "search", "max": 1}, TRIAL).reason == (
        "search was called 2 times, at least 1 and at most 1 asked for; called: search, search, refund"
    )
    assert texts.check("tool_called", "search", talk([])).reason.endswith("; no tool was called")
    many = talk([call("search")] * 40)
    assert texts.check("tool_called", "x", many).reason.endswith("search, and 28 more")


@pytest.mark.parametrize(
    ("argument", "passed"),
    [
        (3, True),
        ("3", True),
        (2, False),
        (4, False),
        (0, False),
        ({"max": 3}, True),
        ({"max": 2}, False),
        ({"min": 4}, False),
        ({"times": 2, "name": "search"}, True),
        ({"max": 0, "name": "gone"}, True),
        ({"min": 1, "name": "gone"}, False),
    ],
)
def test_tool_count(texts: Bench, argument: Any, passed: bool) -> None:
    assert texts.passes("tool_count", argument, TRIAL) is passed


def test_no_calls_at_all(texts: Bench) -> None:
    assert texts.passes("tool_count", 0, talk([])) is True
    assert texts.check("tool_count", 0, TRIAL).reason == (
        "tools were called 3 times, exactly 0 asked for; called: search, search, refund"
    )


ORDER = talk(
    [
        call("check", order_id=4712, note="x"),
        call("check", order_id="4712", to={"city": "Bonn", "zip": "53111"}, items=[1, 2]),
        call("look"),
    ]
)


@pytest.mark.parametrize(
    ("argument", "passed"),
    [
        ({"args": {"order_id": "4712"}}, True),
        ({"args": {"order_id": 4712}}, True),
        ({"args": {"order_id": 4712.0}}, True),
        ({"args": {"order_id": "4712", "note": "x"}}, False),
        ({"args": {"to": {"city": "Bonn"}}}, True),
        ({"args": {"to": {"city": "Bonn", "street": "?"}}}, False),
        ({"args": {"items": [1, 2]}}, True),
        ({"args": {"items": [1]}}, False),
        ({"args": {"items": [2, 1]}}, False),
        ({"args": {"note": None}}, False),
        ({"args": {}}, True),
        ({"args": {}, "match": "exact"}, False),
        ({"args": {"order_id": 4712, "note": "x"}, "match": "exact"}, True),
        ({"args": {"order_id": 4712}, "match": "exact"}, False),
        ({"args": {"order_id": "4712", "to": {"city": "Bonn"}, "items": [1, 2]}, "match": "exact"}, False),
        ({"args": {"order_id": "4712"}, "any": True}, True),
        ({"args": {"order_id": "4712"}, "all": True}, False),
        ({"args": {"order_id": "4712"}, "any": False}, False),
        ({"args": {}, "all": True}, True),
    ],
)
def test_tool_args(texts: Bench, argument: dict[str, Any], passed: bool) -> None:
    assert texts.passes("tool_args", {"name": "check", **argument}, ORDER) is passed


@pytest.mark.parametrize(
    ("wanted", "made"), [("4712", 4712), (4712, "4712"), (1, True), (True, 1), ("true", True), (None, "null")]
)
def test_a_value_is_not_another_that_looks_like_it(texts: Bench, wanted: Any, made: Any) -> None:
    argument = {"name": "check", "args": {"order_id": wanted}}
    assert texts.passes("tool_args", argument, talk([call("check", order_id=made)])) is False
    assert texts.passes("tool_args", argument, talk([call("check", order_id=wanted)])) is True


def test_the_reason_names_the_nearest_call_and_what_differs(texts: Bench) -> None:
    result = texts.check(
        "tool_args", {"name": "check", "args": {"order_id": "4712", "to": {"city": "Ulm", "zip": "53111"}}}, ORDER
    )
    assert result.reason == "call 2 of 2 of check: $.to.city: expected 'Ulm', got 'Bonn'"
    extra = texts.check("tool_args", {"name": "look", "args": {"to": 1}}, ORDER)
    assert extra.reason == "the call of look: $.to: expected 1, is missing"
    exact = texts.check("tool_args", {"name": "check", "args": {"order_id": 4712}, "match": "exact"}, ORDER)
    assert exact.reason == "call 1 of 2 of check: $.note: not expected, got 'x'"
    gone = texts.check("tool_args", {"name": "gone", "args": {}}, ORDER)
    assert gone.reason == "gone was not called; called: check, check, look"
    odd = texts.check("tool_args", {"name": "look", "args": {"the city": 1}}, ORDER)
    assert "$['the city']" in odd.reason


def test_arguments_that_were_no_json_differ_and_are_shown(texts: Bench) -> None:
    broken = ToolCall(id="1", name="check", arguments='{"order_id": ', failure="arguments", error="no JSON")
    near = talk([broken, call("check", a=1, b=2)])
    result = texts.check("tool_args", {"name": "check", "args": {"a": 3, "b": 4}}, near)
    assert result.reason.startswith("call 2 of 2 of check: $.a")
    alone = texts.check("tool_args", {"name": "check", "args": {"a": 3}}, talk([broken]))
    assert '{"order_id": ' in alone.reason


def test_every_call_has_the_arguments_or_a_share_of_them(texts: Bench) -> None:
    argument = {"name": "check", "args": {"order_id": "4712"}, "all": True}
    assert texts.check("tool_args", argument, ORDER).value == 0.5
    assert texts.passes("tool_args", argument, ORDER, threshold=0.5) is True
    assert texts.passes("tool_args", {**argument, "name": "gone"}, ORDER) is False


@given(
    arguments=st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    ),
    data=st.data(),
)
def test_a_call_has_its_own_arguments_and_any_part_of_them(
    texts: Bench, arguments: dict[str, Any], data: st.DataObject
) -> None:
    made = talk([ToolCall(id="1", name="t", arguments=arguments)])
    assert texts.passes("tool_args", {"name": "t", "args": arguments, "match": "exact"}, made) is True
    part = {key: value for key, value in arguments.items() if data.draw(st.booleans())}
    assert texts.passes("tool_args", {"name": "t", "args": part}, made) is True
    exact = texts.passes("tool_args", {"name": "t", "args": part, "match": "exact"}, made)
    assert exact is (part == arguments)


def test_tool_valid(texts: Bench) -> None:
    calls = [call("a"), call("b", "unknown"), call("c", "arguments", x=1), call("d", "raised"), call("e", "timeout")]
    result = texts.check("tool_valid", True, talk(calls))
    assert (result.value, result.passed) == (pytest.approx(3 / 5), False)
    assert result.reason == "3 of 5 calls are valid; b: this went wrong: unknown"
    assert texts.passes("tool_valid", True, talk(calls), threshold=0.6) is True
    assert texts.passes("tool_valid", True, talk([calls[0], calls[3]])) is True
    assert texts.passes("tool_valid", False, talk(calls)) is True
    assert texts.passes("tool_valid", False, talk(calls[:1])) is False


def test_calls_that_an_agent_answered_itself_are_valid_where_their_arguments_are_an_object(texts: Bench) -> None:
    for arguments, valid in (({"a": 1}, True), (None, True), ('{"a": ', False), ([1], False)):
        own = ToolCall(id="1", name="a", arguments=arguments, output="x")
        assert texts.passes("tool_valid", True, talk([own])) is valid
    service = ToolCall(id="1", name="code_interpreter", arguments="print(1)", source="service")
    assert texts.passes("tool_valid", True, talk([service])) is True


def test_without_calls_all_calls_are_valid(texts: Bench) -> None:
    assert texts.passes("tool_valid", True, talk([])) is True
    assert texts.passes("tool_valid", False, talk([])) is False


@pytest.mark.parametrize("scorer", SCORERS)
def test_checks_look_at_the_last_turn_at_theirs_or_at_all(texts: Bench, scorer: str) -> None:
    transcript = talk([call("search")], [call("x", "unknown"), call("x", "unknown")])
    argument = SCORERS[scorer]
    assert texts.passes(scorer, argument, transcript) is False
    assert texts.passes(scorer, argument, transcript, turn=1) is True
    assert texts.passes(scorer, argument, transcript, turn=2) is False
    assert texts.passes(scorer, argument, transcript, scope="all") is (scorer not in ("tool_count", "tool_valid"))


def test_counts_across_turns_need_the_scope(texts: Bench) -> None:
    assert texts.passes("tool_count", 2, TWO, scope="all") is True
    assert texts.passes("tool_called", ["search", "refund"], TWO, scope="all") is True
    assert texts.passes("tool_called", ["search", "refund"], TWO) is False


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_turn_that_did_not_take_place_is_no_pass_under_not(texts: Bench, scorer: str) -> None:
    for negate in (False, True):
        result = texts.check(scorer, SCORERS[scorer], talk([]), turn=2, negate=negate)
        assert (result.value, result.passed) == (None, None)
        assert "did not take place" in result.reason


def test_not(texts: Bench) -> None:
    assert texts.passes("tool_called", "gone", TRIAL, negate=True) is True
    assert texts.passes("tool_called", "search", TRIAL, negate=True) is False
    assert texts.passes("tool_args", {"name": "refund", "args": {"order_id": "1"}}, TRIAL, negate=True) is True


@pytest.mark.parametrize(
    ("scorer", "argument", "said"),
    [
        ("tool_called", [], "at least 1 item"),
        ("tool_called", 7, "tuple"),
        ("tool_called", [""], "at least 1 character"),
        ("tool_called", {"times": 2}, "needs 'name'"),
        ("tool_called", {"name": "a", "times": 1, "max": 2}, "give times, or min and max"),
        ("tool_called", {"name": "a", "min": 3, "max": 2}, "min 3 is above max 2"),
        ("tool_called", {"name": "a", "time": 1}, "unknown key 'time'"),
        ("tool_called", {"name": "a", "times": -1}, "greater than or equal to 0"),
        ("tool_count", True, "true is no number"),
        ("tool_count", "few", "integer"),
        ("tool_count", {"name": "a"}, "give a number"),
        ("tool_args", "search", "dictionary"),
        ("tool_args", {"name": "a"}, "needs 'args'"),
        ("tool_args", {"args": {}}, "needs 'name'"),
        ("tool_args", {"name": "a", "args": [1]}, "dictionary"),
        ("tool_args", {"name": "a", "args": {}, "match": "part"}, "'subset' or 'exact'"),
        ("tool_args", {"name": "a", "args": {}, "any": True, "all": True}, "opposites"),
        ("tool_valid", "maybe", "boolean"),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(texts: Bench, scorer: str, argument: Any, said: str) -> None:
    complaints = texts.complaints(scorer, argument)
    assert any(said in complaint for complaint in complaints), complaints
