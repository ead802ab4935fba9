"""Editors, hooks, checkouts and formatters: what they do to a file leaves it the same recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode
from harness.recording import Cassette, Facts, Interaction, Request, emit, read_cassette
from tests.hygiene.shelf import ORDER
from tests.projects import harness

ODD = st.sampled_from(
    [
        "",
        " ",
        "x ",
        "x\t",
        "\t",
        "  x",
        "data: ",
        "data: {}",
        "\r",
        "x\u00a0",
        "\u3000",
        "\x85",
        "#",
        "- a",
        "---",
        "é😀",
    ]
)
TEXTS = st.lists(ODD, max_size=6).map("\n".join)


def cassette(sent: str, got: str, told: str, kind: str) -> Cassette:
    one = Interaction(
        request=Request(method="POST", uri="http://h/v1/x", headers={"content-type": kind}, body=sent.encode()),
        status=200,
        reason="OK",
        headers={"content-type": kind},
        body=got.encode(),
        slot=1,
        attempt=1,
        start=0.0,
        first_byte=0.25,
        end=1e-06 + 1,
    )
    facts = Facts(
        count=1,
        end=1.25,
        recorded_at="2026-11-21T14:32:05Z",
        harness="0",
        openai="0",
        tools=({"id": "1", "name": "n", "arguments": {}, "output": {told: told}},),
    )
    return Cassette(interactions=(one,), facts=facts)


def tidied(text: bytes) -> bytes:
    """As trailing-whitespace and end-of-file-fixer do."""
    return b"\n".join(line.rstrip() for line in text.split(b"\n")).rstrip(b"\n") + b"\n"


@settings(max_examples=40, deadline=None)
@given(sent=TEXTS, got=TEXTS, told=TEXTS, kind=st.sampled_from(["text/event-stream", "application/json", "text/plain"]))
def test_hooks_find_nothing_to_do_and_other_writers_keep_everything(
    tmp_path_factory: pytest.TempPathFactory, sent: str, got: str, told: str, kind: str
) -> None:
    whole = cassette(sent, got, told, kind)
    text = emit(whole)
    assert tidied(text.encode()) == text.encode()
    assert re.search(r"[^\S\n]\n", text) is None
    path = tmp_path_factory.mktemp("c") / "c.1.yaml"
    for changed in (
        text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("\n", "\r\n").encode(),
        yaml.safe_dump(yaml.safe_load(text), width=60).encode(),
        yaml.safe_dump(yaml.safe_load(text), allow_unicode=True, default_style='"', sort_keys=False).encode(),
    ):
        path.write_bytes(changed)
        assert read_cassette(path, shown="c") == whole


def test_a_recording_that_another_writer_laid_out_replays(shop: Path) -> None:
    ORDER.write_text(yaml.safe_dump(yaml.safe_load(ORDER.read_text()), width=60, sort_keys=False))
    assert harness("run").exit_code == ExitCode.PASSED
    found = harness("cassettes", "verify")
    assert found.exit_code == ExitCode.PASSED
    assert f"warning: {ORDER}: it is not laid out as it was written" in found.stdout


def test_a_formatter_that_loses_the_ends_of_events_is_found(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    shipped = Path(__file__).parents[2] / "cassettes/streaming/chat/two-turns.1.yaml"
    ORDER.write_text(re.sub(r"\n\n(?= *data:)", "\n", shipped.read_text()))
    found = harness("cassettes", "verify", str(ORDER))
    assert found.exit_code == ExitCode.FAILED
    assert "events and " in found.stdout
