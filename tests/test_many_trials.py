"""Five hundred trials at once, each with tools of its own: nothing of one stands in another, and order does not matter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write

#: On each of three APIs.
CASES = 167
TOOLS = '''
import asyncio

async def find(token: str) -> dict:
    """Look something up."""
    await asyncio.sleep(0.001 * (len(token) % 3))
    return {"found": token}

def note(token: str, env) -> str:
    """Note something."""
    env.noted.append(token)
    return f"noted {token}"
'''
WORLD = """
class World:
    def __init__(self):
        self.noted = []
"""
TOKEN = re.compile(r"token-\d+-x*")


def token(number: int) -> str:
    return f"token-{number}-{'x' * (number % 7)}"


def answer(ask: Ask) -> str | list[Piece]:
    """Call two tools with the token that the user said, then say what came back."""
    given = [message["content"] for message in ask.messages if message["role"] == "tool"]
    [said] = [message["content"] for message in ask.messages if message["role"] == "user"]
    mine = TOKEN.findall(said)[0]
    if not given:
        return [Call(name=name, arguments=json.dumps({"token": mine})) for name in ("find", "note")]
    return [Text("I have "), Text(" and ".join(given))]


def suite(url: str) -> str:
    cases = "".join(
        f"  - {{id: c{number}, input: Take {token(number)}, expect: {{contains: '{token(number)}'}}}}\n"
        for number in range(CASES)
    )
    return f"""\
suite: many
base_url: {url}
model: test-model
env: ./world.py:World
tools: ['./tools.py:find', './tools.py:note']
variants:
  responses: {{api: responses}}
  chat: {{api: chat}}
  threads: {{api: threads, poll_interval: 10ms}}
cases:
{cases}"""


def newest(root: Path) -> list[dict[str, Any]]:
    path = max(root.glob("reports/*/results.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(found, key=lambda row: (row["case"], row["variant"]))


def essence(row: dict[str, Any]) -> dict[str, Any]:
    """A row without times, and what differs from one recording to the next."""
    left_out = {"run", "cassette", "latency", "ttft", "turns", "response_ids", "attempts", "extra"}
    shown = {name: value for name, value in row.items() if name not in left_out}
    shown["turns"] = [
        {name: turn[name] for name in ("output", "usage", "steps", "finish_reason")} for turn in row["turns"]
    ]
    text = json.dumps(shown)
    for number, id in enumerate(dict.fromkeys(call["id"] for call in row["tool_calls"])):
        text = text.replace(id, f"call {number}")
    return json.loads(text)  # type: ignore[no-any-return]


def check(row: dict[str, Any]) -> None:
    """All of a row is of its own case."""
    mine = token(int(row["case"][1:]))
    assert row["outcome"] == "passed"
    assert set(TOKEN.findall(json.dumps(row))) == {mine}
    assert [(call["name"], call["arguments"], call["output"]) for call in row["tool_calls"]] == [
        ("find", {"token": mine}, {"found": mine}),
        ("note", {"token": mine}, f"noted {mine}"),
    ]
    assert row["state"] == {"noted": [mine]}
    assert [message["role"] for message in row["messages"]] == ["user", "assistant", "tool", "tool", "assistant"]
    assert row["usage"]["input"] > 0


@pytest.mark.slow
def test_trials_side_by_side_are_as_trials_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = {}
    for concurrency in ("100", "1"):
        root = tmp_path / concurrency
        root.mkdir()
        monkeypatch.chdir(root)
        with served(Simulator(FunctionBrain(answer))) as server:
            files = {"suites/tools.py": TOOLS, "suites/world.py": WORLD}
            write(root, {"suites/many.yaml": suite(server.url), **files})
            said = harness("record", "--yes", "-j", concurrency, "--no-html")
        assert said.exit_code == 0, said.output
        recorded[concurrency] = newest(root)
        assert len(recorded[concurrency]) == 3 * CASES
        for row in recorded[concurrency]:
            check(row)
    assert list(map(essence, recorded["100"])) == list(map(essence, recorded["1"]))
    # Replayed without the service it is the same again, times included, however many go side by side.
    for concurrency in ("32", "1"):
        assert harness("run", "-j", concurrency, "--no-html").exit_code == 0
        assert [{**row, "run": None, "cassette": None} for row in newest(root)] == [
            {**row, "run": None, "cassette": None} for row in recorded["1"]
        ]
