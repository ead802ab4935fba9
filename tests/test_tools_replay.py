"""Trials whose tools time out, fail, or are assistants themselves: what was recorded is what is replayed."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call
from harness.simulator.function import FunctionBrain, Said
from tests.loopback import ChatServer, Reply, completion, response
from tests.projects import harness, write
from tests.recorded_twice import rows

#: The same in a recording and its replay: all but these.
_OF_THE_RUN = ("run", "cassette")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(root: Path, brain: Callable[[Ask], Any], suite: str, **files: str) -> list[dict[str, Any]]:
    """Record a suite against a simulator; `URL` in it is where that is."""
    named = {f"suites/{name}.py": text for name, text in files.items()}
    with served(Simulator(FunctionBrain(brain))) as server:
        write(root, {"suites/s.yaml": "suite: s\n" + suite.replace("URL", server.url), **named})
        done = harness("record", "--yes", "-j", "1")
    assert done.exit_code in (0, 1, 3), done.output
    return rows(root)


def twice(root: Path, brain: Callable[[Ask], Any], suite: str, **files: str) -> dict[str, Any]:
    """Record a suite of one trial, and replay it when nobody is there any more; return what both came to."""
    [first] = record(root, brain, suite, **files)
    (root / "recorded").touch()
    harness("run")
    [second] = rows(root)
    assert second["error"] == first["error"]
    assert {key: value for key, value in second.items() if key not in _OF_THE_RUN} == {
        key: value for key, value in first.items() if key not in _OF_THE_RUN
    }
    return second


def results(ask: Ask) -> list[str]:
    return [str(message["content"]) for message in ask.messages if message["role"] == "tool"]


def chat_calls(calls: list[dict[str, str]]) -> dict[str, Any]:
    asked = [
        {"id": one["call_id"], "type": "function", "function": {key: one[key] for key in ("name", "arguments")}}
        for one in calls
    ]
    choice = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": asked}}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def responses_calls(calls: list[dict[str, str]]) -> dict[str, Any]:
    items = [{"type": "function_call", "id": f"fc_{number}", **one} for number, one in enumerate(calls)]
    return {**response("", 1, {"model": "m"}), "output": items}


def asking(*messages: str) -> list[Call]:
    return [
        Call(name="helper", arguments=json.dumps({"message": text}), id=f"call_{number}")
        for number, text in enumerate(messages, 1)
    ]


def helped(**helper: str) -> str:
    """A suite of an assistant `outer` that has another, `inner`, as its tool `helper`."""
    more = "".join(f", {key}: {value}" for key, value in helper.items())
    return f"""\
tools: [{{assistant: helper}}]
assistants: {{helper: {{api: chat, model: inner, base_url: URL{more}}}}}
variants: {{a: {{api: chat, model: outer, base_url: URL}}}}
cases: [{{id: one, input: Ask}}]
"""


TICK = '''
import itertools
_numbers = itertools.count(1)
def now() -> str:
    """Tell the time."""
    return f"tick {next(_numbers)}"
'''


def test_assistants_asked_side_by_side_replay_their_own_results_though_their_calls_have_equal_ids(
    project: Path,
) -> None:
    def brain(ask: Ask) -> Said:
        if ask.model == "outer":
            return " / ".join(results(ask)) or asking("one", "one")
        return results(ask)[0] if results(ask) else [Call(name="now", arguments="{}", id="call_1")]

    row = twice(project, brain, helped(tools="['./tools.py:now']"), tools=TICK)
    assert row["output"] == "tick 1 / tick 2"


def test_assistants_that_are_asked_by_others_replay_their_own_results_too(project: Path) -> None:
    def brain(ask: Ask) -> Said:
        if ask.model == "inner":
            return results(ask)[0] if results(ask) else [Call(name="now", arguments="{}", id="call_1")]
        name = "middle" if ask.model == "outer" else "helper"
        both = [Call(name=name, arguments='{"message": "x"}', id=f"call_{number}") for number in (1, 2)]
        return f"({' '.join(results(ask))})" if results(ask) else both

    suite = """\
tools: [{assistant: middle}]
assistants:
  middle: {api: chat, model: middle, base_url: URL, tools: [{assistant: helper}]}
  helper: {api: chat, model: inner, base_url: URL, tools: ['./tools.py:now']}
variants: {a: {api: chat, model: outer, base_url: URL}}
cases: [{id: one, input: Ask}]
"""
    row = twice(project, brain, suite, tools=TICK)
    assert row["output"].count("tick") == 4


SCRIPT = """
import harness

