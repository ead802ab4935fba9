"""`api: http`: a deployed agent is asked, recorded and replayed like any other assistant."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from harness.records import Result
from harness.store import latest_run, read_results
from tests.loopback import ChatServer, Reply
from tests.projects import harness, write
from tests.supportagent import KEY, Agent


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with Agent() as running:
        yield running


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


_SHIPPING = "cases: [{id: shipping, input: How long does shipping take?, expect: {contains: 5 days}}]\n"


def suite(assistant: str, cases: str = _SHIPPING, **more: str) -> None:
    write(Path(), {"suites/support.yaml": f"suite: support\nassistant:\n  api: http\n{assistant}{cases}", **more})


def recorded(*, code: int = 0) -> list[Result]:
    found = harness("record", "--yes", "--no-progress")
    assert found.exit_code == code, found.output
    return last()


def replayed(*, code: int = 0) -> list[Result]:
    found = harness("run", "--no-progress")
    assert found.exit_code == code, found.output
    return last()


def last() -> list[Result]:
    run = latest_run(Path("reports"))
    assert run is not None
    return list(read_results(run.path))


def told(result: Result) -> tuple[object, ...]:
    """All that a person or a scorer learns of a trial."""
    return (
        result.output,
        result.messages,
        result.tool_calls,
        result.turns,
        result.usage,
        result.latency,
        result.ttft,
        result.extra,
        result.checks,
        result.cost,
    )


def only(results: list[Result]) -> Result:
    (result,) = results
    return result


TALK = """\
  url: {url}/talk
  body: {{message: "{{{{ input }}}}", thread: "{{{{ thread }}}}"}}
  output: $.reply.text
  thread: $.conversation
  tool_calls: $.steps
  usage: $.tokens
"""
TURNS = """\
cases:
  - id: order
    turns:
      - {input: Where is 4711?, expect: {contains: message 1}}
      - {input: And 4711 now?, expect: {contains: message 2}}
"""


def test_a_conversation_is_recorded_and_replayed_without_the_agent() -> None:
    with Agent() as running:
        suite(TALK.format(url=running.url), TURNS)
        first = only(recorded())
        thread = first.extra["thread"]
        assert [json.loads(one["text"])["thread"] for one in running.seen] == [None, thread]
    second = only(replayed())
    assert told(second) == told(first)
    assert first.output == f"Order 4711 is shipped (message 2 of {thread})."
    assert [turn.output for turn in first.turns] == [
        f"Order 4711 is shipped (message 1 of {thread}).",
        f"Order 4711 is shipped (message 2 of {thread}).",
    ]
    assert [message.role for message in first.messages] == ["user", "assistant", "user", "assistant"]
    (call, _) = first.tool_calls
    assert (call.name, call.arguments, call.output) == ("find_order", {"order_id": "4711"}, {"status": "shipped"})
    assert (first.usage.input, first.usage.output) == (30, 16)
    assert first.latency is not None
    assert first.ttft is None
    assert second.cassette is not None
    assert second.cassette.mode == "replayed"


def test_tokens_are_priced_where_the_suite_names_the_model(agent: Agent) -> None:
    prices = '[tool.harness.prices.own]\ninput = "$1"\noutput = "$100"\n'
    suite(TALK.format(url=agent.url) + "  model: own\n", **{"pyproject.toml": f"[tool.harness]\n{prices}"})
    result = only(recorded())
    words = len(str(result.output).split())
    assert result.cost == Decimal(10 + 100 * words) / 1_000_000
    assert only(replayed()).cost == result.cost


def test_a_stream_is_put_together_and_its_first_piece_is_timed(agent: Agent) -> None:
    suite(
        f"""\
  url: {agent.url}/stream
  sse: {{event: delta, delta: $.part.text, done: end}}
  thread: $.conversation
  body: {{input: "{{{{ input }}}}"}}
  usage: $.tokens
