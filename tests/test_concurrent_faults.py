"""Many trials at once against a service that fails three times in ten: what was recorded replays to the same results.

No two answers are alike, also where the questions are, so that an answer that reached another caller would show.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call, Piece, Text
from harness.simulator.front import Front, faulty
from harness.simulator.function import FunctionBrain
from harness.simulator.tokens import encode
from tests.projects import harness, write
from tests.recorded_twice import rows

pytestmark = pytest.mark.filterwarnings(
    "ignore:deprecated:DeprecationWarning", "ignore:The Assistants API is deprecated:DeprecationWarning"
)

#: Three requests in ten. What made something at the service and then broke cannot always be sent again.
RULES = [
    {"share": 0.1, "fault": {"status": 429, "headers": {"retry-after-ms": "5"}}},
    {"share": 0.1, "fault": {"status": 500}},
    {"share": 0.05, "fault": {"reset": "before"}},
    {"match": {"path": "/v1/files"}, "share": 0.05, "fault": {"reset": "headers"}},
    {"match": {"path": ["/v1/chat/completions", "/v1/responses"]}, "share": 0.05, "fault": {"reset": "headers"}},
    # Long without a sign of life; the service ends it, so that nothing depends on when a busy machine loses its patience.
    {"match": {"nth": [20, 400, 800]}, "fault": {"delay": 0.3, "close": "before"}},
]
AGENT = """
import asyncio


async def answer(input, session):
    client = session.client
    messages = [{"role": "user", "content": input}]

    async def ask():
        said = await client.chat.completions.create(model="test-model", messages=messages)
        return said.choices[0].message.content

    async def streamed(leave_after=1000):
        text = ""
        async with await client.responses.create(model="test-model", input=input, stream=True) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    text += event.delta
                    if len(text) > leave_after:
                        break
        return text

    async def uploaded():
        file = await client.files.create(file=("note.txt", f"about {input}".encode()), purpose="assistants")
        return file.bytes

    async def run():
        assistant = await client.beta.assistants.create(model="test-model", instructions="Answer.")
        thread = await client.beta.threads.create(messages=messages)
        run = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        while run.status in ("queued", "in_progress"):
            await session.clock.sleep(0.01)
            run = await client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
        found = await client.beta.threads.messages.list(thread.id)
        return run.status, found.data[0].content[0].text.value

    together = (ask(), ask(), ask(), streamed(), streamed(), streamed(leave_after=3), uploaded(), run())
    found = await asyncio.gather(*together, return_exceptions=True)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return repr([*found, await ask()])


def threaded(input, session):
    client = session.sync_client
    said = ""
    messages = [{"role": "user", "content": input}]
    for chunk in client.chat.completions.create(model="test-model", messages=messages, stream=True):
        said += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    again = [client.responses.create(model="test-model", input=input).output_text for _ in range(2)]
    return repr([said, *again])
"""
TOOLS = '''
import asyncio

async def find(token: str) -> dict:
    """Look something up."""
    await asyncio.sleep(0.001 * len(token))
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
PROJECT = """\
[tool.harness]
timeout = "10m"
attempt_timeout = "10m"
[tool.harness.retry]
attempts = ATTEMPTS
backoff = "1ms"
longest = "20ms"
breaker = 10
"""
SUITE = """\
suite: crowd
base_url: URL
model: test-model
assistants:
  helper: {model: test-model, system: You help.}
variants:
  agent: {api: python, target: "./agent.py:answer"}
  threaded: {api: python, target: "./agent.py:threaded"}
  chat: {api: chat, stream: true, env: "./world.py:World", tools: [TOOLS, {assistant: helper}]}
  responses: {api: responses, stream: true, env: "./world.py:World", tools: [TOOLS, {assistant: helper}]}
  threads: {api: threads, poll_interval: 10ms, env: "./world.py:World", tools: [TOOLS, {file_search: [data/handbook.txt]}]}
