"""Scenes of tools: functions, worlds, mocks, servers, other assistants, and all that goes wrong with them."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from harness.simulator.brain import Ask, Call, Piece, Text
from tests.features.scene import MODELS, Lack, Scene, Seen, passed
from tests.features.talking import HTTP, png

#: Tools whose every call is noted beside the suite, so that it shows whether they ran.
TOOLS = '''
import asyncio
import base64
import pathlib

def _ran(name):
    with open(pathlib.Path(__file__).with_name("ran.txt"), "a") as file:
        file.write(name + "\\n")

def find_order(order_id: str, days: int = 3) -> dict:
    """Look up an order."""
    _ran("find_order")
    return {"id": order_id, "days": days}

async def slow(seconds: float, name: str) -> str:
    """Take some time."""
    _ran(name)
    await asyncio.sleep(seconds)
    return name

def broken() -> str:
    """Always fail."""
    _ran("broken")
    raise RuntimeError("the shop is closed")

def picture() -> dict:
    """Show a picture."""
    _ran("picture")
    return {"image": base64.b64decode("PNG")}
'''.replace("PNG", base64.b64encode(png()).decode())
SHOP = '''
class Shop:
    def __init__(self):
        self.orders = {"4711": "open"}

    def close(self, order_id: str) -> str:
        """Close an order."""
        self.orders[order_id] = "closed"
        return "closed"

def count(env) -> int:
    """Count closed orders."""
    return list(env.orders.values()).count("closed")
'''
_FILES = {"suites/tools.py": TOOLS, "suites/shop.py": SHOP}
_DOES = Lack(reason="the function under test does all of it itself")
_OWN = "suites/s.yaml:{}:1: `{}:` cannot be used here. A Python target calls what it likes by itself: leave it out."
_PYTHON = {"python": "target: ./tools.py:broken\n"}
_FIND = "tools: ['./tools.py:find_order']\n"


def ran(seen: Seen) -> list[str]:
    """The tools that ran, recording and replay together."""
    noted = seen.root / "suites/ran.txt"
    return noted.read_text().split() if noted.exists() else []


def _called(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert (call["name"], call["arguments"]) == ("find_order", {"order_id": "4711"})
    assert call["output"] == {"id": "4711", "days": 3}
    assert call["source"] == "function"
    assert "tools:" in (seen.root / seen.row["cassette"]["path"]).read_text(encoding="utf-8")
    assert ran(seen) == ["find_order"]
    assert [message["role"] for message in seen.row["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert seen.row["messages"][2]["tool_call_id"] == call["id"]
    assert (seen.row["turns"][0]["steps"], seen.row["finish_reason"]) == (2, "stop")


_USE = [
    {"match": {"after": 0}, "call": {"name": "find_order", "arguments": {"order_id": "4711"}}},
    {"match": {"tool": "find_order"}, "chunks": ["It ", "takes ", "3 days: {{ result }}"], "pace": 0.005},
]


def _streamed(seen: Seen) -> None:
    _called(seen)
    assert 0 < seen.row["ttft"] < seen.row["latency"]


_TWO = [
    {
        "match": {"after": 0},
        "reply": "Wait.",
        "call": [
            {"name": "slow", "arguments": {"seconds": 0.05, "name": "first"}},
            {"name": "slow", "arguments": {"seconds": 0, "name": "second"}},
            {"name": "find_order", "arguments": {"order_id": "1", "days": 9}},
        ],
    },
    {"match": {"after": 3}, "reply": "Done."},
]


def _parallel(seen: Seen) -> None:
    passed(seen)
    outputs = [call["output"] for call in seen.row["tool_calls"]]
    assert outputs == ["first", "second", {"id": "1", "days": 9}]
    assert len({call["id"] for call in seen.row["tool_calls"]}) == 3
    assert seen.row["turns"][0]["steps"] == 2
    assert len(ran(seen)) == 3
    said = [message["content"] for message in seen.row["messages"] if message["role"] == "assistant"]
    assert (said, seen.row["output"]) == (["Wait.", "Done."], "Done.")


def _every_turn(seen: Seen) -> None:
    passed(seen)
    assert [[call["output"]["id"] for call in turn["tool_calls"]] for turn in seen.row["turns"]] == [["1"], ["1"]]
    assert seen.row["messages"][-1]["content"].endswith('"days": 7}') or "7" in seen.row["output"]
    assert ran(seen) == ["find_order"] * 2


def _unknown(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert (call["failure"], call["output"]) == ("unknown", None)
    assert call["error"] == "unknown tool 'find'; there are: find_order"
    assert "unknown tool 'find'" in seen.row["output"]


def _corrected(seen: Seen) -> None:
    passed(seen)
    calls = seen.row["tool_calls"]
    assert [call.get("failure") for call in calls] == ["arguments"] * 3 + [None]
    assert calls[0]["arguments"] == '{"order_id": 5'
    assert calls[1]["arguments"] == {"order": "5"}
    assert calls[2]["arguments"] == '{"order_id": "5", "order_id": "6"}'
    assert all(call["error"].startswith("invalid arguments for find_order: ") for call in calls[:3])
    assert ran(seen) == ["find_order"]


def _given_up(seen: Seen) -> None:
    row = seen.row
    assert (row["outcome"], row["error"]["kind"]) == ("error", "tool_args")
    assert "3 times in a row" in row["error"]["message"]
    assert ran(seen) == []


def _endless(seen: Seen) -> None:
    row = seen.row
    assert (row["outcome"], row["error"]["kind"]) == ("error", "max_steps")
    assert "after 2 steps" in row["error"]["message"]
    cancelled = [path for _, path, _ in seen.requests if path.endswith("/cancel")]
    assert len(cancelled) == (1 if seen.api == "threads" else 0)


def _too_slow(seen: Seen) -> None:
    passed(seen)
    slow, broken = seen.row["tool_calls"]
    assert (slow["failure"], slow["error"]) == ("timeout", "no result within 0.05 s")
    assert (broken["failure"], broken["error"]) == ("raised", "RuntimeError: the shop is closed")
    assert sorted(ran(seen)) == ["broken", "late"]
    assert seen.row["latency"] < 5


_MOCKS = """\
tools: ['./tools.py:find_order', './tools.py:broken']
cases:
  - id: a
    input: Look
    vars: {day: Monday}
    mocks:
      find_order:
        - {when: {order_id: "9"}, return: {special: true}}
        - error: 503 upstream
        - {id: first}
        - {id: second, on: "{{ day }}"}
    expect: {tool_count: {name: find_order, times: 5}}
