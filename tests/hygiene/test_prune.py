"""`harness cassettes prune`: what no trial replays is listed, and deleted only when asked, and only there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ExitCode
from tests.hygiene.shelf import CHAT, ORDER, change
from tests.projects import harness

SUITE = Path("suites/shop.yaml")


def kept() -> list[str]:
    return sorted(path.name for path in Path("cassettes").rglob("*") if path.is_file())


def test_nothing_goes_that_a_trial_replays(shop: Path) -> None:
    result = harness("cassettes", "prune", "--write")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "every recording belongs to a trial" in result.stderr
    assert kept() == ["chat.1.yaml", "order.1.yaml"]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("id: order", "id: parcel", "suite 'shop' has no case 'order'"),
        ("suite: shop", "suite: store", "there is no suite 'shop'"),
        ("prompt: shop", "variants: {v1: {prompt: shop}}", "suite 'shop' has no variant 'shop'"),
    ],
)
def test_orphans_are_listed_and_go_with_write(shop: Path, before: str, after: str, why: str) -> None:
    change(SUITE, before, after)
    listed = harness("cassettes", "prune")
    assert listed.exit_code == 0
    assert f"{ORDER}: {why}\n" in listed.stdout
    assert "`harness cassettes prune --write`" in listed.stderr
    assert ORDER.exists()
    deleted = harness("cassettes", "prune", "--write")
    assert f"deleted {ORDER}: {why}\n" in deleted.stdout
    assert not ORDER.exists()


def test_repeats_beyond_those_of_the_suite_go_and_folders_that_are_empty_then(shop: Path) -> None:
    shutil.copyfile(ORDER, ORDER.with_name("order.2.yaml"))
    old = Path("cassettes/shop/old/order.1.yaml")
    old.parent.mkdir()
    shutil.copyfile(ORDER, old)
    found = json.loads(harness("cassettes", "prune", "--write", "--json").stdout)
    assert [(one["why"], one["deleted"]) for one in found] == [
        ("suite 'shop' has no variant 'old'", True),
        ("suite 'shop' has 1 repeat", True),
    ]
    assert not old.parent.exists()
    assert kept() == ["chat.1.yaml", "order.1.yaml"]


def test_what_cannot_be_made_again_stays_without_force(shop: Path) -> None:
    change(ORDER, "simulated: true", "simulated: true, renewable: false")
    change(SUITE, "id: order", "id: parcel")
    result = harness("cassettes", "prune", "--write")
    assert ORDER.exists()
    assert "kept without --force: it cannot be made again: OpenAI switched" in result.stdout
    harness("cassettes", "prune", "--write", "--force")
    assert not ORDER.exists()


def test_what_cannot_be_read_stays_without_force(shop: Path) -> None:
    ORDER.write_text("x")
    change(SUITE, "id: order", "id: parcel")
    assert "kept without --force: it cannot be read" in harness("cassettes", "prune", "--write").stdout
    assert ORDER.exists()


def test_nothing_goes_while_a_suite_does_not_load(shop: Path) -> None:
    change(SUITE, "id: order", "id: parcel\n    colour: red")
    result = harness("cassettes", "prune", "--write", "--force")
    assert result.exit_code == ExitCode.USAGE
    assert "suites/shop.yaml:" in result.stderr
    assert kept() == ["chat.1.yaml", "order.1.yaml"]


def test_blocks_of_python_code_and_other_files_are_nobodys_orphans(shop: Path) -> None:
    for place in ("demo.yaml", "deep/a/b/c.1.yaml", "shop/shop/notes.txt", "shop/shop/order.yaml"):
        path = Path("cassettes", place)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ORDER, path)
    block = Path("cassettes/demo/talks/one.1.yaml")
    block.parent.mkdir(parents=True)
    text = ORDER.read_text()
    case = text.partition("case_hash: ")[2].partition(",")[0]
    block.write_text(text.replace(f"case_hash: {case}", "case_hash: null"))
    assert harness("cassettes", "prune").stdout == ""


def test_suites_elsewhere_and_in_python_keep_theirs(shop: Path) -> None:
    change(SUITE, "suite: shop", "suite: store")
    assert "there is no suite 'shop'" in harness("cassettes", "prune").stdout
    code = Path("scripts/evaluate.py")
    code.parent.mkdir()
    code.write_text("import harness\nsuite = harness.Suite(name='shop', cases=[])\n")
    assert harness("cassettes", "prune").stdout == ""
    code.unlink()
    Path("more.yaml").write_text("suite: shop\ncases: []\n")
    assert harness("cassettes", "prune").stdout == ""


def test_links_and_paths_outside_are_left_alone(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    shutil.copyfile(ORDER, outside / "gone.1.yaml")
    Path("cassettes/shop/linked").symlink_to(outside)
    Path("cassettes/shop/shop/linked.1.yaml").symlink_to(outside / "gone.1.yaml")
    assert harness("cassettes", "prune", "--write", "--force").stdout == ""
    refused = harness("cassettes", "prune", str(outside), "--write", "--force")
    assert refused.exit_code == ExitCode.USAGE
    assert "nothing is deleted elsewhere" in refused.stderr
    assert (outside / "gone.1.yaml").exists() and Path("cassettes/shop/linked").is_symlink()


def test_only_the_given_paths_are_looked_at(shop: Path) -> None:
    change(SUITE, "suite: shop", "suite: store")
    harness("cassettes", "prune", str(CHAT), "--write")
    assert kept() == ["order.1.yaml"]


def test_what_a_killed_process_left_goes_and_what_one_is_writing_stays(shop: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead, alive = (ORDER.with_name(f".new.1.yaml.{pid}.tmp") for pid in (process.pid, os.getpid()))
    dead.write_text("half")
    alive.write_text("half")
    assert "a process died while it wrote this" in harness("cassettes", "verify").stdout
    assert harness("cassettes", "prune", "--write").stdout == f"deleted {dead}: a process died while it wrote this\n"
    assert alive.exists() and not dead.exists()