cases:
""".replace("TOOLS", "'./tools.py:find', './tools.py:note'")
#: Each case is a trial in each variant.
VARIANTS = 5


def brain() -> FunctionBrain:
    """Numbers its answers; calls each tool twice with the same words first."""
    numbers = itertools.count(1)

    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        number = next(numbers)
        given = [message for message in ask.messages if message["role"] == "tool"]
        if ask.tools and not given:
            for name in (one["function"]["name"] for one in ask.tools):
                said = {"message": "Same question"} if name == "helper" else {"token": f"t{number}"}
                yield Call(name=name, arguments=json.dumps(said))
                yield Call(name=name, arguments=json.dumps(said))
            return
        await asyncio.sleep(0.001 * (number % 5))
        for word in ("answer ", "number ", f"{number} ", *(f"({one['content']}) " for one in given)):
            yield Text(word)
            await asyncio.sleep(0)

    return FunctionBrain(answer)


@contextmanager
def served(root: Path, *, cases: int, attempts: int) -> Iterator[Front]:
    """A project in the working folder, and its service."""
    encode("What is read at first use must not look like a service that does not answer.")
    with faulty(Simulator(brain(), log=False), RULES) as server:
        files = {
            "pyproject.toml": PROJECT.replace("ATTEMPTS", str(attempts)),
            "suites/crowd.yaml": SUITE.replace("URL", server.url)
            + "".join(f"  - {{id: c{number}, input: Question {number}}}\n" for number in range(cases)),
            "suites/agent.py": AGENT,
            "suites/tools.py": TOOLS,
            "suites/world.py": WORLD,
            "suites/data/handbook.txt": "Shipping takes five days.",
        }
        write(root, files)
        yield server


@contextmanager
def nothing_sent_and_nothing_awaited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection, and find out about every pause: `time.sleep`, and what `asyncio.sleep` asks of a loop."""
    found: list[str] = []
    sleep, call_at = time.sleep, asyncio.BaseEventLoop.call_at

    def connect(self: socket.socket, address: Any) -> None:
        found.append(f"a connection to {address}")
        raise OSError("there is no network here")

    def slept(seconds: float) -> None:
        # Python's own wait for git, which is asked about the commit.
        if sys._getframe(1).f_globals["__name__"] != "subprocess":
            found.append(f"a pause of {seconds} s in a thread")
        sleep(seconds)

    def timer(self: asyncio.BaseEventLoop, when: float, callback: Any, *arguments: Any, **more: Any) -> Any:
        # What wakes a sleeper, and no deadline.
        if callback is asyncio.futures._set_result_unless_cancelled:  # type: ignore[attr-defined]
            found.append(f"a pause of {when - self.time()} s in an event loop")
        return call_at(self, when, callback, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect)
        patch.setattr(time, "sleep", slept)
        patch.setattr(asyncio.BaseEventLoop, "call_at", timer)
        yield
    assert found == []


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    """A row without which run made it, and where its recording lies."""
    return {name: value for name, value in row.items() if name not in ("run", "cassette")}


def record(root: Path, *, cases: int) -> list[dict[str, Any]]:
    """Record until every trial has ended with an answer: streams that broke are not sent again within a trial."""
    with served(root, cases=cases, attempts=20) as server:
        for _ in range(10):
            said = harness("record", "--yes", "--no-html", "-j", "200")
            if said.exit_code == 0:
                break
        assert said.exit_code == 0, said.output
        assert 0.2 < sum(server.faults.used.values()) / sum(server.counts.values()) < 0.4
        assert set(server.faults.used) >= {0, 1, 2, 4, 5}
    return rows(root)


def check_replays(root: Path, monkeypatch: pytest.MonkeyPatch, *, cases: int, concurrency: Sequence[int]) -> None:
    monkeypatch.chdir(root)
    recorded = record(root, cases=cases)
    assert len(recorded) == VARIANTS * cases
    assert {row["outcome"] for row in recorded} == {"passed"}
    assert max(row["attempts"] for row in recorded) > 10
    for width in concurrency:
        with nothing_sent_and_nothing_awaited(monkeypatch):
            said = harness("run", "--no-html", "-j", str(width))
        assert said.exit_code == 0, said.output
        for before, now in zip(recorded, rows(root), strict=True):
            assert lasting(before) == lasting(now)


def test_twenty_trials_replay_alike_at_every_concurrency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_replays(tmp_path, monkeypatch, cases=4, concurrency=(1, 3, 200))


@pytest.mark.slow
def test_two_hundred_trials_replay_alike_ten_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = (1, 3, 200, 1, 3, 200, 1, 3, 200, 200)
    check_replays(tmp_path, monkeypatch, cases=40, concurrency=widths)


def test_trials_without_an_answer_leave_no_recording_and_the_others_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with served(tmp_path, cases=3, attempts=2):
        assert harness("record", "--yes", "--no-html", "-j", "200").exit_code == 3
    recorded = rows(tmp_path)
    answered = [row["outcome"] == "passed" for row in recorded]
    assert len(set(answered)) == 2
    replays = []
    for width in (1, 200):
        with nothing_sent_and_nothing_awaited(monkeypatch):
            assert harness("run", "--no-html", "-j", str(width)).exit_code == 3
        replays.append([lasting(row) for row in rows(tmp_path)])
    assert replays[0] == replays[1]
    for before, now, whole in zip(recorded, replays[0], answered, strict=True):
        if whole:
            assert lasting(before) == now
        else:
            assert now["error"]["kind"] == "cassette_miss"


def test_trials_that_failed_replay_as_they_failed_where_everything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with served(tmp_path, cases=3, attempts=2):
        assert harness("run", "--record-mode", "all", "--no-html", "-j", "200").exit_code == 3
    recorded = [lasting(row) for row in rows(tmp_path)]
    assert {row["outcome"] for row in recorded} == {"passed", "error"}
    for width in (1, 200):
        with nothing_sent_and_nothing_awaited(monkeypatch):
            assert harness("run", "--no-html", "-j", str(width)).exit_code == 3
        for before, now in zip(recorded, rows(tmp_path), strict=True):
            assert before == lasting(now)
