"""Commands that change recordings while a run records, and runs while they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.store.locks import FileLock
from tests.hygiene.shelf import CHAT, change
from tests.projects import harness


@pytest.mark.parametrize(
    "command",
    [
        ("mv", "shop//chat", "shop//talk"),
        ("mv", "shop/shop", "shop/v1"),
        ("mv", "--write"),
        ("scrub", "--write"),
        ("prune", "--write"),
    ],
    ids=" ".join,
)
def test_nothing_is_changed_where_a_run_is_recording(shop: Path, command: tuple[str, ...]) -> None:
    change(CHAT, "We are open.", "We are open. sk-abcdefghijklmnopqrstuvwxyz012345")
    if command == ("mv", "--write"):
        change(Path("suites/shop.yaml"), "id: chat", "id: talk")
    if command[0] == "prune":
        CHAT.with_name("gone.1.yaml").write_bytes(CHAT.read_bytes())
    before = {path: path.read_bytes() for path in Path("cassettes").rglob("*.yaml")}
    run = FileLock(shop / ".harness/live/shop--shop.lock")
    assert run.take("run 20261121-143205-ab12, process 4711")
    refused = harness("cassettes", *command)
    assert refused.exit_code == ExitCode.STORAGE
    assert "run 20261121-143205-ab12, process 4711 is at work on the recordings of shop/shop" in refused.stderr
    assert {path: path.read_bytes() for path in Path("cassettes").rglob("*.yaml")} == before
    run.release()
    assert harness("cassettes", *command).exit_code == 0
    assert {path: path.read_bytes() for path in Path("cassettes").rglob("*.yaml")} != before
    assert not (shop / ".harness").exists()


def test_what_lies_nowhere_near_is_free(shop: Path) -> None:
    run = FileLock(shop / ".harness/live/shop--other.lock")
    assert run.take("run of another variant")
    assert harness("cassettes", "mv", "shop//chat", "shop//talk").exit_code == 0
    run.release()
