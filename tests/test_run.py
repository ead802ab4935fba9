"""`harness run` and `harness record` from the outside: a service on loopback, files on disk, exit codes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml

from tests.loopback import ChatServer, Reply, error
from tests.projects import faq, harness, write


def rows(root: Path, run: int = -1) -> list[dict[str, Any]]:
    folder = sorted((root / "reports").glob("2*"), key=lambda path: path.stat().st_mtime_ns)[run]
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def without_run(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "run"} for row in found]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_recorded_replays_without_the_service_and_says_the_same(project: Path) -> None:
    with ChatServer(lambda number, body: "It takes 5 days.") as server:
        write(project, faq(server.url))
        recorded = harness("record", "--yes")
    assert recorded.exit_code == 0, recorded.output
    assert len(server.requests) == 4
    first, again = harness("run"), harness("run", "-j", "200")
    assert first.exit_code == again.exit_code == 0
    assert "4 passed" in first.stdout
    assert without_run(rows(project, -1)) == without_run(rows(project, -2))
    for row in rows(project):
        cassette = yaml.safe_load((project / row["cassette"]["path"]).read_text())
        assert row["latency"] == cassette["interactions"][-1]["response"]["recorder"]["cassette"]["end"]
        assert row["cassette"]["mode"] == "replayed"


@pytest.mark.slow
def test_two_hundred_trials_with_faults_streams_and_identical_calls(project: Path) -> None:
    """What is hard at once: each file has its own requests only, and every replay agrees, also under stock vcrpy."""
    chance = random.Random(7)

    def faults(number: int, body: dict[str, Any]) -> Reply | None:
        if chance.random() < 0.3:
            return Reply(chance.choice([429, 500]), error(), {"retry-after-ms": "1"})
        return None

    agent = """
import asyncio

async def answer(text, session):
    async def ask(stream):
        messages = [{"role": "user", "content": text}]
        if not stream:
            given = await session.client.chat.completions.create(model="m", messages=messages)
            return given.choices[0].message.content
        pieces = await session.client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join([piece.choices[0].delta.content or "" async for piece in pieces if piece.choices])
    return " | ".join(await asyncio.gather(ask(False), ask(False), ask(True), ask(True)))
"""
    cases = "".join(f"  - {{id: c{number}, input: Question {number}}}\n" for number in range(100))
    suite = f"""\
suite: hard
variants:
  chat: {{api: chat, model: m, stream: true, system: Hi}}
  agent: {{api: python, target: ./agent.py:answer}}
