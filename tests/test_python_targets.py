"""`api: python`: what a function is given, what it may return, and what is read from its calls, recorded and replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, CodeRun, End, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write
from tests.recorded_twice import both, rows


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(ask: Ask) -> str:
    return str(ask.messages[-1]["content"])


def parrot(ask: Ask) -> list[Piece]:
    return [Text("You said "), Text(said(ask))]


KINDS = {
    "plain": """
def answer(input, session):
    return session.sync_client.responses.create(model="m", input=input).output_text
""",
    "coroutine": """
async def answer(input, session):
    return (await session.client.responses.create(model="m", input=input)).output_text
""",
    "generator": """
def answer(input, session):
    for event in session.sync_client.responses.create(model="m", input=input, stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta
""",
    "async generator": """
async def answer(input, session):
    async for event in await session.client.responses.create(model="m", input=input, stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta
""",
    "object with a coroutine": """
class Agent:
    async def __call__(self, input, session):
        return (await session.client.responses.create(model="m", input=input)).output_text

answer = Agent()
""",
    "chat generator": """
def answer(input, session):
    messages = [{"role": "user", "content": input}]
    for chunk in session.sync_client.chat.completions.create(model="m", messages=messages, stream=True):
        yield chunk.choices[0].delta.content if chunk.choices else None
""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_function_is_recorded_and_replays(project: Path, kind: str) -> None:
    (row,) = both(project, parrot, KINDS[kind], cases="[{id: one, input: Hello}]")
    assert row["output"] == "You said Hello"
    assert (row["finish_reason"], row["model"], row["attempts"]) == ("stop", "m", 1)
    assert row["latency"] == row["turns"][0]["latency"] > 0
    if "generator" in kind:
        assert 0 < row["ttft"] <= row["latency"]
    else:
        assert row["ttft"] is None


def test_an_answer_that_is_held_back_has_the_time_at_which_it_was_whole(project: Path) -> None:
    target = """
async def answer(input, session):
    whole = ""
    async for event in await session.client.responses.create(model="m", input=input, stream=True):
        if event.type == "response.output_text.delta":
            {inside}
    {after}
"""
    pieces = {"at_once": ("yield event.delta", "pass"), "held_back": ("whole += event.delta", "yield whole")}
    files = {name: target.format(inside=inside, after=after) for name, (inside, after) in pieces.items()}
    written = "\n".join(text.replace("def answer", f"def {name}") for name, text in files.items())

    async def slow(ask: Ask) -> Any:
        import asyncio

        yield Text("one ")
        await asyncio.sleep(0.1)
        yield Text("two")

    times = {}
    for name in pieces:
        (row,) = both(project, slow, written, function=name)
        times[name] = row["ttft"]
    assert times["held_back"] - times["at_once"] > 0.05


def test_pieces_that_are_made_after_an_answer_have_the_time_of_that_answer(project: Path) -> None:
    target = """
def answer(input, session):
    text = session.sync_client.responses.create(model="m", input=input).output_text
    yield from text.split()
    session.sync_client.responses.create(model="m", input="And later?")
"""
    (row,) = both(project, parrot, target)
    assert 0 < row["ttft"] < row["latency"]


def test_a_function_is_given_what_its_arguments_name(project: Path) -> None:
    target = """
def answer(question, messages, session, files, images, instructions, thread, tone):
    return {
        "output": question,
        "extra": {
            "messages": messages,
            "trial": session.trial,
            "files": [(one.name, one.media_type, one.data.decode()) for one in files],
            "images": [one.name for one in images],
            "instructions": instructions,
            "thread": thread,
            "tone": tone,
        },
    }
"""
    suite = """\
suite: s
variants: {agent: {api: python, target: "./agent.py:answer", system: You help., args: {tone: warm}}}
cases:
  - id: one
    history: [{user: Hi}, {assistant: Hello}]
    turns:
      - {input: Read it., files: [note.txt], images: [dot.png], instructions: Be brief., thread: t_1}
"""
    write(project, {"suites/s.yaml": suite, "suites/agent.py": target, "suites/note.txt": "Ship on Monday."})
    (project / "suites/dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert harness("run").exit_code == 0
    (row,) = rows(project)
    extra = row["extra"]
    assert row["output"] == "Read it."
    assert [(one["role"], one["content"]) for one in extra["messages"]] == [
        ("system", "You help."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Read it."),
    ]
    assert extra["trial"] == "s/one/agent/1"
    assert extra["files"] == [["note.txt", "text/plain", "Ship on Monday."]]
    assert extra["images"] == ["dot.png"]
    assert (extra["instructions"], extra["thread"], extra["tone"]) == ("Be brief.", "t_1", "warm")


def test_each_turn_is_one_call_with_the_conversation_so_far(project: Path) -> None:
    target = """
async def answer(input, session, messages):
    given = await session.client.chat.completions.create(model="m", messages=messages)
    return given.choices[0].message.content
"""

    def counting(ask: Ask) -> list[Piece]:
        return [Text(f"{len(ask.messages)} messages, last: {said(ask)}")]

    cases = "[{id: one, turns: [{input: One}, {input: Two}, {input: [Three, Four]}]}]"
    (row,) = both(project, counting, target, cases=cases)
    assert [turn["output"] for turn in row["turns"]] == [
        "1 messages, last: One",
        "3 messages, last: Two",
        "6 messages, last: Four",
    ]
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * 2 + ["user", "user", "assistant"]
    assert row["output"] == row["turns"][-1]["output"]
    assert all(turn["usage"]["input"] and turn["usage"]["output"] for turn in row["turns"])
    assert sum(turn["usage"]["input"] for turn in row["turns"]) == row["usage"]["input"]


LOOP = """
import json

TOOLS = [{{"type": "function", "function": {{"name": "look_up", "parameters": {{"type": "object", "properties": {{"order": {{"type": "string"}}}}}}}}}}]


async def answer(input, session):
    messages = [{{"role": "user", "content": input}}]
    while True:
        given = await session.client.chat.completions.create(model="m", messages=messages, tools=TOOLS)
        message = given.choices[0].message
        if not message.tool_calls:
            return {answer}
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = json.dumps({{"order": json.loads(call.function.arguments)["order"], "status": "shipped"}})
            messages.append({{"role": "tool", "tool_call_id": call.id, "content": result}})
"""


def orders(ask: Ask) -> list[Piece]:
    """Ask for one order after the other, with ids that some services use again and again."""
    done = sum(message["role"] == "tool" for message in ask.messages)
    if done < 3:
        return [Call(id="call_1", name="look_up", arguments=f'{{"order": "{done}"}}')]
    return [Text("All have shipped.")]


def test_calls_with_the_same_id_keep_their_own_results(project: Path) -> None:
    (row,) = both(project, orders, LOOP.format(answer="message.content"))
    assert [(call["arguments"], call["output"]) for call in row["tool_calls"]] == [
        ({"order": str(number)}, {"order": str(number), "status": "shipped"}) for number in range(3)
    ]
    assert row["turns"][0]["steps"] == 4


def test_what_a_function_says_of_its_calls_is_the_last_word(project: Path) -> None:
    told = '{"output": message.content, "tool_calls": [{"name": "look_up", "arguments": {"order": "all"}}]}'
    (row,) = both(project, orders, LOOP.format(answer=told))
    assert [call["arguments"] for call in row["tool_calls"]] == [{"order": "all"}]
    none = '{"output": message.content, "tool_calls": []}'
    (row,) = both(project, orders, LOOP.format(answer=none))
    assert row["tool_calls"] == []


def test_a_result_that_comes_in_the_next_turn_belongs_to_the_call_of_the_turn_before(project: Path) -> None:
    target = """
TOOLS = [{"type": "function", "name": "refund", "parameters": {"type": "object", "properties": {}}, "strict": False}]
LAST = {}


async def answer(input, session):
    items = [{"role": "user", "content": input}]
    if session.trial in LAST:
        id, call = LAST.pop(session.trial)
        items = [{"type": "function_call_output", "call_id": call, "output": "refunded"}, *items]
        given = await session.client.responses.create(model="m", input=items, tools=TOOLS, previous_response_id=id)
        return given.output_text
    given = await session.client.responses.create(model="m", input=items, tools=TOOLS)
    LAST[session.trial] = given.id, given.output[0].call_id
    return "Shall I?"
"""

    def refunds(ask: Ask) -> list[Piece]:
        if any(message["role"] == "tool" for message in ask.messages):
            return [Text("Done.")]
        return [Call(name="refund", arguments="{}")]

    (row,) = both(project, refunds, target, cases="[{id: one, turns: [{input: Refund me}, {input: Do}]}]")
    first, second = row["turns"]
    assert [(call["name"], call["output"]) for call in first["tool_calls"]] == [("refund", "refunded")]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "stop")
    assert second["tool_calls"] == []
    assert row["messages"][1]["tool_calls"] == row["tool_calls"] == first["tool_calls"]


THREADS = """
import json
import time

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"order": {"type": "string"}}}}}


def answer(input, session):
    beta = session.sync_client.beta
    assistant = beta.assistants.create(model="m", tools=[TOOL, {"type": "code_interpreter"}])
    thread = beta.threads.create(messages=[{"role": "user", "content": input}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5)
    while run.status == "requires_action":
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs = [{"tool_call_id": call.id, "output": call.function.arguments.upper()} for call in calls]
        run = beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs, poll_interval_ms=5
        )
    beta.threads.runs.steps.list(run_id=run.id, thread_id=thread.id)
    (message, *_) = beta.threads.messages.list(thread_id=thread.id).data
    return message.content[0].text.value


def streamed(input, session):
    beta = session.sync_client.beta
    assistant = beta.assistants.create(model="m", tools=[TOOL])
    thread = beta.threads.create(messages=[{"role": "user", "content": input}])
    with beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as events:
        events.until_done()
        run = events.current_run
    calls = run.required_action.submit_tool_outputs.tool_calls
    outputs = [{"tool_call_id": call.id, "output": call.function.arguments.upper()} for call in calls]
    with beta.threads.runs.submit_tool_outputs_stream(run_id=run.id, thread_id=thread.id, tool_outputs=outputs) as events:
        yield from events.text_deltas
"""


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
@pytest.mark.parametrize("function", ["answer", "streamed"])
def test_the_calls_of_a_run_are_told_once_however_often_it_was_looked_at(project: Path, function: str) -> None:
    def brain(ask: Ask) -> list[Piece]:
        if ask.messages[-1]["role"] == "tool":
            ran = [CodeRun(code="1+1", logs="2")] if "code_interpreter" in ask.builtin else []
            return [*ran, Text("Both have "), Text("shipped.")]
        return [Call(name="look_up", arguments=f'{{"order": "{name}"}}') for name in "ab"]

    (row,) = both(project, brain, THREADS, function=function)
    own = [call for call in row["tool_calls"] if call["name"] == "look_up"]
    assert [(call["arguments"], call["output"]) for call in own] == [
        ({"order": "a"}, {"ORDER": "A"}),
        ({"order": "b"}, {"ORDER": "B"}),
    ]
    others = [call for call in row["tool_calls"] if call not in own]
    if function == "answer":
        assert [(call["name"], call["arguments"]) for call in others] == [("code_interpreter", {"code": "1+1"})]
    else:
        assert others == []
        assert 0 < row["ttft"] <= row["latency"]
    assert row["output"] == "Both have shipped."
    assert (row["finish_reason"], row["turns"][0]["steps"], len(row["response_ids"])) == ("stop", 2, 1)


def test_an_answer_that_was_cut_says_so(project: Path) -> None:
    def cut(ask: Ask) -> list[Piece]:
        return [Text("It is"), End(finish="length")]

    (row,) = both(project, cut, KINDS["coroutine"], extra="expect: {finish_reason: length}")
    assert row["outcome"] == "passed"


@pytest.mark.parametrize("call", ["responses.connect()", 'realtime.connect(model="m")'])
def test_a_connection_that_could_not_be_recorded_is_refused_before_anything_is_sent(project: Path, call: str) -> None:
    target = f"""
async def answer(input, session):
    async with session.client.{call} as connection:
        await connection.send({{"type": "response.create"}})
    return "unreachable"
"""
    asked: list[Ask] = []

    def brain(ask: Ask) -> list[Piece]:
        asked.append(ask)
        return parrot(ask)

    with served(Simulator(FunctionBrain(brain))) as server:
        variant = f'{{api: python, target: "./agent.py:answer", base_url: "{server.url}"}}'
        suite = f"suite: s\nvariants: {{agent: {variant}}}\ncases: [{{id: one, input: Hi}}]\n"
        write(project, {"suites/s.yaml": suite, "suites/agent.py": target})
        assert harness("record", "--yes").exit_code == 3
    (row,) = rows(project)
    assert (row["outcome"], row["error"]["kind"]) == ("error", "unrecordable")
    assert "WebSocket" in row["error"]["message"]
    assert "responses.create(stream=True)" in row["error"]["message"]
    assert asked == []
    assert not list((project / "cassettes").rglob("*.yaml"))
