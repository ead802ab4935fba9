"""Assistants and threads in Python: talked to live, recorded to one cassette, and replayed when the service is gone."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Failure, Piece, Text
from harness.simulator.function import FunctionBrain
from harness.simulator.script import ScriptBrain
from harness.simulator.upstream import UpstreamBrain
from tests.loopback import ChatServer, Reply, completion, error
from tests.projects import harness as command
from tests.projects import write

PATH = "cassettes/demo.yaml"
FORMS: list[dict[str, Any]] = [
    {"api": "chat"},
    {"api": "responses"},
    {"api": "responses", "chain": "response"},
    {"api": "responses", "chain": "conversation"},
    {"api": "threads", "poll_interval": 0.1},
]
every_form = pytest.mark.parametrize("form", FORMS, ids=["chat", "responses", "chained", "conversation", "threads"])
SCRIPT: list[dict[str, Any]] = [
    {"match": {"contains": "order", "after": 0}, "call": {"name": "status", "arguments": {"order_id": "4711"}}},
    {"match": {"tool": "status"}, "reply": "The order says: {{ result }}"},
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, {})


@contextmanager
def service(answer: Callable[[Ask], Any] | None = None) -> Iterator[tuple[str, Simulator]]:
    """A simulator on loopback that follows SCRIPT, or a function."""
    simulator = Simulator(FunctionBrain(answer) if answer is not None else ScriptBrain(SCRIPT))
    with served(simulator) as server:
        yield server.url, simulator


def paths(simulator: Simulator, method: str) -> list[str]:
    return [path for how, path, _ in simulator.requests if how == method]


class Shelf:
    """A function that serves as a tool, and counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def tool(self) -> Callable[..., Any]:
        def status(order_id: str) -> dict[str, str]:
            """Look up an order."""
            self.runs += 1
            return {"order": order_id, "state": "shipped"}

        return status


def marvin(url: str, **settings: Any) -> harness.Assistant:
    return harness.Assistant("Marvin", model="gpt-4.1-mini", base_url=url, **settings)


# Recording and replaying.


@every_form
def test_what_was_recorded_is_replayed_without_a_service(form: dict[str, Any]) -> None:
    shelf = Shelf()

    def script(url: str, mode: Any) -> list[Any]:
        ai = marvin(url, tools=[shelf.tool()], **form)
        with harness.cassette(PATH, mode):
            first = ai.say("Where is order 4711?")
            second = ai.say("Thank you")
            thread = harness.Thread()
            thread.add("Roll two dice")
            thread.add("No, five")
            third = thread.run(ai)
            pieces = list(ai.stream("And order 4712, too?"))
            said = [(one.role, one.content, one.tool_calls) for one in ai.thread.messages()]
            listed = thread.messages()
        replies = [(str(one), one.tool_calls, one.usage, one.cost, one.transcript) for one in (first, second, third)]
        return [replies, pieces, said, listed]

    with service() as (url, _):
        live = script(url, "once")
    assert shelf.runs == 2
    assert script(url, "none") == live
    assert script(url, "once") == live
    assert shelf.runs == 2
    (first, second, third), pieces, said, listed = live
    assert first[0] == 'The order says: {"order": "4711", "state": "shipped"}'
    assert first[1][0].output == {"order": "4711", "state": "shipped"}
    assert first[2].input > 0 and first[3] > 0
    assert (second[0], third[0]) == ("Thank you", "No, five")
    assert len(pieces) > 3 and "".join(pieces).startswith("The order says")
    assert [role for role, text, _ in said if text] == ["user", "assistant"] * 3
    assert [call.name for _, _, calls in said for call in calls] == ["status", "status"]
    assert [str(one) for one in listed] == ["Roll two dice", "No, five", "No, five"]


@every_form
def test_an_assistant_remembers_its_conversation(form: dict[str, Any]) -> None:
    def count(ask: Ask) -> str:
        return f"{sum(one['role'] == 'user' for one in ask.messages)} messages"

    with service(count) as (url, _):
        ai = marvin(url, **form)
        assert ai.say("One") == "1 messages"
        assert ai.say(["Two", "Three"]) == "3 messages"
        assert ai.say("Elsewhere", thread=harness.Thread()) == "1 messages"
        assert ai.say("Four") == "4 messages"


def test_times_and_requests_of_an_answer_are_its_own() -> None:
    with service() as (url, _):
        ai = marvin(url, tools=[Shelf().tool()])
        with harness.cassette(PATH, "once"):
            replies = [ai.say("Where is the order?"), ai.say("Thanks")]
    assert [one.transcript.attempts for one in replies] == [2, 1]
    with harness.cassette(PATH):
        again = [ai.say("Where is the order?", thread=(thread := harness.Thread())), ai.say("Thanks", thread=thread)]
    assert [one.transcript.latency for one in again] == [one.transcript.latency for one in replies]
    assert again[1].transcript.latency == again[1].transcript.turns[0].latency


def test_without_a_cassette_everything_is_live_and_nothing_is_kept(project: Path) -> None:
    with service() as (url, simulator):
        assert marvin(url).say("Hi") == "Hi"
        assert len(simulator.requests) == 1
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]
    with pytest.raises(harness.HarnessError, match="nobody answers"):
        harness.Assistant(model="m", base_url=url, request={}).say("Hi")


def test_a_key_is_needed_only_to_go_live() -> None:
    with pytest.raises(harness.CredentialsError, match="OPENAI_API_KEY"):
        harness.Assistant().say("Hi")


