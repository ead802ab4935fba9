"""The cassette format is frozen: these files were written once, and every later version reads and writes them alike.

They are scripted, and their `source` says so. A change that breaks one of these tests breaks cassettes in people's
repositories; it needs a new `format` number and a reader for the old one.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from vcr.cassette import Cassette as StockCassette

from harness.recording import ReplayTape, Request, emit, read_cassette

FILES = sorted((Path(__file__).parent.parent / "data/cassettes").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_frozen_file_is_read_and_written_again_to_the_byte(path: Path) -> None:
    assert emit(read_cassette(path, shown=path.name)).encode() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stock_vcrpy_loads_a_frozen_file(path: Path) -> None:
    ours = read_cassette(path, shown=path.name)
    stock = StockCassette.load(path=str(path))
    assert [request.uri for request in stock.requests] == [one.request.uri for one in ours.interactions]
    assert [response["body"]["string"] for response in stock.responses] == [one.body for one in ours.interactions]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_frozen_file_replays_every_call_it_holds(path: Path) -> None:
    cassette = read_cassette(path, shown=path.name)
    tape = ReplayTape(cassette, shown=path.name)
    last = {one.slot: one for one in cassette.interactions}
    for _, one in sorted(last.items()):
        assert tape.play(one.request)[0] == one
    assert tape.attempts == len(cassette.interactions)
    assert tape.latency == max(one.end for one in cassette.interactions)


def test_what_the_fields_mean() -> None:
    folder = FILES[0].parent
    retried = read_cassette(folder / "retried.yaml", shown="retried")
    assert [(one.slot, one.attempt, one.status) for one in retried.interactions] == [
        (1, 1, 429),
        (1, 2, 599),
        (1, 3, 200),
    ]
    assert retried.interactions[1].error == "timeout: ReadTimeout"
    stream = read_cassette(folder / "stream.yaml", shown="stream").interactions[0]
    assert (stream.first_byte, stream.events, stream.end) == (0.51, (0.6, 0.7, 0.71), 0.711)
    assert read_cassette(folder / "left-early.yaml", shown="left").interactions[0].truncated
    facts = read_cassette(folder / "answer.yaml", shown="answer").facts
    assert (facts.format, facts.count, facts.cost) == (1, 1, Decimal("0.000012"))
    assert facts.source == {"host": "127.0.0.1:8089", "model": "script", "simulated": True}
    assert read_cassette(folder / "unpriced.yaml", shown="unpriced").facts.cost is None
    binary = read_cassette(folder / "binary.yaml", shown="binary").interactions[0].request
    assert isinstance(binary, Request)
    assert b"\xff\x00\xfe" in (binary.body or b"")
