"""Requests of all kinds that OpenAI's description allows, and some that it does not: the simulator answers each as described."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call
from harness.simulator.function import FunctionBrain
from tests.simulator.described import description
from tests.simulator.sdk import client_for
from tests.simulator.test_assistants_runs import FUNCTION

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

DESCRIBED = schemathesis.openapi.from_dict({**description(), "servers": [{"url": "http://simulator/v1"}]})


def answer(ask: Ask) -> Any:
    """Calls a function first, where there is one."""
    if ask.tools and ask.messages[-1]["role"] == "user":
        return Call(name=ask.tools[0]["function"]["name"], arguments="{}")
    return "yes"


async def furnished(simulator: Simulator) -> dict[str, str]:
    """Put one object of each kind into a simulator, and return their ids by the names that parameters have."""
    async with client_for(simulator) as client:
        file = (await client.files.create(file=("a.txt", b"Good morning."), purpose="assistants")).id
        store = (await client.vector_stores.create(file_ids=[file])).id
        batch = await client.vector_stores.file_batches.create(store, file_ids=[file])
        assistant = (await client.beta.assistants.create(model="any", tools=[FUNCTION])).id
        thread = (await client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])).id
        run = await client.beta.threads.runs.create_and_poll(
            thread_id=thread, assistant_id=assistant, poll_interval_ms=1
        )
        (step,) = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread)).data
        (message,) = (await client.beta.threads.messages.list(thread)).data
        conversation = await client.conversations.create(
            items=[{"type": "message", "role": "user", "content": "Hello"}]
        )
        (item,) = (await client.conversations.items.list(conversation.id)).data
        response = await client.responses.create(model="any", input="Hello")
    return {
        "file_id": file,
        "vector_store_id": store,
        "batch_id": batch.id,
        "assistant_id": assistant,
        "thread_id": thread,
        "run_id": run.id,
        "step_id": step.id,
        "message_id": message.id,
        "conversation_id": conversation.id,
        "item_id": str(item.id),
        "response_id": response.id,
    }


def pointed(value: Any, ids: dict[str, str]) -> Any:
    """A request with ids that exist in place of every second made-up one."""
    if isinstance(value, list):
        return [pointed(one, ids) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: ids[name] if name in ids and isinstance(one, str) and len(one) % 2 == 0 else pointed(one, ids)
        for name, one in value.items()
    }


@DESCRIBED.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_request_is_answered_as_described(case: Any) -> None:
    simulator = Simulator(FunctionBrain(answer))
    ids = asyncio.run(furnished(simulator))
    case.path_parameters = pointed(case.path_parameters or {}, ids)
    case.body = pointed(case.body, ids)
    response = case.call(app=simulator.app, headers={"OpenAI-Beta": "assistants=v2"})
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
