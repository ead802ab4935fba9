"""Recordings that hold more than is asked for, lie under another name, or are not whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import harness as library
from harness.errors import TrialError
from harness.modes import RecordMode
from harness.simulator import served
from harness.simulator.app import Simulator
from harness.simulator.script import ScriptBrain
from tests.loopback import ChatServer
from tests.modes.test_modes import TOOL, recorded, suite, texts
from tests.projects import harness, write
from tests.recorded_twice import rows

TWO = "[{id: a, turns: [{input: One}, {input: Two}]}]"
ONE = "[{id: a, turns: [{input: One}]}]"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recorded_call_that_is_not_made_is_a_warning_and_strictly_an_error(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server, cases=TWO)
        write(project, {"suites/s.yaml": suite(server.url, cases=ONE)})
    lenient = harness("run")
    assert lenient.exit_code == 0
    assert rows(project)[0]["extra"]["unused"] == 1
    told = "v: 1 trial did not make every recorded call, first s/a/v/1 (an error with --strict)"
    assert told in " ".join(lenient.stdout.split())
    strict = harness("run", "--strict", "--no-html")
    assert strict.exit_code == 3
    [row] = rows(project)
    assert row["error"]["kind"] == "cassette_unused"
    assert row["error"]["message"].startswith(
        "cassettes/s/v/a.1.yaml holds a recorded call that the trial did not make: POST /v1/chat/completions. "
        "Record what has changed: `harness record suites/s.yaml --variant v --only-stale`"
    )
    write(project, {"pyproject.toml": "[tool.harness]\nstrict = true\n"})
    assert harness("run", "--no-html").exit_code == 3
    assert library.run(strict=False, html=False).exit_code == 0


def test_verify_names_recorded_calls_that_are_not_made_any_more(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server, cases=TWO)
        write(project, {"suites/s.yaml": suite(server.url, cases=ONE)})
        assert harness("run", "--record-mode", "verify", "--no-html").exit_code == 1
    differences = rows(project)[0]["extra"]["verify"]["differences"]
    assert differences == ["recorded and not made now: POST /v1/chat/completions"]


def test_a_block_of_code_that_leaves_something_over_fails_strictly(project: Path) -> None:
    def ask(times: int, mode: RecordMode = "none") -> None:
        with library.cassette("cassettes/block.yaml", record_mode=mode, base_url=server.url) as block:
            for number in range(times):
                block.sync_client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": f"Hi {number}"}]
                )

    write(project, {})
    with ChatServer() as server:
        ask(2, "once")
    ask(1)
    write(project, {"pyproject.toml": "[tool.harness]\nstrict = true\n"})
    ask(2)
    with pytest.raises(
        TrialError, match=r"block.yaml holds a recorded call that the block did not make: POST /v1/chat"
    ):
        ask(1)


def test_what_is_left_over_is_recorded_anew_by_new_episodes_and_only_stale(project: Path) -> None:
    for command in (("run", "--record-mode", "new_episodes"), ("record", "--only-stale", "--yes")):
        with ChatServer() as server:
            recorded(project, server, cases=TWO)
            write(project, {"suites/s.yaml": suite(server.url, cases=ONE)})
            result = harness(*command, "--no-html")
            assert result.exit_code == 0, result.output
            assert len(server.requests) == 3
        assert harness("run", "--strict", "--no-html").exit_code == 0
        next((project / "cassettes").rglob("*.yaml")).unlink()


def test_a_recorded_tool_call_that_is_not_made_fails_a_strict_replay(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
    path = project / "cassettes/s/v/a.1.yaml"
    text = path.read_text("utf-8")
    call = ', tools: [{id: "call_abc", name: "get_weather", arguments: {city: "Rome"}, output: 18}]'
    path.write_text(text.replace("}}\nversion: 1", call + "}}\nversion: 1"), "utf-8")
    assert harness("run", "--strict", "--no-html").exit_code == 3
    assert "did not make: tool get_weather, call_abc." in rows(project)[0]["error"]["message"]


def test_only_stale_looks_through_recordings_once(project: Path) -> None:
    agent = """
async def answer(input, session):
    with open("ran", "a") as ran:
        ran.write(".")
    await session.client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    return "Hello"
