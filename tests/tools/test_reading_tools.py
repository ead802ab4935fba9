"""`tools:` of a suite: every form is read, and every mistake is told with its place."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from harness.suites.modelschema import definitions
from harness.tools import ToolEntry, ToolSpec, read_tools

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def read(*given: Any) -> tuple[tuple[ToolSpec, ...], list[tuple[Any, ...]]]:
    problems: list[tuple[Any, ...]] = []
    specs = read_tools(list(given), lambda *told: problems.append(told))
    return specs, problems


def entry_schema() -> dict[str, Any]:
    defs = definitions([ToolEntry])
    return {**defs["ToolEntry"], "$defs": defs}


FORMS: list[tuple[Any, dict[str, Any]]] = [
    ("./tools/support.py:search", {"kind": "function", "reference": "./tools/support.py:search"}),
    ("package.module:function", {"kind": "function", "reference": "package.module:function"}),
    ("env:refund", {"kind": "env", "reference": "env:refund"}),
    ("code_interpreter", {"kind": "builtin", "name": "code_interpreter"}),
    ({"file_search": ["a.pdf"]}, {"kind": "builtin", "name": "file_search", "files": ["a.pdf"]}),
    (
        {"file_search": {"files": ["a.pdf"], "max_num_results": 3}},
        {"kind": "builtin", "name": "file_search", "files": ["a.pdf"], "options": {"max_num_results": 3}},
    ),
    (
        {"web_search": {"search_context_size": "low"}},
        {"kind": "builtin", "name": "web_search", "options": {"search_context_size": "low"}},
    ),
    (
        {"function": "./t.py:f", "replay": "verify", "pure": True, "name": "g", "parameters": SCHEMA, "strict": True},
        {
            "kind": "function",
            "reference": "./t.py:f",
            "replay": "verify",
            "pure": True,
            "name": "g",
            "parameters": SCHEMA,
            "strict": True,
        },
    ),
    ({"env": "refund", "replay": "recorded"}, {"kind": "env", "reference": "env:refund", "replay": "recorded"}),
    (
        {"mcp": {"command": ["python", "-m", "x"], "env": {"A": "b"}}, "allow": ["y"]},
        {"kind": "mcp", "options": {"command": ["python", "-m", "x"], "env": {"A": "b"}}, "allow": ["y"]},
    ),
    ({"mcp": {"url": "http://localhost/mcp"}}, {"kind": "mcp", "options": {"url": "http://localhost/mcp"}}),
    (
        {"assistant": "analyst", "description": "Knows numbers"},
        {"kind": "assistant", "reference": "analyst", "name": "analyst", "description": "Knows numbers"},
    ),
    (
        {"name": "weather", "description": "The weather", "parameters": SCHEMA},
        {"kind": "declared", "name": "weather", "description": "The weather", "parameters": SCHEMA},
    ),
]


@pytest.mark.parametrize(("given", "plain"), FORMS, ids=str)
def test_every_form_is_read(given: Any, plain: dict[str, Any]) -> None:
    [spec], problems = read(given)
    assert problems == []
    assert spec.plain() == plain


@pytest.mark.parametrize("given", [given for given, _ in FORMS], ids=str)
def test_the_schema_for_editors_takes_every_form(given: Any) -> None:
    jsonschema.Draft202012Validator(entry_schema()).validate(given)


def test_the_schema_for_editors_describes_every_key() -> None:
    for model in entry_schema()["$defs"].values():
        for name, key in model.get("properties", {}).items():
            assert key.get("description"), name


@pytest.mark.parametrize(
    ("given", "loc", "message", "hint"),
    [
        ("Search", (0,), "'Search' is no tool.", "./tools.py:function"),
        ("env:", (0,), "'?' is no public method of a world.", "env:METHOD"),
        ("env:_hidden", (0,), "'_hidden' is no public method of a world.", "env:METHOD"),
        (3, (0,), "this is no tool.", "./tools.py:function"),
        ({}, (0,), "this is no tool.", "./tools.py:function"),
        ({"funtion": "./t.py:f"}, (0, "funtion"), "`funtion:` should be a list", "Did you mean 'function'?"),
        (
            {"funtion": "./t.py:f", "pure": True},
            (0, "funtion"),
            "unknown key 'funtion'.",
            "Did you mean 'function'?",
        ),
        ({"function": "./t.py:f", "pur": True}, (0, "pur"), "unknown key 'pur'.", "Did you mean 'pure'?"),
        ({"function": "./t.py:f", "env": "g"}, (0,), "this has `function:` and `env:`", None),
        (
            {"function": "./t.py:f", "replay": "execut"},
            (0, "replay"),
            "`replay:` should be recorded, execute or verify, not 'execut'.",
            "Did you mean 'execute'?",
        ),
        ({"function": "./t.py:f", "pure": "yes"}, (0, "pure"), "`pure:` should be true or false.", None),
        ({"function": "./t.py:f", "name": "a b"}, (0, "name"), "at most 64 letters, digits, _ and -", None),
        ({"function": 3}, (0, "function"), "`function:` should be a text.", None),
        ({"function": "env:refund"}, (0, "function"), "'env:refund' is no function.", "Write `env: refund`."),
        (
            {"function": "./t.py:f", "parameters": {"type": "array"}},
            (0, "parameters"),
            "the arguments of a tool are an object.",
            "type: object",
        ),
        (
            {"name": "x", "parameters": {"properties": {"a": {"type": "txt"}}}},
            (0, "parameters", "properties", "a", "type"),
            "this is no JSON Schema",
            None,
        ),
        ({"name": "x", "pure": True}, (0, "pure"), "unknown key 'pure'.", None),
        ({"pure": True}, (0,), "this is no tool: it has neither a `function:` nor a `name:`.", "function"),
        ({"mcp": {}}, (0, "mcp"), "an MCP server has a `command:` or a `url:`, one of both.", None),
        ({"mcp": {"comand": ["x"]}}, (0, "mcp", "comand"), "unknown key 'comand'.", "Did you mean 'command'?"),
        ({"mcp": {"url": "file:///x"}}, (0, "mcp", "url"), "an address such as https://host/mcp", None),
        ({"mcp": {"command": "python"}}, (0, "mcp", "command"), "`command:` should be a list.", None),
        ({"file_search": [3]}, (0, "file_search", 0), "a file is a path beside the suite", None),
        ({"assistant": "an analyst"}, (0,), "'an analyst' cannot be a tool's name.", "Give it a `name:`"),
    ],
)
def test_every_mistake_is_told_with_its_place(given: Any, loc: Any, message: str, hint: str | None) -> None:
    specs, problems = read(given)
    assert specs == ()
    told = next(problem for problem in problems if problem[0][: len(loc)] == loc)
    assert message in told[1]
    said = told[2] if len(told) > 2 else None
    assert (hint or "") in (said or "")


def test_what_is_no_list_is_told() -> None:
    problems: list[Any] = []
    assert read_tools("search", lambda *told: problems.append(told)) == ()
    assert problems[0][:2] == ((), "`tools:` is a list.")


@pytest.mark.parametrize(
    "pair",
    [
        ("./a.py:search", "./b.py:search"),
        ("web_search", "web_search"),
        ({"name": "search"}, {"function": "./a.py:find", "name": "search"}),
        ("env:search", {"assistant": "search"}),
    ],
    ids=str,
)
def test_two_tools_of_one_name_are_told_with_both_places(pair: tuple[Any, Any]) -> None:
    specs, problems = read(*pair)
    assert len(specs) == 1
    assert problems[0][0] == (1,)
    assert "entry 1 and entry 2" in problems[0][1]


def test_reading_goes_on_after_a_mistake() -> None:
    specs, problems = read("./a.py:one", "Wrong!", "./a.py:two", {"function": "x:y", "nme": "z"})
    assert [spec.reference for spec in specs] == ["./a.py:one", "./a.py:two"]
    assert len(problems) == 2
