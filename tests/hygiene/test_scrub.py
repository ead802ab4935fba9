"""`harness cassettes scrub` and `stats`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.recording import emit, read_cassette
from tests.hygiene.shelf import CHAT, ORDER, change
from tests.listening import SECRET
from tests.projects import harness


def test_a_secret_of_today_is_taken_out_and_the_recording_replays_as_before(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SECRET in ORDER.read_text(), "it was no secret when it was recorded"
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    before = ORDER.read_bytes()
    listed = harness("cassettes", "scrub")
    assert listed.exit_code == 0
    assert listed.stdout.startswith(f"{ORDER}: the request of call 1, the request of call 2, ")
    assert ORDER.read_bytes() == before
    written = harness("cassettes", "scrub", "--write")
    assert (written.stdout, "1 recording written" in written.stderr) == (listed.stdout, True)
    assert SECRET not in ORDER.read_text()
    assert SECRET not in written.output + listed.output
    assert harness("cassettes", "verify").stdout == "2 recordings, 0 errors, 0 warnings\n"
    assert harness("run").exit_code == ExitCode.PASSED, "where the secret is known"
    again = harness("cassettes", "scrub", "--write")
    assert (again.stdout, "no recording holds a secret" in again.stderr or "0 recordings" in again.stderr) == ("", True)


def test_the_shape_of_a_key_is_enough(shop: Path) -> None:
    change(CHAT, "We are open.", "We are open. sk-abcdefghijklmnopqrstuvwxyz012345")
    assert f"{CHAT}: the answer of call 1\n" in harness("cassettes", "scrub", "--write").stdout
    assert "We are open. REDACTED" in CHAT.read_text()


def test_a_key_that_a_stream_spells_out_is_taken_out_of_its_pieces(shop: Path) -> None:
    pieces = ["It is sk-abcdefg", "hijklmnopqrst", "uvwxyz012345."]
    chunks = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": one}}]} for one in pieces
    ]
    cassette = read_cassette(CHAT, shown="chat")
    streamed = replace(
        cassette.interactions[0],
        headers={"content-type": "text/event-stream"},
        body="".join(f"data: {json.dumps(one)}\n\n" for one in chunks).encode(),
        events=(0.1, 0.2, 0.3),
    )
    CHAT.write_text(emit(replace(cassette, interactions=(streamed,))))
    assert "stands in the answer of call 1" in harness("cassettes", "verify", str(CHAT)).stdout
    assert f"{CHAT}: the answer of call 1\n" in harness("cassettes", "scrub", "--write").stdout
    assert harness("cassettes", "verify", str(CHAT)).exit_code == ExitCode.PASSED
    assert "It is REDACTED." in harness("cassettes", "show", str(CHAT)).stdout


def test_a_damaged_recording_is_left_and_said(shop: Path) -> None:
    text = CHAT.read_text() + "# sk-abcdefghijklmnopqrstuvwxyz012345\n"
    CHAT.write_text(text.replace("count: 1", "count: 2"))
    result = harness("cassettes", "scrub", "--write")
    assert result.exit_code == ExitCode.FAILED
    assert f"{CHAT}: is damaged: " in result.stdout
    assert "sk-abc" in CHAT.read_text()


def test_what_there_is_is_counted(shop: Path) -> None:
    change(ORDER, "simulated: true", "simulated: true, renewable: false")
    (row,) = json.loads(harness("cassettes", "stats", "--json").stdout)
    assert (row["files"], row["calls"], row["simulated"], row["unrenewable"], row["damaged"]) == (2, 3, 2, 1, 0)
    assert row["bytes"] == ORDER.stat().st_size + CHAT.stat().st_size
    assert row["input tokens"] > 0 and row["unpriced"] == 2
    assert row["oldest"] <= row["newest"]
    rows = json.loads(harness("cassettes", "stats", "--by", "variant", "--json").stdout)
    assert [(one["suite"], one["variant"], one["files"]) for one in rows] == [("shop", "shop", 2)]
    rows = json.loads(harness("cassettes", "stats", "--by", "model", "--json", str(CHAT)).stdout)
    assert [(one["model"], one["files"]) for one in rows] == [("gpt-test", 1)]
    CHAT.write_text("x")
    assert "damaged" in harness("cassettes", "stats").stdout
    assert json.loads(harness("cassettes", "stats", "--json").stdout)[0]["damaged"] == 1