base_url: %s
expect: {{contains: answer}}
cases:
{cases}"""
    with ChatServer(lambda number, body: f"answer {number}", faults=faults) as server:
        write(
            project,
            {
                "pyproject.toml": "[tool.harness]\n[tool.harness.retry]\nattempts = 12\n",
                "suites/hard.yaml": suite % server.url,
                "suites/agent.py": agent,
            },
        )
        recorded = harness("run", "--record-mode", "once", "-j", "50", "--no-html")
    assert recorded.exit_code == 0, recorded.output
    files = sorted((project / "cassettes/hard").rglob("*.yaml"))
    assert len(files) == 200
    live = rows(project)
    for row in live:
        data = yaml.safe_load((project / row["cassette"]["path"]).read_text())
        asked = {json.loads(one["request"]["body"])["messages"][-1]["content"] for one in data["interactions"]}
        assert asked == {row["input"]}
        assert row["attempts"] == len(data["interactions"])
    assert sum(row["attempts"] for row in live) == len(server.requests)

    def comparable(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "cassette": None} for row in without_run(found)]

    for concurrency in ("1", "3", "200"):
        assert harness("run", "-j", concurrency, "--no-html").exit_code == 0
        assert comparable(rows(project)) == comparable(live)
    for path in files:
        replays_in_stock_vcrpy(path)


def replays_in_stock_vcrpy(path: Path) -> None:
    import httpx2

    data = yaml.safe_load(path.read_text())
    with (
        vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "body"]) as cassette,
        httpx2.Client() as client,
    ):
        for one in data["interactions"]:
            request = one["request"]
            headers = {name: values[0] for name, values in request["headers"].items()}
            client.request(request["method"], request["uri"], content=request["body"], headers=headers)
        assert cassette.all_played


def test_a_changed_prompt_is_a_miss_that_names_the_field_and_the_command(project: Path) -> None:
    with ChatServer(lambda number, body: "It takes 5 days.") as server:
        write(project, faq(server.url))
        harness("record", "--yes")
        before = len(server.requests)
        (project / "prompts/faq/2.j2").write_text("You reply for Acme.")
        run = harness("run")
        assert len(server.requests) == before
    assert run.exit_code == 3
    errors = [row for row in rows(project) if row["outcome"] == "error"]
    assert {row["variant"] for row in errors} == {"v2"}
    for row in errors:
        assert row["error"]["kind"] == "cassette_miss"
        message = row["error"]["message"]
        assert 'instructions: "…answer for Acme." -> "…reply for Acme."' in message
        assert "harness record suites/faq.yaml --variant v2 --only-stale" in message


def test_only_stale_recordings_are_made_anew(project: Path) -> None:
    with ChatServer(lambda number, body: "It takes 5 days.") as server:
        write(project, faq(server.url))
        harness("record", "--yes")
        (project / "prompts/faq/2.j2").write_text("You reply for Acme.")
        recorded = harness("record", "--only-stale", "--yes")
        assert recorded.exit_code == 0, recorded.output
        assert len(server.requests) == 4 + 2
        assert {body["instructions"] for _, body in server.requests[4:]} == {"You reply for Acme."}
    assert harness("run").exit_code == 0


def test_a_suite_without_recordings_says_so_in_one_line(project: Path) -> None:
    write(project, faq("http://127.0.0.1:9/v1", extra="max_tokens: 50"))
    run = harness("run")
    assert run.exit_code == 3
    assert (
        "suites/faq.yaml has no recordings. `harness record suites/faq.yaml` makes them: 4 calls"
        in run.stdout.replace("\n", " ").replace("  ", " ")
    )
    assert run.stdout.count("has no recordings") == 1


def test_recording_asks_first_and_without_a_terminal_needs_yes(project: Path) -> None:
    with ChatServer() as server:
        write(project, faq(server.url))
        refused = harness("record")
        assert refused.exit_code == 2
        assert "4 calls to test-model" in refused.stderr
        assert "--yes" in refused.stderr
        assert server.requests == []


def test_an_answer_after_retries_is_recorded_with_every_attempt(project: Path) -> None:
    def faults(number: int, body: dict[str, Any]) -> Reply | None:
        return Reply(429, error(), {"retry-after-ms": "1"}) if number <= 2 else None

    cases = "  - {id: one, input: How long?, expected: 5 days}\n"
    with ChatServer(lambda number, body: "5 days", faults=faults) as server:
        write(project, faq(server.url, cases=cases))
        assert harness("record", "--yes", "--variant", "v1").exit_code == 0
    (live,) = rows(project)
    assert live["attempts"] == 3
    harness("run", "--variant", "v1")
    (replayed,) = rows(project)
    assert replayed["attempts"] == 3
    assert replayed["latency"] == live["latency"]


@pytest.mark.parametrize(
    ("reply", "kind", "kept"),
    [
        (Reply(500, error("down")), "server", False),
        (Reply(429, error("slow"), {"retry-after-ms": "1"}), "rate_limited", False),
        (Reply(400, error("context is too long")), "bad_request", True),
        (Reply(200, b"<html>login</html>", {"content-type": "text/html"}), "protocol", False),
        (Reply(200, b'{"choices": []}'), "protocol", False),
        (Reply(200, b'{"id": "x", "choi', cut=10), "connection", False),
        (Reply(307, b"", {"location": "http://127.0.0.1:9/"}), "redirect", False),
    ],
)
def test_infrastructure_trouble_is_an_error_and_only_final_answers_are_kept(
    project: Path, reply: Reply, kind: str, kept: bool
) -> None:
    settings = "[tool.harness]\n[tool.harness.retry]\nattempts = 2\nbackoff = 0\n"
    with ChatServer(faults=lambda number, body: reply) as server:
        write(project, {"pyproject.toml": settings, **faq(server.url)})
        run = harness("record", "--yes", "--variant", "v2", "--case", "price")
    assert run.exit_code == 3, run.output
    (row,) = rows(project)
    assert (row["outcome"], row["error"]["kind"]) == ("error", kind)
    assert bool(list((project / "cassettes").rglob("*.yaml"))) == kept
    if kept:
        assert "context is too long" in row["error"]["message"]
        harness("run", "--variant", "v2", "--case", "price")
        assert without_run(rows(project))[0]["error"] == row["error"]


def test_rewrite_keeps_the_old_recording_until_there_is_a_better_one(project: Path) -> None:
    down = []
    with ChatServer(
        lambda number, body: "5 days", faults=lambda number, body: Reply(500, error()) if down else None
    ) as server:
        write(project, {"pyproject.toml": "[tool.harness.retry]\nattempts = 1\n[tool.harness]\n", **faq(server.url)})
        harness("record", "--yes")
        files = {path: path.read_text() for path in (project / "cassettes").rglob("*.yaml")}
        down.append(True)
        assert harness("record", "--yes", "--rewrite").exit_code == 3
        assert {path: path.read_text() for path in (project / "cassettes").rglob("*.yaml")} == files
        harness("run", "--record-mode", "all", "-q")
        assert {path.read_text() for path in files} != set(files.values())


def test_a_refused_key_ends_the_run_with_2_and_is_not_recorded(project: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(401, error("Incorrect API key provided"))) as server:
        write(project, faq(server.url))
        run = harness("record", "--yes", "-j", "1")
    assert run.exit_code == 2
    assert "refused the credentials" in run.stderr
    assert len(server.requests) <= 2
    assert not (project / "cassettes").exists()


def test_a_missing_key_is_named_before_anything_is_sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = faq("https://example.invalid/v1", extra="api_key_env: SHOP_KEY")
    write(project, files)
    run = harness("record", "--yes")
    assert run.exit_code == 2
    assert "SHOP_KEY" in run.stderr


def test_a_base_url_from_a_suite_never_gets_the_ambient_key(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ambient-0123456789abcdef")
    write(project, faq("https://example.invalid/v1"))
    run = harness("record", "--yes")
    assert run.exit_code == 2
    assert "api_key_env" in run.stderr
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        assert harness("record", "--yes").exit_code == 0
    assert all("ambient" not in headers["authorization"] for headers, _ in server.requests)


def test_a_secret_of_this_machine_that_is_a_word_in_a_recording_does_no_harm(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        harness("record", "--yes")
    monkeypatch.setenv("DATABASE_PASSWORD", "shipping")
    run = harness("run")
    assert run.exit_code == 0, run.output
    assert all("shipping" not in json.dumps(row["input"]) for row in rows(project))


def test_streams_give_a_time_to_first_token_that_replays(project: Path) -> None:
    with ChatServer(lambda number, body: "It takes 5 days", delay=0.002) as server:
        write(project, faq(server.url, extra="stream: true"))
        harness("record", "--yes")
    live = rows(project)
    assert all(0 < row["ttft"] < row["latency"] for row in live)
    assert all(row["usage"]["output"] == 4 for row in live)
    harness("run")
    assert [(row["ttft"], row["latency"]) for row in rows(project)] == [(row["ttft"], row["latency"]) for row in live]


def test_turns_send_what_was_said_before(project: Path) -> None:
    cases = """\
  - id: talk
    history: [{user: Hi}, {assistant: Hello}]
    turns:
      - {input: How long?, expect: [{contains: answer 1}]}
      - {input: [And, how much?], expect: [{contains: answer 2}]}
    expected: answer
