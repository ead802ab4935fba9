"""`api: responses` from the outside: what is sent, what comes back, and that it replays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import ChatServer, Reply, response
from tests.projects import harness, write

_TALK = """\
  - id: talk
    history: [{user: Hi}, {assistant: Hello}]
    turns:
      - {input: How long?, expect: [{contains: answer 1}]}
      - {input: [And, how much?], expect: [{contains: answer 2}]}
"""


def suite(
    url: str, *, settings: str = "", cases: str = "  - {id: one, input: Hi, expect: {contains: answer}}\n"
) -> str:
    return f"""\
suite: s
model: m
base_url: {url}
system: Answer briefly.
{settings}
cases:
{cases}"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(root: Path) -> list[dict[str, Any]]:
    folder = max((root / "reports").glob("2*"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def recorded(
    project: Path, *, exit_code: int = 0, answer: Any = None, change: Any = None, **keys: Any
) -> list[dict[str, Any]]:
    """Record the suite, replay it without the service, and return what was sent; both runs must say the same."""

    def faults(number: int, body: dict[str, Any]) -> Reply | None:
        if change is None:
            return None
        changed = change(number, body)
        return changed if changed is None or isinstance(changed, Reply) else Reply(200, json.dumps(changed).encode())

    with ChatServer(answer or (lambda number, body: f"answer {number}"), faults=faults) as server:
        write(project, {"suites/s.yaml": suite(server.url, **keys)})
        run = harness("record", "--yes")
        assert run.exit_code == exit_code, run.output
        live = rows(project)
    again = harness("run")
    assert again.exit_code == exit_code, again.output
    same = ("outcome", "output", "messages", "usage", "latency", "ttft", "error", "finish_reason", "extra", "turns")
    assert [{key: row[key] for key in same} for row in rows(project)] == [
        {key: row[key] for key in same} for row in live
    ]
    return [body for _, body in server.requests]


def said(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (one["role"], one["content"] if isinstance(one["content"], str) else one["content"][0]["text"])
        for one in body["input"]
    ]


def test_settings_have_the_names_of_the_api(project: Path) -> None:
    settings = "temperature: 0.5\ntop_p: 0.9\nmax_tokens: 50\nrequest: {service_tier: flex}"
    (body,) = recorded(project, settings=settings)
    assert body == {
        "model": "m",
        "instructions": "Answer briefly.",
        "input": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 50,
        "store": False,
        "service_tier": "flex",
    }
    (row,) = rows(project)
    assert (row["output"], row["finish_reason"], row["model"]) == ("answer 1", "stop", "m")
    assert row["usage"]["input"] == 10
    assert row["response_ids"] == ["resp_1"]


@pytest.mark.parametrize("stream", ["", "stream: true\n"])
def test_chain_input_sends_everything_again(project: Path, stream: str) -> None:
    first, second = recorded(project, cases=_TALK, settings=stream)
    opening = [("user", "Hi"), ("assistant", "Hello"), ("user", "How long?")]
    assert said(first) == opening
    assert said(second) == [*opening, ("assistant", "answer 1"), ("user", "And"), ("user", "how much?")]
    assert [body["store"] for body in (first, second)] == [False, False]
    assert [body["instructions"] for body in (first, second)] == ["Answer briefly."] * 2


def test_chain_response_sends_what_is_new_after_the_last_response(project: Path) -> None:
    first, second = recorded(project, cases=_TALK, settings="chain: response")
    assert said(first) == [("user", "Hi"), ("assistant", "Hello"), ("user", "How long?")]
    assert said(second) == [("user", "And"), ("user", "how much?")]
    assert "previous_response_id" not in first
    assert second["previous_response_id"] == "resp_1"
    assert second["instructions"] == "Answer briefly."
    assert "store" not in second


def test_chain_conversation_creates_one_and_stays_in_it(project: Path) -> None:
    def create(number: int, body: dict[str, Any]) -> dict[str, Any] | None:
        return {"id": "conv_9", "object": "conversation"} if not body else None

    cases = _TALK.replace("answer 1", "answer").replace("answer 2", "answer")
    created, first, second = recorded(project, cases=cases, settings="chain: conversation", change=create)
    assert created == {}
    assert first["conversation"] == second["conversation"] == "conv_9"
    assert said(second) == [("user", "And"), ("user", "how much?")]


@pytest.mark.parametrize(
    "given, sent",
    [
        ("json", {"type": "json_object"}),
        (
            "{schema: {type: object}, name: reply}",
            {"type": "json_schema", "name": "reply", "schema": {"type": "object"}, "strict": True},
        ),
        ("{type: json_schema, name: n, schema: {}}", {"type": "json_schema", "name": "n", "schema": {}}),
    ],
)
def test_a_response_format_is_sent_unnested(project: Path, given: str, sent: dict[str, Any]) -> None:
    (body,) = recorded(project, settings=f"response_format: {given}")
    assert body["text"] == {"format": sent}


def with_output(*items: dict[str, Any], **changes: Any) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
    def answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
        whole = response(f"answer {number}", number, body)
        return {**whole, "output": [*items, *whole["output"]], **changes}

    return answer


def test_reasoning_is_kept_counted_and_handed_back_sealed(project: Path) -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "It is asked twice."}],
        "encrypted_content": "c2VhbGVk",
    }
    usage = {"input_tokens": 10, "output_tokens": 30, "output_tokens_details": {"reasoning_tokens": 25}}
    first, second = recorded(
        project, cases=_TALK, settings="request: {reasoning: {effort: low}}", change=with_output(thought, usage=usage)
    )
    assert first["include"] == ["reasoning.encrypted_content"]
    assert thought in second["input"]
    (row,) = rows(project)
    assert row["extra"]["reasoning"] == "It is asked twice."
    assert row["usage"]["reasoning"] == 50


