"""The promises of docs/promises.md: that each is held by tests that exist, and those that no other file is about."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.loopback import ChatServer, Reply, error
from tests.projects import faq, harness, write
from tests.system.runs import folders, rows, start

_ROOT = Path(__file__).parents[1]


def _promises() -> dict[str, list[str]]:
    """The promises, and the tests that each names."""
    text = (_ROOT / "docs/promises.md").read_text(encoding="utf-8")
    parts = re.split(r"^\*\*(P\d+)\. ", text, flags=re.MULTILINE)[1:]
    return {
        name: re.findall(r"`(tests/[\w/]+\.py::\w+)`", said) for name, said in zip(parts[::2], parts[1::2], strict=True)
    }


def test_all_are_there() -> None:
    assert list(_promises()) == [f"P{number}" for number in range(1, 9)]


@pytest.mark.parametrize("name", _promises())
def test_each_promise_is_held_by_tests_that_exist(name: str) -> None:
    tests = _promises()[name]
    assert tests
    for one in tests:
        path, _, function = one.partition("::")
        assert f"def {function}(" in (_ROOT / path).read_text(encoding="utf-8"), one


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trouble_is_an_error_also_for_a_check_that_is_turned_round(project: Path) -> None:
    with ChatServer(faults=lambda number, body: Reply(500, error(), {"x-should-retry": "false"})) as server:
        files = faq(server.url)
        suite = files["suites/faq.yaml"].replace(
            'expect: {icontains: "{{ expected }}"}', "expect: [{not: {contains: sorry}}]"
        )
        assert "not:" in suite
        write(project, {**files, "suites/faq.yaml": suite})
        ran = harness("record", "--yes", "--no-html")
    assert ran.exit_code == 3
    assert {(row["outcome"], row["error"]["kind"], row["score"]) for row in rows(project)} == {
        ("error", "server", None)
    }


def test_a_replay_needs_neither_network_nor_key_and_gives_the_same_bytes(project: Path) -> None:
    alone = ["unshare", "-rn"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process cannot be cut off from the network here")
    with ChatServer(lambda number, body: "5 days") as server:
        write(project, faq(server.url, extra="stream: true"))
        assert harness("record", "--yes", "--no-html").exit_code == 0
    for _ in range(2):
        process = start(project, "run", "--no-html", before=alone)
        out, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert "4 passed" in out
    first, second = (
        (path / "results.jsonl").read_bytes().replace(path.name.encode(), b"") for path in folders(project)[1:]
    )
    assert first == second