"""
    with ChatServer(lambda number, body: f"answer {number}") as server:
        write(project, faq(server.url, cases=cases, extra="api: chat"))
        run = harness("record", "--yes", "--variant", "v1")
    assert run.exit_code == 0, run.output
    said = [[(one["role"], one["content"]) for one in body["messages"]] for _, body in server.requests]
    opening = [("system", "Answer briefly."), ("user", "Hi"), ("assistant", "Hello"), ("user", "How long?")]
    assert said == [opening, [*opening, ("assistant", "answer 1"), ("user", "And"), ("user", "how much?")]]
    (row,) = rows(project)
    assert [turn["output"] for turn in row["turns"]] == ["answer 1", "answer 2"]
    assert [check["turn"] for check in row["checks"]] == [None, 1, 2]


def test_a_python_function_without_calls_runs_in_every_mode_and_has_no_latency(project: Path) -> None:
    suite = """\
suite: local
variants: {upper: {api: python, target: "./agent.py:answer"}}
cases: [{id: a, input: abc, expect: {equals: ABC}}]
"""
    write(project, {"suites/local.yaml": suite, "suites/agent.py": "def answer(text):\n    return text.upper()\n"})
    for mode in ("none", "once", "all"):
        assert harness("run", "--record-mode", mode).exit_code == 0
    (row,) = rows(project)
    assert row["latency"] is None
    assert row["cassette"] is None
    assert not (project / "cassettes").exists()


def test_a_python_function_that_raises_is_an_error_with_its_place(project: Path) -> None:
    suite = """\
