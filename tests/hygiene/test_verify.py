"""`harness cassettes verify`: whatever makes a recording one that cannot be trusted is found and named, offline."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from harness.errors import ExitCode
from tests.hygiene.shelf import CHAT, ORDER, change
from tests.listening import recorded
from tests.projects import harness
from tests.recorded_twice import both


def findings(*arguments: str) -> tuple[Result, list[dict[str, Any]]]:
    result = harness("cassettes", "verify", "--json", *arguments)
    return result, json.loads(result.stdout)["findings"]


def test_what_was_just_recorded_is_clean(shop: Path) -> None:
    result = harness("cassettes", "verify")
    assert result.exit_code == ExitCode.PASSED
    assert result.stdout == "2 recordings, 0 errors, 0 warnings\n"


def test_every_shipped_recording_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED, result.stdout
    assert [one for one in found if one["kind"] != "age"] == []
    assert harness("cassettes", "verify", "harness/starter/files/cassettes").exit_code == ExitCode.PASSED


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("count: 2", "count: 3", "damaged"),
        ("version: 1\n", "", "damaged"),
        ("recorder:", "recorded:", "damaged"),
        ("slot: 2, attempt: 1, start: ", "slot: 2, attempt: 1, start: -", "times"),
        ("slot: 2, attempt", "slot: 1, attempt", "order"),
    ],
)
def test_an_edit_that_breaks_a_recording_is_an_error(shop: Path, before: str, after: str, kind: str) -> None:
    change(ORDER, before, after)
    result, found = findings()
    assert result.exit_code == ExitCode.FAILED
    assert [one["path"] for one in found if one["level"] == "error" and one["kind"] == kind] == [ORDER.as_posix()]


def test_a_cut_file_is_an_error_wherever_it_was_cut(shop: Path) -> None:
    whole = ORDER.read_bytes()
    for share in range(1, 20):
        ORDER.write_bytes(whole[: len(whole) * share // 20])
        assert harness("cassettes", "verify", str(ORDER)).exit_code == ExitCode.FAILED


def test_a_file_that_is_too_large_is_refused_and_a_large_one_warned_about(shop: Path) -> None:
    change(ORDER, "Where is order 4711?", "Where is order 4711?" + "x" * 600_000)
    assert [one["kind"] for one in findings()[1]] == ["size"]
    change(ORDER, "Where is order 4711?", "Where is order 4711?" + "x" * 2_000_000)
    result, found = findings()
    assert result.exit_code == ExitCode.FAILED
    assert "more than the 2,000,000 that a cassette may have" in found[0]["message"]


def test_a_secret_is_found_and_not_repeated(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "a-value-nobody-may-see")
    change(ORDER, "It is open.", "It is open. a-value-nobody-may-see")
    result = harness("cassettes", "verify")
    assert result.exit_code == ExitCode.FAILED
    assert f"error: {ORDER}: a secret, or what looks like one, stands in the answer of call 2; `" in result.stdout
    assert "a-value-nobody-may-see" not in result.output


def test_line_ends_and_layout_are_warnings_since_the_recording_still_replays(shop: Path) -> None:
    ORDER.write_bytes(ORDER.read_bytes().replace(b"\n", b"\r\n"))
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED
    assert [(one["kind"], "CRLF" in one["message"]) for one in found] == [("layout", True)]
    assert harness("run").exit_code == ExitCode.PASSED
    change(ORDER, "    status: {code: 200, message: OK}", "    status: {code: 200,  message: OK}")
    assert [(one["kind"], "edited it" in one["message"]) for one in findings()[1]] == [("layout", True)]
    assert harness("run").exit_code == ExitCode.PASSED


def test_what_vcrpy_would_not_load_is_an_error(shop: Path) -> None:
    change(ORDER, "    method: POST\n", "    method: POST\n    note: mine\n")
    result, found = findings()
    assert result.exit_code == ExitCode.FAILED
    assert any("a key 'note', which vcrpy does not load" in one["message"] for one in found)


def test_a_changed_price_is_noticed(shop: Path) -> None:
    priced = '[tool.harness.prices."gpt-test"]\ninput = "$1"\noutput = "$1"\n'
    (shop / "pyproject.toml").write_text(priced)
    assert findings()[1] == [], "what was priced by another table is not priced again"
    shutil.rmtree("cassettes")
    recorded(shop, settings=priced)
    assert findings()[1] == []
    text = ORDER.read_text()
    cost = text.partition('cost: "')[2].partition('"')[0]
    change(ORDER, f'cost: "{cost}"', 'cost: "9"')
    assert [one["message"] for one in findings()[1] if one["kind"] == "cost"] == [
        f"it says $9, and its tokens come to ${cost} by the same prices"
    ]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("suite: shop", "suite: store", "there is no suite 'shop'"),
        ("id: order", "id: parcel", "suite 'shop' has no case 'order'"),
        ("prompt: shop", "variants: {v1: {prompt: shop}}", "suite 'shop' has no variant 'shop'"),
    ],
)
def test_a_recording_of_no_trial_is_a_warning(shop: Path, before: str, after: str, why: str) -> None:
    change(Path("suites/shop.yaml"), before, after)
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED
    assert f"no trial replays it: {why}" in {one["message"] for one in found}


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        (
            "suites/shop.yaml",
            "Say that you are open",
            "Say that you are closed",
            "its case, or the prompt, says something",
        ),
        ("prompts/shop/1.j2", "You sell things.", "You sell all things.", "its case, or the prompt, says something"),
    ],
)
def test_what_is_not_what_would_be_asked_now_is_a_warning(
    shop: Path, path: str, before: str, after: str, said: str
) -> None:
    change(Path(path), before, after)
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED
    assert {one["kind"] for one in found} == {"stale"}
    assert all(said in one["message"] for one in found)
    assert harness("run").exit_code == ExitCode.ERRORS


def test_settings_that_no_request_shows_are_compared_by_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "def answer(input, session):\n    return session.sync_client.responses.create(model='m', input=input).output_text\n"
    both(tmp_path, lambda ask: "Yes.", code, function="answer")
    assert findings()[1] == []
    change(Path("suites/s.yaml"), "base_url:", "args: {tone: kind}, base_url:")
    assert ["its assistant is defined differently" in one["message"] for one in findings()[1]] == [True]


def test_old_recordings_are_pointed_out_once_for_a_folder(shop: Path) -> None:
    for path in (ORDER, CHAT):
        text = path.read_text()
        then = text.partition("recorded_at: ")[2].partition("\n")[0]
        change(path, then, then.replace("202", "201", 1))
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED
    assert [(one["path"], one["kind"], one["level"]) for one in found] == [("cassettes/shop/shop", "age", "warning")]
    assert found[0]["message"] == "2 recordings: recorded more than 90 days ago (cassette_max_age)"
    (shop / "pyproject.toml").write_text("[tool.harness]\ncassette_max_age = '9999d'\n")
    assert findings()[1] == []


def test_suites_that_do_not_load_keep_nothing_from_being_checked(shop: Path) -> None:
    change(Path("suites/shop.yaml"), "suite: shop", "suite: shop\nsuit: x")
    result, found = findings()
    assert result.exit_code == ExitCode.PASSED
    assert [(one["kind"], one["level"]) for one in found] == [("suites", "warning")]
    ORDER.write_text("x")
    assert findings()[0].exit_code == ExitCode.FAILED


def test_a_path_that_is_not_there_is_a_usage_error(shop: Path) -> None:
    result = harness("cassettes", "verify", "cassettes/nothing")
    assert result.exit_code == ExitCode.USAGE
    assert "no such file or folder: cassettes/nothing" in result.output


def test_no_recordings_are_no_fault(shop: Path) -> None:
    shutil.rmtree("cassettes")
    assert harness("cassettes", "verify").stdout == "0 recordings, 0 errors, 0 warnings\n"


def test_links_are_not_followed(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.1.yaml").write_text("nothing of ours")
    Path("cassettes/shop/elsewhere").symlink_to(outside)
    Path("cassettes/shop/shop/b.1.yaml").symlink_to(outside / "a.1.yaml")
    assert harness("cassettes", "verify").stdout == "2 recordings, 0 errors, 0 warnings\n"


@pytest.mark.slow
def test_ten_thousand_recordings_take_less_than_half_a_minute(shop: Path) -> None:
    source = Path(__file__).parents[2] / "cassettes"
    originals = sorted(source.rglob("*.yaml"))
    for number in range(10_000):
        target = Path(f"cassettes/big/v{number // 1000}/case-{number}.1.yaml")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(originals[number % len(originals)], target)
    before = sum(os.times()[:4])
    result = harness("cassettes", "verify", "cassettes/big", "--json")
    # Seconds of two cores, whoever else uses them at the time.
    assert (sum(os.times()[:4]) - before) / 2 < 30
    assert json.loads(result.stdout)["files"] == 10_000
    assert json.loads(result.stdout)["errors"] == 0
