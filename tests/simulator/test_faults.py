"""Faults of the simulator: what arrives at a client, byte by byte."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.simulator.app import Simulator
from harness.simulator.faults import FaultError, Faults
from harness.simulator.front import Front, faulty
from harness.simulator.script import ScriptBrain
from tests.projects import harness

_CHAT = "/chat/completions"


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=5, trust_env=False) as client:
        yield client


def _simulator() -> Simulator:
    return Simulator(ScriptBrain([{"chunks": ["Hello ", "wörld"]}]))


def _ask(client: httpx2.Client, server: Front, text: str = "hi", **more: Any) -> httpx2.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    return client.post(server.url + _CHAT, json=body)


def test_without_a_fault_answers_and_streams_come_as_they_are(client: httpx2.Client) -> None:
    with faulty(_simulator()) as server:
        whole = _ask(client, server)
        streamed = _ask(client, server, stream=True)
    assert whole.json()["choices"][0]["message"]["content"] == "Hello wörld"
    assert whole.headers["x-harness-simulated"] == "true"
    assert streamed.headers["transfer-encoding"] == "chunked"
    assert streamed.text.rstrip().endswith("data: [DONE]")
    assert server.counts == {"POST /v1/chat/completions": 2}
    assert [one.model for one in server.requests] == ["m", "m"]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "body"),
    [
        ({"status": 429, "headers": {"retry-after": "1"}}, 429, "application/json", "Too Many Requests"),
        ({"status": 529}, 529, "application/json", "Unknown"),
        ({"status": 502, "html": "<h1>no</h1>"}, 502, "text/html; charset=utf-8", "<h1>no</h1>"),
        ({"text": "no"}, 200, "text/plain; charset=utf-8", "no"),
        ({"status": 200}, 200, "application/json", ""),
        ({"json": {"error": {"code": 503}}}, 200, "application/json", '{"error": {"code": 503}}'),
        ({"json": None}, 200, "application/json", "null"),
        ({"type": "text/plain"}, 200, "text/plain", "Hello"),
        ({"truncate": 9}, 200, "application/json", '{"id":"ch'),
        ({"set": {"choices": []}}, 200, "application/json", '"choices": []'),
        ({"set": {"choices.0.message.content": "x" * 9}}, 200, "application/json", "xxxxxxxxx"),
        ({"redirect": "http://127.0.0.1:9/"}, 307, "application/json", ""),
    ],
)
def test_an_answer_is_what_the_fault_says(
    client: httpx2.Client, fault: dict[str, Any], status: int, kind: str, body: str
) -> None:
    with faulty(_simulator(), [{"fault": fault}]) as server:
        answer = _ask(client, server)
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    assert body in answer.text
    assert all(answer.headers[name] == value for name, value in fault.get("headers", {}).items())


def test_parts_are_taken_out_of_answers_and_of_streams(client: httpx2.Client) -> None:
    with faulty(_simulator(), [{"fault": {"hide_usage": True, "delete": "choices.0.message.role"}}]) as server:
        whole = _ask(client, server).json()
        streamed = _ask(client, server, stream=True, stream_options={"include_usage": True}).text
    assert "usage" not in whole
    assert whole["choices"][0]["message"] == {"content": "Hello wörld", "refusal": None, "annotations": []}
    assert '"usage"' not in streamed
    assert '"choices"' in streamed


def test_a_body_of_a_size_and_a_long_header_are_sent(client: httpx2.Client) -> None:
    rules = [
        {"match": {"nth": 1}, "fault": {"status": 502, "html": "<p>no</p>", "size": 100_000}},
        {"fault": {"header_bytes": 5000}},
    ]
    with faulty(_simulator(), rules) as server:
        assert len(_ask(client, server).content) == 100_000
        assert len(_ask(client, server).headers["x-long"]) == 5000


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ({"reset": "before"}, httpx2.ReadError),
        ({"reset": "headers"}, httpx2.ReadError),
        ({"reset": 10}, httpx2.ReadError),
        ({"close": "before"}, httpx2.RemoteProtocolError),
        ({"close": 10}, httpx2.RemoteProtocolError),
        ({"header_line": "no colon"}, httpx2.RemoteProtocolError),
        ({"raw": "nonsense\r\n\r\n"}, httpx2.RemoteProtocolError),
        ({"encoding": "gzip"}, httpx2.DecodingError),
        ({"hang": "before"}, httpx2.ReadTimeout),
        ({"hang": 10}, httpx2.ReadTimeout),
        ({"header_bytes": 200_000}, httpx2.RemoteProtocolError),
    ],
)
def test_a_connection_breaks_as_the_fault_says(fault: dict[str, Any], what: type[Exception]) -> None:
    with faulty(_simulator(), [{"fault": fault}]) as server, httpx2.Client(timeout=0.2) as client:
        with pytest.raises(what) as raised:
            _ask(client, server)
    assert type(raised.value) is what


@pytest.mark.parametrize(
    ("then", "what"),
    [("reset", httpx2.ReadError), ("close", httpx2.RemoteProtocolError), ("stall", httpx2.ReadTimeout)],
)
def test_a_stream_breaks_after_so_many_events(then: str, what: type[Exception]) -> None:
    rules = [{"fault": {"stream": {"after": 2, "then": then}}}]
    seen: list[bytes] = []
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with faulty(_simulator(), rules) as server, httpx2.Client(timeout=0.2) as client:
        with client.stream("POST", server.url + _CHAT, json=body) as answer:
            with pytest.raises(what):
                seen.extend(answer.iter_bytes())
    assert b"".join(seen).count(b"data: {") == 2
    assert b"Hello" in b"".join(seen)


@pytest.mark.parametrize(
    ("stream", "last"),
    [
        ({"after": 2, "then": "cut"}, "Hello"),
        ({"after": 2, "then": "error"}, '"error"'),
    ],
)
def test_a_stream_ends_early_or_with_an_error(client: httpx2.Client, stream: dict[str, Any], last: str) -> None:
    with faulty(_simulator(), [{"fault": {"stream": stream}}]) as server:
        events = _ask(client, server, stream=True).text.split("\n\n")
    assert last in events[-2]
    assert events[-1] == ""


def test_pieces_and_comments_do_not_change_what_a_stream_says(client: httpx2.Client) -> None:
    rules = [{"fault": {"split": 1, "stream": {"comments": True}}}]
    with faulty(_simulator(), rules) as server, faulty(_simulator()) as plain:
        broken = _ask(client, server, stream=True).text.split("\n\n")
        whole = _ask(client, plain, stream=True).text.split("\n\n")
    assert broken.count(": keep-alive") == len(whole) - 1
    assert [event for event in broken if event != ": keep-alive"] == whole


@pytest.mark.parametrize(
    ("rule", "statuses"),
    [
        ({"times": 2}, [500, 500, 200, 200]),
        ({"every": 2}, [200, 500, 200, 500]),
        ({"match": {"nth": [1, 3]}}, [500, 200, 500, 200]),
        ({"match": {"nth": 4}}, [200, 200, 200, 500]),
        ({"match": {"model": "other"}}, [200, 200, 200, 200]),
        ({"match": {"path": "/v1/chat/completions", "method": ["POST"]}}, [500, 500, 500, 500]),
        ({"match": {"path": "/v1/*/completions"}}, [500, 500, 500, 500]),
        ({"match": {"path": "/v1/threads/*"}}, [200, 200, 200, 200]),
        ({"match": {"contains": ["question", "2"]}}, [200, 200, 500, 200]),
        ({"times": 1, "per": "request"}, [500, 500, 500, 500]),
        ({"share": 1}, [500, 500, 500, 500]),
    ],
)
def test_rules_say_which_requests_a_fault_meets(
    client: httpx2.Client, rule: dict[str, Any], statuses: list[int]
) -> None:
    with faulty(_simulator(), [{**rule, "fault": {"status": 500}}]) as server:
        assert [_ask(client, server, f"question {n}").status_code for n in range(4)] == statuses
        counts = client.get(server.url.removesuffix("/v1") + "/faults").json()
    assert counts == {
        "requests": {"POST /v1/chat/completions": 4},
        "faults": {"0": statuses.count(500)} if 500 in statuses else {},
    }


def test_with_per_request_each_request_fails_once_and_then_succeeds(client: httpx2.Client) -> None:
    with faulty(_simulator(), [{"times": 1, "per": "request", "fault": {"status": 500}}]) as server:
        asked = [_ask(client, server, text).status_code for text in ("a", "b", "a", "b")]
    assert asked == [500, 500, 200, 200]


def test_a_share_is_the_same_whatever_the_order(client: httpx2.Client) -> None:
    def met(texts: list[str], seed: int) -> dict[str, int]:
        with faulty(_simulator(), [{"share": 0.5, "fault": {"status": 500}}], seed=seed) as server:
            return {text: _ask(client, server, text).status_code for text in texts}

    texts = [f"question {n}" for n in range(16)]
    first = met(texts, 1)
    assert met(texts[::-1], 1) == first
    assert met(texts, 2) != first
    assert 0 < list(first.values()).count(500) < 16


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- fault: {stauts: 500}", ":1: there is no 'stauts' here"),
        ("faults:\n- times: 1\n  fault: {}", ":3: this does nothing"),
        ("- times: 1\n  share: 0.5\n  fault: {status: 500}", ":2: 'times' and 'share' exclude each other"),
        ("- fault:\n    text: a\n    html: b", ":3: 'text' and 'html' exclude each other"),
        ("- fault: {reset: middle}", ":1: "),
        ("- fault: {hang: -1}", "'hang' is 'before', 'headers' or a number"),
        ("- fault: {headers: {'a b': c}}", "cannot be the name of a header"),
        ("- fault: {raw: x, status: 500}", "'raw' is the whole answer"),
        ("- fault: {size: 5}", "'size' repeats"),
        ("- fault: {stream: {after: 1}}", "give both"),
        ("- times: 1", "fault"),
        ("a: [", ":1: "),
        ("3", "faults are a list of rules"),
    ],
)
def test_wrong_faults_are_told_with_their_place(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    result = harness("simulate", "--faults", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}:")
    assert what in result.stderr


def test_wrong_faults_in_python_are_told_by_their_rule() -> None:
    with pytest.raises(FaultError, match=r"faults\[0\]\.fault"):
        Faults([{"fault": {"reset": "middle"}}])


@pytest.mark.skipif(sys.platform == "win32", reason="signals are otherwise there")
def test_the_command_lets_requests_go_wrong(tmp_path: Path, client: httpx2.Client) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {times: 1, fault: {status: 503}}\n")
    command = [sys.executable, "-m", "harness", "simulate", "--faults", str(faults)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        assert [client.post(url + _CHAT, json=body).status_code for _ in range(2)] == [503, 200]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (rest, errors, process.returncode) == ("", "", 130)


def test_a_client_may_send_anything(client: httpx2.Client) -> None:
    with faulty(_simulator()) as server:
        host, port = server.url.removeprefix("http://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(b"nonsense\r\n\r\n")
            assert raw.recv(100) == b""
        assert _ask(client, server).status_code == 200
        assert json.loads(server.requests[0].body)["model"] == "m"


def _bare(server: Front) -> socket.socket:
    host, port = server.url.split("/")[2].split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_a_client_that_leaves_before_its_reset_is_no_trouble(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with faulty(_simulator(), [{"fault": {"reset": "before"}}]) as server:
        counts = server.url.removesuffix("/v1") + "/faults"
        with _bare(server) as bare:
            # A second request, so that nobody is left to read what comes then; and no farewell.
            for _ in range(2):
                bare.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
                client.get(counts)
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # What comes after it is reset after it.
        with pytest.raises(httpx2.TransportError):
            _ask(client, server)
    assert caplog.messages == []


def test_no_connection_outlives_a_server_that_stops_in_the_middle_of_an_answer() -> None:
    with faulty(_simulator(), [{"fault": {"text": "no ", "size": 50_000_000}}]) as server:
        bare = _bare(server)
        bare.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        assert bare.recv(12) == b"HTTP/1.1 200"
    read = 0
    with bare, suppress(ConnectionResetError):
        while piece := bare.recv(1 << 20):
            read += len(piece)
    assert read < 50_000_000