suite: local
variants: {broken: {api: python, target: "./agent.py:answer"}}
cases: [{id: a, input: abc, expect: {not: {contains: x}}}]
"""
    write(project, {"suites/local.yaml": suite, "suites/agent.py": "def answer(text):\n    return 1 / 0\n"})
    assert harness("run").exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == "target"
    assert "ZeroDivisionError" in row["error"]["message"]


def test_the_first_deciding_failure_stops_the_run_where_asked(project: Path) -> None:
    cases = "".join(f"  - {{id: c{number}, input: Q{number}, expected: right}}\n" for number in range(30))
    with ChatServer(lambda number, body: "wrong") as server:
        write(project, faq(server.url, cases=cases))
        run = harness("run", "--record-mode", "once", "-x", "-j", "1")
    assert run.exit_code == 1
    outcomes = [row["outcome"] for row in rows(project)]
    assert len(outcomes) == 60
    assert outcomes.count("skipped") > 50


def test_nothing_selected_is_exit_5_and_a_typo_is_exit_2(project: Path) -> None:
    write(project, faq("http://127.0.0.1:9/v1"))
    assert harness("run", "-k", "nosuchword").exit_code == 5
    run = harness("run", "--variant", "v3")
    assert run.exit_code == 2
    assert "There are: v1, v2." in run.stderr
    assert harness("run", "-k", "(shipping").exit_code == 2
    assert harness("run", "suites/none.yaml").exit_code == 2


def test_reports_can_be_copied_by_suffix(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        run = harness("run", "--record-mode", "once", "-o", "a.md", "-o", "b.xml", "-o", "c.jsonl", "--json")
    assert json.loads(run.stdout)["exit_code"] == 0
    assert (project / "a.md").read_text().strip()
    assert "<testsuites" in (project / "b.xml").read_text()
    assert len((project / "c.jsonl").read_text().splitlines()) == 4
    assert harness("run", "-o", "x.docx").exit_code == 2


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_keeps_what_is_finished_and_starts_nothing_new(project: Path, times: int) -> None:
    third = threading.Event()

    def answer(number: int, body: dict[str, Any]) -> str:
        if number == 3:
            third.set()
        return "5 days"

    cases = "".join(f"  - {{id: c{number}, input: Q{number}, expected: 5 days}}\n" for number in range(200))
    with ChatServer(answer, delay=0.2) as server:
        write(project, faq(server.url, cases=cases))
        command = [sys.executable, "-m", "harness", "record", "--yes", "-j", "2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert third.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.readline() + process.stderr.readline()
        if times == 2:
            process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
        assert len(server.requests) < 20
    assert process.returncode == 130
    assert "finishing what is in flight" in said
    assert "Traceback" not in rest
    assert not list((project / "cassettes").rglob("*.tmp"))
    assert "interrupted" in out
    assert (next((project / "reports").glob("2*")) / "report.html").is_file()
    if times == 1:
        outcomes = [row["outcome"] for row in rows(project)]
        assert len(outcomes) == 400
        assert outcomes.count("passed") == len(list((project / "cassettes").rglob("*.yaml"))) >= 2


def test_answers_of_a_script_are_never_shown_as_a_models(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        assert harness("record", "--yes").exit_code == 0
    again = harness("run")
    assert again.exit_code == 0
    assert "simulated by a script in 4 trials" in again.output
    assert all(row["extra"]["simulated"] is True for row in rows(project))
    for report in (project / "reports").glob("*/report.html"):
        assert "simulated by a script in 4 trials" in report.read_text()


def test_a_recording_replays_for_another_address_and_another_path_below_it(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        assert harness("record", "--yes").exit_code == 0
    write(project, faq("https://gateway.example/openai/team"))
    ran = harness("run")
    assert ran.exit_code == 0, ran.output


def test_no_key_is_asked_for_where_everything_is_recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        assert harness("record", "--yes").exit_code == 0
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write(project, faq("https://gateway.example/v1", extra="api_key_env: GATEWAY_KEY"))
    assert harness("run", "--record-mode", "once").exit_code == 0
    ran = harness("run", "--record-mode", "rewrite")
    assert ran.exit_code == 2
    assert "GATEWAY_KEY" in ran.output


def test_a_suites_timeout_is_also_that_of_its_requests(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days", delay=0.6) as server:
        pyproject = "[tool.harness]\ntimeout = '200ms'\n[tool.harness.retry]\nattempts = 1\n"
        write(project, {**faq(server.url, extra="timeout: 30s"), "pyproject.toml": pyproject})
        ran = harness("record", "--yes")
    assert ran.exit_code == 0, ran.output


def test_record_says_so_where_nothing_is_missing_but_something_is_stale(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        harness("record", "--yes")
        (project / "prompts/faq/1.j2").write_text("Answer at length.")
        ran = harness("record", "--yes")
    assert "2 of these recordings no longer match" in ran.output
    assert "the same command with --only-stale makes them anew: 2 calls" in ran.output


def test_validate_checks_prompts_that_no_suite_names_yet(project: Path) -> None:
    write(project, {**faq("http://127.0.0.1:9/v1"), "prompts/faq/3.j2": "{% if %}"})
    ran = harness("validate")
    assert ran.exit_code == 2
    assert "prompts/faq/3.j2:1" in ran.output
    assert harness("validate", "suites").exit_code == 0
    assert harness("validate", "prompts").exit_code == 2
    (project / "prompts/faq/3.j2").write_text("Fine.")
    assert harness("validate").exit_code == harness("validate", "prompts/faq/1.j2").exit_code == 0


def test_validate_reads_what_it_is_given(project: Path) -> None:
    write(project, {"pyproject.toml": '[tool.harness]\nsuites = "evals"\nprompts = "evals"\n', "evals/a/1.j2": "Hi"})
    assert harness("validate").exit_code == 0
    write(
        project,
        {
            "pyproject.toml": '[tool.harness]\nsuites = "evals"\nprompts = "evals"\n',
            "evals/x.yaml": "suite: x\nno: 3\n",
        },
    )
    for arguments in ((), ("evals",), ("evals/x.yaml",)):
        ran = harness("validate", *arguments)
        assert ran.exit_code == 2
        assert "unknown key 'no'" in ran.output
    ran = harness("validate", "evals/a/2.j2")
    assert ran.exit_code == 2
    assert "no such file or folder" in ran.output


def test_validate_checks_prompts_where_there_is_no_suite(project: Path) -> None:
    write(project, {"prompts/a/1.j2": "hi {{ x"})
    ran = harness("validate")
    assert ran.exit_code == 2
    assert "prompts/a/1.j2:1" in ran.output


def test_a_file_that_cannot_be_written_does_not_take_the_verdict_with_it(project: Path) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        ran = harness("record", "--yes", "-o", "x" * 300 + ".json")
    assert ran.exit_code == 6
    assert "passed" in ran.output


@pytest.mark.slow
def test_what_an_encoding_lacks_costs_nothing_else(project: Path) -> None:
    suite = 'suite: s\nvariants: {日本: {api: python, target: "./a.py:f"}}\ncases: [{id: a, input: Hi}]\n'
    write(project, {"suites/s.yaml": suite, "suites/a.py": "def f(text): return text"})
    for arguments in (["run"], ["run", "--json"], ["list", "variants"], ["list", "variants", "--json"]):
        environ = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
        command = [sys.executable, "-m", "harness", *arguments]
        ran = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        if "--json" in arguments:
            assert "日本" in json.dumps(json.loads(ran.stdout), ensure_ascii=False)


def test_a_run_is_found_from_inside_its_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        harness("record", "--yes")
    (folder,) = (project / "reports").glob("2*")
    monkeypatch.chdir(folder)
    assert f"run {folder.name}" in harness("report", ".").output
    assert f"run {folder.name}" in harness("report", "results.jsonl").output


def test_the_number_of_repeats_is_bounded(project: Path) -> None:
    write(project, faq("http://127.0.0.1:9/v1"))
    ran = harness("run", "-r", "1000000")
    assert ran.exit_code == 2
    assert "from 1 to 1,000" in ran.output


def test_a_refused_key_keeps_the_rows_of_what_was_answered_before(project: Path) -> None:
    def refuse(number: int, body: dict[str, Any]) -> Reply | None:
        return Reply(401, error("Incorrect API key")) if number == 3 else None

    with ChatServer(lambda number, body: "5 days", faults=refuse) as server:
        write(project, faq(server.url))
        ran = harness("record", "--yes", "-j", "1")
    assert ran.exit_code == 2, ran.output
    outcomes = [row["outcome"] for row in rows(project)]
    assert len(outcomes) == 4
    assert outcomes.count("passed") == 2


@pytest.mark.parametrize(
    "body, said",
    [
        ("import sys\ndef answer(text): sys.exit(3)", "raised SystemExit: 3"),
        ("import sys\nasync def answer(text): sys.exit(3)", "raised SystemExit: 3"),
        ("import asyncio\nasync def answer(text): raise asyncio.CancelledError", "raised CancelledError"),
        ("def answer(text): return next(iter(()))", "raised StopIteration"),
        ("def answer(text): raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("def answer(text): return {'output': 'a', 'tool_calls': ['look']}", "tool call 1 is no mapping with `name`"),
        ("def answer(text): return {'output': {1, 2}}", "neither text nor JSON"),
        ("def answer(text): return {'output': 'a', 'extra': [1]}", "`extra` as list"),
        ("def answer(text): return 7", "returned int"),
    ],
)
def test_whatever_a_target_does_is_the_error_of_its_trial_alone(project: Path, body: str, said: str) -> None:
    suite = """\