def test_a_cut_answer_is_an_answer_with_a_reason(project: Path) -> None:
    change = with_output(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    recorded(project, change=change)
    (row,) = rows(project)
    assert (row["outcome"], row["finish_reason"]) == ("passed", "length")


def test_a_refusal_is_told_apart_from_an_answer(project: Path) -> None:
    part = {"type": "refusal", "refusal": "I cannot help with that."}
    message = {"type": "message", "role": "assistant", "content": [part]}
    cases = "  - {id: one, input: Hi, expect: {refused: true}}\n"
    recorded(project, cases=cases, change=lambda n, body: {**response("", n, body), "output": [message]})
    (row,) = rows(project)
    assert row["outcome"] == "passed"


@pytest.mark.parametrize(
    "changes, kind, message",
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "went down"}}, "server", "went down"),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, "rate_limited", "slow"),
        ({"status": "failed", "error": {"code": "invalid_image", "message": "odd"}}, "bad_request", "odd"),
        ({"status": "queued"}, "protocol", "the response is queued"),
        ({"status": None}, "protocol", "without a status"),
        ({"output": None}, "protocol", "no output"),
        ({"output": [{"type": "message", "content": [7]}]}, "protocol", "not what the API promises"),
    ],
)
def test_a_response_that_is_no_answer_is_an_error_of_its_trial(
    project: Path, changes: dict[str, Any], kind: str, message: str
) -> None:
    with ChatServer(
        faults=lambda number, body: Reply(200, json.dumps({**response("x", number, body), **changes}).encode())
    ) as server:
        write(project, {"suites/s.yaml": suite(server.url)})
        assert harness("record", "--yes").exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == kind
    assert message in row["error"]["message"]


def events(*parts: dict[str, Any]) -> Reply:
    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in parts).encode()
    return Reply(200, body, {"content-type": "text/event-stream"})


_DELTA = {"type": "response.output_text.delta", "delta": "answer"}