"""


def _asks_orders(ask: Ask) -> str | list[Piece]:
    given = [message["content"] for message in ask.messages if message["role"] == "tool"]
    wanted = ["1", "1", "9", "1", "1"]
    if len(given) < len(wanted):
        return [Call(name="find_order", arguments=json.dumps({"order_id": wanted[len(given)]}))]
    if len(given) == len(wanted):
        return [Call(name="broken", arguments="{}")]
    return [Text("Done.")]


def _mocked(seen: Seen) -> None:
    passed(seen)
    last = {"id": "second", "on": "Monday"}
    *calls, broken = seen.row["tool_calls"]
    assert [call["error"] or call["output"] for call in calls] == [
        *("503 upstream", {"id": "first"}, {"special": True}, last, last)
    ]
    assert {call["source"] for call in calls} == {"mock"}
    # What has no mock runs.
    assert broken["failure"] == "raised"
    assert ran(seen) == ["broken"]


def _worldly(seen: Seen) -> None:
    passed(seen)
    assert seen.row["state"] == {"orders": {"4711": "closed", "4712": "closed"}}
    assert [call["output"] for call in seen.row["tool_calls"]] == ["closed", "closed", 2]
    # The world is made anew and comes out the same, because what acts on it runs again.
    assert "tools:" not in (seen.root / seen.row["cassette"]["path"]).read_text(encoding="utf-8")


_WORLD = [
    {
        "match": {"after": 0},
        "call": [{"name": "close", "arguments": {"order_id": id}} for id in ("4711", "4712")]
        + [{"name": "count", "arguments": {}}],
    },
    {"match": {"after": 3}, "reply": "Closed."},
]

_ANALYST = """\
system: Ask the analyst.
assistants:
  analyst: {system: You analyse data., temperature: 0.5, tools: ['./tools.py:find_order']}