"""
    )
    first = only(recorded())
    assert first.output == "Standard shipping takes 5 days. "
    assert first.ttft is not None
    assert first.latency is not None
    assert 0 < first.ttft < first.latency
    assert (first.usage.input, first.usage.output) == (7, 5)
    assert first.extra["thread"] == "s-1"
    (cassette,) = Path("cassettes").rglob("*.yaml")
    assert "truncated" not in cassette.read_text()
    assert told(only(replayed())) == told(first)


@pytest.mark.parametrize("path", ["openai-stream", "responses-stream", "words"])
def test_usual_streams_need_no_description(agent: Agent, path: str) -> None:
    joined = "Standardshippingtakes5days." if path == "words" else "Standard shipping takes 5 days. "
    suite(f"  url: {agent.url}/{path}\n  sse: true\n", _SHIPPING.replace("5 days", joined))
    assert only(recorded()).output == joined


def test_a_stream_without_its_end_is_no_answer(agent: Agent) -> None:
    suite(f"  url: {agent.url}/openai-stream\n  sse: {{delta: '$.choices[0].delta.content', done: never}}\n")
    # What every such stream ends with is an end too.
    assert only(recorded()).output == "Standard shipping takes 5 days. "
    suite(f"  url: {agent.url}/words\n  sse: {{delta: text, done: never}}\n")
    broken = only(recorded_anew())
    assert broken.error is not None
    assert (broken.error.kind, broken.output) == ("truncated_stream", "Standardshippingtakes5days.")


def recorded_anew() -> list[Result]:
    found = harness("record", "--rewrite", "--yes", "--no-progress")
    assert found.exit_code == 3, found.output
    return last()


def test_an_address_takes_values_as_they_are_and_a_text_is_the_answer(agent: Agent) -> None:
    suite(
        f"  url: '{agent.url}/ask/{{{{ input }}}}?lang={{{{ metadata.lang }}}}'\n  method: GET\n",
        "cases: [{id: a, input: shipping & more?, metadata: {lang: 'd&e'}, expect: {equals: 'Standard shipping takes 5 days. [d&e]'}}]\n",
    )
    recorded()
    assert (agent.seen[-1]["path"], agent.seen[-1]["query"]) == ("/ask/shipping & more?", {"lang": "d&e"})
    # Another query is another request: its recording does not answer it.
    text = Path("suites/support.yaml").read_text().replace("?lang=", "?to=x&lang=")
    Path("suites/support.yaml").write_text(text)
    error = only(replayed(code=3)).error
    assert error is not None
    assert error.kind == "cassette_miss"


def test_everything_a_body_can_name(agent: Agent) -> None:
    suite(
        f"""\
  url: {agent.url}/echo
  headers: {{X-Session: "{{{{ session_id }}}}"}}
  body:
    messages: "{{{{ messages }}}}"
    history: "{{{{ history }}}}"
    said: "{{{{ input }}}}"
    facts: ["{{{{ metadata.n }}}}", "{{{{ vars.tone }}}}", "{{{{ tone }}}}", "{{{{ metadata }}}}"]
    files: "{{{{ files }}}}"
    session: "{{{{ session_id }}}}"
""",
        """\
vars: {tone: warm}
cases:
  - id: a
    history: [{user: Hi}, {assistant: Hello}]
    input: [It is red., "No, blue. {{ tone }}"]
    metadata: {n: 3}
    files: note.txt
    expect: {is_json: true}
""",
        **{"suites/note.txt": "words"},
    )
    first = only(recorded())
    body = json.loads(str(first.output))
    said = [{"role": "user", "content": "It is red."}, {"role": "user", "content": "No, blue. warm"}]
    assert body["history"] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert body["messages"] == body["history"] + said
    assert body["said"] == "It is red.\nNo, blue. warm"
    assert body["facts"] == [3, "warm", "warm", {"n": 3}]
    assert body["files"] == [{"kind": "file", "name": "note.txt", "media_type": "text/plain", "data": "d29yZHM="}]
    assert agent.seen[-1]["headers"]["x-session"] == body["session"]
    assert told(only(replayed())) == told(first)
    # A conversation recorded anew is a new one to the agent.
    assert harness("record", "--rewrite", "--yes", "--no-progress").exit_code == 0
    assert json.loads(str(only(last()).output))["session"] != body["session"]


def test_cookies_live_as_long_as_a_trial(agent: Agent) -> None:
    suite(
        f"  url: {agent.url}/counted\n",
        """\
cases:
  - {id: a, turns: [{input: one, expect: {equals: message 1}}, {input: two, expect: {equals: message 2}}]}
  - {id: b, turns: [{input: one, expect: {equals: message 1}}, {input: two, expect: {equals: message 2}}]}
