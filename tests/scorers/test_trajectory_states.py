"""What a conversation came to: the world's state, an end by a tool, its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.records import Transcript
from tests.scorers.talks import call, talk

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

SHOP = {"orders": {"4712": {"closed": True, "lines": [{"n": 1}, {"n": 1}]}, "4713": {"closed": False}}, "till": 12.0}


@pytest.mark.parametrize(
    ("argument", "passed", "value"),
    [
        ({"$.orders['4712'].closed": True}, True, 1),
        ({"$.orders['4713'].closed": True}, False, 0),
        ({"$.orders['4712'].closed": 1}, False, 0),
        ({"$.orders['4712'].closed": True, "$.till": 12}, True, 1),
        ({"$.orders['4712'].closed": True, "$.till": "12"}, False, 0.5),
        ({"$.orders['4713']": {"closed": False}}, True, 1),
        ({"$.orders['4712']": {"closed": True}}, False, 0),
        ({"$..n": 1}, True, 1),
        ({"$..closed": True}, False, 0),
        ({"$.gone": None}, False, 0),
        ({"$": SHOP}, True, 1),
    ],
)
def test_state(texts: Bench, argument: Any, passed: bool, value: float) -> None:
    result = texts.check("state", argument, talk([], state=SHOP))
    assert (result.passed, result.value) == (passed, value)


def test_the_reason_says_which_path_differs(texts: Bench) -> None:
    said = texts.check("state", {"$.till": 12, "$..closed": True, "$.gone": 1}, talk([], state=SHOP)).reason
    assert said == "$..closed: expected true, got false; $.gone selects nothing, expected 1"


@pytest.mark.parametrize("negate", [False, True])
def test_without_a_world_there_is_nothing_to_score(texts: Bench, negate: bool) -> None:
    result = texts.check("state", {"$.a": 1}, talk([]), negate=negate)
    assert (result.value, result.passed) == (None, None)
    assert result.reason == "this assistant has no env, so there is no state"


def test_an_empty_world_is_one(texts: Bench) -> None:
    assert texts.passes("state", {"$.a": 1}, talk([], state={})) is False
    assert texts.passes("state", {"$": []}, talk([], state=[])) is True


def test_the_state_belongs_to_the_end_of_a_trial(texts: Bench) -> None:
    transcript = talk([], [], state=SHOP)
    assert texts.passes("state", {"$.till": 12}, transcript) is True
    assert texts.passes("state", {"$.till": 12}, transcript, turn=2) is True
    for negate in (False, True):
        early = texts.check("state", {"$.till": 12}, transcript, turn=1, negate=negate)
        assert early.passed is None
        assert "end of a trial" in early.reason


@pytest.mark.parametrize("negate", [False, True])
def test_a_world_that_is_too_deep_is_not_scored(texts: Bench, negate: bool) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    assert texts.passes("state", {"$..x": 1}, talk([], state=deep), negate=negate) is None


ENDED = talk([], [call("hand_over")], extra={"end_run": {"data": {"to": "human", "why": {"code": 7, "text": "angry"}}}})


@pytest.mark.parametrize(
    ("argument", "passed"),
    [
        (True, True),
        (False, False),
        ({"to": "human"}, True),
        ({"why": {"code": 7}}, True),
        ({"why": {"code": "7"}}, False),
        ({"to": "robot"}, False),
        ({"gone": 1}, False),
        ("human", False),
    ],
)
def test_end_run(texts: Bench, argument: Any, passed: bool) -> None:
    assert texts.passes("end_run", argument, ENDED) is passed


def test_data_that_is_no_mapping_is_compared_whole(texts: Bench) -> None:
    for data, argument, passed in (
        ("bye", "bye", True),
        ("bye", "by", False),
        (7, 7, True),
        (7, "7", False),
        ([{"a": 1, "b": 2}], [{"a": 1}], False),
        (None, True, True),
    ):
        assert texts.passes("end_run", argument, talk([], extra={"end_run": {"data": data}})) is passed


def test_no_tool_ended_the_run(texts: Bench) -> None:
    for argument, passed in ((True, False), (False, True), ({"to": "human"}, False), ("bye", False)):
        assert texts.passes("end_run", argument, talk([])) is passed
    assert texts.check("end_run", {"to": "x"}, talk([])).reason == "no tool ended the run"
    assert texts.check("end_run", {"to": "x"}, ENDED).reason.endswith("$.to: expected 'x', got 'human'")


def test_only_the_last_turn_was_ended(texts: Bench) -> None:
    assert texts.passes("end_run", True, ENDED, turn=2) is True
    assert texts.passes("end_run", True, ENDED, turn=1) is False
    assert texts.passes("end_run", False, ENDED, turn=1) is True
    for negate in (False, True):
        assert texts.passes("end_run", True, ENDED, turn=3, negate=negate) is None


@pytest.mark.parametrize(
    ("argument", "passed"),
    [(3, True), (4, True), (2, False), ({"min": 3, "max": 3}, True), ({"min": 4}, False), ({"max": 2}, False)],
)
def test_turns(texts: Bench, argument: Any, passed: bool) -> None:
    transcript = talk([call("a"), call("a")], [], [])
    assert texts.passes("turns", argument, transcript) is passed
    assert texts.passes("turns", argument, transcript, turn=1) is passed
    assert texts.passes("turns", argument, transcript, scope="all") is passed


def test_an_answer_alone_is_one_turn(texts: Bench) -> None:
    assert texts.check("turns", 0, Transcript(output="x")).reason == "1 turn, at most 0 asked for"
    assert texts.passes("turns", 1, Transcript(output="x")) is True


@pytest.mark.parametrize(
    ("scorer", "argument", "said"),
    [
        ("state", {}, "at least 1 item"),
        ("state", "$.a", "dictionary"),
        ("state", {"orders": 1}, "is no JSONPath"),
        ("state", {"$.a[": 1}, "is no JSONPath"),
        ("turns", "few", "integer"),
        ("turns", {}, "give a number"),
        ("turns", {"min": 2, "max": 1}, "min 2 is above max 1"),
        ("turns", True, "true is no number"),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(texts: Bench, scorer: str, argument: Any, said: str) -> None:
    complaints = texts.complaints(scorer, argument)
    assert any(said in complaint for complaint in complaints), complaints