tools: [{assistant: analyst, name: ask_analyst}]
cases: [{id: a, input: What about 4711?, expect: [{contains: three days}, {tool_called: ask_analyst}]}]
"""
_BOTH = [
    {
        "match": {"system": "Ask the analyst", "after": 0},
        "call": {"name": "ask_analyst", "arguments": {"message": "4711?"}},
    },
    {"match": {"system": "Ask the analyst", "after": 1}, "reply": "It says: {{ result }}"},
    {
        "match": {"system": "You analyse data", "after": 0},
        "call": {"name": "find_order", "arguments": {"order_id": "4711"}},
    },
    {"match": {"system": "You analyse data", "after": 1}, "reply": "three days"},
]


def _nested(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert (call["name"], call["output"]) == ("ask_analyst", "three days")
    assert seen.row["output"] == "It says: three days"
    # The analyst's steps count too.
    assert seen.row["usage"]["input"] > seen.row["turns"][0]["usage"]["input"]
    assert ran(seen) == ["find_order"]


_SERVER = Path(__file__).parents[1] / "tools" / "mcp_server.py"
_MCP = f"""\
tools: [{{mcp: {{command: [{json.dumps(sys.executable)}, server.py]}}}}]
cases: [{{id: a, input: "How many?", expect: [{{contains: "14"}}, {{tool_args: {{name: stock, args: {{item: lamp}}}}}}]}}]
"""


def _served(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert (call["name"], call["source"], call["output"]) == ("stock", "mcp", {"item": "lamp", "left": 14})
    names = {tool.get("name") or tool["function"]["name"] for tool in _offered(seen)}
    assert names == {"stock", "greet", "broken", "picture"}


def _offered(seen: Seen) -> list[Any]:
    [body, *_] = seen.sent("/assistants" if seen.api == "threads" else "")
    return list(body["tools"])


def _looks(ask: Ask) -> str | list[Piece]:
    if any(message["role"] == "tool" for message in ask.messages):
        return "Seen"
    return [Call(name="picture", arguments="{}")]


def _pictured(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert call["output"] == {"image": "image.png"}
    assert [(one["kind"], one["bytes"]) for one in call["attachments"]] == [("image", len(png()))]
    assert base64.b64encode(png()).decode() in seen.told()


def _named(seen: Seen) -> None:
    passed(seen)
    [body] = seen.sent("/submit_tool_outputs")
    assert body["tool_outputs"][0]["output"] == '{"image": "image.png"}'
    assert seen.row["tool_calls"][0]["attachments"][0]["bytes"] == len(png())


_CALLED = {"name": "find_order", "arguments": {"order_id": "4711"}, "output": {"days": 3}}
_ROW = {"id": "a", "output": "3 days", "tool_calls": [_CALLED]}
_AGENT = """\
import json

async def answer(input, session):
    given = await session.client.chat.completions.create(model="m", messages=[{"role": "user", "content": input}])
    [call] = given.choices[0].message.tool_calls
    arguments = json.loads(call.function.arguments)
    return {"output": "3 days", "tool_calls": [{"name": call.function.name, "arguments": arguments}]}
