"""A canary key is put wherever a key can get, and then looked for wherever anything is written or printed."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.carried import texts
from tests.loopback import ChatServer, Reply, completion
from tests.projects import harness, write

#: One that looks like a key, one that only its variable's name gives away, and one that encodings change.
KEY = "sk-CANARY-0123456789abcdef"
TOKEN = "canary.7hQ2w9Zr4K"
ODD = 'can"ary/Ü+9=&<x>\\'
CANARIES = (KEY, TOKEN, ODD)

_TOOLS = """\
import base64
import os


def look_up(word: str) -> dict:
    \"\"\"Look something up.\"\"\"
    odd = os.environ["ODD_PASSWORD"]
    return {"word": word, "odd": odd, "basic": base64.b64encode(f"me:{odd}".encode()).decode()}


def broken(word: str) -> str:
    \"\"\"Fail.\"\"\"
    raise RuntimeError("cannot log in with " + os.environ["ODD_PASSWORD"] + " and " + os.environ["SHOP_TOKEN"])
"""

_AGENT = """\
import os


async def answer(input: str, session):
    said = await session.client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": input + os.environ["SHOP_TOKEN"]}],
        extra_headers={"X-Token": os.environ["SHOP_TOKEN"], "Cookie": "session=" + os.environ["SHOP_TOKEN"]},
        extra_query={"key": os.environ["OPENAI_API_KEY"], "limit": os.environ["ODD_PASSWORD"]},
    )
    if "fail" in input:
        raise RuntimeError(repr(os.environ["ODD_PASSWORD"]) + said.choices[0].message.content)
    return said.choices[0].message.content
"""

_CHECKS = """\
import os


def shows(output: str) -> dict:
    return {"passed": False, "reason": "I saw " + os.environ["SHOP_TOKEN"] + os.environ["ODD_PASSWORD"] + output}


def breaks(output: str) -> bool:
    raise ValueError(os.environ["ODD_PASSWORD"])