""",
    )
    recorded()
    replayed()


# -- secrets


def test_only_the_variable_that_a_header_names_is_sent_and_none_is_kept(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ambient-0123456789abcdef")
    monkeypatch.setenv("AGENT_ACCESS", KEY)
    suite(f"  url: {agent.url}/locked\n  headers: {{Authorization: 'Bearer ${{AGENT_ACCESS}}'}}\n  output: $\n")
    first = only(recorded())
    assert agent.seen[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    assert "sk-ambient" not in json.dumps(agent.seen)
    (cassette,) = Path("cassettes").rglob("*.yaml")
    assert KEY not in cassette.read_text()
    assert "REDACTED" in cassette.read_text()
    # Replaying needs neither the variable nor the agent.
    monkeypatch.delenv("AGENT_ACCESS")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert only(replayed()).turns[0].latency == first.turns[0].latency


def test_a_missing_variable_is_named_before_anything_is_sent(agent: Agent) -> None:
    suite(f"  url: {agent.url}/locked\n  headers: {{Authorization: 'Bearer ${{AGENT_ACCESS}}'}}\n")
    before = len(agent.seen)
    found = harness("record", "--yes")
    assert found.exit_code == 2
    assert "AGENT_ACCESS is not set; the header 'Authorization'" in found.output
    assert len(agent.seen) == before


def test_refused_credentials_name_the_variable_and_leave_no_recording(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_ACCESS", "something-else-entirely")
    suite(f"  url: {agent.url}/locked\n  headers: {{Authorization: 'Bearer ${{AGENT_ACCESS}}'}}\n")
    error = only(recorded(code=3)).error
    assert error is not None
    assert error.kind == "authentication"
    assert "who are you?" in error.message
    assert "AGENT_ACCESS (header 'Authorization')" in error.message
    assert not list(Path().glob("cassettes/**/*.yaml"))


def test_what_a_case_says_is_never_taken_for_a_variable(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ACCESS", KEY)
    suite(
        f"  url: {agent.url}/echo\n  headers: {{X-Said: '{{{{ input }}}}', X-Key: '${{AGENT_ACCESS}}'}}\n",
        "cases: [{id: a, input: 'tell me ${AGENT_ACCESS}', expect: {contains: AGENT_ACCESS}}]\n",
    )
    recorded()
    assert agent.seen[-1]["headers"]["x-said"] == "tell me ${AGENT_ACCESS}"
    assert agent.seen[-1]["headers"]["x-key"] == KEY


def test_a_secret_does_not_cross_the_network_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ACCESS", KEY)
    suite("  url: http://agent.example.com/ask\n  headers: {Authorization: 'Bearer ${AGENT_ACCESS}'}\n")
    found = harness("record", "--yes")
    assert found.exit_code == 2
    assert "agent.example.com over http://" in found.output
    assert "trusted_hosts" in found.output


def test_an_ambient_key_goes_only_to_hosts_that_the_settings_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.assistants.session import Endpoint
    from harness.errors import CredentialsError

    environ = {"OPENAI_API_KEY": "sk-mine", "OTHER": "theirs"}
    theirs = Endpoint("https://models.example.com/v1")
    with pytest.raises(CredentialsError, match="trusted_hosts"):
        theirs.key(environ)
    assert theirs.key(environ, trusted=("models.example.com",)) == "sk-mine"
    assert Endpoint("http://127.0.0.1:1/v1").key(environ) != "sk-mine"
    with pytest.raises(CredentialsError, match="over http://"):
        Endpoint("http://models.example.com/v1", "OTHER").key(environ)
    assert Endpoint("http://models.example.com/v1", "OTHER").key(environ, trusted=("models.example.com",)) == "theirs"
    suite = (
        "suite: a\nmodel: m\nbase_url: https://models.example.com/v1\ncases: [{input: Hi, expect: {contains: Hi}}]\n"
    )
    write(Path(), {"suites/a.yaml": suite})
    assert "no key is named for https://models.example.com/v1" in harness("record", "--yes").output
    write(Path(), {"pyproject.toml": '[tool.harness]\ntrusted_hosts = ["models.example.com"]\n'})
    assert "OPENAI_API_KEY is not set" in harness("record", "--yes").output
    write(Path(), {"pyproject.toml": '[tool.harness]\ntrusted_hosts = ["https://models.example.com"]\n'})
    found = harness("doctor")
    assert found.exit_code == 2
    assert "is no host; write its name alone" in found.output


# -- what goes wrong


def test_a_busy_agent_is_asked_again(agent: Agent) -> None:
    suite(
        f"  url: {agent.url}/flaky\n",
        **{"pyproject.toml": "[tool.harness.retry]\nbackoff = 0.01\n"},
    )
    result = only(recorded())
    assert result.attempts == 2
    assert told(only(replayed())) == told(result)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(404, "bad_request"), (422, "bad_request"), (403, "permission"), (429, "rate_limited"), (500, "server")],
)
def test_refusals_have_kinds_and_say_what_the_agent_said(agent: Agent, code: int, kind: str) -> None:
    suite(f"  url: {agent.url}/status/{code}\n")
    error = only(recorded(code=3)).error
    assert error is not None
    assert (error.kind, f"this is {code}" in error.message) == (kind, True)


def test_an_empty_account_behind_an_agent_ends_the_run() -> None:
    empty = Reply(429, b'{"error": {"message": "empty", "code": "insufficient_quota"}}')
    with ChatServer(faults=lambda number, body: empty) as server:
        suite(f"  url: {server.url}/chat/completions\n")
        error = only(recorded(code=3)).error
    assert error is not None
    assert error.kind == "quota"
    assert len(server.requests) == 1


def test_redirects_are_not_followed(agent: Agent) -> None:
    suite(f"  url: {agent.url}/status/302\n")
    error = only(recorded(code=3)).error
    assert error is not None
    assert error.kind == "redirect"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("  url: {url}/echo\n  output: $.nothing.here\n", "`output: $.nothing.here` matches nothing in the answer"),
        ("  url: {url}/talk\n  body: {{message: hi}}\n", "the answer has no `output`"),
        ("  url: {url}/words\n", "`sse: true`"),
        ("  url: {url}/openai-stream\n  sse: {{delta: $.nothing}}\n", "no event of the stream held any text"),
        ("  url: {url}/words\n  sse: {{delta: $.text}}\n", "an event is not JSON, and `delta: $.text` is a path"),
        (
            "  url: '{url}/ask/x?lang=en'\n  method: GET\n  output: $.text\n",
            "the answer is not JSON and the suite names JSON paths into it",
        ),
        (
            "  url: {url}/talk\n  body: {{message: hi}}\n  output: $.reply.text\n  tool_calls: $.reply\n",
            "tool call 1 is no mapping with `name`",
        ),
    ],
)
def test_an_answer_of_another_shape_says_what_was_expected(agent: Agent, lines: str, said: str) -> None:
    suite(lines.format(url=agent.url))
    error = only(recorded(code=3)).error
    assert error is not None
    assert error.kind == "protocol"
    assert said in error.message


def test_an_error_inside_a_stream_is_no_answer(agent: Agent) -> None:
    suite(f"  url: {agent.url}/broken-stream\n  sse: true\n")
    error = only(recorded(code=3)).error
    assert error is not None
    assert (error.kind, "out of paper" in error.message) == ("server", True)


def test_a_conversation_without_an_id_does_not_go_on_as_if_it_had_one(agent: Agent) -> None:
    suite(TALK.format(url=agent.url).replace("$.conversation", "$.id"), TURNS)
    error = only(recorded(code=3)).error
    assert error is not None
    assert "`thread: $.id` matched nothing" in error.message


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("  output: $.x\n", "`api: http` needs `url:`"),
        ("  url: ftp://x/y\n", "`url:` begins with http:// or https:// and a host"),
        ("  url: 'https://{{ vars.host }}/y'\n", "`url:` begins with http:// or https:// and a host"),
        ("  url: https://x/y\n  method: DELETE\n", "'DELETE' is no method that can be used"),
        ("  url: https://x/y\n  headers: {Bad Name: x}\n", "'Bad Name' is no name of a header"),
        ("  url: https://x/y\n  headers: {X: '${NOT-A-NAME}'}\n", "is written ${NAME}"),
        ("  url: https://x/y\n  body: {a: ['{{ input ']}\n", "the template cannot be read"),
        ("  url: https://x/y\n  body: {a: '{{ questoin }}'}\n", "`questoin` is not defined"),
        ("  url: https://x/y\n  output: reply.text\n", "is no JSONPath"),
        ("  url: https://x/y\n  sse: {delta: '$.['}\n", "is no JSONPath"),
        ("  url: https://x/y\n  sse: {deltas: x}\n", "`sse:` has no 'deltas'"),
        ("  url: https://x/y\n  method: GET\n  body: {a: 1}\n", "a GET sends no body"),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(lines: str, said: str) -> None:
    suite(lines)
    found = harness("validate")
    assert found.exit_code == 2
    assert said in found.output
    assert re.search(r"suites/support\.yaml:\d+:\d+", found.output)
    assert "Traceback" not in found.output


def test_a_prompt_is_none_of_a_deployed_agents_settings(agent: Agent) -> None:
    write(
        Path(),
        {
            "suites/a.yaml": f"suite: a\nvariants: {{x: {{api: http, url: '{agent.url}/echo', system: Be brief.}}}}\n{_SHIPPING}"
        },
    )
    found = harness("validate")
    assert found.exit_code == 2
    assert "`system:` cannot be used with `api: http`" in found.output


def test_every_setting_is_explained(agent: Agent) -> None:
    suite(TALK.format(url=agent.url), TURNS)
    found = harness("validate", "--explain")
    assert found.exit_code == 0, found.output
    # What is explained is the same suite.
    Path("suites/support.yaml").write_text(found.stdout)
    again = harness("validate", "--explain")
    assert again.exit_code == 0, again.output
    assert 'output: "$.reply.text"' in again.stdout


def test_the_documented_suite_runs(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent / "docs/apis/http.md").read_text()
    written = page.split("```yaml\n")[1].split("```")[0]
    assert len(written.splitlines()) <= 12
    monkeypatch.setenv("AGENT_TOKEN", KEY)
    assert "https://agent.example.com" in written
    write(Path(), {"suites/agent.yaml": written.replace("https://agent.example.com", agent.url)})
    first = recorded()
    monkeypatch.delenv("AGENT_TOKEN")
    assert [told(one) for one in replayed()] == [told(one) for one in first]
    assert os.environ.get("AGENT_TOKEN") is None
