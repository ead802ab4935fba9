"""Nothing hangs: trials and runs end when their time is over, whatever they do, and say why the rest was not started."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness import api
from harness.runs.job import Conclusion
from harness.runs.stop import Stop
from tests.loopback import ChatServer, Reply, error
from tests.projects import faq, harness, write
from tests.recorded_twice import rows

_STUBBORN = """\
import asyncio

async def answer(input, session):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

def blocking(input, session):
    said = session.sync_client.chat.completions.create(model="m", messages=[{"role": "user", "content": input}])
    return said.choices[0].message.content

async def quick(input, session):
    said = await session.client.chat.completions.create(model="m", messages=[{"role": "user", "content": input}])
    return said.choices[0].message.content
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cases(number: int) -> str:
    return "\n".join(f"  - {{id: c{one}, input: ask {one}, expected: Hello}}" for one in range(number))


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(row["outcome"], row["error"] and row["error"]["kind"]) for row in found]


def test_code_that_does_not_stop_is_left_behind(tmp_path: Path) -> None:
    with ChatServer() as server:
        suite = f"""\
suite: s
base_url: {server.url}
variants:
  stubborn: {{api: python, target: "./agent.py:answer", timeout: 300ms}}
  quick: {{api: python, target: "./agent.py:quick"}}
expect: {{contains: Hello}}
cases: [{{id: one, input: Hi}}]
"""
        write(tmp_path, {"suites/s.yaml": suite, "suites/agent.py": _STUBBORN})
        start = time.monotonic()
        result = harness("record", "--yes", "--no-html")
    assert time.monotonic() - start < 20
    assert result.exit_code == 3
    found = {row["variant"]: row for row in rows(tmp_path)}
    assert found["quick"]["outcome"] == "passed"
    assert found["stubborn"]["error"]["kind"] == "timeout"
    assert "longer than 0.3 s" in found["stubborn"]["error"]["message"]
    assert "left behind" in found["stubborn"]["error"]["message"]


def test_a_run_ends_when_its_time_is_over_and_can_be_gone_on_with(tmp_path: Path) -> None:
    slow = {"on": True}
    hang = Reply(delay=30)
    with ChatServer(faults=lambda number, body: hang if slow["on"] and number == 3 else None) as server:
        write(tmp_path, faq(server.url, extra="api: chat", cases=cases(4)))
        result = harness("record", "--yes", "--no-html", "--variant", "v1", "--run-timeout", "1s", "-j", "1")
        assert result.exit_code == 3
        assert kinds(rows(tmp_path)) == [("passed", None)] * 2 + [("error", "timeout"), ("skipped", "timeout")]
        assert "the run took longer than 1 s" in result.output
        slow["on"] = False
        assert harness("record", "--yes", "--no-html", "--variant", "v1").exit_code == 0
        assert len(server.requests) == 3 + 2


def test_an_empty_account_ends_the_run(tmp_path: Path) -> None:
    empty = Reply(429, b'{"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}')
    with ChatServer(faults=lambda number, body: empty if number > 2 else None) as server:
        write(tmp_path, faq(server.url, extra="api: chat", cases=cases(6)))
        result = harness("record", "--yes", "--no-html", "--variant", "v1", "-j", "1")
    assert len(server.requests) == 3
    assert result.exit_code == 3
    found = rows(tmp_path)
    assert kinds(found) == [("passed", None)] * 2 + [("error", "quota")] + [("skipped", "quota")] * 3
    assert "You exceeded your quota. Add credit" in found[2]["error"]["message"]
    assert "3 trials not started" in result.output
    assert len(list(tmp_path.glob("cassettes/**/*.yaml"))) == 2


def test_a_service_that_refuses_for_ever_is_asked_no_more(tmp_path: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(429, error())) as server:
        pyproject = '[tool.harness.retry]\nbackoff = "10ms"\nlongest = "50ms"\n'
        write(tmp_path, faq(server.url, extra="api: chat", cases=cases(100)) | {"pyproject.toml": pyproject})
        start = time.monotonic()
        result = harness("record", "--yes", "--no-html", "-j", "50", "--variant", "v1")
    assert time.monotonic() - start < 30
    assert result.exit_code == 3
    assert kinds(rows(tmp_path)) == [("error", "rate_limited")] * 100
    assert len(server.requests) <= 60


