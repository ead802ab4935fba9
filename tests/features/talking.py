"""Scenes of what is said: turns, streams, forms of answers, files."""

from __future__ import annotations

import base64
import json
import struct
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any

from tests.features.scene import APIS, MODELS, Lack, Scene, Seen, passed

_USED = {"usage": {"input": 7, "output": 5}}
_ANSWER = {"id": "a", "output": "It takes 5 days.", "latency": 1.5, **_USED}
_ANSWERS = {
    "id": "ticket",
    "latency": 3.0,
    "turns": [
        {"output": text, "latency": 1.0, **_USED} for text in ("T-17", "Closed: T-17", "Right: You said: Closed: T-17")
    ],
}
_AT_ONCE = Lack(reason="a step is one request, with everything that was said")
_NO_CHAIN = r"suites/s.yaml:\d+:1: `chain:` cannot be used here."


def png() -> bytes:
    """A picture of one red dot."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


AGENT = """\
import base64

STREAM = {"stream": True, "stream_options": {"include_usage": True}}

async def answer(input, messages, session):
    given = await session.client.chat.completions.create(model="test-model", messages=messages)
    return given.choices[0].message.content

async def streamed(input, messages, session):
    given = await session.client.chat.completions.create(model="test-model", messages=messages, **STREAM)
    async for piece in given:
        if piece.choices and piece.choices[0].delta.content:
            yield piece.choices[0].delta.content

async def looked(input, files, images, session):
    shown = " ".join(base64.b64encode(one.data).decode() for one in (*files, *images))
    return await answer(input, [{"role": "user", "content": f"{input} {shown}"}], session)

async def told(input, instructions, messages, session):
    own = [{"role": "system", "content": instructions}] if instructions else []
    return await answer(input, [*own, *messages], session)
"""


#: What a service of its own is sent, and what is read of its answer.
HTTP = """\
body: {model: test-model, messages: "{{ messages }}"}
output: "$.choices[0].message.content"
tool_calls: "$.choices[0].message.tool_calls[*]"
"""
HTTP_FILES = """\
body:
  model: test-model
  messages:
    - role: user
      content:
        - {type: text, text: "{{ input }}"}
        - type: file
          file: {filename: "{{ files[0].name }}", file_data: "data:text/plain;base64,{{ files[0].data }}"}
        - {type: image_url, image_url: {url: "data:image/png;base64,{{ files[1].data }}"}}
output: "$.choices[0].message.content"
"""
HTTP_STREAM = """\
body: {model: test-model, messages: "{{ messages }}", stream: true, stream_options: {include_usage: true}}
sse: true
"""


def _plain(seen: Seen) -> None:
    passed(seen)
    assert seen.row["output"] == "It takes 5 days."
    system = ["system"] if seen.api in (*MODELS, "python") else []
    assert [message["role"] for message in seen.row["messages"]] == [*system, "user", "assistant"]
    assert ("Be brief." in seen.told()) == bool(system)
    assert seen.row["usage"]["input"] > 0
    assert seen.row["usage"]["output"] > 0
    assert seen.row["latency"] > 0
    assert seen.row["ttft"] is None


_TURNS = """\
system: Be brief.
cases:
  - id: ticket
    turns:
      - input: My lamp is broken.
        expect: [{equals: T-17}]
        save: {ticket: $.output}
      - input: "Close {{ ticket }}."
        expect: [{contains: T-17}]
        save: {said: $.output, asked: "$.input[0]"}
      - input: ["One more thing.", "You said: {{ said }}"]
        expect: [{contains: "Closed"}, {contains: "{{ ticket }}"}]
    expect: [{turns: 3}]