suite: local
variants: {agent: {api: python, target: "./agent.py:answer"}, sound: {api: python, target: "./sound.py:answer"}}
cases: [{id: a, input: abc, expect: {contains: abc}}]
"""
    files = {"suites/local.yaml": suite, "suites/agent.py": body, "suites/sound.py": "def answer(text): return text"}
    write(project, files)
    ran = harness("run")
    assert ran.exit_code == 3, ran.output
    failed, passed = sorted(rows(project), key=lambda row: row["variant"])
    assert said in failed["error"]["message"]
    assert passed["outcome"] == "passed"


def test_ctrl_c_twice_keeps_what_stands_behind_a_trial_that_hangs(project: Path) -> None:
    answered = threading.Event()

    def slow(number: int, body: dict[str, Any]) -> Reply | None:
        if number == 12:
            answered.set()
        return Reply(200, b"", delay=60) if "first" in json.dumps(body) else None

    cases = "  - {id: hangs, input: first, expected: 5 days}\n"
    cases += "".join(f"  - {{id: c{number}, input: Q{number}, expected: 5 days}}\n" for number in range(5))
    with ChatServer(lambda number, body: "5 days", faults=slow) as server:
        write(project, faq(server.url, cases=cases))
        command = [sys.executable, "-m", "harness", "record", "--yes", "-j", "4"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert answered.wait(60)
        assert process.stderr is not None
        while len(list((project / "cassettes").rglob("*.yaml"))) < 10 and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        assert "once more" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert [row["outcome"] for row in rows(project)].count("passed") == 10
    assert "interrupted" in out


def test_a_target_whose_time_is_over_sends_nothing_more(project: Path) -> None:
    agent = """