"""
    with ChatServer() as server:
        target = f"{{api: python, target: './agent.py:answer', base_url: '{server.url}'}}"
        text = f"suite: s\nvariants: {{v: {target}}}\ncases: [{{id: a, input: Hi}}]\n"
        write(project, {"suites/s.yaml": text, "suites/agent.py": agent})
        assert harness("record", "--yes", "--no-html").exit_code == 0
    (project / "ran").unlink()
    assert harness("record", "--only-stale", "--yes", "--no-html").exit_code == 0
    assert (project / "ran").read_text() == "..", "to see what is stale, and for the run"


def _cut_at_boundary(content: bytes) -> bytes:
    start = content.rindex(b"- request:")
    return content[:start] + b"version: 1\n"


BROKEN: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("cut between interactions", _cut_at_boundary),
    ("cut in the middle", lambda content: content[: len(content) // 2]),
    ("empty", lambda content: b""),
    ("an interaction more", lambda content: content.replace(b"count: 2", b"count: 3")),
    ("a flipped bit", lambda content: content.replace(b"interactions:", b"interactions;", 1)),
]


@pytest.mark.parametrize("breaks", [one for _, one in BROKEN], ids=[name for name, _ in BROKEN])
def test_a_damaged_recording_is_refused_and_never_recorded_anew_by_itself(
    project: Path, breaks: Callable[[bytes], bytes]
) -> None:
    with ChatServer() as server:
        recorded(project, server, cases=TWO)
        path = project / "cassettes/s/v/a.1.yaml"
        broken = breaks(path.read_bytes())
        path.write_bytes(broken)
        for command in (
            ("run",),
            ("record", "--yes"),
            ("record", "--yes", "--only-stale"),
            ("run", "--record-mode", "new_episodes"),
        ):
            result = harness(*command, "--no-html")
            assert result.exit_code == 3, (command, result.output)
            [row] = rows(project)
            assert row["error"]["kind"] == "cassette_damaged"
            assert "--rewrite" in row["error"]["message"]
        assert path.read_bytes() == broken
        assert len(server.requests) == 2
        assert harness("record", "--rewrite", "--yes", "--no-html").exit_code == 0
    assert harness("run", "--no-html").exit_code == 0


def test_line_ends_and_byte_order_marks_of_editors_break_nothing(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
    path = project / "cassettes/s/v/a.1.yaml"
    content = path.read_bytes()
    assert harness("run", "--no-html").exit_code == 0
    [before] = rows(project)
    path.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert harness("run", "--strict", "--no-html").exit_code == 0
    assert rows(project)[0] | {"run": ""} == before | {"run": ""}


def test_a_renamed_variant_is_recognised_and_nothing_is_paid_twice(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
        renamed = suite(server.url).replace("{v:", "{v2:")
        write(project, {"suites/s.yaml": renamed})
        command = "harness cassettes mv s/v s/v2"
        missed = harness("run", "--no-html")
        assert missed.exit_code == 3
        assert command in rows(project)[0]["error"]["message"]
        for arguments in (("record", "--yes"), ("record", "--only-stale", "--yes")):
            refused = harness(*arguments)
            assert refused.exit_code == 2
            assert command in refused.stderr
        for mode in ("once", "new_episodes"):
            assert harness("run", "--record-mode", mode, "--no-html").exit_code == 3
        assert len(server.requests) == 1
        (project / "cassettes/s/v").rename(project / "cassettes/s/v2")
        assert harness("run", "--strict", "--no-html").exit_code == 0


def test_a_renamed_case_is_recognised_and_a_new_one_is_recorded(project: Path) -> None:
    with ChatServer() as server:
        recorded(project, server)
        write(project, {"suites/s.yaml": suite(server.url, cases="[{id: b, input: Hi}]")})
        refused = harness("record", "--yes")
        assert refused.exit_code == 2
        assert "harness cassettes mv s//a s//b" in refused.stderr
        write(project, {"suites/s.yaml": suite(server.url, cases="[{id: c, input: Another question}]")})
        assert harness("record", "--yes", "--no-html").exit_code == 0
        assert len(server.requests) == 2
    assert sorted(texts(project)) == ["a.1.yaml", "c.1.yaml"]


def test_a_new_case_is_not_taken_for_a_removed_one_that_began_in_the_same_way(project: Path) -> None:
    """The first request of a thread makes the assistant, and is that of every case."""

    def threads(cases: str) -> dict[str, str]:
        return {"suites/s.yaml": suite(server.url, cases=cases).replace("api: chat", "api: threads")}

    with served(Simulator(ScriptBrain([{"reply": "Hello"}]))) as server:
        write(project, threads("[{id: a, input: Hi}, {id: b, turns: [{input: One}, {input: Two}]}]"))
        assert harness("record", "--yes", "--no-html").exit_code == 0
        write(project, threads("[{id: c, input: New}, {id: d, turns: [{input: One}, {input: Three}]}]"))
        assert "former name" not in harness("run", "--no-html").output
        recorded = harness("record", "--yes", "--no-html")
        assert recorded.exit_code == 0, recorded.output
        write(project, threads("[{id: c2, input: New}, {id: d2, turns: [{input: One}, {input: Three}]}]"))
        refused = harness("record", "--yes", "--no-html")
    assert refused.exit_code == 2
    assert [line.strip() for line in refused.stderr.splitlines() if " mv " in line] == [
        "harness cassettes mv s//c s//c2",
        "harness cassettes mv s//d s//d2",
    ]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_tool_that_gives_something_else_is_named_in_the_miss_that_follows(project: Path, api: str) -> None:
    tools = "suites/tools.py"
    pure = "import harness\n\n@harness.tool(pure=True)" + TOOL
    text = suite("URL", extra="tools: ['./tools.py:weather']").replace("api: chat", f"api: {api}")
    rules = [{"match": {"after": 0}, "call": {"name": "weather", "arguments": {"city": "Rome"}}}, {"reply": "Hello"}]
    with served(Simulator(ScriptBrain(rules))) as server:
        write(project, {tools: pure, "suites/s.yaml": text.replace("URL", server.url)})
        assert harness("record", "--yes", "--no-html").exit_code == 0
    write(project, {tools: pure.replace("18", "19")})
    assert harness("run", "--no-html").exit_code == 3
    message = rows(project)[0]["error"]["message"]
    assert re.search(
        r"What differs from the nearest one: tool weather, call_\w+: \$\.temp 18 -> 19\. Record", message
    ), message