"""


def _files(url: str) -> dict[str, str]:
    shown = json.dumps(ODD)
    checks = "expect: [{python: ./checks.py:shows}, {python: ./checks.py:breaks, soft: true}]\n"
    variables = f"vars: {{token: {json.dumps(TOKEN)}, odd: {shown}}}\n"
    chat = (
        f"suite: chat\nassistant: {{api: chat, model: m, base_url: {url}, api_key_env: OPENAI_API_KEY, stream: true, "
        "tools: [./tools.py:look_up, ./tools.py:broken]}\n"
        f"{variables}variants: {{v1: {{system: 'Log in with {{{{ token }}}} or {{{{ odd }}}}.'}}}}\n"
        f"{checks}cases: [{{id: one, input: 'Use {{{{ odd }}}}', metadata: {{token: {json.dumps(KEY)}}}}}, "
        "{id: refused, input: refuse}]\n"
    )
    target = (
        f'suite: target\nvariants: {{agent: {{api: python, target: "./agent.py:answer", base_url: "{url}", '
        f"api_key_env: OPENAI_API_KEY}}}}\n{checks}"
        "cases: [{id: one, input: ask}, {id: failing, input: fail}]\n"
    )
    http = (
        f'suite: http\nassistant: {{api: http, url: "{url}/x/chat?key={{{{ vars.token }}}}", output: "$.choices[0].message.content", '
        'headers: {Authorization: "Bearer ${SHOP_TOKEN}", X-Other: "${ODD_PASSWORD}"}, '
        'body: {messages: [], text: "{{ input }}{{ vars.odd }}"}}\n'
        f"{variables}{checks}cases: [{{id: one, input: ask}}, {{id: refused, input: refuse}}]\n"
    )
    return {
        "suites/chat.yaml": chat,
        "suites/target.yaml": target,
        "suites/http.yaml": http,
        "suites/tools.py": _TOOLS,
        "suites/agent.py": _AGENT,
        "suites/checks.py": _CHECKS,
    }


def _answers(number: int, body: dict[str, Any]) -> Reply | None:
    text = json.dumps(body)
    everything = f"{KEY} {TOKEN} {ODD} {base64.b64encode(ODD.encode()).decode()} {quote(ODD, safe='')}"
    if "refuse" in text:
        error = {"error": {"message": f"Incorrect API key provided: {everything}", "type": "x", "code": None}}
        return Reply(status=400, body=json.dumps(error).encode(), headers={"x-request-id": TOKEN, "set-cookie": KEY})
    if not body.get("stream"):
        return Reply(body=json.dumps(completion(everything, number, body)).encode(), headers={"location": f"/{TOKEN}"})
    if not any(one.get("role") == "tool" for one in body["messages"]):
        calls = [("look_up", "c1"), ("broken", "c2")]
        deltas: list[dict[str, Any]] = []
        for index, (name, identity) in enumerate(calls):
            call = {"index": index, "id": identity, "type": "function", "function": {"name": name, "arguments": ""}}
            deltas.append({"role": "assistant", "tool_calls": [call]})
            arguments = json.dumps({"word": everything})
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _cut(arguments, 5)
            ]
        return _stream(deltas, "tool_calls")
    return _stream([{"content": piece} for piece in _cut(everything, 3)], "stop")


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _stream(deltas: list[dict[str, Any]], reason: str) -> Reply:
    chunks = [
        *({"index": 0, "delta": delta, "finish_reason": None} for delta in deltas),
        {"index": 0, "delta": {}, "finish_reason": reason},
    ]
    events = [
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [one]} for one in chunks
    ]
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in events) + "data: [DONE]\n\n"
    return Reply(body=body.encode(), headers={"content-type": "text/event-stream"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("ODD_PASSWORD", ODD)
    with ChatServer(faults=_answers) as server:
        write(tmp_path, _files(server.url))
        yield tmp_path


#: Forms in which a canary could be read; the parts of base64 are those that do not depend on what stands before.
_FORMS = {
    form
    for canary in CANARIES
    for form in (
        canary,
        json.dumps(canary)[1:-1],
        json.dumps(canary, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(canary))[3:-3],
        quote(canary, safe=""),
        base64.b64encode(canary.encode()).decode().rstrip("=")[:-1],
        base64.b64encode(b"me:" + canary.encode()).decode()[4:-4],
        "CANARY-0123",
        "7hQ2w9Zr4K",
        "ary/Ü",
        "ary/\\u00dc",
    )
}


def _found(text: str) -> list[str]:
    return [form for form in _FORMS if form in text]


def _assert_no_file_shows_one(root: Path) -> None:
    looked = 0
    for path in [*root.glob("cassettes/**/*"), *root.glob("reports/**/*"), *root.glob("out/**/*")]:
        if path.is_file():
            looked += 1
            text = path.read_text(encoding="utf-8")
            assert not _found(text), path
            assert not _found("\n".join(texts(text))), path
    assert looked > 10


def test_a_canary_reaches_no_file_no_log_and_no_terminal(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outputs = [f"-oout/all.{kind}" for kind in ("csv", "jsonl", "json", "md", "html", "xml")]
    (project / "out").mkdir()
    printed = [
        harness("record", "--yes", "-v", "--debug"),
        harness("run", "-v", "--debug"),
        harness("run", "--json", *outputs),
        harness("report", "--json", "--format", "html,md,junit,csv,json"),
        harness("compare"),
        harness("compare", "--json"),
    ]
    assert printed[0].exit_code == 3, printed[0].output
    for result in printed:
        assert not _found(result.output), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "REDACTED" in printed[0].output
    _assert_no_file_shows_one(project)
    rows = [json.loads(line) for line in (project / "out/all.jsonl").read_text().splitlines()]
    outcomes = {
        f"{row['suite']} {row['case']}": (row["error"] or row)["kind" if row["error"] else "outcome"] for row in rows
    }
    assert outcomes == {
        "chat one": "failed",
        "chat refused": "bad_request",
        "http one": "failed",
        "http refused": "bad_request",
        "target one": "failed",
        "target failing": "target",
    }
    assert not [row for row in rows if row["error"] and row["error"]["kind"].startswith("cassette")]
    assert any(record.name.startswith("openai") for record in caplog.records)
    assert any(record.name.startswith("httpcore2") for record in caplog.records)
    assert not _found(caplog.text)


@pytest.mark.slow
def test_a_canary_is_in_nothing_that_pytest_prints_or_writes(project: Path) -> None:
    recording = ["--record-mode", "once"]
    for more in (recording, []):
        arguments = [
            "suites",
            "-v",
            "-rA",
            "--log-level=DEBUG",
            "--junitxml",
            "out/junit.xml",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, *more, "--harness-report", "out/report"],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert not _found(done.stdout + done.stderr), done.stdout + done.stderr
        assert not _found((project / "out/junit.xml").read_text(encoding="utf-8"))
    _assert_no_file_shows_one(project)
