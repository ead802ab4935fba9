"""Which way an assistant took: the order of its calls, and what it said between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.records import Message, ToolCall, Transcript, TurnRecord
from tests.scorers.talks import call, talk

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

WAY = talk(
    [call("search"), call("look"), call("search"), call("refund", order_id="4712", amount=3)], output="Refunded."
)


@pytest.mark.parametrize(
    ("argument", "passed", "value"),
    [
        (["search"], True, 1),
        (["search", "refund"], True, 1),
        (["search", "search", "refund"], True, 1),
        (["look", "refund", "search"], False, 2 / 3),
        (["gone", "look", "refund"], False, 2 / 3),
        (["search", "search", "search"], False, 2 / 3),
        ({"names": ["search", "look", "search", "refund"], "mode": "exact"}, True, 1),
        ({"names": ["search", "look", "refund"], "mode": "exact"}, False, 3 / 4),
        ({"names": ["search", "look", "search", "refund", "bye"], "mode": "exact"}, False, 4 / 5),
        ({"names": ["refund", "search", "look"], "mode": "any_order"}, True, 1),
        ({"names": ["refund", "search", "search"], "mode": "any_order"}, True, 1),
        ({"names": ["search", "search", "search", "gone"], "mode": "any_order"}, False, 1 / 2),
    ],
)
def test_tool_sequence(texts: Bench, argument: Any, passed: bool, value: float) -> None:
    result = texts.check("tool_sequence", argument, WAY)
    assert (result.passed, result.value) == (passed, pytest.approx(value))


def test_a_sequence_says_what_is_missing_and_what_was_called(texts: Bench) -> None:
    for argument, said in (
        (["refund", "look"], "look was not called after refund; called: search, look, search, refund"),
        (["search", "gone"], "gone was not called"),
        (["look", "look"], "look was not called again after look"),
        ({"names": ["look", "look", "gone"], "mode": "any_order"}, "not often enough: look, gone"),
        ({"names": ["look"], "mode": "exact"}, "expected exactly look"),
    ):
        assert said in texts.check("tool_sequence", argument, WAY).reason
    assert "no tool was called" in texts.check("tool_sequence", ["a"], talk([])).reason


def test_a_sequence_across_turns_needs_the_scope(texts: Bench) -> None:
    transcript = talk([call("search")], [call("refund")])
    assert texts.passes("tool_sequence", ["search", "refund"], transcript, scope="all") is True
    assert texts.passes("tool_sequence", ["search", "refund"], transcript) is False
    assert texts.passes("tool_sequence", ["search"], transcript, turn=1) is True


STEPS: list[dict[str, Any]] = [
    {"tool": "search"},
    {"tool": "refund", "args": {"order_id": "4712"}},
    {"say": "Refunded"},
]


def test_steps_in_order_with_anything_between(texts: Bench) -> None:
    result = texts.check("trajectory", STEPS, WAY)
    assert (result.passed, result.value) == (True, 1)
    assert texts.passes("trajectory", [{"say": "Refunded"}], WAY) is True


@pytest.mark.parametrize(
    ("steps", "value", "said"),
    [
        ([STEPS[1], STEPS[0], STEPS[2]], 2 / 3, "step 2 (call search) did not happen after step 1"),
        ([{"tool": "gone"}, *STEPS[1:]], 2 / 3, "step 1 (call gone) did not happen; 2 of 3 steps"),
        ([STEPS[0], {"tool": "refund", "args": {"order_id": 4712}}], 1 / 2, "$.order_id: expected 4712, got '4712'"),
        ([STEPS[2], STEPS[2]], 1 / 2, "did not happen after step 1"),
        ([{"say": "refunded"}], 0, "said 'Refunded.'"),
    ],
)
def test_the_share_of_steps_that_were_taken(texts: Bench, steps: Any, value: float, said: str) -> None:
    result = texts.check("trajectory", steps, WAY)
    assert (result.passed, result.value) == (False, pytest.approx(value))
    assert said in result.reason


def test_a_threshold_asks_for_a_part_of_the_way(texts: Bench) -> None:
    steps = [*STEPS, {"tool": "survey"}]
    assert texts.passes("trajectory", steps, WAY, threshold=0.75) is True
    assert texts.passes("trajectory", steps, WAY, threshold=0.8) is False


def test_what_is_said_between_calls_is_a_step(texts: Bench) -> None:
    look, refund = call("look"), call("refund")
    searched = ToolCall(id="s", name="file_search", arguments={}, source="service")
    messages = (
        Message(role="assistant", content="An example of the prompt."),
        Message(role="user", content="Money back!"),
        Message(role="assistant", content="Let me look.", tool_calls=(look,)),
        Message(role="tool", content="ok", tool_call_id="look"),
        Message(role="assistant", content="The policy allows it.", tool_calls=(searched, refund)),
        Message(role="tool", content="ok", tool_call_id="refund"),
        Message(role="assistant", content="Done."),
    )
    calls = (look, searched, refund)
    turn = TurnRecord(input=("Money back!",), output="Done.", tool_calls=calls, steps=3)
    transcript = Transcript(output="Done.", messages=messages, turns=(turn,), tool_calls=calls)
    way = [
        {"say": "Let me look"},
        {"tool": "look"},
        {"tool": "file_search"},
        {"say": "policy"},
        {"tool": "refund"},
        {"say": "Done"},
    ]
    assert texts.check("trajectory", way, transcript).reason == "all 6 steps in order"
    assert texts.passes("trajectory", [{"say": "example"}], transcript, scope="all") is False
    assert texts.passes("trajectory", [{"tool": "refund"}, {"say": "policy"}], transcript) is False


def test_the_way_across_turns_needs_the_scope(texts: Bench) -> None:
    transcript = talk([call("search")], [call("refund")], output="ok")
    steps = [{"tool": "search"}, {"say": "ok"}, {"tool": "refund"}, {"say": "ok"}]
    assert texts.passes("trajectory", steps, transcript, scope="all") is True
    assert texts.check("trajectory", steps, transcript).value == 0.5


@pytest.mark.parametrize(
    ("scorer", "argument", "said"),
    [
        ("tool_sequence", [], "at least 1 item"),
        ("tool_sequence", [""], "at least 1 character"),
        ("tool_sequence", [7], "valid string"),
        ("tool_sequence", {"names": ["a"], "mode": "ordered"}, "'in_order', 'exact' or 'any_order'"),
        ("tool_sequence", {"mode": "exact"}, "needs 'names'"),
        ("trajectory", [], "at least 1 item"),
        ("trajectory", [{}], "a step is {tool: NAME} or {say: TEXT}"),
        ("trajectory", [{"tool": "a", "say": "b"}], "a step is {tool: NAME} or {say: TEXT}"),
        ("trajectory", [{"say": "b", "args": {}}], "args go with a tool"),
        ("trajectory", [{"tol": "a"}], "unknown key 'tol'"),
        ("trajectory", ["search"], "dictionary"),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(texts: Bench, scorer: str, argument: Any, said: str) -> None:
    complaints = texts.complaints(scorer, argument)
    assert any(said in complaint for complaint in complaints), complaints
