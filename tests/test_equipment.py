"""What is wrong with tools, mocks and services of a suite is told before anything is asked, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import harness, write

HEAD = "suite: s\nmodel: m\n"
CASES = "cases: [{id: a, input: Hi}]\n"
HTTP = "suite: s\napi: http\nurl: https://agent.example/ask\n"
TOOLS = """
def refund(order_id: str) -> str:
    \"\"\"Pay back.\"\"\"
    return "paid"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEAD + "tools: [./t.py:refund]\ncases:\n  - {id: a, input: Hi, mocks: {refnd: paid}}\n",
            "s.yaml:5:32: `mocks:` has results of 'refnd', and no variant has such a tool. Did you mean 'refund'?",
        ),
        (
            HEAD + "tools: [./t.py:refund]\ncases:\n  - {id: a, input: Hi, mocks: {refund: '{{ nope }}'}}\n",
            "s.yaml:5:32: `nope` is not defined",
        ),
        (HEAD + "tools:\n" + CASES, "s.yaml:3:1: `tools:` is empty. Leave it out."),
        (HEAD + "preset:\n" + CASES, "s.yaml:3:1: `preset:` is empty. Leave it out."),
        (HEAD + "assistants:\n" + CASES, "s.yaml:3:1: `assistants:` is empty. Leave it out."),
        (HEAD + "tool_timeout: 0\n" + CASES, "s.yaml:3:15: a duration of nothing cannot be used here"),
        (HEAD + "api: threads\nassistant_id: ''\n" + CASES, "`assistant_id:` should be a text that is not empty"),
        (HTTP + "headers: {A: x, a: y}\n" + CASES, "s.yaml:4:20: the header 'A' stands there already"),
        (HTTP + "headers: {Host: x}\n" + CASES, "s.yaml:4:17: the header 'Host' is made of the request itself"),
        (HTTP + 'headers: {A: "x\\ny"}\n' + CASES, "s.yaml:4:14: a header is one line"),
        (HTTP + "body: {key: '${AGENT_KEY}'}\n" + CASES, "s.yaml:4:7: a variable of the environment, ${NAME}"),
    ],
)
def test_what_is_said(project: Path, text: str, said: str) -> None:
    write(project, {"suites/s.yaml": text, "suites/t.py": TOOLS})
    result = harness("validate")
    assert result.exit_code == 2
    assert said in result.output


def test_a_mock_that_one_of_several_variants_has_a_tool_for_is_sound(project: Path) -> None:
    text = "variants: {a: {tools: [./t.py:refund]}, b: {system: Hi}}\ncases:\n  - {id: a, input: Hi, mocks: {refund: paid}}\n"
    write(project, {"suites/s.yaml": HEAD + text, "suites/t.py": TOOLS})
    assert harness("validate").exit_code == 0


def test_a_preset_is_the_place_of_what_it_stands_for(project: Path) -> None:
    write(project, {"suites/s.yaml": HEAD + "preset: factual\nvariants: {a: {system: Hi}}\n" + CASES})
    said = harness("validate", "--explain").output
    assert "temperature: 0.1  # line 3" in said