@every_form
def test_async_code_awaits_the_twins(form: dict[str, Any]) -> None:
    async def script(url: str) -> list[Any]:
        async with harness.cassette(PATH, "once"), marvin(url, tools=[Shelf().tool()], **form) as ai:
            first = await ai.say_async("Where is the order?")
            thread = harness.Thread()
            await thread.add_async("Hello")
            second = await thread.run_async(ai)
            stream = ai.stream_async("One two three")
            pieces = [piece async for piece in stream]
            return [first, second, pieces, stream.reply, await thread.messages_async()]

    with service() as (url, _):
        live = asyncio.run(script(url))
    assert asyncio.run(script(url)) == live
    assert live[1:4] == ["Hello", ["One", " two", " three"], "One two three"]


def test_several_answers_at_once_keep_apart() -> None:
    async def script(url: str) -> list[str]:
        async with harness.cassette(PATH, "once"):
            ai = marvin(url)
            asked = [ai.say_async(f"Number {n}", thread=harness.Thread()) for n in range(5)]
            return list(await asyncio.gather(*asked))

    with service() as (url, _):
        live = asyncio.run(script(url))
    assert live == asyncio.run(script(url)) == [f"Number {n}" for n in range(5)]


def test_blocking_calls_in_a_running_loop_name_the_twin() -> None:
    async def notebook() -> None:
        ai = harness.Assistant()
        with pytest.raises(harness.UsageError, match=r"`await ai\.say_async\(\.\.\.\)` instead of `ai\.say"):
            ai.say("Hi")
        with pytest.raises(harness.UsageError, match=r"stream_async"):
            ai.stream("Hi")
        ai.thread.add("Hi")
        with pytest.raises(harness.UsageError, match=r"run_async"):
            ai.thread.run(ai)
        assert [str(one) for one in ai.thread.messages()] == ["Hi"]
        with pytest.raises(harness.UsageError, match=r"messages_async"):
            harness.Thread("thread_1").messages()
        with pytest.raises(harness.UsageError, match=r"create_async"):
            harness.Assistant(api="threads").create()

    asyncio.run(notebook())


# Arguments.