"""
_TURNS_SAID = [
    {"match": {"turn": 1}, "reply": "T-17"},
    {"match": {"turn": 2, "contains": "Close T-17."}, "reply": "Closed: T-17"},
    {"match": {"contains": "You said: Closed: T-17"}, "reply": "Right: {{ input }}"},
]


def _turns(seen: Seen) -> None:
    passed(seen)
    row = seen.row
    system = ["system"] if seen.api in (*MODELS, "python") else []
    assert [turn["output"] for turn in row["turns"]] == ["T-17", "Closed: T-17", "Right: You said: Closed: T-17"]
    assert [message["role"] for message in row["messages"]] == [
        *system,
        *("user", "assistant", "user", "assistant", "user", "user", "assistant"),
    ]
    assert row["messages"][len(system) + 2]["content"] == "Close T-17."
    assert sum(turn["latency"] for turn in row["turns"]) <= row["latency"] + 1e-5
    assert [check["turn"] for check in row["checks"] if check["scorer"] != "turns"] == [1, 2, 3, 3]
    if seen.api in MODELS:
        assert len({json.dumps(turn["usage"]) for turn in row["turns"]}) > 1


def _new_only(seen: Seen) -> None:
    _turns(seen)
    assert [len(body["input"]) for body in seen.sent("/responses")] == [1, 1, 2]


_STREAM = [{"chunks": ["It ", "takes ", "5 ", "days."], "pace": 0.01}]


def _streamed(seen: Seen) -> None:
    passed(seen)
    row = seen.row
    assert row["output"] == "It takes 5 days."
    assert 0 < row["ttft"] < row["latency"]
    assert row["turns"][0]["ttft"] == row["ttft"]
    assert row["usage"]["output"] > 0
    if seen.api == "outputs":
        return
    cassette = (seen.root / row["cassette"]["path"]).read_text(encoding="utf-8")
    assert "events:" in cassette
    if seen.api in MODELS:
        assert all(body["stream"] is True for body in seen.sent())


_SCHEMA = {
    "type": "object",
    "properties": {"days": {"type": "integer"}},
    "required": ["days"],
    "additionalProperties": False,
}


def _structured(seen: Seen) -> None:
    passed(seen)
    told = seen.told()
    assert '"strict": true' in told
    [asked] = seen.sent("/assistants" if seen.api == "threads" else "")
    form = asked["text"]["format"] if seen.api == "responses" else asked["response_format"]["json_schema"]
    assert (form["name"], form["schema"]) == ("answer", _SCHEMA)


def _refused(seen: Seen) -> None:
    passed(seen)
    [turn] = seen.row["turns"]
    assert (turn["refusal"], turn["output"]) == ("I cannot help with that.", "")


def _cut(seen: Seen) -> None:
    passed(seen)
    assert seen.row["finish_reason"] == "length"
    assert 0 < len(seen.row["output"]) < 2000


def _filtered(seen: Seen) -> None:
    passed(seen)
    assert seen.row["finish_reason"] == "content_filter"


_ORDER = "Order 4711: one lamp.\n"


def _filed(seen: Seen) -> None:
    passed(seen)
    [said] = [message for message in seen.row["messages"] if message["role"] == "user"]
    assert [(one["kind"], one["name"], one["bytes"]) for one in said["attachments"]] == [
        ("file", "order.txt", len(_ORDER)),
        ("image", "dot.png", len(png())),
    ]
    if seen.api == "threads":
        uploads = [body for method, path, body in seen.requests if (method, path) == ("POST", "/v1/files")]
        assert [_ORDER.encode() in body for body in uploads].count(True) == 1
        assert [png() in body for body in uploads].count(True) == 1
        deleted = [path for method, path, _ in seen.requests if method == "DELETE" and path.startswith("/v1/files/")]
        assert len(deleted) == 2
    else:
        told = seen.told()
        assert base64.b64encode(_ORDER.encode()).decode() in told
        assert base64.b64encode(png()).decode() in told


_CODE = [{"run_code": {"code": "print(2**10)", "logs": "1024\n", "files": {"sum.csv": "n\n1024\n"}}, "reply": "1024"}]


def _coded(seen: Seen) -> None:
    passed(seen)
    row = seen.row
    [call] = row["tool_calls"]
    assert (call["name"], call["arguments"], call["source"]) == (
        "code_interpreter",
        {"code": "print(2**10)"},
        "service",
    )
    assert "1024" in json.dumps(call["output"])
    [made] = row["messages"][-1]["attachments"]
    assert made["name"] == "sum.csv"
    for folder in seen.folders:
        [kept] = [path for path in (folder / "files").rglob("*") if path.is_file()]
        assert (kept.name, kept.read_text()) == ("sum.csv", "n\n1024\n")
    assert row["messages"][-1]["annotations"]


_HANDBOOK = "Lamps are shipped within five days.\nChairs are shipped within nine days.\n"


def _searched(seen: Seen) -> None:
    passed(seen)
    row = seen.row
    [call] = row["tool_calls"]
    assert (call["name"], call["source"]) == ("file_search", "service")
    assert "handbook.txt" in json.dumps(call["output"])
    [note] = row["messages"][-1]["annotations"]
    assert note["type"] == "file_citation"
    stores = [path for method, path, _ in seen.requests if method == "POST" and path == "/v1/vector_stores"]
    assert len(stores) == 1


def _instructed(seen: Seen) -> None:
    passed(seen)
    assert [turn["output"] for turn in seen.row["turns"]] == ["prompt", "own", "prompt"]


def _thread(url: str, api: str) -> Mapping[str, str]:
    """Begin a conversation at the service."""
    said: Any = {"role": "user", "content": "My name is Ada."}
    path, body = ("/threads", {"messages": [said]}) if api == "threads" else ("/conversations", {"items": [said]})
    head = {"content-type": "application/json", "openai-beta": "assistants=v2"}
    with urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode(), head)) as given:
        return {"THREAD": json.load(given)["id"]}


def _went_on(seen: Seen) -> None:
    passed(seen)
    made = [path for method, path, _ in seen.requests if method == "POST" and path.endswith(("threads", "ations"))]
    assert made == []
    assert "DELETE" not in {method for method, path, _ in seen.requests if path.startswith("/v1/threads")}


def _first_message(ask: Any) -> str:
    return f"Hello, {ask.messages[0]['content']}" if ask.messages[0]["role"] == "user" else "Who?"


SCENES = (
    Scene(
        feature="plain",
        suite="system: Be brief.\ncases: [{id: a, input: How long?, expect: {equals: It takes 5 days.}}]\n",
        more={"python": "target: ./agent.py:answer\n", "http": HTTP},
        apis=APIS,
        files={"suites/agent.py": AGENT, "suites/data/answers.jsonl": json.dumps(_ANSWER)},
        script=[{"match": {"contains": "How long?"}, "reply": "It takes 5 days."}],
        check=_plain,
    ),
    Scene(
        feature="multi-turn, with values saved from turn to turn",
        suite=_TURNS,
        script=_TURNS_SAID,
        apis=APIS,
        more={"python": "target: ./agent.py:answer\n", "http": HTTP},
        files={"suites/agent.py": AGENT, "suites/data/answers.jsonl": json.dumps(_ANSWERS)},
        check=_turns,
    ),
    *(
        Scene(
            feature=f"multi-turn, `chain: {chain}`",
            suite=f"chain: {chain}\n" + _TURNS,
            script=_TURNS_SAID,
            apis=("responses",),
            check=_new_only,
            lacks={
                "chat": Lack(reason=_AT_ONCE.reason, refused=_NO_CHAIN),
                "threads": Lack(reason="its threads are at the service anyway", refused=_NO_CHAIN),
            },
        )
        for chain in ("response", "conversation")
    ),
    Scene(
        feature="streaming, with the time to the first token",
        suite="cases: [{id: a, input: How long?, expect: {contains: 5 days}}]\n",
        more=dict.fromkeys(MODELS, "stream: true\n") | {"python": "target: ./agent.py:streamed\n", "http": HTTP_STREAM},
        apis=APIS,
        files={"suites/agent.py": AGENT, "suites/data/answers.jsonl": json.dumps(_ANSWER | {"ttft": 0.2})},
        script=_STREAM,
        check=_streamed,
    ),
    Scene(
        feature="structured output",
        suite="response_format: {schema: data/answer.schema.json}\n"
        "cases: [{id: a, input: How long?, expect: {json_schema: data/answer.schema.json}}]\n",
        files={"suites/data/answer.schema.json": json.dumps(_SCHEMA)},
        script=[{"reply": '{"days": 5}'}],
        check=_structured,
    ),
    Scene(
        feature="refusal",
        suite="cases: [{id: a, input: How?, expect: {refused: true}}]\n",
        script=[{"refuse": "I cannot help with that."}],
        check=_refused,
    ),
    Scene(
        feature="refusal, streamed",
        suite="stream: true\ncases: [{id: a, input: How?, expect: {refused: true}}]\n",
        script=[{"refuse": "I cannot help with that."}],
        check=_refused,
    ),
    Scene(
        feature="length cut",
        suite="max_tokens: 256\ncases: [{id: a, input: Tell, expect: {finish_reason: length}}]\n",
        script=[{"reply": "word " * 400}],
        check=_cut,
    ),
    Scene(
        feature="length cut, streamed",
        suite="max_tokens: 256\nstream: true\ncases: [{id: a, input: Tell, expect: {finish_reason: length}}]\n",
        script=[{"reply": "word " * 400}],
        check=_cut,
    ),
    Scene(
        feature="content filter",
        suite="cases: [{id: a, input: Tell, expect: {finish_reason: content_filter}}]\n",
        script=[{"reply": "Well", "filter": True}],
        check=_filtered,
    ),
    Scene(
        feature="files and images",
        suite="cases:\n  - {id: a, input: Look, files: data/order.txt, images: [data/dot.png], expect: {equals: Seen}}\n",
        files={"suites/agent.py": AGENT, "suites/data/order.txt": _ORDER, "suites/data/dot.png": png()},
        apis=(*MODELS, "python", "http"),
        more={"python": "target: ./agent.py:looked\n", "http": HTTP_FILES},
        script=[{"match": {"contains": "Look"}, "reply": "Seen"}],
        check=_filed,
    ),
    Scene(
        feature="code interpreter, with a file made",
        suite="tools: [code_interpreter]\n"
        "cases: [{id: a, input: Count, expect: [{contains: '1024'}, {tool_called: code_interpreter}]}]\n",
        apis=("responses", "threads"),
        script=_CODE,
        check=_coded,
        lacks={
            "chat": Lack(
                reason="it has no such tool",
                refused=r"suites/s.yaml:5:9: `api: chat` has no tool 'code_interpreter' of its own",
            )
        },
    ),
    Scene(
        feature="code interpreter, streamed",
        suite="stream: true\ntools: [code_interpreter]\n"
        "cases: [{id: a, input: Count, expect: [{contains: '1024'}, {tool_called: code_interpreter}]}]\n",
        apis=("responses", "threads"),
        script=_CODE,
        check=_coded,
        lacks={
            "chat": Lack(reason="it has no such tool", refused=r"suites/s.yaml:6:9: `api: chat` has no tool 'code_")
        },
    ),
    Scene(
        feature="file search, with citations",
        suite="tools: [{file_search: [data/handbook.txt]}]\n"
        "cases: [{id: a, input: When are lamps shipped?, expect: [{contains: five}, {tool_called: file_search}]}]\n",
        apis=("responses", "threads"),
        files={"suites/data/handbook.txt": _HANDBOOK},
        script=[{"search": "lamps shipped", "reply": "Within five days."}],
        check=_searched,
        lacks={
            "chat": Lack(
                reason="it has no such tool",
                refused=r"suites/s.yaml:5:9: `api: chat` has no tool 'file_search' of its own",
            )
        },
    ),
    Scene(
        feature="instructions for one turn",
        suite="system: The prompt.\ncases:\n  - id: a\n    turns:\n      - {input: One}\n"
        '      - {input: Two, instructions: "Only {{ kind }}."}\n      - {input: Three}\n'
        "    vars: {kind: now}\n",
        apis=(*MODELS, "python"),
        more={"python": "target: ./agent.py:told\n"},
        files={"suites/agent.py": AGENT},
        script=[
            {"match": {"system": "Only now."}, "reply": "own"},
            {"match": {"system": "The prompt."}, "reply": "prompt"},
        ],
        check=_instructed,
    ),
    Scene(
        feature="given thread",
        suite="cases: [{id: a, input: Who am I?, thread: THREAD, expect: {contains: Ada}}]\n",
        apis=("responses", "threads"),
        script=_first_message,
        before=_thread,
        check=_went_on,
        lacks={"chat": Lack(reason=_AT_ONCE.reason, refused=r"suites/s.yaml:5:\d+: .*`thread:`")},
    ),
)