def answer(text, session):
    for number in range(50):
        session.sync_client.responses.create(model="m", input=f"{text} {number}")
    return text
"""
    with ChatServer(delay=0.1) as server:
        suite = f"""\
suite: local
variants: {{agent: {{api: python, target: "./agent.py:answer", base_url: "{server.url}", timeout: 0.35}}}}
cases: [{{id: a, input: one}}, {{id: b, input: two}}]
"""
        write(project, {"suites/local.yaml": suite, "suites/agent.py": agent})
        assert harness("record", "--yes", "-j", "1").exit_code == 3
        assert len(server.requests) < 20


@pytest.mark.parametrize("raised", ["pytest.fail('no')", "raise BaseExceptionGroup('g', [KeyError('x')])"])
def test_a_coroutine_that_raises_what_is_no_exception_fails_alone(project: Path, raised: str) -> None:
    agent = f"import pytest\nasync def answer(text):\n    {raised}\n"
    suite = (
        'suite: local\nvariants: {agent: {api: python, target: "./agent.py:answer"}}\ncases: [{id: a, input: abc}]\n'
    )
    write(project, {"suites/local.yaml": suite, "suites/agent.py": agent})
    ran = harness("run")
    assert ran.exit_code == 3
    assert rows(project)[0]["error"]["kind"] == "target"
    assert "(line 3)" in rows(project)[0]["error"]["message"]


def test_a_recorded_trial_needs_no_key_while_others_go_live(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY_A", raising=False)
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url))
        assert harness("record", "--yes", "--variant", "v1").exit_code == 0
        files = faq(server.url)
        text = files["suites/faq.yaml"].replace("v1: {", 'v1: {base_url: "https://a.example/v1", api_key_env: KEY_A, ')
        write(project, {**files, "suites/faq.yaml": text})
        ran = harness("run", "--record-mode", "once")
    assert ran.exit_code == 0, ran.output


def test_a_case_that_became_shorter_has_the_time_and_cost_of_what_is_left(project: Path) -> None:
    prices = '[tool.harness]\n[tool.harness.prices.test-model]\ninput = "$1"\noutput = "$1"\n'
    two = "  - id: talk\n    expected: days\n    turns: [{input: How long?}, {input: And then?}]\n"
    with ChatServer(lambda number, body: "5 days", delay=0.05) as server:
        write(project, {**faq(server.url, cases=two), "pyproject.toml": prices})
        assert harness("record", "--yes", "--variant", "v1").exit_code == 0
        (before,) = rows(project)
        write(project, {**faq(server.url, cases=two.replace(", {input: And then?}", "")), "pyproject.toml": prices})
    assert harness("run", "--variant", "v1").exit_code == 0
    (after,) = rows(project)
    assert after["latency"] == before["turns"][0]["latency"]
    assert float(after["cost"]) == pytest.approx(float(before["cost"]) / 2)


def test_a_target_that_hangs_takes_nobody_elses_place(project: Path) -> None:
    agent = "import threading\ndef answer(text):\n    if text == 'hang':\n        threading.Event().wait()\n    return text\n"
    suite = """\
