"""Disks that are full, read-only or odd: nothing is paid in vain, nothing old is harmed, nothing new is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness as product
from harness.errors import StorageError
from tests.loopback import ChatServer
from tests.projects import harness
from tests.system.runs import cassettes, killing, rows, start, suite

_RECORD = ("record", "--yes", "--no-html", "-j", "2")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(lambda number, body: "It takes 5 days. " + "x" * 2000) as serving:
        yield serving


def mount(folder: Path, *options: str) -> Iterator[None]:
    """Mount a small file system on a folder, where this machine lets tests do so."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small(project: Path) -> Iterator[Path]:
    """A folder of recordings with 64 kB."""
    folder = project / "cassettes"
    yield from ((folder) for _ in mount(folder, "-t", "tmpfs", "-o", "size=64k", "tmpfs"))


def place(text: str) -> Path:
    """The temporary folder that a message names."""
    found = re.search(r"(/\S*harness-\d{8}-\d{6}-[0-9a-f]{4}-[^/\s]+)", " ".join(text.split()))
    assert found is not None, text
    return Path(found[1])


def test_too_little_room_is_known_before_anything_is_sent(project: Path, server: ChatServer, small: Path) -> None:
    suite(project, server.url, cases=20)
    ran = harness(*_RECORD)
    assert ran.exit_code == 6
    assert not server.requests
    assert "cassettes" in ran.stderr
    assert "65,536 bytes are free" in ran.stderr
    assert "Nothing was sent" in ran.stderr


def test_a_disk_that_fills_up_loses_nothing_that_was_paid(project: Path, server: ChatServer, small: Path) -> None:
    """There is room when the run begins, and somebody else takes it."""
    suite(project, server.url, cases=4)
    first = harness(*_RECORD, "--case", "c0")
    assert first.exit_code == 0, first.output
    before = {path: path.read_bytes() for path in cassettes(project)}
    taken = small / "somebody-elses"

    def fill(number: int, body: dict[str, Any]) -> str:
        taken.write_bytes(b"\0" * (shutil.disk_usage(small).free - 4096))
        return "It takes 5 days. " + "x" * 8000

    with ChatServer(fill) as filling:
        suite(project, filling.url, cases=4)
        ran = harness("record", "--yes", "--no-html", "-j", "1")
        assert ran.exit_code == 6
        assert len(filling.requests) == 1
    assert "Traceback" not in ran.output
    assert "not stored (exit 6)" in ran.stdout
    said = " ".join(ran.stdout.split())
    assert "No space left on device" in said
    assert re.search(r"[\d,]+ bytes are free there", said)
    assert {path: path.read_bytes() for path in before} == before
    assert [row["outcome"] for row in rows(project)] == ["passed", "error", "skipped", "skipped"]
    assert {row["error"]["kind"] for row in rows(project)[1:]} == {"storage"}
    # The answer that was paid is where the message says; put in its place, nothing is asked twice.
    kept = next(place(said).rglob("*.yaml"))
    taken.unlink()
    shutil.copy(kept, small / kept.relative_to(place(said) / "cassettes"))
    shutil.rmtree(place(said))
    with ChatServer(lambda number, body: "5 days") as rest:
        suite(project, rest.url, cases=4)
        assert harness(*_RECORD).exit_code == 0
        assert len(rest.requests) == 2


def test_reports_for_which_there_is_no_room_go_elsewhere_with_the_verdict(project: Path, server: ChatServer) -> None:
    suite(project, server.url, cases=4)
    assert harness(*_RECORD).exit_code == 0
    shutil.rmtree(project / "reports")
    for _ in mount(project / "reports", "-t", "tmpfs", "-o", "size=8k", "tmpfs"):
        ran = harness("run")
        with pytest.raises(StorageError, match="reports"):
            product.run("suites/faq.yaml", html=False)
    assert ran.exit_code == 6
    assert "4 passed" in ran.stdout
    found = place(ran.stdout)
    assert {"results.jsonl", "run.json", "report.html", "junit.xml", "summary.md"} <= {
        path.name for path in found.rglob("*")
    }
    assert len(next(found.rglob("results.jsonl")).read_text().splitlines()) == 4
    shutil.rmtree(found)


def test_files_that_may_not_grow(project: Path, server: ChatServer) -> None:
    """`ulimit -f`: neither the recording nor its refuge can be written, and the message says both."""
    suite(project, server.url, cases=6)
    ran = start(project, *_RECORD, before=["bash", "-c", 'ulimit -f 1; exec "$@"', "limited"])
    out, said = ran.communicate(timeout=300)
    assert ran.returncode == 6, said
    assert "Traceback" not in out + said
    assert "File too large" in " ".join((out + said).split())
    assert len(server.requests) <= 2
    assert cassettes(project) == []


def test_a_project_that_cannot_be_written_replays_and_does_not_record(
    project: Path, server: ChatServer, tmp_path: Path
) -> None:
    suite(project, server.url, cases=3)
    assert harness(*_RECORD, "--case", "c0").exit_code == 0
    sent = len(server.requests)
    for _ in mount(project, "--bind", "-o", "ro", str(project)):
        # The working folder of this process lies below the mount.
        script = f'cd {project} && exec "$@"'
        before = ["bash", "-c", script, "inside"]
        replay = start(tmp_path, "run", "--case", "c0", before=before)
        out, said = replay.communicate(timeout=300)
        assert replay.returncode == 0, said
        assert "1 passed" in out
        assert "reports/ cannot be written" in said
        assert (next(place(said).rglob("report.html"))).is_file()
        shutil.rmtree(place(said))
        record = start(tmp_path, *_RECORD, before=before)
        out, said = record.communicate(timeout=300)
        assert record.returncode == 6, said
        assert "Read-only file system" in said
        assert "Nothing was sent" in said
        assert len(server.requests) == sent


@pytest.mark.slow
def test_neither_home_nor_a_working_folder_is_needed(project: Path, server: ChatServer, tmp_path: Path) -> None:
    suite(project, server.url, cases=2)
    assert harness(*_RECORD).exit_code == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    environ = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    }
    script = f'cd {gone} && rmdir {gone} && exec "$@"'
    before = ["bash", "-c", script, "nowhere"]
    named = start(tmp_path, "run", str(project / "suites/faq.yaml"), before=before, env=environ)
    out, said = named.communicate(timeout=300)
    assert named.returncode == 0, said
    assert "2 passed" in out
    gone.mkdir()
    unnamed = start(tmp_path, "run", before=before, env=environ)
    out, said = unnamed.communicate(timeout=300)
    assert unnamed.returncode == 2
    assert "the working folder is gone" in said
    assert "Traceback" not in said


def test_a_damaged_recording_of_a_killed_run_is_impossible(project: Path) -> None:
    """Files appear whole: what a killed process was writing has another name, and nobody reads it."""
    with killing() as (serving, killer):
        suite(project, serving.url, cases=12)
        process = start(project, *_RECORD)
        killer.process, killer.at = process, 7
        process.communicate(timeout=300)
        for path in cassettes(project):
            last = yaml.safe_load(path.read_text())["interactions"][-1]
            assert last["response"]["recorder"]["cassette"]["count"] == 1
