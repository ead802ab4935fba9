"""Agents of the OpenAI Agents SDK run as they are: given the session's client, they are recorded, and replay with no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.simulator.brain import Ask, Call, Piece, Refusal, Text
from tests.recorded_twice import both

pytest.importorskip("agents", reason="openai-agents comes with the extra `test`")

AGENT = '''
from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents import OpenAIChatCompletionsModel, OpenAIResponsesModel

set_tracing_disabled(True)


@function_tool
def order_status(order_id: str) -> str:
    """Look up an order."""
    return f"{order_id} has shipped"


@function_tool
async def delivery_date(order_id: str, express: bool) -> dict:
    """When an order arrives."""
    return {"order": order_id, "days": 1 if express else 5}


def agent(model):
    return Agent(name="Support", instructions="You help.", model=model, tools=[order_status, delivery_date])


async def responses(input, session):
    model = OpenAIResponsesModel(model="gpt-4.1-mini", openai_client=session.client)
    return (await Runner.run(agent(model), input)).final_output


async def chat(input, session):
    model = OpenAIChatCompletionsModel(model="gpt-4.1-mini", openai_client=session.client)
    return (await Runner.run(agent(model), input)).final_output


async def _streamed(model, input):
    async for event in Runner.run_streamed(agent(model), input).stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            yield event.data.delta


async def streamed_responses(input, session):
    async for piece in _streamed(OpenAIResponsesModel(model="gpt-4.1-mini", openai_client=session.client), input):
        yield piece


async def streamed_chat(input, session):
    async for piece in _streamed(OpenAIChatCompletionsModel(model="gpt-4.1-mini", openai_client=session.client), input):
        yield piece
'''

#: Two calls at once, then one more, then the answer.
STATUS = Call(name="order_status", arguments='{"order_id": "4711"}')
DATE = Call(name="delivery_date", arguments='{"order_id": "4711", "express": false}')
EXPRESS = Call(name="delivery_date", arguments='{"order_id": "4711", "express": true}')


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def support(ask: Ask) -> list[Piece]:
    results = [message for message in ask.messages if message["role"] == "tool"]
    if not results:
        return [STATUS, DATE]
    if len(results) == 2:
        return [EXPRESS]
    return [Text("It has shipped, "), Text("and takes 5 days.")]


def told(calls: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [(call["name"], call["arguments"], call["output"]) for call in calls]


@pytest.mark.parametrize("function", ["responses", "chat", "streamed_responses", "streamed_chat"])
def test_an_agent_with_tools_is_recorded_and_replays_with_every_call_and_its_result(
    project: Path, function: str
) -> None:
    (row,) = both(project, support, AGENT, function=function, extra="expect: {contains: 5 days}")
    assert row["outcome"] == "passed"
    assert row["output"] == "It has shipped, and takes 5 days."
    assert told(row["tool_calls"]) == [
        ("order_status", {"order_id": "4711"}, "4711 has shipped"),
        ("delivery_date", {"order_id": "4711", "express": False}, "{'order': '4711', 'days': 5}"),
        ("delivery_date", {"order_id": "4711", "express": True}, "{'order': '4711', 'days': 1}"),
    ]
    assert len({call["id"] for call in row["tool_calls"]}) == 3
    assert (row["finish_reason"], row["attempts"], row["turns"][0]["steps"]) == ("stop", 3, 3)
    assert len(row["response_ids"]) == 3
    assert row["model"] == "gpt-4.1-mini"
    assert row["latency"] > 0
    assert (row["ttft"] is not None) == function.startswith("streamed")


@pytest.mark.parametrize("function", ["responses", "chat"])
def test_checks_of_tools_work_on_an_agent_that_says_nothing_of_its_tools(project: Path, function: str) -> None:
    checks = "[tool_called: order_status, {tool_count: 3}, {tool_args: {name: delivery_date, args: {express: true}}}, {finish_reason: stop}]"
    (row,) = both(project, support, AGENT, function=function, extra=f"expect: {checks}")
    assert [check["passed"] for check in row["checks"]] == [True] * 4


def test_a_refusal_of_the_model_is_a_refusal_of_the_trial(project: Path) -> None:
    target = (
        AGENT
        + """

