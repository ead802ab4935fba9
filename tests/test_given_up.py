"""Calls that the code under test itself stops waiting for: they are recorded as that, and nobody answers them on replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Piece, Text
from harness.simulator.function import FunctionBrain
from tests.projects import harness, write
from tests.recorded_twice import lasting, rows

#: How each target gives up a call that never gets an answer; `quick` and `slow` are the questions.
TARGETS = {
    "a time limit": """
import asyncio

async def answer(input, session):
    call = asyncio.create_task(ask(session, "slow"))
    await begun(session)
    try:
        said = await asyncio.wait_for(call, 0.01)
    except asyncio.TimeoutError:
        said = "too slow"
    return f"{said}, then {await ask(session, 'quick')}"
""",
    "the first of two": """
import asyncio

async def answer(input, session):
    both = [asyncio.create_task(ask(session, one)) for one in ("slow", "quick")]
    await begun(session)
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    return f"{done.pop().result()}, {len(pending)} left"
""",
    "one that nobody awaits": """
import asyncio

async def answer(input, session):
    background = asyncio.create_task(ask(session, "slow"))
    await begun(session)
    return await ask(session, "quick") + f", still waiting: {not background.done()}"
""",
    "one in a group that fails": """
import asyncio

async def fail(session):
    await begun(session)
    raise ValueError(await ask(session, "quick"))

async def answer(input, session):
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(session, "slow"))
            group.create_task(fail(session))
    except* ValueError as errors:
        said = str(errors.exceptions[0])
    return said
""",
    "a stream that stalls": """
import asyncio

async def answer(input, session):
    text = ""
    try:
        async with asyncio.timeout(None) as limit:
            async for event in await session.client.responses.create(model="m", input="stalls", stream=True):
                if event.type == "response.output_text.delta":
                    text += event.delta
                    limit.reschedule(asyncio.get_running_loop().time() + 0.01)
        text += " to its end"
    except TimeoutError:
        text += " and no more"
    return f"{text}, then {await ask(session, 'quick')}"
""",
    "a thread that goes on": """
import contextvars
import threading

def answer(input, session):
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(ask_in_a_thread, session, "slow"), daemon=True).start()
    while not session.tape.attempts + session.tape.unfinished:
        pass
    return ask_in_a_thread(session, "quick")

def ask_in_a_thread(session, text):
    try:
        return session.sync_client.responses.create(model="m", input=text).output_text
    except Exception:
        return ""
""",
}
ASK = """

async def begun(session):
    # A call that was given up before it was sent would be another matter.
    while not session.tape.attempts + session.tape.unfinished:
        await asyncio.sleep(0)


async def ask(session, text):
    return (await session.client.responses.create(model="m", input=text)).output_text
"""


def unanswered() -> FunctionBrain:
    async def answer(ask: Ask) -> AsyncIterator[Piece]:
        said = str(ask.messages[-1]["content"])
        if said == "slow":
            await asyncio.Event().wait()
        yield Text(f"answer to {said}")
        if said == "stalls":
            await asyncio.Event().wait()

    return FunctionBrain(answer)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def suite(url: str) -> str:
    return f"""\
suite: s
variants: {{agent: {{api: python, target: "./agent.py:answer", base_url: "{url}"}}}}
cases: [{{id: one, input: Hello}}]
"""


@pytest.mark.parametrize("how", TARGETS)
def test_what_was_given_up_is_given_up_again(project: Path, how: str) -> None:
    with served(Simulator(unanswered())) as server:
        write(project, {"suites/s.yaml": suite(server.url), "suites/agent.py": TARGETS[how] + ASK})
        recorded = harness("record", "--yes")
    assert recorded.exit_code == 0, recorded.output
    (before,) = rows(project)
    assert before["output"].count("answer to") == (2 if "stream" in how else 1)
    assert before["attempts"] == 2
    for _ in range(2):
        assert harness("run").exit_code == 0
        (now,) = rows(project)
        assert lasting(now) == lasting(before)
    assert "error: abandoned" in (project / "cassettes/s/agent/one.1.yaml").read_text(encoding="utf-8")


def test_what_failed_beside_a_call_that_nobody_awaits_fails_again(project: Path) -> None:
    target = """
import asyncio

async def fail(session):
    await begun(session)
    raise ValueError(await ask(session, "quick"))

async def answer(input, session):
    return await asyncio.gather(ask(session, "slow"), fail(session))
"""
    with served(Simulator(unanswered())) as server:
        write(project, {"suites/s.yaml": suite(server.url), "suites/agent.py": target + ASK})
        assert harness("run", "--record-mode", "all").exit_code == 3
    (before,) = rows(project)
    assert before["error"]["kind"] == "target"
    assert harness("run").exit_code == 3
    (now,) = rows(project)
    assert lasting(now) == lasting(before)


def test_a_trial_that_ran_out_of_time_ends_at_once_where_everything_is_kept(project: Path) -> None:
    with served(Simulator(unanswered())) as server:
        text = f"suite: s\nmodel: m\nbase_url: {server.url}\nvariants: {{v: {{stream: true, timeout: 1s}}}}\n"
        write(project, {"suites/s.yaml": text + "cases: [{id: one, input: stalls}, {id: two, input: slow}]\n"})
        assert harness("run", "--record-mode", "all").exit_code == 3
    before = [lasting(row) for row in rows(project)]
    assert [row["error"]["kind"] for row in before] == ["timeout", "timeout"]
    # Where the recording is trusted, nobody's limit has to run out again.
    (project / "suites/s.yaml").write_text(
        text.replace("1s", "1h") + "cases: [{id: one, input: stalls}, {id: two, input: slow}]\n"
    )
    assert harness("run").exit_code == 3
    assert [row["error"] for row in rows(project)] == [row["error"] for row in before]