def test_requests_a_minute_are_kept_and_waiting_for_them_is_no_latency(tmp_path: Path) -> None:
    with ChatServer() as server:
        write(tmp_path, faq(server.url, extra="api: chat", cases=cases(5)))
        # Two go out at once (a second's worth); those after them half a second apart, the last after a second and a half.
        limits = ("--rpm", "120", "--timeout", "1s")
        assert harness("record", "--yes", "--no-html", "--variant", "v2", *limits).exit_code == 0
    recorded = rows(tmp_path)
    assert max(row["latency"] for row in recorded) < 1
    assert harness("run", "--no-html", "--variant", "v2", "--rpm", "1").exit_code == 0
    assert [row["latency"] for row in rows(tmp_path)] == [row["latency"] for row in recorded]


def test_a_suite_says_for_itself_when_to_send_again(tmp_path: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(500, error())) as server:
        extra = "api: chat\nretry: {attempts: 2, backoff: 1ms}"
        write(tmp_path, faq(server.url, extra=extra, cases=cases(1)))
        harness("record", "--yes", "--no-html", "--variant", "v1")
        assert len(server.requests) == 2
        # What is said on the command line wins.
        harness("record", "--yes", "--no-html", "--variant", "v1", "--retries", "0")
        assert len(server.requests) == 3


@pytest.mark.parametrize("target", [False, True])
def test_who_waits_for_a_limit_when_a_run_is_interrupted_waits_no_longer(tmp_path: Path, target: bool) -> None:
    with ChatServer() as server:
        extra = 'api: chat\ntarget: "./agent.py:blocking"' if target else "api: chat"
        files = faq(server.url, extra=extra.replace("chat", "python") if target else extra, cases=cases(4))
        write(tmp_path, files | {"suites/agent.py": _STUBBORN})
        project = api.open_project(tmp_path, record_mode="once", rpm=0.1)
        job = api.Job(project=project, plan=api.plan(project, api.load(project, api.find_suites(project, []))))
        stop = Stop(patience=3600)
        ended: list[Conclusion] = []
        thread = threading.Thread(target=lambda: ended.append(job.execute(stop=stop)), daemon=True)
        thread.start()
        while not list(tmp_path.glob("cassettes/**/*.yaml")) and thread.is_alive():
            time.sleep(0.01)
        stop.interrupt()
        thread.join(60)
    assert len(ended) == 1
    assert len(server.requests) == 1
    assert ended[0].summary.exit_code == 130
    assert {one for one in kinds(rows(tmp_path)) if one[0] != "passed"} == {("skipped", "interrupted")}


def test_a_suite_may_be_more_patient_than_the_run(tmp_path: Path) -> None:
    busy = Reply(429, error(), headers={"retry-after-ms": "300"})
    with ChatServer(faults=lambda number, body: busy if number == 1 else None) as server:
        pyproject = {"pyproject.toml": '[tool.harness.retry]\nbudget = "100ms"\n'}
        write(tmp_path, faq(server.url, extra="api: chat\nretry: {budget: 5s}", cases=cases(1)) | pyproject)
        result = harness("record", "--yes", "--no-html", "--variant", "v1")
        assert result.exit_code == 0, result.output
        assert len(server.requests) == 2


def test_a_suite_says_for_itself_when_a_service_is_left_alone(tmp_path: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(500, error())) as server:
        extra = "api: chat\nretry: {attempts: 1, breaker: 2}"
        write(tmp_path, faq(server.url, extra=extra, cases=cases(6)))
        assert harness("record", "--yes", "--no-html", "--variant", "v1", "-j", "1").exit_code == 3
        assert len(server.requests) == 2


def test_wrong_settings_of_retries_say_where_they_stand(tmp_path: Path) -> None:
    extra = "api: chat\nretry:\n  attempts: 0\n  backof: 1s"
    write(tmp_path, faq("http://127.0.0.1:1/v1", extra=extra))
    output = harness("validate").output
    assert "suites/faq.yaml:7:" in output
    assert "suites/faq.yaml:8:" in output
    assert "'backoff'" in output