async def polite(input, session):
    from agents.exceptions import ModelRefusalError
    try:
        return await chat(input, session)
    except ModelRefusalError:
        return "Sorry."
"""
    )

    def refusing(ask: Ask) -> list[Piece]:
        return [Refusal("I cannot help with that.")]

    (row,) = both(project, refusing, target, function="polite", extra="expect: {refused: true}")
    assert row["output"] == "Sorry."
    assert row["turns"][0]["refusal"] == "I cannot help with that."
    assert row["checks"][0]["passed"] is True


def test_a_handoff_between_two_agents_is_one_trial(project: Path) -> None:
    target = (
        AGENT
        + """

async def desk(input, session):
    model = OpenAIResponsesModel(model="gpt-4.1-mini", openai_client=session.client)
    orders = Agent(name="Orders", instructions="You look up orders.", model=model, tools=[order_status])
    front = Agent(name="Front", instructions="You hand on.", model=model, handoffs=[orders])
    result = await Runner.run(front, input)
    return {"output": result.final_output, "extra": {"handled_by": result.last_agent.name}}
"""
    )

    def brain(ask: Ask) -> list[Piece]:
        names = {tool["function"]["name"] for tool in ask.tools}
        if "transfer_to_orders" in names:
            return [Call(name="transfer_to_orders", arguments="{}")]
        if "shipped" not in str(ask.messages[-1]["content"]):
            return [STATUS]
        return [Text("It has shipped.")]

    (row,) = both(project, brain, target, function="desk")
    assert row["extra"]["handled_by"] == "Orders"
    assert [call["name"] for call in row["tool_calls"]] == ["transfer_to_orders", "order_status"]
    assert row["tool_calls"][0]["output"] == {"assistant": "Orders"}
    assert row["tool_calls"][1]["output"] == "4711 has shipped"
    assert row["output"] == "It has shipped."


def test_an_agent_that_keeps_its_own_history_has_each_turns_calls_in_that_turn(project: Path) -> None:
    target = (
        AGENT
        + """

async def talk(input, session, messages):
    model = OpenAIResponsesModel(model="gpt-4.1-mini", openai_client=session.client)
    return (await Runner.run(agent(model), messages)).final_output
"""
    )

    def brain(ask: Ask) -> list[Piece]:
        if ask.messages[-1]["role"] == "tool":
            return [Text("Done.")]
        return [STATUS if "status" in str(ask.messages[-1]["content"]) else DATE]

    cases = "[{id: one, turns: [{input: What is its status?}, {input: And the date?}]}]"
    (row,) = both(project, brain, target, function="talk", cases=cases)
    assert [[call["name"] for call in turn["tool_calls"]] for turn in row["turns"]] == [
        ["order_status"],
        ["delivery_date"],
    ]
    assert [call["name"] for call in row["tool_calls"]] == ["order_status", "delivery_date"]
    assert all(call["output"] for call in row["tool_calls"])


def test_trials_that_run_at_the_same_time_keep_their_calls_apart(project: Path) -> None:
    def brain(ask: Ask) -> list[Piece]:
        number = str(ask.messages[1]["content"]).split()[-1]
        if ask.messages[-1]["role"] == "tool":
            return [Text(f"Found {number}.")]
        return [Call(name="order_status", arguments=f'{{"order_id": "{number}"}}')]

    cases = "[" + ", ".join(f"{{id: c{n}, input: order {n}}}" for n in range(12)) + "]"
    found = both(project, brain, AGENT, function="chat", cases=cases)
    for n, row in enumerate(found):
        assert row["output"] == f"Found {n}."
        assert told(row["tool_calls"]) == [("order_status", {"order_id": str(n)}, f"{n} has shipped")]
