"""Models that call tools wrongly or for ever, tools that fail, and services that fail behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.faults.entries import Ends, Fault, Ran

_TOOLS = '''
import asyncio
import pathlib

def _ran(name):
    with open(pathlib.Path(__file__).with_name("ran.txt"), "a") as file:
        file.write(name + "\\n")

def book(room: int) -> str:
    """Book a room."""
    _ran("book")
    return f"Hello, room {room} is yours"

def broken() -> str:
    """Always fail."""
    _ran("broken")
    raise RuntimeError("the shop is closed")

async def sleeper() -> str:
    """Take too long."""
    _ran("sleeper")
    await asyncio.sleep(600)
    return "late"
'''
_FILES = {"suites/tools.py": _TOOLS}
_BOOK = {"tools": ["./tools.py:book"]}
#: Calls a tool once, and says what it returned.
_ONCE = (
    {"match": {"after": 0}, "call": {"name": "book", "arguments": {"room": 7}}},
    {"reply": "{{ result }}"},
)
#: How runs are sent their results.
_OUTPUTS = {"path": "/v1/threads/*/submit_tool_outputs"}
#: A run with a call that is listened to: the assistant, the thread, the run, results, the ends of thread and assistant.
_RUN = 6


def _tools(ran: Ran) -> list[str]:
    """The tools that ran."""
    path = ran.root / "suites/ran.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _ran_once(ran: Ran) -> None:
    assert _tools(ran) == ["book"]
    assert [call["output"] for call in ran.rows[0]["tool_calls"]] == ["Hello, room 7 is yours"]


def _ran_twice(ran: Ran) -> None:
    assert _tools(ran) == ["book", "book"]
    assert [call["arguments"]["room"] for call in ran.rows[0]["tool_calls"]] == [7, 8]


def _unknown(ran: Ran) -> None:
    [call] = ran.rows[0]["tool_calls"]
    assert (call["failure"], call["error"]) == ("unknown", "unknown tool '__class__'; there are: book")


def _wrong(ran: Ran) -> None:
    *wrong, right = ran.rows[0]["tool_calls"]
    assert [call["failure"] for call in wrong] == ["arguments"] * 5
    assert right["output"] == "Hello, room 7 is yours"
    assert _tools(ran) == ["book"]


def _nothing_ran(ran: Ran) -> None:
    assert _tools(ran) == []


def _answered_in_order(ran: Ran) -> None:
    calls = ran.rows[0]["tool_calls"]
    assert [call["name"] for call in calls] == ["broken", "sleeper", "book"]
    assert [call.get("failure") for call in calls] == ["raised", "timeout", None]
    assert sorted(_tools(ran)) == ["book", "broken", "sleeper"]
    answers = [_answered(one.body) for one in ran.server.requests if one.method == "POST"]
    [answered] = [one for one in answers if one]
    assert [id for id, _ in answered] == [call["id"] for call in calls]
    assert "RuntimeError: the shop is closed" in answered[0][1]
    assert not any("Traceback" in text for _, text in answered)


def _answered(body: bytes) -> list[tuple[str, str]]:
    """The calls that a request answers, and how."""
    said = json.loads(body) if body else {}
    outputs = [(one["tool_call_id"], one["output"]) for one in said.get("tool_outputs", ())]
    messages = said.get("messages", ())
    return outputs + [(one["tool_call_id"], one["content"]) for one in messages if one["role"] == "tool"]


def _cancelled_once(ran: Ran) -> None:
    assert len([one for one in ran.server.requests if one.path.endswith("/cancel")]) == 1


def _within_the_budget(ran: Ran) -> None:
    (path,) = ran.root.glob("reports/*/run.json")
    assert Decimal(json.loads(path.read_text(encoding="utf-8"))["spend"]["total"]) <= Decimal("0.005")


def _both(id: str, what: str, *, script: Sequence[Mapping[str, Any]], chat: Ends, runs: Ends, **more: Any) -> Any:
    """The same in Chat Completions and of a run."""
    shared: Any = {"files": _FILES, "script": script, "suite": _BOOK, **more}
    return (
        Fault(id=id, what=what, harness=chat, **shared),
        Fault(id=f"{id}b", what="the same of a run", api="threads", stream=True, harness=runs, **shared),
    )


def _of(ends: Ends, requests: int, **more: Any) -> Ends:
    """How a run ends the same way, after so many requests; that for the assistant's end is not the trial's."""
    return replace(ends, attempts=requests - 1, requests=(requests, requests), **more)


def _submitted(letter: str, what: str, *, ends: Ends, rules: Sequence[Mapping[str, Any]], **more: Any) -> Fault:
    return Fault(
        **{"stream": True, "script": _ONCE, **more},
        id=f"F44{letter}",
        what=what,
        api="threads",
        files=_FILES,
        suite=_BOOK,
        rules=rules,
        harness=ends,
    )


_TOLD = Ends(outcome="passed", attempts=2, also=_unknown, words="the model is told so, with the tools that there are")
_CORRECTED = Ends(outcome="passed", attempts=3, also=_wrong, words="each is told to the model; no tool runs")
_GIVEN_UP = Ends(
    outcome="error",
    kind="tool_args",
    attempts=3,
    also=_nothing_ran,
    says=["3 times in a row"],
    words="after three steps of nothing else",
)
_ORDERLY = Ends(
    outcome="passed",
    attempts=2,
    also=_answered_in_order,
    words="each is answered once, in order: with the error, with `no result within 0.05 s` and with its result",
)
_ENDLESS = Ends(outcome="error", kind="max_steps", attempts=3, says=["after 3 steps"], words="after `max_steps`")
_ONLY_ONCE = Ends(outcome="passed", attempts=3, also=_ran_once, words="the tool runs once")

ROWS: Sequence[Fault] = (
    *_both(
        "F40",
        "a call of a tool that there is not",
        script=[
            {"match": {"after": 0}, "call": {"name": "__class__", "arguments": {}}},
            {"reply": "Hello, {{ result }}"},
        ],
        chat=_TOLD,
        runs=_of(_TOLD, _RUN),
    ),
    *_both(
        "F41",
        "arguments that are cut off, have a key twice, NaN, a number too large or the wrong type",
        script=[
            {
                "match": {"after": 0},
                "call": [
                    {"name": "book", "arguments": given}
                    for given in ('{"room": 7', '{"room": 7, "room": 8}', '{"room": NaN}', '{"room": 1e999}')
                ]
                + [{"name": "book", "arguments": {"room": "seven"}}],
            },
            {"match": {"after": 5}, "call": {"name": "book", "arguments": {"room": 7}}},
            {"reply": "{{ result }}"},
        ],
        chat=_CORRECTED,
        runs=_of(_CORRECTED, _RUN + 1),
    ),
    *(
        replace(one, id={"F41": "F41c", "F41b": "F41d"}[one.id])
        for one in _both(
            "F41",
            "wrong arguments again and again",
            script=[{"call": {"name": "book", "arguments": '{"room": '}}],
            chat=_GIVEN_UP,
            # With two results that are sent, and the run's end.
            runs=_of(_GIVEN_UP, _RUN + 2),
        )
    ),
    *_both(
        "F42",
        "three calls at once, of which one raises and one sleeps for 600 s",
        script=[
            {
                "match": {"after": 0},
                "call": [{"name": "broken"}, {"name": "sleeper"}, {"name": "book", "arguments": {"room": 7}}],
            },
            {"reply": "{{ result }}"},
        ],
        suite={"tool_timeout": "50ms", "tools": [f"./tools.py:{name}" for name in ("book", "broken", "sleeper")]},
        chat=_ORDERLY,
        runs=_of(_ORDERLY, _RUN),
    ),
    *_both(
        "F43",
        "a model that calls tools for ever",
        script=[{"call": {"name": "book", "arguments": {"room": 7}}}],
        suite={**_BOOK, "max_steps": 3},
        chat=_ENDLESS,
        runs=_of(_ENDLESS, _RUN + 2, also=_cancelled_once, words="after `max_steps`; the run is cancelled, once"),
    ),
    Fault(
        id="F43c",
        what="the same with a budget for two steps",
        script=[{"call": {"name": "book", "arguments": {"room": 7}}, "usage": {"input": 0, "output": 20}}],
        files=_FILES,
        suite={**_BOOK, "max_tokens": 20},
        settings={"prices.m.input": "$0", "prices.m.output": "$100"},
        flags=["--budget", "$0.005"],
        harness=Ends(
            outcome="skipped",
            kind="budget",
            attempts=2,
            exit=4,
            kept=False,
            also=_within_the_budget,
            words="no more is spent than the budget has",
        ),
    ),
    Fault(
        id="F44",
        what="503 for the request that carries a tool's result, then an answer",
        script=_ONCE,
        files=_FILES,
        suite=_BOOK,
        rules=[{"match": {"nth": 2}, "fault": {"status": 503}}],
        harness=_ONLY_ONCE,
    ),
    _submitted(
        "b",
        "the same of a run",
        rules=[{"match": _OUTPUTS, "times": 1, "fault": {"status": 503}}],
        ends=_of(_ONLY_ONCE, _RUN + 1),
    ),
    _submitted(
        "c",
        "409 for results that a run waits for, then taken",
        rules=[{"match": _OUTPUTS, "times": 1, "fault": {"status": 409}}],
        ends=_of(_ONLY_ONCE, _RUN + 1),
    ),
    _submitted(
        "d",
        "results are taken, and the connection is reset before the answer",
        rules=[{"match": _OUTPUTS, "times": 1, "fault": {"reset": "headers"}}],
        stream=False,
        # With looks: one to see that the results were taken, and more until the run has ended.
        ends=replace(
            _ONLY_ONCE,
            requests=(12, 16),
            words="the second attempt is refused; the run goes on, and the tool runs once",
        ),
    ),
    _submitted(
        "e",
        "the same, and the model calls the tool again by then",
        stream=False,
        rules=[{"match": _OUTPUTS, "times": 1, "fault": {"reset": "headers"}}],
        script=[_ONCE[0], {"match": {"after": 1}, "call": {"name": "book", "arguments": {"room": 8}}}, _ONCE[1]],
        ends=replace(_ONLY_ONCE, requests=(14, 20), also=_ran_twice, words="each call runs once"),
    ),
    _submitted(
        "f",
        "503 for ever for results that a run waits for",
        rules=[{"match": _OUTPUTS, "fault": {"status": 503}}],
        ends=Ends(
            outcome="error",
            kind="server",
            attempts=8,
            requests=(9, 9),
            kept=False,
            also=_cancelled_once,
            words="the run is cancelled, once",
        ),
    ),
)
