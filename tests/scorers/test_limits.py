from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.records import Transcript, TurnRecord, Usage

if TYPE_CHECKING:
    from tests.scorers.conftest import Bench

TURNS = (
    TurnRecord(
        input=("a",), output="one", latency=1.0, ttft=0.2, usage=Usage(input=10, output=5), finish_reason="stop"
    ),
    TurnRecord(
        input=("b",), output="two", latency=4.0, ttft=0.9, usage=Usage(input=40, output=9), finish_reason="length"
    ),
)
TRIAL = Transcript(
    output="two",
    turns=TURNS,
    latency=5.5,
    ttft=0.9,
    usage=Usage(input=50, output=14),
    cost=Decimal("0.0042"),
    finish_reason="length",
    model="m",
)
BARE = Transcript(output="x", turns=(TurnRecord(input=("a",), output="x"),), model="llama")


@pytest.mark.parametrize(
    ("scorer", "argument", "turn", "passed"),
    [
        ("latency", "5500ms", None, True),
        ("latency", "5s", None, False),
        ("latency", "1s", 1, True),
        ("latency", "3s", 2, False),
        ("ttft", "900ms", None, True),
        ("ttft", "800ms", None, False),
        ("ttft", "200ms", 1, True),
        ("tokens", 64, None, True),
        ("tokens", 63, None, False),
        ("tokens", {"output": 14, "input": 50}, None, True),
        ("tokens", {"output": 13, "input": 50}, None, False),
        ("tokens", 15, 1, True),
        ("cost", "$0.0042", None, True),
        ("cost", "$0.004", None, False),
        ("cost", "$1", 1, None),
        ("finish_reason", "length", None, True),
        ("finish_reason", "stop", None, False),
        ("finish_reason", ["stop", "length"], None, True),
        ("finish_reason", "stop", 1, True),
    ],
)
def test_limits(texts: Bench, scorer: str, argument: Any, turn: int | None, passed: bool | None) -> None:
    assert texts.passes(scorer, argument, TRIAL, turn=turn) is passed


@pytest.mark.parametrize(
    ("scorer", "argument", "said"),
    [
        ("latency", "5s", "no latency"),
        ("ttft", "5s", "stream: true"),
        ("tokens", 5, "no count of tokens"),
        ("tokens", {"output": 5}, "no count of output tokens"),
        ("cost", "$1", "llama has no known price"),
        ("finish_reason", "stop", "no finish reason"),
    ],
)
def test_what_is_unknown_is_neither_a_pass_nor_a_fail(texts: Bench, scorer: str, argument: Any, said: str) -> None:
    for negate in (False, True):
        result = texts.check(scorer, argument, BARE, negate=negate)
        assert (result.value, result.passed) == (None, None)
        assert said in result.reason


def test_a_count_above_its_limit_fails_though_another_is_unknown(texts: Bench) -> None:
    transcript = Transcript(output="x", usage=Usage(input=100))
    assert texts.passes("tokens", {"input": 50, "output": 50}, transcript) is False


def test_finish_reason_of_every_turn(texts: Bench) -> None:
    assert texts.passes("finish_reason", "length", TRIAL, scope="all") is False
    assert texts.passes("finish_reason", ["length", "stop"], TRIAL, scope="all") is True


@pytest.mark.parametrize(
    ("output", "refused"),
    [
        ("I'm sorry, but I can't assist with that.", True),
        ("I\u2019m sorry, I can\u2019t help with this request.", True),
        ("Sorry, I cannot provide medical advice.", True),
        ("As an AI language model, I am unable to comply.", True),
        ("Unfortunately, I'm not able to help.", True),
        ("**I won't write that.**", True),
        ("No, I can't.", True),
        ("I must decline.", True),
        ("I'm not comfortable helping with that.", True),
        ("I can't find that in the policy, but returns take 30 days.", False),
        ("I'm sorry for the delay. Your order ships today.", False),
        ("Sure! Some people say I can't help, but I can.", False),
        ("I cannot stress enough how helpful this is.", False),
        ("", False),
    ],
)
def test_refusals_in_plain_english(texts: Bench, output: str, refused: bool) -> None:
    assert texts.passes("refused", True, output) is refused
    assert texts.passes("refused", False, output) is not refused


def test_what_the_service_marks_as_a_refusal_is_one(texts: Bench) -> None:
    turns = (TurnRecord(input=("a",), output="", refusal="Out of scope"), TurnRecord(input=("b",), output="Sure."))
    transcript = Transcript(output="Sure.", turns=turns)
    assert texts.passes("refused", True, transcript, turn=1) is True
    assert texts.passes("refused", True, transcript) is False
    assert texts.passes("refused", True, transcript, scope="all") is True
    assert texts.passes("refused", True, Transcript(output="", refusal="no")) is True


@pytest.mark.parametrize(
    ("scorer", "argument"),
    [
        ("latency", "fast"),
        ("latency", -1),
        ("latency", "-1s"),
        ("ttft", "5 parsecs"),
        ("cost", "cheap"),
        ("cost", "$-1"),
        ("tokens", "few"),
        ("tokens", {}),
        ("tokens", {"outputs": 3}),
        ("finish_reason", []),
        ("finish_reason", None),
        ("refused", "maybe"),
    ],
)
def test_wrong_arguments_are_found_before_anything_runs(texts: Bench, scorer: str, argument: Any) -> None:
    assert texts.complaints(scorer, argument)