def say(url):
    helper = {"system": "Help.", "tools": ["./tools.py:now"]}
    ai = harness.Assistant(
        api="chat", base_url=url, model="m", tools=[{"assistant": "helper"}], assistants={"helper": helper}
    )
    with harness.cassette("cassettes/block.yaml", "once"):
        return [str(ai.say("First")), str(ai.say("Second"))]
"""


def test_a_block_replays_what_an_assistant_got_each_time_though_its_calls_have_equal_ids(project: Path) -> None:
    write(project, {"script.py": SCRIPT, "tools.py": TICK})
    say = runpy.run_path("script.py")["say"]

    def brain(number: int, body: dict[str, Any]) -> Reply:
        last = body["messages"][-1]
        if last["role"] == "tool":
            return Reply(body=json.dumps(completion(last["content"], number, body)).encode())
        asked = ("now", "{}") if last["content"] == "x" else ("helper", '{"message": "x"}')
        calls = [{"call_id": "call_1", "name": asked[0], "arguments": asked[1]}]
        return Reply(body=json.dumps(chat_calls(calls)).encode())

    with ChatServer(faults=brain) as server:
        live = say(server.url)
    assert live == ["tick 1", "tick 2"]
    assert say(server.url) == live


MOCKED = """\
tools: [{assistant: helper}, {name: status, description: Status.}]
assistants: {helper: {api: chat, model: inner, base_url: URL, tools: [{name: status, description: Status.}]}}
variants: {a: {api: chat, model: outer, base_url: URL}}
cases: [{id: one, input: Ask, mocks: {status: [first, second, third]}}]
"""


def test_mocks_go_on_in_the_conversation_of_an_assistant_that_is_asked(project: Path) -> None:
    def brain(ask: Ask) -> Said:
        known = results(ask)
        if ask.model == "inner":
            return known[0] if known else [Call(name="status", arguments="{}")]
        if len(known) == 3:
            return " / ".join(known)
        return asking("x") if len(known) == 1 else [Call(name="status", arguments="{}")]

    assert twice(project, brain, MOCKED)["output"] == "first / second / third"


def test_assistants_asked_side_by_side_get_the_mocks_that_they_got_when_they_were_recorded(project: Path) -> None:
    later = asyncio.Event()

    async def brain(ask: Ask) -> Said:
        known = results(ask)
        if ask.model == "outer":
            return " / ".join(known) if known else asking("slow", "quick")
        if known:
            later.set()
            return known[0]
        if ask.messages[-1]["content"] == "slow":
            await asyncio.wait_for(later.wait(), 10)
        return [Call(name="status", arguments="{}")]

    assert twice(project, brain, MOCKED)["output"] == "second / first"


WORLD = '''
import pathlib, threading

class World:
    """The first waits a while for the second, but not on replay."""
    made = []
    both = threading.Event()
    def __init__(self):
        self.number = len(World.made)
        World.made.append(self.number)
        if self.number == 1:
            World.both.set()
        elif not pathlib.Path("recorded").exists():
            World.both.wait(0.3)
    def look(self) -> str:
        """Look."""
        return "x"
'''


def test_assistants_with_worlds_are_asked_in_the_order_of_the_calls(project: Path) -> None:
    asked: list[Ask] = []

    def brain(ask: Ask) -> Said:
        if ask.model == "outer":
            return " / ".join(results(ask)) or asking("same", "same")
        asked.append(ask)
        return f"answer {len(asked)}"

    row = twice(project, brain, helped(env="./tools.py:World", tools="['env:look']"), tools=WORLD)
    assert row["output"] == "answer 1 / answer 2"


def test_an_assistant_that_took_too_long_is_not_asked_on_replay(project: Path) -> None:
    async def brain(ask: Ask) -> Said:
        if ask.model == "inner":
            await asyncio.sleep(0.5)
            return "late"
        return results(ask)[0] if results(ask) else asking("x")

    row = twice(project, brain, helped().replace("model: outer", "model: outer, tool_timeout: 100ms"))
    [call] = row["tool_calls"]
    assert (call["failure"], call["error"], call["source"]) == ("timeout", "no result within 0.1 s", "assistant")


def test_a_method_of_the_world_that_took_too_long_does_not_run_through_on_replay(project: Path) -> None:
    world = '''
import pathlib, threading
class World:
    def look(self, at: int) -> str:
        """Look."""
        if at == 2 and not pathlib.Path("recorded").exists():
            threading.Event().wait(0.5)
        return f"seen {at}"
'''

    def brain(ask: Ask) -> Said:
        known = results(ask)
        looks = [Call(name="look", arguments=f'{{"at": {at}}}', id="call_1") for at in (1, 2, 1)]
        return " / ".join(known) if len(known) == 3 else [looks[len(known)]]

    suite = """\
