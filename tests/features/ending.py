"""Scenes of how conversations end, what is left at the service, and what of a suite's settings is sent."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from harness.simulator.app import Simulator
from harness.simulator.brain import Ask, Call
from tests.features.scene import APIS, MODELS, Lack, Scene, Seen, passed
from tests.features.talking import AGENT, HTTP, HTTP_STREAM

_TOOLS = '''
from harness.tools import EndRun

def raises(reason: str) -> str:
    """End the conversation."""
    raise EndRun({"reason": reason})

def returns(reason: str):
    """End the conversation."""
    return EndRun({"reason": reason})

def says(reason: str) -> str:
    """End the conversation."""
    return f"<|ENDRUN|>{reason}"
'''
_NOT_IN_THREADS = "suites/s.yaml:5:1: `{}:` cannot be used here."


def _ends(name: str) -> Scene:
    data: Any = "sold" if name == "says" else {"reason": "sold"}

    def check(seen: Seen) -> None:
        passed(seen)
        row = seen.row
        [call] = row["tool_calls"]
        assert (call["output"], call["error"]) == (data, None)
        assert (row["finish_reason"], row["extra"]["end_run"]) == ("end_run", {"data": data})
        # What would have been said next is not said any more.
        assert len(row["turns"]) == 1
        assert row["messages"][-1]["role"] == "tool"
        paths = [path.rsplit("/", 1)[-1] for method, path, _ in seen.requests if method == "POST"]
        assert paths.count("cancel") == (1 if seen.api == "threads" else 0)
        assert "submit_tool_outputs" not in paths

    return Scene(
        feature=f"EndRun, {({'raises': 'raised', 'returns': 'returned', 'says': 'said by a text'})[name]}",
        suite=f"tools: ['./tools.py:{name}']\ncases:\n  - id: a\n    turns: [{{input: Buy}}, {{input: And then?}}]\n"
        f"    expect: {{end_run: {json.dumps(data)}}}\n",
        files={"suites/tools.py": _TOOLS},
        script=[{"call": {"name": name, "arguments": {"reason": "sold"}}}],
        check=check,
    )


def _fails(kinds: Mapping[str, str], said: str, *, shown: str | None = None) -> Callable[[Seen], None]:
    def check(seen: Seen) -> None:
        row = seen.row
        assert (row["outcome"], row["error"]["kind"]) == ("error", kinds[seen.api])
        assert said in row["error"]["message"]
        assert row["output"] == shown

    return check


def _timed_out(seen: Seen) -> None:
    row = seen.row
    assert (row["outcome"], row["error"]["kind"]) == ("error", "timeout")
    assert row["cassette"] is None
    cancels = [path for _, path, _ in seen.requests if path.endswith("/cancel")]
    assert len(cancels) == (1 if seen.api == "threads" else 0)


def _made(method: str, kind: str, seen: Seen) -> int:
    under = [path for how, path, _ in seen.requests if how == method and path.startswith(f"/v1/{kind}")]
    return len([path for path in under if path.count("/") == (2 if method == "POST" else 3)])


def _lives(name: str, *, made: int, deleted: int) -> Scene:
    def check(seen: Seen) -> None:
        passed(seen)
        assert (_made("POST", "assistants", seen), _made("DELETE", "assistants", seen)) == (made, deleted)
        threads = 0 if name == "kept" else 2
        assert (_made("POST", "threads", seen), _made("DELETE", "threads", seen)) == (2, threads)
        # Each recording holds what made its assistant.
        for row in seen.live:
            assert (seen.root / row["cassette"]["path"]).read_text(encoding="utf-8").count("/v1/assistants") >= 1

    lack = Lack(reason="it keeps no assistants", refused=_NOT_IN_THREADS.format("lifecycle"))
    return Scene(
        feature=f"`lifecycle: {name}`",
        suite=f"lifecycle: {name}\nsystem: Be brief.\ncases: [{{id: a, input: Hi}}, {{id: b, input: Hello}}]\n",
        apis=("threads",),
        script=[{"match": {"system": "Be brief."}, "reply": "Hi"}, {"reply": "Who?"}],
        check=check,
        lacks={"responses": lack, "chat": lack},
    )


_PATIENT = '''
async def wait(session) -> str:
    """Wait until it is too late."""
    messages = [{"role": "user", "content": "Is it over?"}]
    given = await session.client.chat.completions.create(model="test-model", messages=messages)
    return given.choices[0].message.content
'''


def _too_late(simulator: Simulator) -> Callable[[Ask], Any]:
    """A model behind the service, which lets a run expire when it is asked through another API."""

    def answer(ask: Ask) -> Any:
        return [Call(name="wait", arguments="{}")] if ask.api == "threads" else f"{simulator.expire_runs()} expired"

    return answer


def _assistant(url: str, api: str) -> Mapping[str, str]:
    """Make an assistant at the service."""
    body = json.dumps({"model": "other-model", "instructions": "You are Ada.", "name": "Ada"}).encode()
    head = {"content-type": "application/json", "openai-beta": "assistants=v2"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/assistants", body, head)) as given:
        return {"ASSISTANT": json.load(given)["id"]}


def _loaded(seen: Seen) -> None:
    passed(seen)
    assert _made("POST", "assistants", seen) == _made("DELETE", "assistants", seen) == 0
    assert seen.row["model"] == "test-model"


def _preset(seen: Seen) -> None:
    passed(seen)
    [body] = seen.sent("/assistants" if seen.api == "threads" else "")
    assert (body["temperature"], body["top_p"]) == (0.3, 1.0)
    assert body.get("presence_penalty") == (0.5 if seen.api == "chat" else None)


def _requested(seen: Seen) -> None:
    passed(seen)
    [body] = seen.sent()
    assert body["metadata"] == {"team": "a"}


SCENES = (
    *map(_ends, ("raises", "returns", "says")),
    Scene(
        feature="cancel: the trial's time is over while an answer is made",
        suite="timeout: 800ms\ncases: [{id: a, input: Go}]\n",
        script=[{"reply": "Late", "delay": 60}],
        apis=(*MODELS, "python", "http"),
        more={"python": "target: ./agent.py:answer\n", "http": HTTP},
        files={"suites/agent.py": AGENT},
        check=_timed_out,
        kept=False,
    ),
    Scene(
        feature="timeout: a stream that stops",
        suite="timeout: 800ms\nstream: true\ncases: [{id: a, input: Go}]\n",
        script=[{"chunks": ["Never", " ends"], "pace": 60}],
        apis=(*MODELS, "python", "http"),
        more={"python": "target: ./agent.py:streamed\n", "http": HTTP_STREAM},
        files={"suites/agent.py": AGENT},
        check=_timed_out,
        kept=False,
    ),
    Scene(
        feature="refused or failed for good",
        suite="cases: [{id: a, input: Go}]\n",
        script=[{"fail": {"status": 400, "code": "invalid_prompt", "message": "No such thing."}}],
        apis=(*MODELS, "python", "http"),
        more={"python": "target: ./agent.py:answer\n", "http": HTTP},
        files={"suites/agent.py": AGENT},
        check=_fails({**dict.fromkeys(APIS, "bad_request"), "threads": "run_failed"}, "No such thing."),
    ),
    Scene(
        feature="failed in the middle of a stream",
        suite="stream: true\ncases: [{id: a, input: Go}]\n",
        apis=("threads",),
        script=[{"chunks": ["It ", "takes"], "fail": {"status": 500, "message": "Broken.", "partial": True}}],
        check=_fails({"threads": "run_failed"}, "Broken.", shown="It takes"),
        lacks=dict.fromkeys(("responses", "chat"), Lack(reason="no final answer, so it is not kept: the row below")),
    ),
    Scene(
        feature="failed for now: not kept, tried again",
        suite="stream: true\ncases: [{id: a, input: Go}]\n",
        apis=("responses", "chat"),
        script=[{"chunks": ["It ", "takes"], "fail": {"status": 500, "message": "Broken.", "partial": True}}],
        check=_fails(dict.fromkeys(MODELS, "server"), "Broken.", shown="It takes"),
        lacks={"threads": Lack(reason="a run that failed is a final answer: the row above")},
        kept=False,
    ),
    Scene(
        feature="a run that expires",
        suite="tools: [{function: './tools.py:wait', pure: true}]\ncases: [{id: a, input: Go}]\n",
        apis=("threads",),
        files={"suites/tools.py": _PATIENT},
        script_of=_too_late,
        check=_fails({"threads": "run_expired"}, "expired"),
        lacks=dict.fromkeys(("responses", "chat"), Lack(reason="a step is one request; nothing waits at the service")),
    ),
    _lives("lazy", made=2, deleted=2),
    _lives("run", made=1, deleted=1),
    _lives("kept", made=1, deleted=0),
    Scene(
        feature="`assistant_id`",
        suite="assistant_id: ASSISTANT\nsystem: You are Eva.\ncases: [{id: a, input: Who?, expect: {equals: Eva}}]\n",
        apis=("threads",),
        script=[{"match": {"system": "Eva"}, "reply": "Eva"}, {"reply": "Ada"}],
        before=_assistant,
        check=_loaded,
        lacks=dict.fromkeys(
            ("responses", "chat"),
            Lack(reason="it keeps no assistants", refused=_NOT_IN_THREADS.format("assistant_id")),
        ),
    ),
    Scene(
        feature="presets",
        suite="preset: creative\ntemperature: 0.3\ncases: [{id: a, input: Go}]\n",
        script=[{"reply": "Once"}],
        check=_preset,
    ),
    Scene(
        feature="`request:` passed through",
        suite="request: {metadata: {team: a}}\ncases: [{id: a, input: Go}]\n",
        script=[{"reply": "Once"}],
        check=_requested,
    ),
)
