"""`harness cassettes diff`: what was asked and answered differently, whatever the service's ids are."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import ExitCode
from tests.hygiene.shelf import CHAT, ORDER, change
from tests.projects import harness

OTHER = Path("other.yaml")


def diff(*arguments: str) -> str:
    result = harness("cassettes", "diff", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_recording_is_the_same_as_itself_and_as_one_with_other_ids_and_times(shop: Path) -> None:
    shutil.copyfile(ORDER, OTHER)
    text = ORDER.read_text()
    ids = {word.strip('",') for word in text.split() if word.strip('",').startswith(("call_", "chatcmpl-"))}
    assert ids
    for number, word in enumerate(sorted(ids)):
        change(OTHER, word, f"{word.partition('_')[0].partition('-')[0]}_other{number}1234567")
    change(OTHER, 'recorded_at: "20', 'recorded_at: "19')
    shown = diff(str(ORDER), str(OTHER))
    assert "the same was asked and answered" in shown
    assert json.loads(diff(str(ORDER), str(OTHER), "--json"))["same"] is True


def test_settings_words_status_and_totals_are_compared(shop: Path) -> None:
    shutil.copyfile(ORDER, OTHER)
    change(OTHER, '"model": "gpt-test"', '"model": "gpt-new"')
    change(OTHER, "You sell things.", "You sell many things.")
    change(OTHER, "It is open.", "It is closed.")
    shown = diff(str(ORDER), str(OTHER))
    assert shown.startswith(f"--- {ORDER}\n+++ {OTHER}\n\n== call 1: POST /chat/completions\n")
    assert 'model: "gpt-test" -> "gpt-new"\n' in shown
    assert "You sell {+many+} things." in shown
    assert "It is [-open-]{+closed+}." in shown
    assert "\ncalls     2 -> 2\n" in shown and "\ntime      " in shown and "\ntokens    " in shown
    found = json.loads(diff(str(ORDER), str(OTHER), "--json"))
    assert found["same"] is False
    assert found["calls"][0]["settings"] == {"model": ["gpt-test", "gpt-new"]}
    assert found["calls"][1]["answered"] == ["assistant:\nIt is open.", "assistant:\nIt is closed."]


def test_calls_of_one_recording_only_are_shown(shop: Path) -> None:
    shown = diff(str(CHAT), str(ORDER))
    assert "== + call 2: POST /chat/completions, only in the second" in shown
    assert "only in the first" in diff(str(ORDER), str(CHAT))


def test_a_file_is_compared_with_a_commit(shop: Path) -> None:
    for arguments in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x")):
        subprocess.run(["git", *arguments], check=True)
    change(ORDER, "It is open.", "It is closed.")
    assert "It is [-open-]{+closed+}." in diff(str(ORDER))
    assert diff(f"HEAD:{ORDER}", str(ORDER)).splitlines()[2:] == diff(str(ORDER)).splitlines()[2:]
    ORDER.unlink()
    assert "the same was asked" in diff(f"HEAD:{ORDER}", f"HEAD:{ORDER}")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nothing.yaml", ExitCode.USAGE, "no such file: nothing.yaml"),
        ("HEAD:nothing.yaml", ExitCode.USAGE, "needs a git repository"),
        ("damaged.yaml", ExitCode.ERRORS, "damaged.yaml is damaged"),
    ],
)
def test_what_cannot_be_read_is_said(shop: Path, name: str, code: ExitCode, said: str) -> None:
    Path("damaged.yaml").write_text("x")
    result = harness("cassettes", "diff", name, str(ORDER))
    assert result.exit_code == code
    assert said in result.stderr


def test_a_file_that_is_not_there_is_named_before_git_is_asked(shop: Path) -> None:
    result = harness("cassettes", "diff", "nothing.yaml")
    assert (result.exit_code, "no such file: nothing.yaml" in result.stderr) == (ExitCode.USAGE, True)
