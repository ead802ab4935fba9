"""`mocks:` of a case: results and errors that are written down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.clock import LiveClock
from harness.errors import TrialError
from harness.records import ToolCall
from harness.tools import Mocks, RecordedCall, Tool, Toolbox, read_mocks, tool_of


def status(order_id: str, express: bool = False) -> dict[str, Any]:
    """Where an order is."""
    raise AssertionError("a mocked tool is not called")


def mocked(given: Any) -> Mocks:
    problems: list[Any] = []
    found = read_mocks(given, lambda *told: problems.append(told))
    assert problems == []
    return found


def ask(given: Any, *arguments: dict[str, Any], together: bool = False, **more: Any) -> list[Any]:
    """Call `status` with each arguments; return results, and errors as `!text`."""
    box = Toolbox([tool_of(status)], clock=LiveClock(), mocks=mocked(given), **more)
    calls = [ToolCall(id=f"c{n}", name="status", arguments=one) for n, one in enumerate(arguments)]

    async def work() -> list[ToolCall]:
        if together:
            return list(await box.run(calls))
        return [(await box.run([call]))[0] for call in calls]

    answers = asyncio.run(work())
    assert all(answer.source == "mock" for answer in answers)
    assert all((answer.failure == "mock") == (answer.error is not None) for answer in answers)
    return [answer.output if answer.error is None else f"!{answer.error}" for answer in answers]


ANY = {"order_id": "1"}


@pytest.mark.parametrize(
    ("given", "results"),
    [
        ("shipped", ["shipped", "shipped"]),
        ({"state": "shipped"}, [{"state": "shipped"}] * 2),
        ({"error": "503 upstream"}, ["!503 upstream"] * 2),
        ({"error": None, "state": "shipped"}, [{"error": None, "state": "shipped"}] * 2),
        ({"return": {"error": "no"}}, [{"error": "no"}] * 2),
        (None, [None, None]),
        (False, [False, False]),
        ([{"error": "503"}, "shipped"], ["!503", "shipped", "shipped"]),
        ([["a", "b"], []], [["a", "b"], [], []]),
        ({"return": []}, [[], []]),
    ],
    ids=str,
)
def test_a_result_serves_every_call_and_a_list_one_after_the_other(given: Any, results: list[Any]) -> None:
    assert ask({"status": given}, *[ANY] * len(results)) == results
    assert ask({"status": given}, *[ANY] * len(results), together=True) == results


def test_arguments_choose_the_first_mock_that_matches() -> None:
    given = [
        {"when": {"order_id": "4711", "express": True}, "return": "today"},
        {"when": {"order_id": "4711"}, "error": "late"},
        "first other",
        {"when": {"order_id": "4711"}, "return": "never"},
        "next other",
    ]
    found = ask(
        {"status": given},
        {"order_id": "1"},
        {"order_id": "4711", "express": True},
        {"order_id": "4711"},
        {"order_id": "2"},
        {"order_id": "4711"},
        {"order_id": "3"},
    )
    assert found == ["first other", "today", "!late", "next other", "!late", "next other"]


def test_a_call_that_no_mock_matches_is_an_error() -> None:
    given = {"when": {"order_id": "4711"}, "return": "shipped"}
    assert ask({"status": given}, ANY, {"order_id": "4711"}) == ["!no mock matches these arguments", "shipped"]


def test_values_are_compared_as_json() -> None:
    def count(amount: float, tags: list[str]) -> str:
        """Count."""
        return ""

    mocks = mocked({"count": {"when": {"amount": 1, "tags": ["a"]}, "return": "matched"}})
    box = Toolbox([tool_of(count)], clock=LiveClock(), mocks=mocks)
    [found] = asyncio.run(box.run([ToolCall(id="c", name="count", arguments='{"tags": ["a"], "amount": 1.0}')]))
    assert found.output == "matched"


def test_templates_are_filled_in_at_the_time_of_the_call() -> None:
    saved = {"ticket": "T1"}

    def render(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: render(one) for key, one in value.items()}
        return saved["ticket"] if value == "{{ ticket }}" else value

    given = [
        {"when": {"order_id": "{{ ticket }}"}, "return": {"id": "{{ ticket }}"}},
        {"error": "{{ ticket }}"},
    ]
    box = Toolbox([tool_of(status)], clock=LiveClock(), mocks=mocked({"status": given}), render=render)

    def called(order_id: str) -> ToolCall:
        return asyncio.run(box.run([ToolCall(id="c", name="status", arguments={"order_id": order_id})]))[0]

    assert called("T1").output == {"id": "T1"}
    saved["ticket"] = "T2"
    assert called("T2").output == {"id": "T2"}
    assert called("T1").error == "T2"


def test_mocks_come_before_the_recording() -> None:
    recorded = [RecordedCall(id="c0", name="status", arguments=ANY, output="recorded")]
    assert ask({"status": "mocked"}, ANY, recorded=recorded) == ["mocked"]


def test_wrong_arguments_are_told_to_the_model_all_the_same() -> None:
    box = Toolbox([tool_of(status)], clock=LiveClock(), mocks=mocked({"status": "x"}))
    [found] = asyncio.run(box.run([ToolCall(id="c", name="status", arguments={"order": "1"})]))
    assert found.failure == "arguments"


def test_a_tool_without_code_lives_by_its_mocks() -> None:
    declared = Tool(name="weather", kind="declared", explicit=True)
    call = ToolCall(id="c", name="weather", arguments={})
    box = Toolbox([declared], clock=LiveClock(), mocks=mocked({"weather": "rain"}))
    assert asyncio.run(box.run([call]))[0].output == "rain"
    for recorded in (None, ()):
        box = Toolbox([declared], clock=LiveClock(), recorded=recorded)
        with pytest.raises(TrialError, match="'weather' has no code.*write `mocks: {weather: result}`"):
            asyncio.run(box.run([call]))


@pytest.mark.parametrize(
    ("given", "loc", "message"),
    [
        (["x"], (), "`mocks:` is a mapping"),
        ({"f": []}, ("f",), "'f' has no mock."),
        ({"f": {"when": {"a": 1}}}, ("f",), "a `return:` or an `error:`"),
        ({"f": {"return": 1, "error": "x"}}, ("f",), "a `return:` or an `error:`"),
        ({"f": [1, {"when": 3, "return": 1}]}, ("f", 1, "when"), "`when:` is a mapping"),
        ({"f": {"when": {}, "return": 1}}, ("f", "when"), "`when:` is a mapping"),
        ({"f": {"return": 1, "wen": {"a": 1}}}, ("f", "wen"), "unknown key 'wen' in a mock."),
        ({"f": {"error": {"code": 1}}}, ("f", "error"), "`error:` is the text that the model is told."),
    ],
    ids=str,
)
def test_every_mistake_is_told_with_its_place(given: Any, loc: Any, message: str) -> None:
    problems: list[Any] = []
    found = read_mocks(given, lambda *told: problems.append(told))
    assert found.by_tool == {}
    assert problems[0][0] == loc
    assert message in problems[0][1]


def test_mocks_are_plain_data_for_hashes() -> None:
    given = {"f": [{"when": {"a": 1}, "return": 2}, {"error": "x"}, "y"]}
    assert mocked(given).plain() == {"f": [{"when": {"a": 1}, "return": 2}, {"error": "x"}, {"return": "y"}]}