@pytest.mark.parametrize(
    "parts, kind, message",
    [
        ([_DELTA], "truncated_stream", "after 6 characters"),
        ([_DELTA, {"type": "error", "code": "server_error", "message": "went down"}], "server", "went down"),
        (
            [{"type": "response.failed", "response": {"status": "failed", "error": {"message": "no"}}}],
            "server",
            "no",
        ),
    ],
)
def test_a_stream_that_does_not_end_well_is_an_error(
    project: Path, parts: list[dict[str, Any]], kind: str, message: str
) -> None:
    with ChatServer(faults=lambda number, body: events(*parts)) as server:
        write(project, {"suites/s.yaml": suite(server.url, settings="stream: true")})
        assert harness("record", "--yes").exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == kind
    assert message in row["error"]["message"]


def test_a_stream_whose_last_event_has_no_output_keeps_what_was_seen(project: Path) -> None:
    whole = {**response("", 1, {"model": "m"}), "output": []}
    recorded(
        project,
        settings="stream: true",
        change=lambda number, body: events(_DELTA, {"type": "response.completed", "response": whole}),
    )
    (row,) = rows(project)
    assert row["output"] == "answer"
    assert 0 < row["ttft"] <= row["latency"]


def test_tool_calls_are_kept_with_their_arguments(project: Path) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"id": 4711}'}
    recorded(project, change=lambda n, body: {**response("answer", n, body), "output": [call]}, exit_code=1)
    (row,) = rows(project)
    assert row["tool_calls"] == [
        {"id": "call_1", "name": "look", "arguments": {"id": 4711}, "output": None, "error": None}
    ]
    assert row["finish_reason"] == "tool_calls"


def test_a_conversation_costs_what_its_responses_cost(project: Path) -> None:
    def create(number: int, body: dict[str, Any]) -> dict[str, Any] | None:
        return {"id": "conv_9"} if not body else None

    prices = '[tool.harness]\n[tool.harness.prices.m]\ninput = "$1"\noutput = "$1"\n'
    with ChatServer(faults=lambda number, body: None if body else Reply(200, b'{"id": "conv_9"}')) as server:
        write(project, {"suites/s.yaml": suite(server.url, settings="chain: conversation"), "pyproject.toml": prices})
        harness("record", "--yes")
    assert [row["cost"] for row in rows(project)] == ["0.000011"]


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x0c"])
def test_a_stream_may_hold_any_character(project: Path, api: str, odd: str) -> None:
    (body,) = recorded(project, settings=f"stream: true\napi: {api}", answer=lambda number, body: f"answer{odd}x")
    assert body["stream"] is True
    assert rows(project)[0]["output"] == f"answer{odd}x"