suite: local
variants: {agent: {api: python, target: "./agent.py:answer", timeout: 0.2}}
cases: [{id: a, input: hang, expect: {contains: hang}}, {id: b, input: abc, expect: {contains: abc}}]
"""
    write(project, {"suites/local.yaml": suite, "suites/agent.py": agent})
    command = [sys.executable, "-m", "harness", "run", "-j", "1"]
    assert subprocess.run(command, timeout=60, capture_output=True).returncode == 3
    hung, other = rows(project)
    assert hung["error"]["kind"] == "timeout"
    assert other["outcome"] == "passed"


def test_a_missing_recording_counts_even_where_the_target_swallows_it(project: Path) -> None:
    agent = """
async def answer(text, session):
    try:
        messages = [{"role": "user", "content": text}]
        given = await session.client.chat.completions.create(model="m", messages=messages)
        return given.choices[0].message.content
    except Exception:
        return "all is well"
"""
    suite = """\
suite: local
variants: {agent: {api: python, target: "./agent.py:answer", base_url: "http://127.0.0.1:9/v1"}}
cases: [{id: a, input: abc, expect: {contains: well}}]
"""
    write(project, {"suites/local.yaml": suite, "suites/agent.py": agent})
    assert harness("run").exit_code == 3
    (row,) = rows(project)
    assert (row["outcome"], row["error"]["kind"]) == ("error", "cassette_miss")


@pytest.mark.parametrize(
    "message", ['{"content": "x", "tool_calls": ["x"]}', '{"content": "x", "tool_calls": [{"function": "x"}]}']
)
def test_an_answer_of_another_shape_is_a_protocol_error(project: Path, message: str) -> None:
    body = f'{{"choices": [{{"message": {message}, "finish_reason": "stop"}}]}}'.encode()
    with ChatServer(faults=lambda number, asked: Reply(200, body)) as server:
        write(project, faq(server.url))
        assert harness("record", "--yes", "--variant", "v1", "--limit", "1").exit_code == 3
    (row,) = rows(project)
    assert row["error"]["kind"] == "protocol"


def test_a_key_of_any_name_stays_out_of_recordings_and_results(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "hunter2-hunter2-hunter2")
    with ChatServer(lambda number, body: "your key is hunter2-hunter2-hunter2, 5 days") as server:
        write(project, faq(server.url, extra="api_key_env: GATEWAY_AUTH"))
        assert harness("record", "--yes").exit_code == 0
    for path in (*(project / "cassettes").rglob("*.yaml"), *(project / "reports").rglob("*.*")):
        assert "hunter2-hunter2" not in path.read_text()
