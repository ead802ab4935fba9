"""What searches of files look into, and what of files and lists is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Piece, Search, Text
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from tests.simulator.sdk import URL, awaited, client_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

YEARS = (2024, 2025, 2026)
FILTER = {"type": "eq", "key": "year", "value": 2025}


@asynccontextmanager
async def with_reports(seen: list[Ask] | None = None) -> AsyncIterator[tuple[AsyncOpenAI, str]]:
    """A client, and a vector store with a report for each year."""

    def answer(ask: Ask) -> list[str | Piece]:
        if seen is not None:
            seen.append(ask)
        return [Search("zebra"), Text("Zebras.")]

    async with client_of(FunctionBrain(answer)) as client:
        store = await client.vector_stores.create()
        for year in YEARS:
            file = await client.files.create(
                file=(f"{year}.txt", f"zebra report {year}".encode()), purpose="assistants"
            )
            await client.vector_stores.files.create(store.id, file_id=file.id, attributes={"year": year})
        yield client, store.id


async def _found(client: AsyncOpenAI, store: str, **more: Any) -> list[Any]:
    tool: Any = {"type": "file_search", "vector_store_ids": [store], **more}
    response = await client.responses.create(
        model="m", input="zebra", tools=[tool], include=["file_search_call.results"]
    )
    (call,) = [item for item in response.output if item.type == "file_search_call"]
    return [(one.filename, one.attributes) for one in call.results or ()]


@awaited
async def test_a_search_of_responses_obeys_its_filter_and_its_limit() -> None:
    asked: list[Ask] = []
    async with with_reports(asked) as (client, store):
        everything = await _found(client, store)
        filtered = await _found(client, store, filters=FILTER)
        limited = await _found(client, store, max_num_results=2)
        nothing = await _found(client, store, filters={**FILTER, "value": 1999})
    assert sorted(name for name, _ in everything) == ["2024.txt", "2025.txt", "2026.txt"]
    assert filtered == [("2025.txt", {"year": 2025})]
    assert (len(limited), nothing) == (2, [])
    # A model is shown no more than may be found.
    assert [[name for _, name, _ in ask.documents] for ask in asked[1:2]] == [["2025.txt"]]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"vector_store_ids": ["vs_none"]}, 404),
        ({"filters": {"type": "like", "key": "year", "value": 1}}, 400),
        ({"filters": {"key": "year"}}, 400),
        ({"max_num_results": 51}, 400),
        ({"ranking_options": {"score_threshold": 2}}, 400),
    ],
)
@awaited
async def test_a_search_that_cannot_be_is_refused(more: dict[str, Any], status: int) -> None:
    async with with_reports() as (client, store):
        with pytest.raises(openai.APIStatusError) as raised:
            await _found(client, store, **more)
    assert raised.value.status_code == status


@awaited
async def test_a_search_of_a_run_obeys_its_limit() -> None:
    async with with_reports() as (client, store):
        assistant = await client.beta.assistants.create(
            model="m",
            tools=[{"type": "file_search", "file_search": {"max_num_results": 2}}],
            tool_resources={"file_search": {"vector_store_ids": [store]}},
        )
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "zebra"}]}, poll_interval_ms=1
        )
        steps = await client.beta.threads.runs.steps.list(
            run.id, thread_id=run.thread_id, include=["step_details.tool_calls[*].file_search.results[*].content"]
        )
    details: Any = next(step.step_details for step in steps.data if step.type == "tool_calls")
    assert len(details.tool_calls[0].file_search.results) == 2


@pytest.mark.parametrize("kind", ["input_file", "input_image"])
@awaited
async def test_a_message_about_a_file_that_does_not_exist_is_refused(kind: str) -> None:
    said: Any = [{"role": "user", "content": [{"type": kind, "file_id": "file-none"}]}]
    async with client_of(ScriptBrain()) as client:
        for create in (
            client.responses.create(model="m", input=said),
            client.conversations.create(items=said),
        ):
            with pytest.raises(openai.NotFoundError, match="file-none"):
                await create


@awaited
async def test_files_that_were_added_together_can_be_cancelled_and_are_there_already() -> None:
    async with with_reports() as (client, store):
        files = [file.id for file in (await client.files.list()).data]
        batch = await client.vector_stores.file_batches.create(store, file_ids=files)
        cancelled = await client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store)
    assert (cancelled.id, cancelled.status, cancelled.file_counts.completed) == (batch.id, "completed", 3)


@awaited
async def test_before_an_item_is_the_page_that_ends_with_it() -> None:
    async with client_of(ScriptBrain()) as client:
        thread = (await client.beta.threads.create()).id
        add = client.beta.threads.messages.create
        ids = [(await add(thread, role="user", content=str(number))).id for number in range(7)]
        listed = client.beta.threads.messages.list
        page = await listed(thread, order="asc", limit=2, before=ids[5])
        first = await listed(thread, order="asc", limit=5, before=ids[2])
    assert ([one.id for one in page.data], page.has_more) == (ids[3:5], True)
    assert ([one.id for one in first.data], first.has_more) == (ids[:2], False)


@awaited
async def test_a_file_may_have_any_name_and_is_told_of_with_one_that_can_be_sent() -> None:
    part = b'--B\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    named = b"; filename*=unicode-escape''%5Cud800.txt"
    body = part % (b"purpose", b"", b"user_data") + part % (b"file", named, b"x") + b"--B--\r\n"
    transport = Simulator(ScriptBrain()).transport()
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
        headers = {"content-type": "multipart/form-data; boundary=B"}
        sent = await client.post("/files", content=body, headers=headers)
        listed = await client.get("/files")
    assert sent.json()["filename"] == "?.txt"
    assert [file["filename"] for file in listed.json()["data"]] == ["?.txt"]
