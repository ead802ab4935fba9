"""Files and vector stores of the simulator, and what assistants make of them, through the SDK."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, CodeRun, Search
from harness.simulator.function import FunctionBrain
from tests.simulator.sdk import awaited, client_for, client_of
from tests.simulator.test_assistants_runs import begun, brain, finished

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHIPPING = b"Parcels arrive within three days.\n"
RETURNS = b"# Returns\n\nA refund takes 14 days.\n\n# Exchanges\n\nAn exchange is free within one month.\n"
PDF = b"%PDF-1.4\nBT (A warranty \\(two years\\)) Tj [(comes) -20 ( along)] TJ ET\n"


async def uploaded(client: AsyncOpenAI, name: str, content: bytes) -> str:
    return (await client.files.create(file=(name, content), purpose="assistants")).id


@awaited
async def test_a_file_is_uploaded_found_and_deleted() -> None:
    async with client_of(brain("yes")) as client:
        made = await client.files.create(file=('Straße "1".txt', b"a\r\n\r\n--b\x00\xff"), purpose="vision")
        assert (made.filename, made.bytes, made.purpose, made.status) == ('Straße "1".txt', 10, "vision", "processed")
        assert (await client.files.content(made.id)).content == b"a\r\n\r\n--b\x00\xff"
        assert await client.files.retrieve(made.id) == made
        other = await uploaded(client, "b.txt", b"")
        assert [one.id async for one in client.files.list(purpose="vision")] == [made.id]
        assert {one.id async for one in client.files.list()} == {made.id, other}
        assert (await client.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.content(made.id)


@awaited
async def test_uploads_that_the_service_would_refuse_are_refused() -> None:
    async with client_of(brain("yes")) as client:
        with pytest.raises(openai.BadRequestError, match="holiday"):
            await client.files.create(file=("a.txt", b"a"), purpose="holiday")  # type: ignore[arg-type]
        for wrong in (
            {"json": {"file": "a"}},
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        ):
            answer = await client._client.post("http://simulator/v1/files", **wrong)
            assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        kept = await uploaded(client, "a.txt", b"a")
        with pytest.raises(openai.BadRequestError, match="assistants"):
            await client.files.content(kept)


@awaited
async def test_a_store_finds_passages_by_their_words() -> None:
    async with client_of(brain("yes")) as client:
        ids = [
            await uploaded(client, name, content)
            for name, content in (("shipping.txt", SHIPPING), ("returns.md", RETURNS * 10), ("warranty.pdf", PDF))
        ]
        store = await client.vector_stores.create(name="shop", file_ids=ids)
        assert (store.status, store.file_counts.completed) == ("completed", 3)
        found = (await client.vector_stores.search(store.id, query="How long does a refund take?")).data
        assert found[0].file_id == ids[1] and "14 days" in found[0].content[0].text
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        (best, *_) = (await client.vector_stores.search(store.id, query="warranty of two years")).data
        assert best.filename == "warranty.pdf" and "(two years)" in best.content[0].text
        assert (await client.vector_stores.search(store.id, query="zebra")).data == []
        few = await client.vector_stores.search(store.id, query="days", max_num_results=1)
        assert len(few.data) == 1


@awaited
async def test_the_files_of_a_store_come_and_go() -> None:
    async with client_of(brain("yes")) as client:
        one, two, three = [await uploaded(client, f"{n}.txt", f"common text {n}".encode()) for n in range(3)]
        store = await client.vector_stores.create()
        added = await client.vector_stores.files.create_and_poll(
            one, vector_store_id=store.id, attributes={"year": 2024}
        )
        assert (added.status, added.attributes) == ("completed", {"year": 2024})
        batch = await client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[two, three])
        assert (batch.status, batch.file_counts.completed) == ("completed", 2)
        assert await client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id) == batch
        listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, order="asc")
        assert [file.id async for file in listed] == [two, three]

        newer: Any = {"type": "gte", "key": "year", "value": 2025}
        older: Any = {"type": "and", "filters": [{"type": "lt", "key": "year", "value": 2025}]}
        for filter, ids in ((newer, []), (older, [one])):
            found = await client.vector_stores.search(store.id, query="common", filters=filter)
            assert [hit.file_id for hit in found.data] == ids
        changed = await client.vector_stores.files.update(one, vector_store_id=store.id, attributes={"year": 2025})
        assert changed.attributes == {"year": 2025}

        (text,) = (await client.vector_stores.files.content(one, vector_store_id=store.id)).data
        assert text.text == "common text 0"
        await client.vector_stores.files.delete(one, vector_store_id=store.id)
        assert [file.id async for file in client.vector_stores.files.list(store.id, order="asc")] == [two, three]
        assert (await client.vector_stores.retrieve(store.id)).file_counts.total == 2
        renamed = await client.vector_stores.update(
            store.id, name="new", expires_after={"anchor": "last_active_at", "days": 1}
        )
        assert renamed.name == "new" and renamed.expires_at is not None
        assert (await client.vector_stores.delete(store.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.vector_stores.search(store.id, query="common")


@awaited
async def test_a_search_cites_what_it_found() -> None:
    asked: list[Ask] = []
    said = [Search("refund days"), "It takes 14 days."]
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or said)) as client:
        file = await uploaded(client, "handbook.md", RETURNS)
        store = await client.vector_stores.create(file_ids=[file])
        resources: Any = {"file_search": {"vector_store_ids": [store.id]}}
        thread, assistant = await begun(client, tools=[{"type": "file_search"}], tool_resources=resources)
        run = await finished(client, thread, assistant)
        text = (await client.beta.threads.messages.list(thread)).data[0].content[0].text  # type: ignore[union-attr]
        (mark,) = text.annotations
        assert (mark.type, mark.text, mark.file_citation.file_id) == ("file_citation", "【4:0†handbook.md】", file)  # type: ignore[union-attr]
        assert text.value[mark.start_index : mark.end_index] == mark.text
        assert text.value == "It takes 14 days.【4:0†handbook.md】"

        step = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread, order="asc")).data[0]
        (call,) = step.step_details.tool_calls  # type: ignore[union-attr]
        (hit,) = call.file_search.results
        assert (hit.file_name, hit.content) == ("handbook.md", None)
        full = await client.beta.threads.runs.steps.retrieve(
            step.id,
            run_id=run.id,
            thread_id=thread,
            include=["step_details.tool_calls[*].file_search.results[*].content"],
        )
        (hit,) = full.step_details.tool_calls[0].file_search.results  # type: ignore[union-attr]
        assert "14 days" in hit.content[0].text
    assert [(id, name) for id, name, _ in asked[0].documents] == [(file, "handbook.md")]


@awaited
async def test_marks_that_the_brain_wrote_itself_stay_where_they_are() -> None:
    async with client_of(brain(Search("refund"), "See 【7:1†returns.md】 for more.")) as client:
        file = await uploaded(client, "returns.md", RETURNS)
        stores: Any = {"file_search": {"vector_stores": [{"file_ids": [file]}]}}
        thread, assistant = await begun(client, tools=[{"type": "file_search"}], tool_resources=stores)
        await finished(client, thread, assistant)
        text = (await client.beta.threads.messages.list(thread)).data[0].content[0].text  # type: ignore[union-attr]
    assert text.value == "See 【7:1†returns.md】 for more."
    assert [(mark.text, mark.start_index) for mark in text.annotations] == [("【7:1†returns.md】", 4)]


@awaited
async def test_code_leaves_files_that_can_be_fetched() -> None:
    ran = CodeRun(code="save()", logs="saved", files=[("plot.png", b"\x89PNG"), ("table.csv", b"a,b\n")])
    async with client_of(brain(ran, "Done.")) as client:
        thread, assistant = await begun(client, tools=[{"type": "code_interpreter"}])
        run = await finished(client, thread, assistant)
        image, text = (await client.beta.threads.messages.list(thread)).data[0].content
        assert (await client.files.content(image.image_file.file_id)).content == b"\x89PNG"  # type: ignore[union-attr]
        (path,) = text.text.annotations  # type: ignore[union-attr]
        assert (path.type, path.text) == ("file_path", "sandbox:/mnt/data/table.csv")
        assert (await client.files.content(path.file_path.file_id)).content == b"a,b\n"  # type: ignore[union-attr]
        step = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread, order="asc")).data[0]
        (call,) = step.step_details.tool_calls  # type: ignore[union-attr]
        assert call.code_interpreter.input == "save()"
        assert [one.type for one in call.code_interpreter.outputs] == ["logs", "image"]


@awaited
async def test_what_is_attached_to_a_message_is_there_for_the_tools() -> None:
    asked: list[Ask] = []
    async with client_of(FunctionBrain(lambda ask: asked.append(ask) or "fine")) as client:
        file = await uploaded(client, "returns.md", RETURNS)
        tools: Any = [{"type": "file_search"}, {"type": "code_interpreter"}]
        thread, assistant = await begun(client, tools=tools)
        sent = await client.beta.threads.messages.create(
            thread, role="user", content="Read this", attachments=[{"file_id": file, "tools": tools}]
        )
        assert sent.attachments is not None and sent.attachments[0].file_id == file
        resources = (await client.beta.threads.retrieve(thread)).tool_resources
        assert resources is not None and resources.file_search is not None and resources.code_interpreter is not None
        assert resources.code_interpreter.file_ids == [file]
        (store,) = resources.file_search.vector_store_ids or []
        assert [one.id async for one in client.vector_stores.files.list(store)] == [file]
        await finished(client, thread, assistant)
    assert [name for _, name, _ in asked[0].documents] == ["returns.md"]
    assert list(asked[0].files) == [(file, "returns.md")]


@awaited
async def test_an_image_reaches_the_brain_as_data() -> None:
    asked: list[Ask] = []
    simulator = Simulator(FunctionBrain(lambda ask: asked.append(ask) or "a cat"))
    async with client_for(simulator) as client:
        image = await client.files.create(file=("cat.png", b"\x89PNG"), purpose="vision")
        content: Any = [
            {"type": "text", "text": "What is it?"},
            {"type": "image_file", "image_file": {"file_id": image.id, "detail": "low"}},
        ]
        assistant = await client.beta.assistants.create(model="any")
        thread: Any = {"messages": [{"role": "user", "content": content}]}
        await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert asked[0].messages[-1]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"}},
    ]
