"""Responses and Conversations of the simulator, through the SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from harness.simulator.brain import Ask, Call, CodeRun, End, Failure, Reasoning, Refusal, Search
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from tests.simulator.sdk import awaited, client_of

WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
CODE: Any = {"type": "code_interpreter", "container": {"type": "auto"}}


def brain(*said: Any) -> FunctionBrain:
    return FunctionBrain(lambda ask: list(said))


@awaited
async def test_an_answer_has_text_usage_and_what_was_asked() -> None:
    async with client_of(brain("one two ", "three")) as client:
        response = await client.responses.create(
            model="any", input="Hello there", instructions="Be brief.", metadata={"case": "a"}, temperature=0.5
        )
    assert (response.status, response.output_text) == ("completed", "one two three")
    assert (response.instructions, response.metadata, response.temperature) == ("Be brief.", {"case": "a"}, 0.5)
    assert response.usage is not None and response.usage.output_tokens == 3
    assert response.usage.total_tokens == response.usage.input_tokens + 3


@awaited
async def test_a_stream_tells_every_event_of_a_message_in_order() -> None:
    async with client_of(brain(Reasoning("let me "), Reasoning("think"), "one ", "two", Refusal("no"))) as client:
        stream = await client.responses.create(model="any", input="hi", stream=True)
        events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    last = events[-1]
    assert last.type == "response.completed" and last.response.output_text == "one two"
    begun = events[0]
    assert begun.type == "response.created" and begun.response.output == [] and begun.response.status == "in_progress"


@awaited
async def test_a_stream_and_a_whole_answer_come_to_the_same() -> None:
    said = brain(Reasoning("hm"), "one two", Call(name="weather", arguments='{"city": "Reykjavik"}', id="call_1"))
    async with client_of(said) as client:
        whole = await client.responses.create(model="any", input="hi", tools=[WEATHER])
        async with client.responses.stream(model="any", input="hi", tools=[WEATHER]) as stream:
            async for _ in stream:
                pass
            streamed = await stream.get_final_response()
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call"]

    def plain(response: Any) -> list[dict[str, Any]]:
        return [item.model_dump(include={"type", "name", "arguments", "call_id", "status"}) for item in response.output]

    assert plain(streamed) == plain(whole)
    assert streamed.output_text == whole.output_text
    assert streamed.usage == whole.usage


@awaited
async def test_each_piece_of_a_stream_arrives_before_the_next_is_made_and_leaving_ends_the_brain() -> None:
    left = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            left.set()

    async with client_of(FunctionBrain(answer)) as client:
        stream = await client.responses.create(model="any", input="hi", stream=True)
        seen = None
        async for event in stream:
            if event.type == "response.output_text.delta":
                seen = event.delta
                break
        assert seen == "first"
        await stream.close()
        await asyncio.wait_for(left.wait(), 10)


@awaited
async def test_calls_are_answered_with_their_outputs_in_a_response_that_goes_on() -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Any:
        asked.append(ask)
        if ask.messages[-1]["role"] == "tool":
            return "It rains."
        return [Call(name="weather", arguments='{"city": "A"}'), Call(name="weather", arguments='{"city": "B"}')]

    async with client_of(FunctionBrain(answer)) as client:
        first = await client.responses.create(model="any", input="hi", tools=[WEATHER])
        calls = [item for item in first.output if item.type == "function_call"]
        outputs: Any = [
            {"type": "function_call_output", "call_id": call.call_id, "output": f"rain in {number}"}
            for number, call in enumerate(calls)
        ]
        second = await client.responses.create(
            model="any", input=outputs, previous_response_id=first.id, tools=[WEATHER]
        )
        with pytest.raises(openai.BadRequestError, match=calls[1].call_id):
            await client.responses.create(model="any", input=outputs[:1], previous_response_id=first.id)
        listed = [item.type async for item in client.responses.input_items.list(second.id, order="asc")]
    assert second.output_text == "It rains."
    roles = [message["role"] for message in asked[1].messages]
    assert roles == ["user", "assistant", "tool", "tool"]
    assert [message["content"] for message in asked[1].messages[2:]] == ["rain in 0", "rain in 1"]
    assert listed == ["message", *["function_call"] * 2, *["function_call_output"] * 2]


@awaited
async def test_the_brain_is_asked_with_what_the_request_says() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "{}")) as client:
        await client.responses.create(
            model="m",
            instructions="Be brief.",
            input=[
                {"role": "developer", "content": "In English."},
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is this?"},
                        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                    ],
                },
            ],
            tools=[WEATHER, {"type": "web_search"}],
            tool_choice={"type": "function", "name": "weather"},
            text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
            max_output_tokens=50,
            reasoning={"effort": "low"},
        )
    (ask,) = asked
    assert [message["role"] for message in ask.messages] == ["system", "developer", "user"]
    assert [part["type"] for part in ask.messages[2]["content"]] == ["text", "image_url"]
    assert [tool["function"]["name"] for tool in ask.tools] == ["weather"]
    assert (ask.api, ask.builtin, ask.max_tokens) == ("responses", {"web_search"}, 50)
    assert ask.tool_choice == {"type": "function", "function": {"name": "weather"}}
    assert ask.response_format == {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert ask.settings == {"reasoning_effort": "low"}


@awaited
async def test_a_response_can_be_read_gone_on_from_and_deleted_unless_it_is_not_stored() -> None:
    async with client_of(ScriptBrain()) as client:
        kept = await client.responses.create(model="any", input="one")
        lost = await client.responses.create(model="any", input="two", store=False)
        assert (await client.responses.retrieve(kept.id)).output_text == "one"
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(lost.id)
        with pytest.raises(openai.BadRequestError) as raised:
            await client.responses.create(model="any", input="on", previous_response_id=lost.id)
        assert raised.value.code == "previous_response_not_found"
        await client.responses.delete(kept.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(kept.id)


@pytest.mark.parametrize(
    ("end", "reason"), [(End(finish="length"), "max_output_tokens"), (End(finish="content_filter"), "content_filter")]
)
@awaited
async def test_an_answer_that_is_cut_is_incomplete_with_its_reason(end: End, reason: str) -> None:
    async with client_of(brain("half of", end)) as client:
        response = await client.responses.create(model="any", input="hi")
        events = [event.type async for event in await client.responses.create(model="any", input="hi", stream=True)]
    assert response.status == "incomplete"
    assert response.incomplete_details is not None and response.incomplete_details.reason == reason
    (message,) = response.output
    assert message.type == "message" and message.status == "incomplete"
    assert events[-1] == "response.incomplete"


@awaited
async def test_a_long_answer_is_cut_at_its_limit_of_real_tokens() -> None:
    async with client_of(brain(*(f"word{number} " for number in range(30)))) as client:
        response = await client.responses.create(model="any", input="hi", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.usage is not None and response.usage.output_tokens == 16


@awaited
async def test_a_failure_in_the_middle_is_a_failed_response_and_one_before_is_an_error() -> None:
    rules = [
        {"match": {"contains": "middle"}, "reply": "half of", "fail": {"status": 500, "partial": True}},
        {"fail": {"status": 503, "message": "Not now."}},
    ]
    async with client_of(ScriptBrain(rules)) as client:
        failed = await client.responses.create(model="any", input="middle")
        stream = await client.responses.create(model="any", input="middle", stream=True)
        last = [event async for event in stream][-1]
        for streamed in (False, True):
            with pytest.raises(openai.InternalServerError, match="Not now"):
                await client.responses.create(model="any", input="before", stream=streamed)  # type: ignore[call-overload]
    assert failed.status == "failed" and failed.error is not None and failed.error.code == "server_error"
    assert last.type == "response.failed" and last.response.status == "failed"


@awaited
async def test_code_that_ran_is_an_item_its_files_are_cited_and_can_be_had() -> None:
    run = CodeRun(code="print(1)", logs="1\n", files=[("table.csv", b"a,b\n")])
    async with client_of(brain(run, "See the table.")) as client:
        plain = await client.responses.create(model="any", input="hi", tools=[CODE])
        full = await client.responses.create(
            model="any", input="hi", tools=[CODE], include=["code_interpreter_call.outputs"]
        )
        ran, message = full.output
        assert ran.type == "code_interpreter_call" and message.type == "message"
        (part,) = message.content
        assert part.type == "output_text"
        (citation,) = part.annotations
        assert citation.type == "container_file_citation"
        content = await client.containers.files.content.retrieve(citation.file_id, container_id=citation.container_id)
        assert await content.aread() == b"a,b\n"
    assert ran.code == "print(1)" and ran.outputs
    assert [output.logs for output in ran.outputs if output.type == "logs"] == ["1\n"]
    assert plain.output[0].type == "code_interpreter_call" and plain.output[0].outputs is None


@awaited
async def test_a_search_finds_what_the_files_say_and_the_answer_cites_it() -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Any:
        asked.append(ask)
        return [Search("refund"), "Within 30 days."]

    async with client_of(FunctionBrain(answer)) as client:
        file = await client.files.create(
            file=("policy.txt", b"A refund is possible for 30 days."), purpose="assistants"
        )
        store = await client.vector_stores.create(file_ids=[file.id])
        tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
        response = await client.responses.create(
            model="any", input="hi", tools=[tool], include=["file_search_call.results"]
        )
    search, message = response.output
    assert search.type == "file_search_call" and search.queries == ["refund"] and search.results
    assert (search.results[0].filename, search.results[0].file_id) == ("policy.txt", file.id)
    assert "30 days" in str(search.results[0].text)
    assert message.type == "message" and message.content[0].type == "output_text"
    (citation,) = message.content[0].annotations
    assert citation.type == "file_citation" and citation.file_id == file.id
    assert asked[0].builtin == {"file_search"}
    assert [name for _, name, _ in asked[0].documents] == ["policy.txt"]


@awaited
async def test_a_search_without_files_is_one_of_the_web() -> None:
    async with client_of(brain(Search("news"), "Nothing new.")) as client:
        response = await client.responses.create(model="any", input="hi", tools=[{"type": "web_search"}])
    search = response.output[0]
    assert search.type == "web_search_call" and search.action.type == "search" and search.action.query == "news"


@awaited
async def test_a_response_in_the_background_is_queued_done_later_and_can_be_cancelled() -> None:
    go_on = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        await go_on.wait()
        yield "done"

    async with client_of(FunctionBrain(answer)) as client:
        first = await client.responses.create(model="any", input="one", background=True)
        second = await client.responses.create(model="any", input="two", background=True)
        assert (first.status, second.status) == ("queued", "queued")
        assert (await client.responses.cancel(second.id)).status == "cancelled"
        go_on.set()
        async with asyncio.timeout(10):
            while (found := await client.responses.retrieve(first.id)).status != "completed":
                pass
        assert found.output_text == "done"
        assert (await client.responses.retrieve(second.id)).status == "cancelled"
        ordinary = await client.responses.create(model="any", input="three")
        with pytest.raises(openai.BadRequestError):
            await client.responses.cancel(ordinary.id)


@awaited
async def test_responses_in_a_conversation_go_on_from_its_items_and_add_theirs() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or f"answer {len(asked)}")) as client:
        conversation = await client.conversations.create(
            items=[{"role": "user", "content": "before"}], metadata={"topic": "x"}
        )
        await client.responses.create(model="any", input="one", conversation=conversation.id)
        await client.responses.create(model="any", input="two", conversation={"id": conversation.id})
        kept = [item async for item in client.conversations.items.list(conversation.id, order="asc", limit=2)]
        assert [item.type for item in kept] == ["message"] * 5
        await client.conversations.items.delete(kept[0].id or "", conversation_id=conversation.id)
        await client.responses.create(model="any", input="three", conversation=conversation.id)
        assert (await client.conversations.retrieve(conversation.id)).metadata == {"topic": "x"}
        changed = await client.conversations.update(conversation.id, metadata={"topic": "y"})
        assert changed.metadata == {"topic": "y"}
        await client.conversations.delete(conversation.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="any", input="four", conversation=conversation.id)
    said = [[message["content"] for message in ask.messages] for ask in asked]
    assert said[0] == ["before", "one"]
    assert said[1] == ["before", "one", "answer 1", "two"]
    assert said[2] == ["one", "answer 1", "two", "answer 2", "three"]


@awaited
async def test_a_reference_stands_for_the_item_it_names() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "first answer")) as client:
        first = await client.responses.create(model="any", input="hi")
        await client.responses.create(
            model="any",
            input=[{"type": "item_reference", "id": first.output[0].id or ""}, {"role": "user", "content": "on"}],
        )
        with pytest.raises(openai.NotFoundError, match="msg_none"):
            await client.responses.create(model="any", input=[{"type": "item_reference", "id": "msg_none"}])
    assert [(message["role"], message["content"]) for message in asked[1].messages] == [
        ("assistant", "first answer"),
        ("user", "on"),
    ]


@awaited
async def test_a_brain_that_fails_before_it_speaks_leaves_no_response() -> None:
    def fail(ask: Ask) -> str:
        raise Failure(429, "rate_limit_exceeded", "Slow down.", headers={"retry-after": "3"})

    async with client_of(FunctionBrain(fail)) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.responses.create(model="any", input="hi")
    assert raised.value.response.headers["retry-after"] == "3"
