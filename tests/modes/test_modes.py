"""Record modes from the outside: what is sent, what is written, what is said, exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

import harness as library
from harness.errors import CassetteDamaged, CassetteMiss, StorageError, TrialError
from tests.carried import texts as carried
from tests.loopback import ChatServer, Reply, error
from tests.projects import harness, write
from tests.recorded_twice import rows


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def suite(url: str, *, system: str = "Answer briefly.", cases: str = "[{id: a, input: Hi}]", extra: str = "") -> str:
    return f"""\
suite: s
api: chat
model: test-model
base_url: {url}
variants: {{v: {{system: {system}}}}}
{extra}
expect: {{contains: Hello}}
cases: {cases}
"""


def texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted((root / "cassettes").rglob("*.yaml"))}


def recorded(root: Path, server: ChatServer, **settings: str) -> None:
    write(root, {"suites/s.yaml": suite(server.url, **settings)})
    found = harness("record", "--yes", "--no-html")
    assert found.exit_code in (0, 1), found.output


def test_new_episodes_records_what_is_missing_and_what_changed_and_replays_the_rest(project: Path) -> None:
    cases = "[{id: a, input: Hi}, {id: b, input: Bye}]"
    with ChatServer() as server:
        recorded(project, server, cases=cases)
        before = texts(project)
        changed = "[{id: a, input: Hi}, {id: b, input: Bye now}, {id: c, input: New}]"
        write(project, {"suites/s.yaml": suite(server.url, cases=changed)})
        result = harness("run", "--record-mode", "new_episodes", "--no-html")
        assert result.exit_code == 0, result.output
        sent = [body["messages"][-1]["content"] for _, body in server.requests]
    assert sent[:2] == ["Hi", "Bye"] and sorted(sent[2:]) == ["Bye now", "New"]
    after = texts(project)
    assert after["a.1.yaml"] == before["a.1.yaml"]
    assert after["b.1.yaml"] != before["b.1.yaml"]
    assert {row["case"]: row["cassette"]["mode"] for row in rows(project)} == {
        "a": "replayed",
        "b": "recorded",
        "c": "recorded",
    }
    assert harness("run", "--no-html").exit_code == 0


def test_new_episodes_records_a_trial_whole_where_only_its_second_turn_changed(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server, cases="[{id: a, turns: [{input: One}, {input: Two}]}]")
        write(project, {"suites/s.yaml": suite(server.url, cases="[{id: a, turns: [{input: One}, {input: Three}]}]")})
        assert harness("run", "--record-mode", "new_episodes", "--no-html").exit_code == 0
        assert [len(body["messages"]) for _, body in server.requests] == [2, 4, 2, 4]


def test_a_trial_that_cannot_be_recorded_anew_keeps_its_old_file(project: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(500, error()) if number > 1 else None) as server:
        recorded(project, server)
        before = texts(project)
        write(project, {"suites/s.yaml": suite(server.url, system="Answer at length.")})
        for mode in ("new_episodes", "rewrite"):
            result = harness("run", "--record-mode", mode, "--retries", "0", "--no-html")
            assert result.exit_code == 3, result.output
            assert texts(project) == before


def test_all_keeps_what_has_no_final_answer_and_replay_gives_that_error(project: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(500, error("out of order"))) as server:
        write(project, {"suites/s.yaml": suite(server.url)})
        first = harness("run", "--record-mode", "all", "--retries", "0", "--no-html")
    assert first.exit_code == 3
    [live] = rows(project)
    assert harness("run", "--no-html").exit_code == 3
    [replayed] = rows(project)
    assert replayed["error"] == live["error"] and live["error"]["kind"] == "server"
    assert replayed["cassette"]["mode"] == "replayed"


def _tool_answer(arguments: str, output: str) -> Callable[[int, dict[str, Any]], Reply | None]:
    """A service that asks for a tool first, and then answers."""

    def faults(number: int, body: dict[str, Any]) -> Reply | None:
        asked = any(message["role"] == "tool" for message in body["messages"])
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        message = {"role": "assistant", "content": output if asked else None} | (
            {} if asked else {"tool_calls": [call]}
        )
        choice = {"index": 0, "finish_reason": "stop" if asked else "tool_calls", "message": message}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        whole = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        return Reply(200, json.dumps(whole).encode())

    return faults


TOOL = '''
def weather(city: str) -> dict:
    """The weather."""
    return {"temp": 18}
'''


def test_verify_says_what_differs_and_writes_no_recording(project: Path) -> None:
    tools = "tools: ['./tools.py:weather']"
    with ChatServer(faults=_tool_answer('{"city": "Rome"}', '{"say": "Hello", "temp": 18}')) as server:
        write(project, {"suites/tools.py": TOOL})
        recorded(project, server, extra=tools)
    before = texts(project)
    with ChatServer(faults=_tool_answer('{"city": "Rome"}', '{"temp": 3, "say": "Hello, you"}')) as server:
        write(project, {"suites/s.yaml": suite(server.url, extra=tools)})
        same = harness("run", "--record-mode", "verify")
        assert same.exit_code == 0, same.output
        assert len(server.requests) == 2
    assert "1 trial asked anew and compared with the recordings: 0 differ" in " ".join(same.stdout.split())
    with ChatServer(faults=_tool_answer('{"city": "Oslo"}', '{"say": 1, "wind": 3}')) as server:
        write(project, {"suites/s.yaml": suite(server.url, extra=tools)})
        other = harness("run", "--record-mode", "verify")
    assert other.exit_code == 1
    [row] = rows(project)
    assert row["extra"]["verify"]["cassette"] == "cassettes/s/v/a.1.yaml"
    assert row["extra"]["verify"]["differences"] == [
        'tool call 1, weather: arguments {"city": "Rome"} -> {"city": "Oslo"}',
        "the answer: $.say is a number, and was a text",
        "the answer: $.temp is gone (was a number)",
        "the answer: $.wind is new (a number)",
        "check contains: passed -> failed",
        "score 1 -> 0",
    ]
    assert "s: verified 1 trial: 1 differs: s/a/v/1" in other.stdout
    for name in ("report.html", "summary.md"):
        [newest] = [max((project / "reports").glob(f"*/{name}"), key=lambda path: path.stat().st_mtime_ns)]
        shown = newest.read_text("utf-8")
        assert "wind is new" in "\n".join([shown, *carried(shown)]).replace("\\", ""), name
    assert texts(project) == before


def test_verify_counts_what_is_not_recorded_as_differing_and_refuses_what_is_damaged(project: Path) -> None:
    with ChatServer() as server:
        write(project, {"suites/s.yaml": suite(server.url)})
        result = harness("run", "--record-mode", "verify", "--no-html")
        assert result.exit_code == 1, result.output
        assert rows(project)[0]["extra"]["verify"]["differences"] == ["it is not recorded"]
        assert not (project / "cassettes").exists()
        asked = len(server.requests)
        write(project, {"cassettes/s/v/a.1.yaml": "version: 1\ninteractions: []\n"})
        assert harness("run", "--record-mode", "verify", "--no-html").exit_code == 3
        assert rows(project)[0]["error"]["kind"] == "cassette_damaged"
        assert len(server.requests) == asked


def test_nothing_is_sent_to_verify_a_recording_whose_results_of_tools_are_damaged(project: Path) -> None:
    with ChatServer(faults=_tool_answer('{"city": "Rome"}', "Hello")) as server:
        write(project, {"suites/tools.py": TOOL})
        recorded(project, server, extra="tools: ['./tools.py:weather']")
        path = project / "cassettes/s/v/a.1.yaml"
        text = path.read_text("utf-8")
        assert "output: {" in text
        path.write_text(text.replace("output: {", "attachments: [{kind: file}], output: {"), "utf-8")
        for mode in ("none", "once", "new_episodes", "verify"):
            assert harness("run", "--record-mode", mode, "--no-html").exit_code == 3
            [row] = rows(project)
            assert row["error"]["kind"] == "cassette_damaged"
            assert row["error"]["message"].startswith("cassettes/s/v/a.1.yaml is damaged: a call of a tool")
        for block in ("once", "verify"):
            with pytest.raises(CassetteDamaged, match=r"cassettes/s/v/a.1.yaml is damaged.*record_mode='rewrite'"):
                library.cassette(path, record_mode=block).__enter__()  # type: ignore[arg-type]  # of a known list
        assert len(server.requests) == 2


def test_verify_names_statuses(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
    with ChatServer(faults=lambda number, body: Reply(400, error("no such model"))) as server:
        write(project, {"suites/s.yaml": suite(server.url)})
        assert harness("run", "--record-mode", "verify", "--no-html").exit_code == 3
    differences = rows(project)[0]["extra"]["verify"]["differences"]
    assert differences[:2] == ["request 1: status 200 -> 400", "error null -> bad_request"]


def test_ci_replays_unless_somebody_asks_for_more(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with ChatServer() as server:
        pyproject = '[tool.harness]\nrecord_mode = "once"\n'
        write(project, {"pyproject.toml": pyproject, "suites/s.yaml": suite(server.url)})
        forced = harness("run", "--no-html")
        assert forced.exit_code == 3
        assert "CI is set, so recordings are only replayed" in forced.stderr
        assert not server.requests
        assert harness("run", "--record-mode", "once", "--no-html").exit_code == 0
        assert library.run(record_mode="rewrite", html=False).exit_code == 0
        monkeypatch.setenv("HARNESS_RECORD_MODE", "all")
        assert harness("run", "--no-html").exit_code == 0
        assert len(server.requests) == 3
        monkeypatch.setenv("CI", "false")
        monkeypatch.delenv("HARNESS_RECORD_MODE")
        assert "CI is set" not in harness("run", "--no-html").stderr


def test_an_unknown_mode_names_all_of_them(project: Path) -> None:
    write(project, {"suites/s.yaml": suite("http://127.0.0.1:9/v1")})
    result = harness("run", "--record-mode", "always")
    assert result.exit_code == 2
    assert "'none', 'once', 'new_episodes', 'rewrite', 'all', 'verify'" in result.stderr


def test_a_block_is_verified_against_its_file_and_new_episodes_only_adds_files(project: Path) -> None:
    write(project, {})
    with ChatServer(faults=lambda number, body: Reply(400, error()) if body["model"] == "bad" else None) as server:

        def ask(mode: Any, model: str, times: int = 1) -> None:
            with library.cassette("cassettes/block.yaml", record_mode=mode, base_url=server.url) as block:
                for _ in range(times):
                    try:
                        block.sync_client.chat.completions.create(
                            model=model, messages=[{"role": "user", "content": "Hi"}]
                        )
                    except openai.BadRequestError:
                        pass

        with pytest.raises(TrialError, match="it is not recorded"):
            ask("verify", "good")
        assert not (project / "cassettes").exists()
        ask("new_episodes", "good")
        before = texts(project)
        ask("verify", "good")
        with pytest.raises(TrialError, match="request 1: status 200 -> 400"):
            ask("verify", "bad")
        with pytest.raises(TrialError, match="requests 1 -> 2"):
            ask("verify", "good", times=2)
        with pytest.raises(CassetteMiss, match="record_mode='rewrite'"):
            ask("new_episodes", "other")
    assert texts(project) == before


def test_what_a_block_paid_for_is_kept_elsewhere_where_its_file_cannot_be_written(project: Path) -> None:
    write(project, {"cassettes": "a file in place of the folder"})
    with ChatServer() as server:
        with pytest.raises(StorageError, match=r"The recording is in (.+)block\.yaml") as raised:
            with library.cassette("cassettes/block.yaml", record_mode="rewrite", base_url=server.url) as block:
                block.sync_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    kept = Path(str(raised.value).rpartition(" is in ")[2])
    (project / "cassettes").unlink()
    (project / "cassettes").mkdir()
    shutil.move(kept, project / "cassettes/block.yaml")
    shutil.rmtree(kept.parents[1])
    with library.cassette("cassettes/block.yaml") as block:
        again = block.sync_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert again.choices[0].message.content


def test_what_cannot_be_recorded_again_is_refused_with_the_reason_and_nothing_is_sent(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
        path = project / "cassettes/s/v/a.1.yaml"
        text = path.read_text("utf-8")
        assert "source: {" in text
        path.write_text(text.replace("source: {", "source: {renewable: false, "), "utf-8")
        kept = texts(project)
        write(project, {"suites/s.yaml": suite(server.url, system="Answer at length.")})
        assert harness("run", "--record-mode", "new_episodes", "--no-html").exit_code == 3
        [row] = rows(project)
        assert row["error"]["kind"] == "cassette_miss"
        assert "This recording cannot be made again: OpenAI switched the Assistants API off" in row["error"]["message"]
        assert len(server.requests) == 1
    assert texts(project) == kept


def test_a_variant_that_is_not_as_it_was_recorded_fails_verify_in_python(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server, cases="[{id: a, input: Hi}, {id: b, input: Bye}]")
    with ChatServer(lambda number, body: "Hello again" if "Hi" in str(body) else "Go away") as server:
        write(project, {"suites/s.yaml": suite(server.url, cases="[{id: a, input: Hi}, {id: b, input: Bye}]")})
        run = library.run(record_mode="verify", html=False)
    assert run.exit_code == 1
    assert [bool(row["extra"]["verify"]["differences"]) for row in rows(project)] == [False, True]