env: ./tools.py:World
tools: ['env:look']
variants: {a: {api: chat, model: m, base_url: URL, tool_timeout: 100ms}}
cases: [{id: one, input: Look}]
"""
    row = twice(project, brain, suite, tools=world)
    assert row["output"] == 'seen 1 / {"error": "no result within 0.1 s"} / seen 1'


SLOW = '''
import asyncio
async def slow() -> str:
    """Take a while."""
    await asyncio.sleep(0.2)
    return "slow"
'''


def test_an_assistant_that_fails_beside_a_tool_fails_the_same_way_on_replay(project: Path) -> None:
    suite = helped(request="{logit_bias: 3}").replace("[{assistant", "['./tools.py:slow', {assistant")
    row = twice(project, lambda ask: [*asking("x"), Call(name="slow", arguments="{}")], suite, tools=SLOW)
    assert (row["outcome"], row["error"]["kind"]) == ("error", "bad_request")
    assert "logit_bias" in row["error"]["message"]


SERVER = """
import os, pathlib
from mcp.server.mcpserver import MCPServer
with open("starts.txt", "a") as starts:
    starts.write("x")
server = MCPServer("shop")
@server.tool()
def stock(item: int) -> str:
    if item in BAD:
        os._exit(3)
    return f"{item} there"
server.run()
"""


def servant(ask: Ask) -> Said:
    if results(ask):
        return results(ask)[-1]
    return [Call(name="stock", arguments=json.dumps({"item": int(ask.messages[-1]["content"])}))]


STOCK = """\
tools: [{mcp: {command: [python, server.py]}}]
variants: {a: {api: chat, model: m, base_url: URL}}
cases: [{id: c2, input: '2'}, {id: c1, input: '1'}, {id: c3, input: '3'}, {id: c4, input: '4'}]
"""


def starts(root: Path) -> int:
    return len((root / "suites/starts.txt").read_text())


def test_a_server_that_goes_away_ends_its_trial_alone_and_nothing_of_that_is_kept(project: Path) -> None:
    got = record(project, servant, STOCK, server=SERVER.replace("BAD", "(1,)"))
    assert [row["output"] for row in got] == ["2 there", None, "3 there", "4 there"]
    assert got[1]["error"]["kind"] == "mcp"
    assert "`python server.py` has gone" in got[1]["error"]["message"]
    assert starts(project) == 2
    kept = sorted(path.name for path in (project / "cassettes").rglob("*.yaml"))
    assert kept == ["c2.1.yaml", "c3.1.yaml", "c4.1.yaml"]


def test_a_server_that_never_answers_a_call_is_not_started_again_and_again(project: Path) -> None:
    got = record(project, servant, STOCK, server=SERVER.replace("BAD", "range(9)"))
    assert [row["error"]["kind"] for row in got] == ["mcp"] * 4
    assert "not started again" in got[-1]["error"]["message"]
    assert starts(project) == 1


def test_a_server_that_does_not_start_is_tried_once(project: Path) -> None:
    broken = SERVER.replace("server = ", "raise SystemExit('no shop today')\nserver = ")
    got = record(project, servant, STOCK, server=broken)
    assert {row["error"]["message"] for row in got} == {got[0]["error"]["message"]}
    assert "no shop today" in got[0]["error"]["message"]
    assert starts(project) == 1


ENDING = '''
from harness.tools import EndRun
class Careless(EndRun):
    def __init__(self, why):
        self.why = why
class Broken(EndRun):
    data = property(lambda self: 1 / 0, lambda self, value: None)
def careless() -> str:
    """End."""
    raise Careless("enough")
def broken() -> str:
    """End."""
    raise Broken()
'''


def test_an_end_of_the_run_without_data_ends_it_and_what_breaks_is_not_kept(project: Path) -> None:
    suite = """\
