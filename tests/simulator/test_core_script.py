"""Scripts: which rule answers, what an answer can be, and what is said about scripts that are wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from harness.simulator.brain import Ask, Call, CodeRun, End, Failure, Piece, Reasoning, Refusal, Search, Text, Usage
from harness.simulator.script import ScriptBrain, ScriptError
from tests.simulator.sdk import awaited, client_of

CALLED: list[Any] = [
    {"role": "system", "content": "You know the Weather."},
    {"role": "user", "content": "Is it raining in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "yes, it rains"},
]
ASKED = CALLED[:2]
TOOLS: list[Any] = [{"type": "function", "function": {"name": name}} for name in ("weather", "clock")]


async def said(brain: ScriptBrain, messages: list[Any] = ASKED, **settings: Any) -> list[Piece]:
    return [piece async for piece in brain.ask(Ask(**{"api": "chat", "model": "m", "messages": messages, **settings}))]


async def text(brain: ScriptBrain, messages: list[Any] = ASKED, **settings: Any) -> str:
    return "".join(piece.text for piece in await said(brain, messages, **settings) if isinstance(piece, Text))


@pytest.mark.parametrize(
    ("match", "messages", "matches"),
    [
        ({"contains": "RAINING"}, ASKED, True),
        ({"contains": "snow"}, ASKED, False),
        ({"contains": ["raining", "oslo"]}, ASKED, True),
        ({"contains": ["raining", "bergen"]}, ASKED, False),
        ({"regex": r"in \w+\?$"}, ASKED, True),
        ({"regex": r"^in"}, ASKED, False),
        ({"system": "weather"}, ASKED, True),
        ({"system": "raining"}, ASKED, False),
        ({"model": "m"}, ASKED, True),
        ({"model": ["a", "b"]}, ASKED, False),
        ({"api": "chat"}, ASKED, True),
        ({"api": "threads"}, ASKED, False),
        ({"tool": "weather"}, CALLED, True),
        ({"tool": "clock"}, CALLED, False),
        ({"tool": "weather"}, ASKED, False),
        ({"tool": "weather"}, [*CALLED, *ASKED], False),
        ({"tools": "clock"}, ASKED, True),
        ({"tools": ["clock", "map"]}, ASKED, False),
        ({"turn": 1}, CALLED, True),
        ({"turn": 1}, [*CALLED, *ASKED], False),
        ({"after": 0}, ASKED, True),
        ({"after": 1}, CALLED, True),
        ({"after": 0}, [*CALLED, *ASKED], True),
        ({"last": "tool"}, CALLED, True),
        ({"last": "user"}, CALLED, False),
        ({"contains": "raining", "turn": 2}, ASKED, False),
        ({}, ASKED, True),
    ],
)
@awaited
async def test_a_rule_answers_where_all_that_it_asks_for_holds(match: Any, messages: Any, matches: bool) -> None:
    brain = ScriptBrain({"rules": [{"match": match, "reply": "rule"}], "default": {"reply": "default"}})
    assert await text(brain, messages, tools=TOOLS) == ("rule" if matches else "default")


@awaited
async def test_the_first_rule_that_matches_answers_and_without_one_the_input_comes_back() -> None:
    rules = [{"match": {"contains": name}, "reply": name} for name in ("oslo", "raining")]
    assert await text(ScriptBrain(rules)) == "oslo"
    assert await text(ScriptBrain([{"match": {"turn": 9}, "reply": "x"}])) == "Is it raining in Oslo?"


@awaited
async def test_an_answer_is_all_that_its_rule_says() -> None:
    brain = ScriptBrain(
        [
            {
                "run_code": {"code": "1+1", "logs": "2", "files": {"a.txt": "hi", "b.bin": {"base64": "AAE="}}},
                "search": ["{{ input }}"],
                "reason": "hm",
                "chunks": ["one tw", "o "],
                "call": [
                    {"name": "f", "arguments": {"day": "{{ result }}"}, "id": "c"},
                    {"name": "g", "arguments": "{raw"},
                ],
                "usage": {"input": 3, "output": 2, "cached": 1},
            }
        ]
    )
    assert await said(brain, CALLED) == [
        CodeRun(code="1+1", logs="2", files=[("a.txt", b"hi"), ("b.bin", b"\0\1")]),
        Search("Is it raining in Oslo?"),
        Reasoning("hm"),
        Text("one tw"),
        Text("o "),
        Call(name="f", arguments='{"day": "yes, it rains"}', id="c"),
        Call(name="g", arguments="{raw"),
        End(finish="tool_calls", usage=Usage(input=3, output=2, cached=1)),
    ]


@awaited
async def test_a_reply_comes_by_the_word_and_is_the_same_text() -> None:
    words = [
        piece.text for piece in await said(ScriptBrain([{"reply": " two  words,\nthree\n"}])) if isinstance(piece, Text)
    ]
    assert words == [" two", "  words,", "\nthree", "\n"]


@pytest.mark.parametrize(
    ("rule", "finish"),
    [
        ({"reply": "x", "cut": True}, "length"),
        ({"reply": "x", "filter": True}, "content_filter"),
        ({"refuse": "x"}, "stop"),
    ],
)
@awaited
async def test_how_an_answer_ends(rule: dict[str, Any], finish: str) -> None:
    pieces = await said(ScriptBrain([rule]))
    assert pieces[-1] == End(finish=finish)  # type: ignore[arg-type]
    assert pieces[0] == (Refusal("x") if "refuse" in rule else Text("x"))


@awaited
async def test_a_rule_can_hold_only_so_often() -> None:
    brain = ScriptBrain([{"reply": "first", "times": 2}, {"reply": "then"}])
    assert [await text(brain) for _ in range(4)] == ["first", "first", "then", "then"]


@awaited
async def test_a_rule_can_fail_once_it_has_answered_so_often() -> None:
    brain = ScriptBrain([{"reply": "fine", "fail": {"status": 429, "after": 1}}])
    assert await text(brain) == "fine"
    with pytest.raises(Failure) as raised:
        await said(brain)
    assert (raised.value.status, raised.value.code, raised.value.partial) == (429, "rate_limit_exceeded", False)


@awaited
async def test_a_client_that_tries_again_gets_past_a_failure_that_passes() -> None:
    rules = [{"fail": {"status": 503, "headers": {"retry-after": "0"}}, "times": 1}, {"reply": "now"}]
    async with client_of(ScriptBrain(rules)) as client:
        with pytest.raises(openai.InternalServerError):
            await client.responses.create(model="m", input="hi")
        assert (await client.responses.create(model="m", input="hi")).output_text == "now"


@awaited
async def test_delay_comes_before_the_answer_and_pace_before_each_further_piece() -> None:
    loop = asyncio.get_running_loop()
    brain = ScriptBrain([{"chunks": ["a", "b", "c"], "delay": 0.05, "pace": 0.02}])
    start = loop.time()
    times = [loop.time() - start async for _ in brain.ask(Ask(api="chat", model="m", messages=ASKED))]
    assert times[0] >= 0.049
    assert times[2] >= times[0] + 0.039


@awaited
async def test_a_script_may_say_which_models_there_are() -> None:
    async with client_of(ScriptBrain({"models": ["a"]})) as client:
        assert [model.id for model in (await client.models.list()).data] == ["a"]


@awaited
async def test_a_file_is_a_list_of_rules_or_has_them_below_rules(tmp_path: Path) -> None:
    bare, full = tmp_path / "bare.yaml", tmp_path / "full.yaml"
    bare.write_text("- {match: {contains: oslo}, reply: 'rain: {{ result }}'}\n")
    full.write_text("rules:\n  - {match: {contains: bergen}, reply: rain}\ndefault: {reply: sun}\n")
    assert await text(ScriptBrain.load(bare), CALLED) == "rain: yes, it rains"
    assert await text(ScriptBrain.load(full)) == "sun"


@pytest.mark.parametrize(
    ("script", "line", "what"),
    [
        ("- reply: ok\n- replay: x\n", 2, "there is no 'replay' here"),
        ("- reply: ok\n- &a\n  reply: x\n  match: *a\n", 2, "this is a part of itself"),
        ("- reply: ok\n- reply: x\n  delay: .nan\n", 3, "'delay' must be a number of seconds"),
        ('- reply: "\\ud800"\n', 1, "half a character"),
        ("- fail:\n    status: 429\n    headers: {'x y': z}\n", 3, "cannot be the name of a header"),
        ('- fail:\n    status: 429\n    headers: {retry-after: "1\\n2"}\n', 3, "a character that none can have"),
        ("- fail:\n    status: 429\n    headers: {Content-Length: '5'}\n", 3, "is set by the simulator"),
        ("[" * 1500 + "]" * 1500, 1, "nested too deeply"),
        ("rules:\n  - match: {contain: x}\n    reply: x\n", 2, "there is no 'contain' here"),
        ("rule: []\n", 1, "there is no 'rule' here"),
        ("- reply: ok\n- match: {turn: 1}\n", 2, "says nothing"),
        ("- reply: ok\n-\n  delay: soon\n  reply: x\n", 3, "expected a number"),
        ("- match:\n    regex: '('\n  reply: x\n", 2, "no regular expression"),
        ("- reply: ok\n  call:\n    - {name: f}\n    - {arguments: {}}\n", 4, "'rules[0].call[1].name'"),
        ("- reply: 'a {{ answer }}'\n", 1, "there is no {{ answer }}"),
        ("- reply: x\n  refuse: y\n", 2, "exclude each other"),
        ("- fail: {code: x}\n", 1, "'rules[0].fail.status'"),
        ("- fail: {status: 200}\n", 1, ">= 400"),
        ("- run_code: {code: x, files: {a: {base64: '???'}}}\n", 1, "no base64"),
        ("- reply: [\n", 2, "expected"),
        ("just words\n", 1, "a list of rules"),
        ("", 1, "a list of rules"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, script: str, line: int, what: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(script)
    with pytest.raises(ScriptError) as raised:
        ScriptBrain.load(path)
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert what in str(raised.value)


def test_what_is_wrong_in_python_is_told_with_its_rule() -> None:
    with pytest.raises(ScriptError, match=r"^rules\[1\]\.replay: there is no 'replay' here"):
        ScriptBrain([{"reply": "x"}, {"replay": "x"}])


def test_a_script_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none\.yaml: cannot be read"):
        ScriptBrain.load(tmp_path / "none.yaml")