def test_instructions_are_a_template_that_knows_the_assistant() -> None:
    ai = harness.Assistant(
        "Marvin",
        instructions="You are {{ self_.name }} ({{ self_.model }}) with "
        "{% for t in self_.tools %}{{ t.name }}: {{ t.description }}{% endfor %} {{ self_.metadata.mood }} {{ planet }}",
        tools=[Shelf().tool()],
        metadata={"mood": "sad"},
        variables={"planet": "{{ raw }}"},
    )
    assert ai.instructions == "You are Marvin (gpt-4.1-mini) with status: Look up an order. sad {{ raw }}"
    with service() as (url, simulator):
        ai = marvin(url, instructions="You are {{ self_.name }}.")
        ai.say("Hi")
        ai.say("Hi", instructions="You are {{ nobody }}.")
        ai.say("Hi")
    given = [body["instructions"] for _, _, body in simulator.requests]
    assert given == ["You are Marvin.", "You are {{ nobody }}.", "You are Marvin."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperatur": 1}, "unknown argument 'temperatur'. Did you mean 'temperature'?"),
        ({"temperature": "hot"}, "`temperature=` should be a number"),
        ({"temperature": 3}, "`temperature=`"),
        ({"seed": 1}, "`seed=` cannot be used here. Responses has no such setting"),
        ({"api": "python"}, "`api=` is responses, chat or threads"),
        ({"system": "Hi"}, "unknown argument 'system'. Write `instructions=`."),
        ({"cases": []}, "unknown argument 'cases'."),
        ({"name": ""}, "`name=` should be a text"),
        ({"instructions": "{{ nothing }}"}, "`instructions=`: `nothing` is not defined."),
        ({"instructions": None}, "`instructions=` should be a text, not None"),
        ({"tools": "search"}, "`tools=` should be a list"),
        ({"tools": [object()]}, "`tools=` holds a object, which is no plain data"),
        ({"tools": ["./tools.py:search"]}, "no file './tools.py'"),
        ({"tools": [lambda: 1]}, "'<lambda>' cannot be a tool's name"),
        ({"files": ["nowhere.txt"]}, "nowhere.txt"),
        ({"api": "chat", "tools": ["file_search"]}, "`api=chat` has no tool 'file_search' of its own"),
        ({"base_url": "http://127.0.0.1:1/v1"}, "no `model=` is given"),
        ({"max_steps": 0}, "`max_steps=`"),
        ({"files": None}, "`files=` should be a list, not None"),
        ({"metadata": [1]}, "`metadata=` should be a mapping with texts as keys, not [1]"),
        ({"metadata": {"a": object()}}, "`metadata=` holds a object"),
        ({"variables": [1]}, "`variables=` should be a mapping with texts as keys, not [1]"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(harness.UsageError) as raised:
        harness.Assistant(**arguments)
    assert message in str(raised.value)


def test_what_is_said_wrongly_is_told_before_anything_is_sent() -> None:
    ai = harness.Assistant()
    for said, message in (
        ([], "nothing is said"),
        ("", "cannot be empty"),
        (["a", 1], "a message is a text, not a int"),
        (3, "a text, or a list of texts, not a int"),
        (None, "a text, or a list of texts, not None"),
        (b"Hi", "a text, or a list of texts, not a bytes"),
    ):
        with pytest.raises(harness.UsageError, match=message):
            ai.say(said)  # type: ignore[arg-type]
    with pytest.raises(harness.UsageError, match=r"`files=`: cannot read nowhere.txt: No such file"):
        ai.say("Hi", files=["nowhere.txt"])
    with pytest.raises(harness.UsageError, match=r"'pyproject.toml' is no image; write it under `files=`"):
        ai.say("Hi", images=["pyproject.toml"])
    with pytest.raises(harness.UsageError, match="add a message first"):
        harness.Thread().run(ai)
    with pytest.raises(harness.UsageError, match="instance of harness.EventHandler"):
        ai.say("Hi", on_event=harness.EventHandler)  # type: ignore[arg-type]
    assert ai.thread.messages() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ai: ai.say("Hi", files=3), "`files=` should be a list of paths, not 3"),
        (lambda ai: ai.say("Hi", images=None), "`images=` should be a list of paths, not None"),
        (lambda ai: ai.say("Hi", files=[3]), "`files=`"),
        (lambda ai: ai.say("Hi", thread="thread_1"), "`thread=` takes a harness.Thread, not 'thread_1'"),
        (lambda ai: ai.say("Hi", instructions=3), "`instructions=` should be a text, not a int"),
        (lambda ai: ai.stream("Hi", thread="thread_1"), "`thread=` takes a harness.Thread, not 'thread_1'"),
        (lambda ai: ai.stream("Hi", instructions=3), "`instructions=` should be a text, not a int"),
        (lambda ai: ai.thread.run(ai, instructions=[]), "`instructions=` should be a text, not a list"),
        (lambda ai: ai.thread.run("x"), "a harness.Assistant answers in a thread, not 'x'"),
        (lambda ai: ai.update(metadata=[1]), "`metadata=` should be a mapping"),
        (lambda ai: ai.update(name=3), "`name=` should be a text, not 3"),
        (lambda ai: harness.Thread(3), "`id=` should be a text, not 3"),  # type: ignore[arg-type]
        (lambda ai: harness.Thread(""), "`id=` should be a text, not ''"),
        (lambda ai: harness.Thread(base_url=3), "`base_url=` should be a text, not 3"),  # type: ignore[arg-type]
        (lambda ai: harness.Assistant.load(None), "the id of an assistant is a text, not None"),  # type: ignore[arg-type]
        (lambda ai: harness.Assistant.load(""), "the id of an assistant is a text, not ''"),
        (lambda ai: harness.cassette(3), "a cassette is the path of a YAML file, not 3"),  # type: ignore[arg-type]
        (lambda ai: harness.cassette(None), "a cassette is the path of a YAML file, not None"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_such_thing_is_refused_by_name(call: Callable[[Any], Any], message: str) -> None:
    ai = harness.Assistant()
    with pytest.raises(harness.UsageError) as raised:
        call(ai)
    assert message in str(raised.value)
    assert ai.thread.messages() == []


# Tools.


def test_a_tool_ends_the_run_and_the_conversation_goes_on() -> None:
    def finish() -> None:
        """End it."""
        raise harness.EndRun({"answer": 42})

    def answer(ask: Ask) -> str | list[Piece]:
        return [Call(name="finish", arguments="{}")] if ask.messages[-1]["content"] == "End" else "Still here"

    for form in FORMS:
        with service(answer) as (url, _):
            ai = marvin(url, tools=[finish], **form)
            reply = ai.say("End")
            assert reply.ended is not None
            assert reply.ended.data == {"answer": 42}
            after = ai.say("Go on")
            assert (after, after.ended) == ("Still here", None)


def test_a_world_lives_as_long_as_its_thread() -> None:
    class Shop:
        def __init__(self) -> None:
            self.sold = 0

        def sell(self) -> int:
            """Sell one."""
            self.sold += 1
            return self.sold

    def answer(ask: Ask) -> str | list[Piece]:
        return "Done" if ask.messages[-1]["role"] == "tool" else [Call(name="sell", arguments="{}")]

    with service(answer) as (url, _):
        for form in FORMS:
            ai = marvin(url, env=Shop, tools=["env:sell"], **form)
            assert [ai.say("Sell").state, ai.say("Sell").state] == [{"sold": 1}, {"sold": 2}]
            assert ai.say("Sell", thread=harness.Thread()).state == {"sold": 1}
        mine = Shop()
        marvin(url, env=mine, tools=["env:sell"]).say("Sell")
    assert mine.sold == 1


def test_other_code_goes_on_while_a_world_is_made() -> None:
    begun, went_on = threading.Event(), threading.Event()

    class Shop:
        def __init__(self) -> None:
            begun.set()
            self.alone = not went_on.wait(5)

    async def other() -> None:
        await asyncio.to_thread(begun.wait)
        went_on.set()

    async def script(url: str) -> Any:
        reply, _ = await asyncio.gather(marvin(url, env=Shop).say_async("Hi"), other())
        return reply.state

    with service() as (url, _):
        assert asyncio.run(script(url)) == {"alone": False}


def test_a_world_that_cannot_be_made_ends_the_call() -> None:
    class Shop:
        def __init__(self) -> None:
            raise RuntimeError("no stock")

    with service() as (url, simulator):
        with pytest.raises(harness.HarnessError, match="Shop could not be made: RuntimeError: no stock"):
            marvin(url, env=Shop).say("Hi")
        assert simulator.requests == []


def test_an_assistant_serves_another_as_a_tool() -> None:
    def answer(ask: Ask) -> str | list[Piece]:
        if ask.messages[-1]["role"] == "tool":
            return "The analyst says: " + str(ask.messages[-1]["content"])
        asked = str(ask.messages[-1]["content"])
        return "Data" if asked == "Analyse" else [Call(name="analyst", arguments='{"message": "Analyse"}')]

    def script(url: str) -> harness.Reply:
        ai = marvin(url, tools=[{"assistant": "analyst"}], assistants={"analyst": {"system": "You analyse."}})
        with harness.cassette(PATH, "once"):
            return ai.say("Tell me")

    with service(answer) as (url, _):
        live = script(url)
    again = script(url)
    assert live == again == "The analyst says: Data"
    assert len(live.steps) == 3
    assert live.usage == again.usage
    assert live.cost == again.cost


# Assistants and threads at a service.


def test_an_assistant_lives_around_each_answer_or_as_long_as_it_is_said() -> None:
    form = FORMS[-1]
    with service() as (url, simulator):
        ai = marvin(url, instructions="Be brief.", metadata={"team": "a"}, **form)
        ai.say("Hi")
        ai.say("Bye")
        made = [body for how, path, body in simulator.requests if (how, path) == ("POST", "/v1/assistants")]
        assert [(one["name"], one["instructions"], one["metadata"]) for one in made] == [
            ("Marvin", "Be brief.", {"team": "a"})
        ] * 2
        assert len(paths(simulator, "DELETE")) == 2
        assert ai.id is None
        simulator.requests.clear()
        with ai:
            assert ai.id is not None
            ai.say("Hi")
            ai.say("Bye")
        assert paths(simulator, "POST").count("/v1/assistants") == len(paths(simulator, "DELETE")) == 1
        assert ai.create().id is not None
        found = harness.Assistant.load(str(ai.id), base_url=url, poll_interval=0.1)
        assert (found.name, found.model, found.instructions, found.id) == ("Marvin", "gpt-4.1-mini", "Be brief.", ai.id)
        simulator.requests.clear()
        with found:
            assert found.say("Hello") == "Hello"
        assert paths(simulator, "DELETE") == []
        ai.delete()
        assert ai.id is None
        with pytest.raises(harness.HarnessError, match="No assistant found"):
            found.say("Hello")


def test_functions_behind_the_tools_of_a_loaded_assistant_are_given_again() -> None:
    with service() as (url, _):
        ai = marvin(url, tools=[Shelf().tool(), "code_interpreter"], **FORMS[-1]).create()
        found = harness.Assistant.load(str(ai.id), base_url=url, poll_interval=0.1, tools=[Shelf().tool()])
        assert str(found.say("Where is the order?")).startswith("The order says")
        bare = harness.Assistant.load(str(ai.id), base_url=url, poll_interval=0.1)
        with pytest.raises(harness.HarnessError, match="'status' has no code"):
            bare.say("Where is the order?")


@pytest.mark.parametrize("api", ["threads", "responses"])
def test_an_assistant_is_changed_here_and_at_the_service(api: str) -> None:
    def says(ask: Ask) -> str:
        return f"{ask.messages[0]['content']} {ask.settings.get('temperature')}"

    with service(says) as (url, simulator):
        ai = marvin(url, api=api, instructions="One.", temperature=0.5)
        with ai, harness.cassette(PATH, record_mode="once"):
            assert ai.say("Hi") == "One. 0.5"
            assert ai.update(instructions="Two, {{ self_.name }}.") is ai
            assert ai.say("Hi") == "Two, Marvin. 0.5"
        made = [path for path in paths(simulator, "POST") if path.endswith("/assistants")]
        assert len(made) == (1 if api == "threads" else 0)
    with pytest.raises(harness.UsageError, match="`api=` cannot change"):
        ai.update(api="chat")


def test_other_apis_have_nothing_to_create() -> None:
    with service() as (url, simulator), marvin(url) as ai:
        assert ai.create().id is None
        ai.delete()
        assert simulator.requests == []


def test_a_thread_goes_on_by_its_id() -> None:
    def count(ask: Ask) -> str:
        return f"{sum(one['role'] == 'user' for one in ask.messages)} messages"

    for form in FORMS[2:]:
        with service(count) as (url, _):
            ai = marvin(url, **form)
            ai.say("One")
            other = marvin(url, api=form["api"], poll_interval=form.get("poll_interval"))
            again = harness.Thread(ai.thread.id)
            assert (other.say("Two", thread=again), other.say("Three", thread=again)) == ("2 messages", "3 messages")
            with pytest.raises(harness.UsageError, match="cannot answer in it"):
                marvin(url, api="chat").say("Hi", thread=again)


def test_tools_are_called_in_a_thread_that_the_service_keeps() -> None:
    with service() as (url, _):
        for form in FORMS[2:]:
            ai = marvin(url, tools=[Shelf().tool()], **form)
            ai.say("Hi")
            assert str(ai.say("Where is the order?")).startswith("The order says")
            assert ai.say("Thanks") == "Thanks"


def test_messages_are_listed_by_the_service_that_keeps_them() -> None:
    with service() as (url, simulator):
        ai = marvin(url, **FORMS[-1])
        for text in ("One", "Two", "Three"):
            ai.say(text)
        ai.thread.add("Four")
        other = harness.Thread(ai.thread.id, base_url=url)
        listed = other.messages()
        assert [str(one) for one in listed] == ["One", "One", "Two", "Two", "Three", "Three"]
        assert [str(one) for one in ai.thread.messages()][-1] == "Four"
        assert [str(one) for one in other.messages(2, order="desc")] == ["Three", "Three"]
        assert [str(one) for one in other.messages(after=listed[3].id)] == ["Three", "Three"]
        assert [str(one) for one in other.messages(before=listed[1].id)] == ["One"]
        ai.thread.delete()
        assert paths(simulator, "DELETE")[-1] == f"/v1/threads/{other.id}"
        assert ai.thread.messages() == []


def test_messages_are_listed_in_pages() -> None:
    thread = harness.Thread()
    ids = [thread.add(text).id for text in ("One", "Two", "Three")]
    assert thread.add("Four", role="assistant").role == "assistant"
    assert [str(one) for one in thread.messages(2)] == ["One", "Two"]
    assert [str(one) for one in thread.messages(2, order="desc")] == ["Four", "Three"]
    assert [str(one) for one in thread.messages(after=ids[0], before=ids[2])] == ["Two"]
    assert [str(one) for one in thread.messages(after=ids[1], order="desc")] == ["One"]
    for wrong, message in (
        ({"limit": 0}, "from 1 to 100"),
        ({"order": "up"}, "asc or desc"),
        ({"after": "message_9"}, "no message 'message_9'"),
    ):
        with pytest.raises(harness.UsageError, match=message):
            thread.messages(**wrong)  # type: ignore[arg-type]
    with pytest.raises(harness.UsageError, match="user or assistant"):
        thread.add("Five", role="system")  # type: ignore[arg-type]


@every_form
def test_nothing_can_be_added_while_an_assistant_answers(form: dict[str, Any]) -> None:
    thread = harness.Thread()

    def interrupt(again: bool) -> str:
        """Get in the way."""
        return str(thread.run(ai) if again else thread.add("Wait"))

    def answer(ask: Ask) -> str | list[Piece]:
        last = str(ask.messages[-1]["content"])
        return last if last == "Free" else [Call(name="interrupt", arguments=json.dumps({"again": last == "Run"}))]

    with service(answer) as (url, _):
        ai = marvin(url, tools=[interrupt], **form)
        for text in ("Add", "Run"):
            with pytest.raises(harness.UsageError, match="an assistant is answering in this thread"):
                ai.say(text, thread=thread)
        assert ai.say("Free", thread=thread) == "Free"


@every_form
def test_what_was_not_answered_is_not_said_twice(form: dict[str, Any]) -> None:
    failing = True

    def answer(ask: Ask) -> str:
        if failing:
            raise Failure(400, "invalid_prompt", "No.")
        return " ".join(str(one["content"]) for one in ask.messages if one["role"] == "user")

    with service(answer) as (url, _):
        ai = marvin(url, **form)
        thread = harness.Thread()
        thread.add("One")
        thread.add("Two")
        with pytest.raises(harness.HarnessError, match="No"):
            thread.run(ai)
        failing = False
        thread.add("Three")
        assert thread.run(ai) == "One Two Three"


def test_what_say_could_not_deliver_is_not_in_the_thread() -> None:
    with ChatServer(faults=lambda number, body: Reply(400, error("no")) if number == 1 else None) as server:
        ai = harness.Assistant(model="m", base_url=server.url, api="chat")
        with pytest.raises(harness.HarnessError, match="no"):
            ai.say("One")
        ai.say("Two")
        assert [str(one) for one in ai.thread.messages()] == ["Two", "Hello"]


def test_files_live_as_long_as_what_they_belong_to(project: Path) -> None:
    (project / "notes.txt").write_text("The sky is blue.")

    def script(url: str) -> str:
        ai = marvin(url, files=[project / "notes.txt"], **FORMS[-1])
        with harness.cassette(PATH, "once"):
            ai.say("Hi", files=[project / "notes.txt"])
            first = ai.say("Bye", files=[project / "notes.txt"])
            ai.thread.delete()
        return first

    with service() as (url, simulator):
        live = script(url)
        deleted = paths(simulator, "DELETE")
        uploads = paths(simulator, "POST").count("/v1/files")
    assert script(url) == live
    assert [path.split("/")[2] for path in deleted] == [
        *("assistants", "vector_stores", "files") * 2,
        "threads",
        "files",
    ]
    assert uploads == 3


def test_openai_no_longer_answers_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing")
    with pytest.raises(harness.UsageError, match="2026-08-26"):
        harness.Assistant(api="threads").say("Hi")


def test_each_of_several_assistants_is_refused_for_its_own_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def asks(**analyst: Any) -> dict[str, Any]:
        return {"tools": [{"assistant": "analyst"}], "assistants": {"analyst": {"model": "m", **analyst}}}

    with service() as (url, simulator):
        monkeypatch.setenv("ANALYST_KEY", "none")
        gone = {"api": "threads", "base_url": "https://api.openai.com/v1", "api_key_env": "ANALYST_KEY"}
        with pytest.raises(harness.UsageError, match="2026-08-26"):
            marvin(url, **asks(**gone)).say("Hi")
        assert simulator.requests == []
        # Its address answers; what is missing is the key for the one that asks it.
        with pytest.raises(harness.CredentialsError, match="OPENAI_API_KEY"):
            harness.Assistant(model="m", **asks(api="threads", base_url=url)).say("Hi")


# Following an answer.


class Notes(harness.EventHandler):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def on_text(self, delta: str) -> None:
        self.heard.append(("text", delta))

    def on_tool_call(self, call: harness.ToolCall) -> None:
        self.heard.append(("call", call.name))

    def on_tool_result(self, call: harness.ToolCall) -> None:
        self.heard.append(("result", json.dumps(call.output)))

    def on_message(self, message: harness.Message) -> None:
        self.heard.append(("message", message.content))

    def on_step(self, step: harness.CallCompleted) -> None:
        self.heard.append(("step", step.model))


@every_form
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_handler_hears_everything_in_order(form: dict[str, Any], stream: bool) -> None:
    def answer(ask: Ask) -> str | list[Piece]:
        if ask.messages[-1]["role"] == "tool":
            return [Text("It has"), Text(" shipped.")]
        return [Call(name="status", arguments='{"order_id": "1"}')]

    def script(url: str) -> list[tuple[str, str]]:
        notes = Notes()
        with harness.cassette(PATH, "once"):
            marvin(url, tools=[Shelf().tool()], stream=stream, **form).say("Where?", on_event=notes)
        return notes.heard

    with service(answer) as (url, _):
        live = script(url)
    assert script(url) == live
    pieces = ["It has", " shipped."] if stream else ["It has shipped."]
    steps = [one for one in live if one[0] == "step"]
    assert [one for one in live if one[0] != "step"] == [
        ("call", "status"),
        ("result", '{"order": "1", "state": "shipped"}'),
        ("message", ""),
        *(("text", piece) for piece in pieces),
        ("message", "It has shipped."),
    ]
    assert steps == [("step", "gpt-4.1-mini")] * 2


def test_any_function_can_follow() -> None:
    heard: list[Any] = []
    with service() as (url, _):
        ai = marvin(url)
        ai.thread.add("Hi")
        ai.thread.run(ai, on_event=heard.append)
    assert [type(one) for one in heard] == [harness.CallCompleted, harness.TextDelta, harness.MessageAdded]


def test_what_a_handler_raises_is_raised_when_the_answer_is_there() -> None:
    class Broken(harness.EventHandler):
        calls = 0

        def on_text(self, delta: str) -> None:
            self.calls += 1
            raise ValueError("my own mistake")

    broken = Broken()
    with service() as (url, _):
        ai = marvin(url, stream=True)
        with pytest.raises(ValueError, match="my own mistake"):
            ai.say("One two three", on_event=broken)
        assert broken.calls == 1
        assert [str(one) for one in ai.thread.messages()] == ["One two three"] * 2


def test_a_stream_knows_its_answer_and_can_be_left() -> None:
    async def answer(ask: Ask) -> AsyncIterator[str]:
        for piece in ("One", " two", " three"):
            yield piece
        if ask.messages[-1]["content"] == "Never end":
            await asyncio.Event().wait()

    with service(answer) as (url, _):
        ai = marvin(url)
        stream = ai.stream("Count")
        with pytest.raises(harness.UsageError, match="not complete yet"):
            _ = stream.reply
        assert [*stream] == ["One", " two", " three"]
        assert stream.reply == "One two three"
        assert (stream.reply.transcript.ttft or 0) > 0
        with ai.stream("Never end") as left:
            assert next(left) == "One"
        assert [str(one) for one in ai.thread.messages()] == ["Count", "One two three"]

        async def leave() -> None:
            async with ai.stream_async("Never end") as pieces:
                assert await anext(pieces) == "One"

        asyncio.run(leave())
        assert ai.say("Count") == "One two three"


async def endless(ask: Ask) -> AsyncIterator[str]:
    """Answer in two pieces, or never to the end."""
    yield "One"
    if ask.messages[-1]["content"] == "Never end":
        await asyncio.Event().wait()
    yield " two"


@every_form
def test_a_loop_over_a_stream_can_be_left_and_the_thread_goes_on(form: dict[str, Any]) -> None:
    def recorded(ai: harness.Assistant) -> Path:
        with harness.cassette(PATH, "once") as block:
            for piece in ai.stream("Never end"):
                assert piece == "One"
                break
            assert ai.say("Count") == "One two"
        return block.path

    with service(endless) as (url, _):
        ai = marvin(url, **form)
        with pytest.warns(UserWarning, match="a stream was left"):
            path = recorded(ai)
        assert not path.exists()

        async def script() -> None:
            async for piece in ai.stream_async("Never end"):
                assert piece == "One"
                break
            assert await ai.say_async("Count") == "One two"

        asyncio.run(script())


def test_a_stream_that_is_held_makes_way_for_what_is_said_next() -> None:
    with service(endless) as (url, _):
        ai = marvin(url)
        held = ai.stream("Never end")
        assert next(held) == "One"
        assert ai.say("Count") == "One two"
        with pytest.raises(harness.UsageError, match="something else was said in its thread"):
            next(held)
        held = ai.stream("Never end")
        assert next(held) == "One"
        ai.thread.add("Count")
        assert ai.thread.run(ai) == "One two"


def test_what_others_wait_for_in_a_loop_does_not_make_way() -> None:
    async def script(url: str) -> None:
        ai = marvin(url)
        async with ai.stream_async("Never end") as held:
            assert await anext(held) == "One"
            with pytest.raises(harness.UsageError, match="an assistant is answering.*close its stream"):
                await ai.say_async("Count")
        assert await ai.say_async("Count") == "One two"

    with service(endless) as (url, _):
        asyncio.run(script(url))


def test_a_stream_ends_with_its_block() -> None:
    def blocking(ai: harness.Assistant) -> None:
        with harness.cassette(PATH, "once") as block:
            held = ai.stream("Count")
            assert next(held) == "One"
        assert not block.path.exists()
        with pytest.raises(harness.UsageError, match="its cassette was closed"):
            next(held)

    async def awaiting(ai: harness.Assistant) -> None:
        async with harness.cassette(PATH, "once") as block:
            held = ai.stream_async("Count")
            assert await anext(held) == "One"
        assert not block.path.exists()
        with pytest.raises(harness.UsageError, match="its cassette was closed"):
            await anext(held)

    with service(endless) as (url, _):
        with pytest.warns(UserWarning, match="a stream was left"):
            blocking(marvin(url))
        with pytest.warns(UserWarning, match="a stream was left"):
            asyncio.run(awaiting(marvin(url)))


def test_a_stream_that_is_dropped_inside_an_event_loop_stops_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with service(endless) as (url, _):
        ai = marvin(url)
        streams = [ai.stream("Never end")]
        assert next(streams[0]) == "One"
        marvin(url).say("Count", on_event=lambda event: streams.clear())
        assert ai.say("Count") == "One two"
    assert capfd.readouterr() == ("", "")


def test_a_stream_raises_what_went_wrong() -> None:
    def answer(ask: Ask) -> str:
        raise Failure(400, "invalid_prompt", "No.")

    with service(answer) as (url, _), pytest.raises(harness.HarnessError, match="No"):
        list(marvin(url).stream("Hi"))


# Printing.


def test_messages_are_printed_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    with service() as (url, _):
        for form in FORMS:
            ai = marvin(url, tools=[Shelf().tool()], **form)
            reply = ai.say("Where is the order? \x1b[31m[bold]")
            ai.thread.pprint()
            assert capsys.readouterr().out.splitlines() == [
                "User: Where is the order? [bold]",
                '  -> status(order_id="4711")',
                '  <- order="4711", state="shipped"',
                'Assistant: The order says: {"order": "4711", "state": "shipped"}',
            ]
    harness.print_messages(reply)
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[-1]) == (3, f"Assistant: {reply}")
    with pytest.raises(harness.UsageError, match="not a str"):
        harness.print_messages(["Hi"])  # type: ignore[list-item]


def test_an_answer_is_printed_while_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    with service() as (url, _):
        ai = marvin(url, tools=[Shelf().tool()])
        ai.say("Where is the order?", on_event=harness.PrintHandler())
        assert len(capsys.readouterr().out.splitlines()) == 3
        ai.say("Where is the order?", on_event=harness.PrintHandler(steps=False))
        assert capsys.readouterr().out.splitlines() == [
            'Assistant: The order says: {"order": "4711", "state": "shipped"}'
        ]


# One cassette for a block of code.


def test_clients_of_a_block_are_recorded_and_replayed() -> None:
    def script(url: str) -> list[str]:
        with harness.cassette(PATH, "once", base_url=url) as block:
            first = block.sync_client.responses.create(model="m", input="Hi").output_text

            async def other() -> str:
                answer = await block.client.responses.create(model="m", input="Ho")
                return answer.output_text

            return [first, asyncio.run(other()), str(marvin(url).say("Hey"))]

    with service() as (url, _):
        live = script(url)
    assert live == script(url) == ["Hi", "Ho", "Hey"]


def test_a_block_that_is_not_recorded_says_what_to_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ai = harness.Assistant()
    with (
        pytest.raises(harness.HarnessError, match=r"demo\.yaml does not exist.*record_mode='once'"),
        harness.cassette(PATH),
    ):
        ai.say("Hi")
    with harness.cassette(PATH):
        pass
    monkeypatch.setenv("HARNESS_RECORD_MODE", "once")
    with service() as (url, _), harness.cassette(PATH) as block:
        marvin(url).say("Hi")
        assert not block.replays
        assert not block.path.exists()
    assert block.path == project / PATH
    assert block.path.is_file()


def test_what_was_not_recorded_counts_even_where_the_code_swallows_it() -> None:
    with service() as (url, _), harness.cassette(PATH, "once"):
        marvin(url).say("Hi")
    block = harness.cassette(PATH)
    block.__enter__()
    with pytest.raises(harness.HarnessError):
        marvin(url).say("Something else")
    with pytest.raises(harness.HarnessError, match=r"record_mode='rewrite'"):
        block.__exit__(None, None, None)


def test_a_block_whose_service_hides_its_tokens_says_that_its_cost_is_an_estimate(project: Path) -> None:
    write(project, {"pyproject.toml": "[tool.harness.prices.m]\ninput = '$0'\noutput = '$100'\n"})

    def hidden(number: int, body: dict[str, Any]) -> Reply:
        return Reply(body=json.dumps({**completion("Hello", number, body), "usage": None}).encode())

    with ChatServer(lambda number, body: "Hello", faults=hidden) as server:
        ai = harness.Assistant(model="m", api="chat", base_url=server.url, max_tokens=20)
        with harness.cassette(PATH, "once"):
            ai.say("Hi")
    told = json.loads(command("cassettes", "show", PATH, "--json").stdout)
    assert told["cost"] == "0.002"
    assert told["source"]["cost_basis"] == "estimated"


def test_a_block_is_recorded_anew_and_keeps_the_old_file_until_an_answer_is_final(project: Path) -> None:
    for text, status in (("First", 200), ("Second", 200), ("Third", 500)):

        def faults(number: int, body: dict[str, Any], status: int = status) -> Reply | None:
            return None if status == 200 else Reply(status, error("down"), {"retry-after-ms": "1"})

        with ChatServer(lambda number, body, text=text: text, faults=faults) as server:  # type: ignore[misc]
            ai = harness.Assistant(model="m", api="chat", base_url=server.url)
            if status == 200:
                with harness.cassette(PATH, "rewrite"):
                    assert ai.say("Hi") == text
                continue

            def fails(ai: harness.Assistant = ai) -> None:
                with harness.cassette(PATH, "rewrite"), pytest.raises(harness.HarnessError, match="down"):
                    ai.say("Hi")

            untold = r"demo\.yaml was not written: a call in it ended without a final answer \(HTTP 500: down\. Run again later"
            with pytest.warns(UserWarning, match=untold) as told:
                fails()
            assert told[0].filename == __file__
    with harness.cassette(PATH):
        assert ai.say("Hi") == "Second"
    assert [path.name for path in (project / "cassettes").iterdir()] == ["demo.yaml"]


def test_a_damaged_file_is_refused_with_what_a_block_can_do(project: Path) -> None:
    write(project, {PATH: "interactions: ["})
    with pytest.raises(harness.HarnessError) as raised, harness.cassette(PATH, "once"):
        pass
    assert str(raised.value).startswith("cassettes/demo.yaml is damaged: it is not readable YAML")
    assert str(raised.value).endswith("or record the block anew with `record_mode='rewrite'`.")
    with service() as (url, _), harness.cassette(PATH, "rewrite"):
        marvin(url).say("Hi")
    with harness.cassette(PATH):
        assert marvin(url).say("Hi") == "Hi"


def test_a_block_that_raises_keeps_what_was_answered_for_good(project: Path) -> None:
    with service() as (url, _):

        def broken(path: str, error: BaseException) -> None:
            with harness.cassette(path, "once"):
                marvin(url).say("Hi")
                raise error

        with pytest.raises(ZeroDivisionError):
            broken(PATH, ZeroDivisionError())
        with pytest.raises(KeyboardInterrupt):
            broken("cassettes/other.yaml", KeyboardInterrupt())
    assert [path.name for path in (project / "cassettes").iterdir()] == ["demo.yaml"]
    with harness.cassette(PATH):
        assert marvin(url).say("Hi") == "Hi"


def test_a_cassette_is_opened_once_and_in_the_project(tmp_path: Path) -> None:
    with pytest.raises(harness.UsageError, match="outside the project"), harness.cassette("../demo.yaml"):
        pass
    with pytest.raises(harness.UsageError, match=r"write 'demo\.yaml'"):
        harness.cassette("demo")
    with pytest.raises(harness.UsageError, match="none, once, new_episodes, rewrite, all or verify"):
        harness.cassette(PATH, "sometimes")  # type: ignore[arg-type]
    with harness.cassette(PATH) as block:
        with pytest.raises(harness.UsageError, match="cannot be nested"), harness.cassette("other.yaml"):
            pass
    with pytest.raises(harness.UsageError, match="used already"), block:
        pass
    with pytest.raises(harness.UsageError, match="not open"):
        _ = harness.cassette(PATH).client
    with harness.cassette(tmp_path / "absolute.yaml") as block:
        assert block.path == tmp_path / "absolute.yaml"


def test_a_recording_of_threads_is_not_recorded_over() -> None:
    with ChatServer() as model, served(Simulator(UpstreamBrain(model.url))) as stage:
        with harness.cassette(PATH, "once"):
            assert marvin(stage.url, **FORMS[-1]).say("Hi") == "Hello"
        with pytest.raises(harness.UsageError, match="cannot be made again"), harness.cassette(PATH, "rewrite"):
            pass


def test_threads_that_a_service_still_answers_are_recorded_anew() -> None:
    for text in ("First", "Second"):
        with service(lambda ask, text=text: text) as (url, _), harness.cassette(PATH, "rewrite"):  # type: ignore[misc]
            marvin(url, **FORMS[-1]).say("Hi")
    with harness.cassette(PATH):
        assert marvin(url, **FORMS[-1]).say("Hi") == "Second"


def test_what_an_assistant_names_as_secret_is_kept_out_of_the_whole_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "a word for few")
    command = ["python", str(Path(__file__).parent / "tools/mcp_server.py")]
    shop = {"mcp": {"command": command, "env": {"GREETING": "${GREETING}"}}, "allow": ["greet"]}
    greet = [
        {"match": {"contains": "Greet", "after": 0}, "call": {"name": "greet", "arguments": {"name": "Ann"}}},
        {"match": {"tool": "greet"}, "reply": "{{ result }}"},
    ]

    def script(url: str) -> list[str]:
        with harness.cassette(PATH, "once", base_url=url) as block:
            client = block.sync_client
            first = str(marvin(url, tools=[shop]).say("Greet Ann"))
            return [first, client.responses.create(model="m", input=f"Repeat: {first}").output_text]

    with served(Simulator(ScriptBrain(greet))) as server:
        live = script(server.url)
    recorded = Path(PATH).read_text(encoding="utf-8")
    assert "a word for few" not in recorded
    assert "REDACTED, Ann" in recorded
    assert live == ["a word for few, Ann", "Repeat: a word for few, Ann"]
    assert script(server.url) == ["REDACTED, Ann", "Repeat: REDACTED, Ann"]