tools: ['./tools.py:careless', './tools.py:broken']
variants: {a: {api: chat, model: m, base_url: URL}}
cases: [{id: careless, input: careless}, {id: broken, input: broken}]
"""
    got = record(
        project, lambda ask: [Call(name=str(ask.messages[-1]["content"]), arguments="{}")], suite, tools=ENDING
    )
    assert (got[0]["finish_reason"], got[0]["extra"]["end_run"]) == ("end_run", {"data": None})
    assert (got[1]["outcome"], got[1]["error"]["kind"], got[1]["cassette"]) == ("error", "internal", None)
    assert [path.name for path in (project / "cassettes").rglob("*.yaml")] == ["careless.1.yaml"]
    with served(Simulator(FunctionBrain(lambda ask: [Call(name="broken", arguments="{}")]))) as server:
        write(project, {"suites/s.yaml": "suite: s\n" + suite.replace("URL", server.url)})
        harness("run", "--record-mode", "all", "--case", "broken")
    assert rows(project)[0]["error"]["kind"] == "internal"
    assert [path.name for path in (project / "cassettes").rglob("*.yaml")] == ["careless.1.yaml"]


@pytest.mark.parametrize(("api", "answer"), [("chat", chat_calls), ("responses", responses_calls)])
def test_two_calls_with_one_id_are_told_apart_where_the_api_lets_them(
    project: Path, api: str, answer: Callable[[list[dict[str, str]]], dict[str, Any]]
) -> None:
    calls = [{"call_id": "call_1", "name": "find", "arguments": f'{{"name": "{name}"}}'} for name in "ab"]
    tool = 'def find(name: str) -> str:\n    "Find."\n    return "id-" + name\n'

    def twins(number: int, body: dict[str, Any]) -> Reply | None:
        return Reply(body=json.dumps(answer(calls)).encode()) if number == 1 else None

    with ChatServer(faults=twins) as server:
        suite = f"""\
suite: s
tools: ['./tools.py:find']
variants: {{a: {{api: {api}, model: m, base_url: "{server.url}"}}}}
cases: [{{id: one, input: Find}}]
"""
        write(project, {"suites/s.yaml": suite, "suites/tools.py": tool})
        harness("record", "--yes")
        sent = [body for _, body in server.requests]
    [row] = rows(project)
    if api == "chat":
        assert [(call["id"], call["output"]) for call in row["tool_calls"]] == [
            ("call_1", "id-a"),
            ("call_1-2", "id-b"),
        ]
        assert [message["tool_call_id"] for message in sent[1]["messages"][-2:]] == ["call_1", "call_1-2"]
    else:
        assert (row["outcome"], row["error"]["kind"], row["cassette"]) == ("error", "protocol", None)
        assert "same id, 'call_1'" in row["error"]["message"]
        assert len(sent) == 1


def test_a_verified_result_that_holds_a_secret_is_compared_without_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "a-long-and-secret-word")
    tool = '''
import os, pathlib
def login() -> dict:
    """Log in."""
    return {"key": os.environ["SHOP_API_KEY"], "day": DAY}
def refused() -> str:
    """Fail."""
    raise ValueError("401 for " + os.environ["SHOP_API_KEY"])
'''
    suite = """\
tools: [{function: './tools.py:login', replay: verify}, {function: './tools.py:refused', replay: verify}]
variants: {a: {api: responses, model: m, base_url: URL}}
cases: [{id: one, input: Log in}]
"""

    def brain(ask: Ask) -> Said:
        return "done" if results(ask) else [Call(name=name, arguments="{}") for name in ("login", "refused")]

    record(project, brain, suite, tools=tool.replace("DAY", "1"))
    harness("run")
    assert [call.get("drift") for call in rows(project)[0]["tool_calls"]] == [None, None]
    write(project, {"suites/tools.py": tool.replace("DAY", "2")})
    harness("run")
    login, refused = rows(project)[0]["tool_calls"]
    assert login["drift"].endswith(": $.day 1 -> 2")
    assert refused.get("drift") is None


def test_a_function_that_is_called_as_an_assistant_is_found_before_a_run(project: Path) -> None:
    clash = "from harness.tools import tool\n@tool(name='helper')\ndef other(x: str) -> str:\n    'x'\n    return x\n"
    suite = helped().replace("[{assistant: helper}]", "\n  - './tools.py:other'\n  - {assistant: helper}")
    write(
        project, {"suites/s.yaml": "suite: s\n" + suite.replace("URL", "http://127.0.0.1:9"), "suites/tools.py": clash}
    )
    checked = harness("validate")
    assert checked.exit_code == 2
    assert "suites/s.yaml:4:5: two tools are called 'helper'. Give one of them a `name:` of its own." in checked.output
