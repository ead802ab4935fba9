"""Assistants, threads and messages of the simulator, through the SDK."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from harness.simulator.app import Simulator
from harness.simulator.function import FunctionBrain
from tests.simulator.sdk import URL, awaited, client_for, client_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FUNCTION: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


def brain(**settings: Any) -> FunctionBrain:
    return FunctionBrain(lambda ask: "yes", **settings)


@awaited
async def test_an_assistant_is_made_found_changed_and_deleted() -> None:
    async with client_of(brain()) as client:
        made = await client.beta.assistants.create(
            model="any", name="Guide", instructions="Be brief.", tools=[FUNCTION], metadata={"team": "a"}
        )
        assert (await client.beta.assistants.retrieve(made.id)) == made
        changed = await client.beta.assistants.update(made.id, name=None, temperature=0.2)
        assert (changed.name, changed.temperature, changed.instructions) == (None, 0.2, "Be brief.")
        assert changed.metadata == {"team": "a"}
        assert (await client.beta.assistants.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.beta.assistants.retrieve(made.id)


@awaited
async def test_lists_come_in_pages_in_both_orders() -> None:
    async with client_of(brain()) as client:
        ids = [(await client.beta.assistants.create(model="any", name=str(n))).id for n in range(5)]
        newest = await client.beta.assistants.list(limit=2)
        assert [one.id for one in newest.data] == [ids[4], ids[3]] and newest.has_more
        rest = await client.beta.assistants.list(limit=100, after=ids[3], order="desc")
        assert [one.id for one in rest.data] == [ids[2], ids[1], ids[0]] and not rest.has_more
        between = await client.beta.assistants.list(order="asc", after=ids[0], before=ids[3])
        assert [one.id for one in between.data] == [ids[1], ids[2]]
        # The SDK follows pages by itself.
        assert [one.id async for one in client.beta.assistants.list(limit=1, order="asc")] == ids


@pytest.mark.parametrize(
    "wrong, param",
    [
        ({"model": "any", "nme": "x"}, "nme"),
        ({"name": "x"}, "model"),
        ({"model": "any", "name": "x" * 257}, "name"),
        ({"model": "any", "description": "x" * 513}, "description"),
        ({"model": "any", "temperature": 2.5}, "temperature"),
        ({"model": "any", "metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"model": "any", "metadata": {"k": "x" * 513}}, "metadata.k"),
        ({"model": "any", "tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"model": "any", "tools": [{"type": "code_interpreter"}] * 129}, "tools"),
        ({"model": "any", "tools": [{"type": "code_interpreter"}] * 2}, "tools"),
        ({"model": "any", "tools": [{"type": "function", "function": {"name": "no name"}}]}, "tools[0].function.name"),
        ({"model": "any", "tools": [FUNCTION, FUNCTION]}, "tools[1].function.name"),
        ({"model": "any", "response_format": {"type": "xml"}}, "response_format.type"),
        ({"model": "any", "response_format": {"type": None}}, "response_format.type"),
    ],
)
@awaited
async def test_an_assistant_that_the_service_would_refuse_is_refused(wrong: dict[str, Any], param: str) -> None:
    async with client_of(brain()) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.post(
                "/assistants", body=wrong, cast_to=object, options={"headers": {"OpenAI-Beta": "assistants=v2"}}
            )
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


@awaited
async def test_the_version_of_the_api_must_be_said() -> None:
    simulator = Simulator(brain())
    async with httpx2.AsyncClient(transport=simulator.transport(), base_url=URL) as http:
        answers = [await http.get("/assistants"), await http.post("/threads", json={})]
        told = await http.get("/assistants", headers={"openai-beta": "realtime=v1, assistants=v2"})
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(400, "invalid_beta")] * 2
    assert told.status_code == 200


@awaited
async def test_a_model_that_is_not_there_is_refused() -> None:
    async with client_of(brain(models=["small"])) as client:
        made = await client.beta.assistants.create(model="small")
        for wrong in (
            client.beta.assistants.create(model="large"),
            client.beta.assistants.update(made.id, model="large"),
        ):
            with pytest.raises(openai.NotFoundError) as refused:
                await wrong
            assert refused.value.code == "model_not_found"


@awaited
async def test_a_thread_keeps_its_messages_in_order() -> None:
    async with client_of(brain()) as client:
        thread = await client.beta.threads.create(
            messages=[{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}], metadata={"a": "b"}
        )
        third = await client.beta.threads.messages.create(
            thread.id,
            role="user",
            content=[
                {"type": "text", "text": "three"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            ],
        )
        listed = [one async for one in client.beta.threads.messages.list(thread.id, order="asc")]
        assert [one.role for one in listed] == ["user", "assistant", "user"]
        assert [part.type for part in third.content] == ["text", "image_url"]
        assert [one.content[0].text.value for one in listed] == ["one", "two", "three"]  # type: ignore[union-attr]

        noted = await client.beta.threads.messages.update(third.id, thread_id=thread.id, metadata={"seen": "yes"})
        assert noted.metadata == {"seen": "yes"}
        await client.beta.threads.messages.delete(third.id, thread_id=thread.id)
        assert len((await client.beta.threads.messages.list(thread.id)).data) == 2

        changed = await client.beta.threads.update(thread.id, metadata={})
        assert changed.metadata == {}
        assert (await client.beta.threads.delete(thread.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.beta.threads.messages.list(thread.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "system", "content": "x"},
        {"role": "user"},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "not a url"}}]},
        {"role": "user", "content": "x", "attachments": [{"file_id": "f", "tools": []}]},
        {"role": "user", "content": "x", "tool_call_id": "y"},
    ],
)
@awaited
async def test_a_message_that_the_service_would_refuse_is_refused(wrong: Any) -> None:
    async with client_of(brain()) as client:
        with pytest.raises(openai.BadRequestError):
            await client.beta.threads.create(messages=[wrong])


@awaited
async def test_files_that_are_not_there_cannot_be_named() -> None:
    async with client_of(brain()) as client:
        image: Any = [{"type": "image_file", "image_file": {"file_id": "file-none"}}]
        attached: Any = [{"file_id": "file-none", "tools": [{"type": "file_search"}]}]
        for message in ({"content": image}, {"content": "x", "attachments": attached}):
            with pytest.raises(openai.NotFoundError):
                await client.beta.threads.create(messages=[{"role": "user", **message}])  # type: ignore[typeddict-item]
        with pytest.raises(openai.NotFoundError):
            await client.beta.threads.create(tool_resources={"file_search": {"vector_store_ids": ["vs_none"]}})


@awaited
async def test_ids_come_from_the_seed() -> None:
    async def ids(seed: int) -> list[str]:
        async with client_for(Simulator(brain(), seed=seed)) as client:
            assistants = [(await client.beta.assistants.create(model="any")).id for _ in range(2)]
            return [*assistants, (await client.beta.threads.create()).id]

    first = await ids(1)
    assert len(set(first)) == 3
    assert await ids(1) == first
    assert not set(await ids(2)) & set(first)