def test_a_thread_of_the_block_needs_its_context() -> None:
    said: list[str] = []
    with service() as (url, _), harness.cassette(PATH, "once", base_url=url) as block:
        client = block.sync_client

        def work() -> None:
            try:
                client.responses.create(model="m", input="Hi")
            except Exception as failure:
                said.append(str(failure.__cause__ or failure))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert "contextvars.copy_context()" in said[0]
    assert not block.path.exists()


def test_tool_results_are_replayed_each_with_its_call() -> None:
    numbers = iter(range(100))

    def next_number() -> int:
        """Count."""
        return next(numbers)

    def answer(ask: Ask) -> str | list[Piece]:
        last = ask.messages[-1]
        # This service gives the same id again for every call.
        return (
            str(last["content"]) if last["role"] == "tool" else [Call(name="next_number", arguments="{}", id="call_1")]
        )

    def script(url: str) -> list[str]:
        ai = marvin(url, tools=[next_number])
        with harness.cassette(PATH, "once"):
            return [str(ai.say("Next", thread=harness.Thread())) for _ in range(3)]

    with service(answer) as (url, _):
        live = script(url)
    assert live == script(url) == ["0", "1", "2"]


# The page about all this.


def test_the_page_is_right(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs/how-to/assistants.md").read_text(encoding="utf-8")
    *snippets, tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    def read() -> str:
        names: dict[str, Any] = {}
        for snippet in snippets:
            exec(compile(snippet, str(project / "snippet.py"), "exec"), names)
        return capsys.readouterr().out

    script = [
        {
            "match": {"contains": "order", "after": 0},
            "call": {"name": "check_order_status", "arguments": {"order_id": "1"}},
        },
        {"match": {"tool": "check_order_status"}, "reply": "It has shipped."},
    ]
    monkeypatch.setenv("HARNESS_RECORD_MODE", "once")
    with served(Simulator(ScriptBrain(script))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        live = read()
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("HARNESS_RECORD_MODE")
    assert read() == live
    assert "calls check_order_status" in live
    assert "User: No, five" in live
    assert live.endswith("It has shipped.")
    compile(tests, "tests", "exec")
    assert "openai_client" in tests