def test_request_adds_to_what_the_suite_says(project: Path) -> None:
    settings = "response_format: json\nrequest: {text: {verbosity: low}}"
    (body,) = recorded(project, settings=settings)
    assert body["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}


@pytest.mark.parametrize("code", ["internal_error", "server_is_overloaded", "503", "insufficient_quota"])
def test_what_may_pass_is_not_recorded_as_final(project: Path, code: str) -> None:
    reply = {"status": "failed", "error": {"code": code, "message": "down"}}
    with ChatServer(faults=lambda number, body: Reply(200, json.dumps(reply).encode())) as server:
        write(project, {"suites/s.yaml": suite(server.url)})
        harness("record", "--yes")
    assert rows(project)[0]["error"]["kind"] == "server"
    assert not list((project / "cassettes").rglob("*.yaml"))


def test_what_breaks_after_the_last_event_has_broken_nothing(project: Path) -> None:
    whole = response("answer", 1, {"model": "m"})
    reply = events(_DELTA, {"type": "response.completed", "response": whole})
    longer = Reply(200, reply.body + b"event: x", reply.headers, cut=len(reply.body) + 3)
    recorded(project, settings="stream: true", change=lambda number, body: longer)
    assert rows(project)[0]["output"] == "answer"


def test_a_broken_stream_is_a_broken_connection(project: Path) -> None:
    reply = events(_DELTA, _DELTA)
    cut = Reply(200, reply.body, reply.headers, cut=20)
    with ChatServer(faults=lambda number, body: cut) as server:
        write(project, {"suites/s.yaml": suite(server.url, settings="stream: true")})
        harness("record", "--yes")
    assert rows(project)[0]["error"]["kind"] == "connection"


def test_odd_counts_and_bottomless_answers_end_no_run(project: Path) -> None:
    usage = {"input_tokens": 10**400, "output_tokens": 3}
    prices = '[tool.harness]\n[tool.harness.prices.m]\ninput = "$1"\noutput = "$1"\n'
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    cases = "  - {id: one, input: Hi}\n  - {id: two, input: Hi}\n"
    with ChatServer(
        faults=lambda number, body: (
            Reply(200, deep)
            if number == 1
            else Reply(200, json.dumps({**response("x", number, body), "usage": usage}).encode())
        )
    ) as server:
        write(project, {"suites/s.yaml": suite(server.url, cases=cases), "pyproject.toml": prices})
        assert harness("record", "--yes", "-j", "1").exit_code == 3
    assert [row["outcome"] for row in rows(project)] == ["error", "passed"]


def test_an_answers_items_are_handed_back_in_their_order(project: Path) -> None:
    def thought(name: str) -> dict[str, Any]:
        return {"type": "reasoning", "id": name, "summary": [], "encrypted_content": "c2VhbGVk"}

    def said_by_model(text: str) -> dict[str, Any]:
        return {"type": "message", "id": "msg", "content": [{"type": "output_text", "text": text}]}

    def answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
        items = [
            thought("rs_1"),
            said_by_model(f"answer {number}"),
            thought("rs_2"),
            said_by_model("!"),
            thought("rs_3"),
        ]
        return {**response("", number, body), "output": items}

    _, second = recorded(project, cases=_TALK, change=answer)
    handed = [one.get("id") or one.get("type") or one["role"] for one in second["input"]]
    assert handed == ["user", "message", "user", "rs_1", "message", "rs_2", "message", "user", "user"]


def test_nothing_of_the_environment_goes_to_an_address_that_a_suite_names(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ambient-0123456789")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ambient")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ambient")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-ambient-0123456789\nx-team: ambient")
    agent = """
def answer(text, session):
    return session.sync_client.responses.create(model="m", input=text).output_text
"""
    with ChatServer() as server:
        local = f"suite: l\nbase_url: {server.url}\nvariants: [{{api: python, target: './a.py:answer'}}]\ncases: [{{input: Hi}}]\n"
        write(project, {"suites/s.yaml": suite(server.url), "suites/l.yaml": local, "suites/a.py": agent})
        harness("record", "--yes")
    assert len(server.requests) == 2
    assert "ambient" not in repr([headers for headers, _ in server.requests])


def test_a_text_that_speaks_of_the_end_is_not_the_end(project: Path) -> None:
    agent = """
async def answer(text, session):
    stream = await session.client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
"""
    delta = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    texts = ("It ends with [DONE] or response.completed, and ", "more")
    chunks = [{**delta, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()
    reply = Reply(200, body, {"content-type": "text/event-stream"}, cut=len(body) - 4)
    with ChatServer(faults=lambda number, body: reply) as server:
        text = f"suite: s\nbase_url: {server.url}\nvariants: [{{api: python, target: './a.py:answer'}}]\ncases: [{{id: a, input: Hi}}]\n"
        write(project, {"suites/s.yaml": text, "suites/a.py": agent})
        assert harness("record", "--yes").exit_code == 3
    assert not list((project / "cassettes").rglob("*.yaml"))


@pytest.mark.parametrize(
    "output",
    [
        [],
        [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"}],
        [{"type": "message", "content": []}],
    ],
)
def test_what_was_streamed_is_handed_back_where_the_last_event_lacks_it(project: Path, output: list[Any]) -> None:
    def answer(number: int, body: dict[str, Any]) -> Reply:
        whole = {**response("", number, body), "output": output}
        delta = {"type": "response.output_text.delta", "delta": f"answer {number}"}
        return events(delta, {"type": "response.completed", "response": whole})

    _, second = recorded(project, cases=_TALK, settings="stream: true", change=answer)
    messages = [one for one in second["input"] if one.get("type") != "reasoning"]
    assert said({"input": messages})[3] == ("assistant", "answer 1")
