"""`harness cassettes show`: what was said, readable, and as git's textconv."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode
from harness.hygiene.spoken import answered, asked
from harness.recording import Interaction, Request
from tests.hygiene.shelf import ORDER, change
from tests.projects import harness

SHIPPED = Path(__file__).parents[2] / "cassettes"


def test_requests_answers_tools_and_facts_are_there(shop: Path) -> None:
    text = harness("cassettes", "show", str(ORDER)).stdout
    head, first, second = text.split("\n\n== call ")
    assert head.startswith("recorded  20") and "(a script answered)" in head and "calls     2, " in head
    assert first.startswith("1: POST /chat/completions\n")
    assert "\nsystem:\n  You sell things.\n" in first
    assert "\nuser:\n  Where is order 4711? I am correct-horse" in first
    assert '\ncall:\n  find_order({"order_id": "4711"})\n' in first
    assert 'tools: ["find_order #' in first
    assert "(3 messages as before)\nresult:\n  " in second
    assert "\nassistant:\n  It is open." in second
    assert "model:" not in second, "settings that did not change are not said again"


def test_one_call_is_shown_whole(shop: Path) -> None:
    text = harness("cassettes", "show", str(ORDER), "--slot", "2").stdout
    assert text.startswith("== call 2: POST /chat/completions\n")
    assert "You sell things." in text
    missing = harness("cassettes", "show", str(ORDER), "--slot", "7")
    assert missing.exit_code == ExitCode.USAGE
    assert "has no call 7; there are: 1, 2" in missing.output


def test_json_holds_the_same(shop: Path) -> None:
    found = json.loads(harness("cassettes", "show", str(ORDER), "--json").stdout)
    assert [one["status"] for one in found["calls"]] == [200, 200]
    assert found["calls"][1]["answered"] == [{"role": "assistant", "text": "It is open."}]
    assert found["calls"][0]["input_tokens"] > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("streaming/chat/two-turns.1.yaml", ["user:\n  It is FW-31418.", "assistant:\n  Sure, I'll look up"]),
        (
            "migration/threads/grams.1.yaml",
            ["cannot be recorded again", "run:\n  requires_action", "  thread thread_8e73"],
        ),
    ],
)
def test_streams_of_every_api_are_joined(name: str, expected: list[str]) -> None:
    text = harness("cassettes", "show", str(SHIPPED / name)).stdout
    assert all(part in text for part in expected), text


def test_every_shipped_recording_can_be_read_by_a_person() -> None:
    for path in sorted(SHIPPED.rglob("*.1.yaml"))[::12]:
        text = harness("cassettes", "show", str(path)).stdout
        assert "\nassistant:\n" in text or "\ncall:\n" in text, path
        assert "chat.completion" not in text and "\nbody:\n" not in text, path


def test_a_damaged_file_is_printed_as_it_is(shop: Path) -> None:
    change(ORDER, "count: 2", "count: 3")
    result = harness("cassettes", "show", str(ORDER))
    assert result.exit_code == 0
    note, rest = result.stdout.split("\n", 1)
    assert note.startswith("# is damaged: it should hold 3 interactions and holds 2.")
    assert rest == ORDER.read_text()
    assert harness("cassettes", "show", str(ORDER), "--json").exit_code == ExitCode.ERRORS
    assert harness("cassettes", "show", "nothing.yaml").exit_code == ExitCode.USAGE


def test_what_was_recorded_cannot_command_a_terminal(shop: Path) -> None:
    change(ORDER, "It is open.", r"It \u001b[2Jis open.")
    text = harness("cassettes", "show", str(ORDER)).stdout
    assert "It is open." in text and "\x1b" not in text
    ORDER.write_text("no recording, \x1b]0;but a title\x07\x1b[2J and more\n")
    text = harness("cassettes", "show", str(ORDER)).stdout
    assert "and more" in text and "\x1b" not in text


def test_git_diff_shows_words_once_the_textconv_is_on(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    harness("init", ".")
    git("init", "-q")
    git("config", "diff.cassette.textconv", f'"{sys.executable}" -m harness cassettes show')
    git("add", ".")
    git("commit", "-qm", "first")
    change(ORDER, "It is open.", "It is on its way.")
    shown = git("diff")
    assert "-  It is open.\n+  It is on its way.\n" in shown
    assert " assistant:\n" in shown
    assert "recorder" not in shown and "content-type" not in shown
    change(ORDER, "version: 1\n", "")
    assert "+# is damaged: " in git("diff")


_WORDS = [
    "object",
    "choices",
    "delta",
    "message",
    "content",
    "role",
    "tool_calls",
    "function",
    "output",
    "type",
    "error",
]
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", "response", "thread.run", "list", "function_call"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_WORDS, "data", "input", "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(sent=_VALUES, got=st.lists(_VALUES, min_size=1, max_size=3), streamed=st.booleans())
def test_whatever_a_service_answers_is_shown(sent: object, got: list[object], streamed: bool) -> None:
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in got) if streamed else json.dumps(got[0])
    one = Interaction(
        request=Request(method="POST", uri="http://h/v1/chat/completions", headers={}, body=json.dumps(sent).encode()),
        status=200,
        reason="OK",
        headers={},
        body=body.encode(),
        slot=1,
        attempt=1,
        start=0.0,
        first_byte=0.0,
        end=1.0,
        events=(0.5,) * len(got) if streamed else (),
    )
    assert all(isinstance(part.text, str) and part.role for part in (*asked(one.request).parts, *answered(one)))