"""


def _reported(seen: Seen) -> None:
    passed(seen)
    [call] = seen.row["tool_calls"]
    assert (call["name"], call["arguments"]) == ("find_order", {"order_id": "4711"})
    assert call["output"] == ({"days": 3} if seen.api == "outputs" else None)


SCENES = (
    Scene(
        feature="tools",
        more=_PYTHON,
        lacks={"python": Lack(reason=_DOES.reason, refused=_OWN.format(6, "tools"))},
        suite=_FIND + "cases: [{id: a, input: Where?, expect: [{contains: 3 days}, {tool_called: find_order}]}]\n",
        files=_FILES,
        script=_USE,
        check=_called,
    ),
    Scene(
        feature="calls of tools that it reports",
        suite="cases: [{id: a, input: Where?, expect: {tool_args: {name: find_order, args: {order_id: '4711'}}}}]\n",
        more={"python": "target: ./agent.py:answer\n", "http": HTTP},
        apis=("python", "http", "outputs"),
        files={"suites/agent.py": _AGENT, "suites/data/answers.jsonl": json.dumps(_ROW)},
        script=_USE,
        check=_reported,
        lacks=dict.fromkeys(MODELS, Lack(reason="its calls are answered here, or are its answer: the row above")),
    ),
    Scene(
        feature="tools, streamed",
        suite="stream: true\n" + _FIND + "cases: [{id: a, input: Where?, expect: {contains: 3 days}}]\n",
        files=_FILES,
        script=_USE,
        check=_streamed,
    ),
    Scene(
        feature="parallel tools",
        suite="tools: ['./tools.py:slow', './tools.py:find_order']\n"
        "cases: [{id: a, input: Go, expect: [{equals: Done.}, {tool_count: 3}]}]\n",
        files=_FILES,
        script=_TWO,
        check=_parallel,
    ),
    Scene(
        feature="parallel tools, streamed",
        suite="stream: true\ntools: ['./tools.py:slow', './tools.py:find_order']\n"
        "cases: [{id: a, input: Go, expect: [{equals: Done.}, {tool_count: 3}]}]\n",
        files=_FILES,
        script=_TWO,
        check=_parallel,
    ),
    Scene(
        feature="tools in every turn, values saved from them",
        suite=_FIND
        + "cases:\n  - id: a\n    turns:\n      - input: First 1\n        save: {id: '$.tool_calls[0].output.id'}\n"
        "      - {input: 'Again {{ id }}', expect: {tool_args: {name: find_order, args: {order_id: '{{ id }}'}}}}\n",
        files=_FILES,
        script=[
            {
                "match": {"contains": "First 1", "after": 0},
                "call": {"name": "find_order", "arguments": {"order_id": "1"}},
            },
            {
                "match": {"contains": "Again 1", "after": 0},
                "call": {"name": "find_order", "arguments": {"order_id": "1", "days": 7}},
            },
            {"match": {"tool": "find_order"}, "reply": "{{ result }}"},
        ],
        check=_every_turn,
    ),
    Scene(
        feature="images that tools give, shown to the model",
        suite="tools: ['./tools.py:picture']\ncases: [{id: a, input: Show, expect: {equals: Seen}}]\n",
        apis=("responses", "chat"),
        files=_FILES,
        script=_looks,
        check=_pictured,
        lacks={"threads": Lack(reason="it takes texts as outputs of tools: the row below")},
    ),
    Scene(
        feature="images that tools give, kept and named to the model",
        suite="tools: ['./tools.py:picture']\ncases: [{id: a, input: Show, expect: {equals: Seen}}]\n",
        apis=("threads",),
        files=_FILES,
        script=_looks,
        check=_named,
        lacks=dict.fromkeys(("responses", "chat"), Lack(reason="they are shown: the row above")),
    ),
    Scene(
        feature="unknown tool",
        suite=_FIND + "cases: [{id: a, input: Look, expect: {tool_valid: false}}]\n",
        files=_FILES,
        script=[{"match": {"after": 0}, "call": {"name": "find"}}, {"match": {"after": 1}, "reply": "{{ result }}"}],
        check=_unknown,
    ),
    Scene(
        feature="invalid arguments, told to the model",
        suite=_FIND + "cases: [{id: a, input: Look, expect: {equals: Found}}]\n",
        files=_FILES,
        script=[
            {
                "match": {"after": 0},
                "call": [
                    {"name": "find_order", "arguments": '{"order_id": 5'},
                    {"name": "find_order", "arguments": {"order": "5"}},
                ],
            },
            {"match": {"after": 2}, "call": {"name": "find_order", "arguments": '{"order_id": "5", "order_id": "6"}'}},
            {"match": {"after": 3}, "call": {"name": "find_order", "arguments": {"order_id": "5"}}},
            {"reply": "Found"},
        ],
        check=_corrected,
    ),
    Scene(
        feature="invalid arguments, three steps in a row",
        suite=_FIND + "cases: [{id: a, input: Look}]\n",
        files=_FILES,
        script=[{"call": {"name": "find_order", "arguments": {"order": "5"}}}],
        check=_given_up,
    ),
    Scene(
        feature="`max_steps`",
        more=_PYTHON,
        lacks={"python": Lack(reason=_DOES.reason, refused=_OWN.format(6, "max_steps"))},
        suite="max_steps: 2\n" + _FIND + "cases: [{id: a, input: Look}]\n",
        files=_FILES,
        script=[{"call": {"name": "find_order", "arguments": {"order_id": "5"}}}],
        check=_endless,
    ),
    Scene(
        feature="tool timeout and tool that raises",
        suite="tool_timeout: 50ms\ntools: ['./tools.py:slow', './tools.py:broken']\n"
        "cases: [{id: a, input: Look, expect: {equals: Over}}]\n",
        files=_FILES,
        script=[
            {
                "match": {"after": 0},
                "call": [{"name": "slow", "arguments": {"seconds": 60, "name": "late"}}, {"name": "broken"}],
            },
            {"reply": "Over"},
        ],
        check=_too_slow,
    ),
    Scene(
        feature="mocks: sequence, arguments, errors, the rest runs",
        suite=_MOCKS,
        files=_FILES,
        script=_asks_orders,
        check=_mocked,
    ),
    Scene(
        feature="a world, and its state",
        more=_PYTHON,
        lacks={"python": Lack(reason=_DOES.reason, refused=_OWN.format(6, "env"))},
        suite="env: ./shop.py:Shop\ntools: [env:close, './shop.py:count']\n"
        "cases: [{id: a, input: Close, expect: {state: {\"$.orders['4712']\": closed}}}]\n",
        files=_FILES,
        script=_WORLD,
        check=_worldly,
    ),
    Scene(
        feature="another assistant as a tool",
        suite=_ANALYST,
        files=_FILES,
        script=_BOTH,
        check=_nested,
    ),
    Scene(
        feature="MCP server as a source of tools",
        suite=_MCP,
        files={"suites/server.py": _SERVER.read_bytes()},
        script=[
            {"match": {"after": 0}, "call": {"name": "stock", "arguments": {"item": "lamp", "size": 7}}},
            {"reply": "{{ result }}"},
        ],
        check=_served,
    ),
)
