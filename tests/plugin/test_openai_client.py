"""The fixtures `openai_client` and `harness_session` in somebody's own tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain

CLIENT = """
import asyncio
import openai
import pytest

def ask(client):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])

def test_without_a_script_the_input_comes_back(openai_client):
    assert ask(openai_client).choices[0].message.content == "Hi"
    assert [(how, path) for how, path, _ in openai_client.requests] == [("POST", "/v1/chat/completions")]

@pytest.mark.harness(script=[{"reply": "Hello"}])
def test_the_marker_has_the_script(openai_client):
    assert openai_client.responses.create(model="m", input="Hi").output_text == "Hello"

def test_a_call_has_a_script_of_its_own(openai_client):
    client = openai_client(script=[{"match": {"turn": 1}, "reply": "One two"}])
    assert isinstance(client, openai.OpenAI)
    stream = client.responses.create(model="m", input="Hi", stream=True)
    assert "".join(one.delta for one in stream if one.type == "response.output_text.delta") == "One two"

def test_async_code_gets_a_client_to_await(openai_client):
    async def main():
        client = openai_client([{"reply": "Hey"}], asynchronous=True)
        assert isinstance(client, openai.AsyncOpenAI)
        return await ask(client)
    assert asyncio.run(main()).choices[0].message.content == "Hey"

def test_failures_are_those_of_the_service(openai_client):
    client = openai_client([{"fail": {"status": 429, "code": "rate_limit_exceeded"}}])
    with pytest.raises(openai.RateLimitError):
        ask(client)

def test_a_wrong_script_is_told(openai_client):
    with pytest.raises(Exception, match="openai_client: .*replyy"):
        openai_client([{"replyy": "Hi"}])
"""

WRONG = """
import pytest

@pytest.mark.harness(script=[{"mtch": {}, "reply": "Hi"}])
def test_rule(openai_client):
    pass

@pytest.mark.harness(script="rules.yaml")
def test_text(openai_client):
    pass

@pytest.mark.harness(scrip=[{"reply": "Hi"}])
def test_name(openai_client):
    pass

@pytest.mark.harness([{"reply": "Hi"}])
def test_position(openai_client):
    pass

def test_call(openai_client):
    with pytest.raises(Exception, match="a script is a list of rules, or a mapping with `rules`, not 'rules.yaml'"):
        openai_client("rules.yaml")
"""

SESSION = """
import asyncio
import harness

def test_sync(harness_session):
    with harness_session.trial(base_url="{url}") as trial:
        assert trial.sync_client.responses.create(model="m", input="Hi").output_text == "Hi"
        ai = harness.Assistant(model="m", base_url="{url}")
        assert ai.say("Hey") == "Hey"

def test_async(harness_session):
    async def main():
        async with harness_session.trial("other", base_url="{url}") as trial:
            return await trial.client.responses.create(model="m", input="Ho")
    assert asyncio.run(main()).output_text == "Ho"
"""


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:pytest_cov -p no:anyio -W error --strict-markers"
    )


def test_a_client_answers_by_a_script(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CLIENT)
    pytester.runpytest_subprocess().assert_outcomes(passed=6)


def test_what_is_wrong_with_a_marker_is_told_before_its_test_begins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WRONG)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "openai_client: *'mtch'*",
            "openai_client: a script is a list of rules, or a mapping with `rules`, not 'rules.yaml'",
            "@pytest.mark.harness takes `script=[[]...[]]` and nothing else, not `scrip=`",
            "@pytest.mark.harness takes `script=[[]...[]]` and nothing else, not [[]{'reply': 'Hi'}[]]",
        ]
    )
    result.stdout.no_fnmatch_line("*clients.py*")


@pytest.mark.slow
def test_the_tests_of_the_page_run(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/assistants.md").read_text(encoding="utf-8")
    (pytester.path / "pyproject.toml").write_text("[tool.harness]\n")
    with served(Simulator(ScriptBrain())) as server:
        tests = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1]
        pytester.makepyfile(tests.replace("trial()", f'trial(base_url="{server.url}")'))
        pytester.runpytest_subprocess("--record-mode", "once").assert_outcomes(passed=2)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_session_records_a_test_and_replays_it(pytester: pytest.Pytester) -> None:
    (pytester.path / "pyproject.toml").write_text("[tool.harness]\n")
    with served(Simulator(ScriptBrain())) as server:
        pytester.makepyfile(test_mine=SESSION.replace("{url}", server.url))
        missing = pytester.runpytest_subprocess()
        missing.assert_outcomes(failed=2)
        missing.stdout.fnmatch_lines(["*test_sync.1.yaml does not exist*`pytest --record-mode once`*"])
        pytester.runpytest_subprocess("--harness-record-mode", "once").assert_outcomes(passed=2)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    files = (pytester.path / "cassettes/tests/test_mine").iterdir()
    assert sorted(path.name for path in files) == ["test_async.other.yaml", "test_sync.1.yaml"]
