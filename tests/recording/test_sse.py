"""Streams of events come out the same however their bytes were cut on the way."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from harness.recording import sse

_PIECES = st.sampled_from(
    ["data: ", "data:", "event: x", "\n", "\r", "\r\n", "ü", "🌍", "a", ":", ": keep-alive", " ", "id: 7"]
)
_BODIES = st.lists(_PIECES, max_size=24).map(lambda parts: "".join(parts).encode())


def _fed(parts: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = sse.Splitter()
    blocks = [block for part in parts for block in splitter.feed(part)]
    return blocks, splitter.rest()


def _data(blocks: list[bytes]) -> list[str]:
    return [event.data for event in map(sse.decode, blocks) if event is not None]


def _by_lines(body: bytes) -> list[str]:
    """The data of each complete event, read line by line as the standard describes it."""
    *lines, _ = re.split(r"\r\n|\n|\r", body.decode())
    events: list[str] = []
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if line == "":
            events += ["\n".join(data)] if data else []
            data = []
        elif field == "data":
            data.append(value.removeprefix(" "))
    return events


@given(_BODIES, st.data())
@example(b"data: a\r\n\rdata: b\n\n", None)
def test_events_are_the_same_however_the_bytes_are_cut(body: bytes, data: st.DataObject | None) -> None:
    single = [body[at : at + 1] for at in range(len(body))]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=4))) if data is not None else []
    random = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole = _data(_fed([body])[0])
    for parts in (single, random):
        blocks, rest = _fed(parts)
        assert b"".join(blocks) + rest == body
        assert _data(blocks) == whole


@given(_BODIES)
def test_events_are_those_of_the_standard(body: bytes) -> None:
    # What ends with CR is not known to be complete: the next byte may be its LF.
    found = _data(_fed([body])[0])
    expected = _by_lines(body)
    assert found == expected or (body.endswith(b"\r") and found == expected[:-1])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), max_size=5))
def test_texts_arrive_whole_though_their_characters_are_cut_in_two(texts: list[str]) -> None:
    body = b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)
    assert _data(_fed([body[at : at + 1] for at in range(len(body))])[0]) == texts
    assert [event.data for event in map(sse.decode, sse.blocks(body)) if event is not None] == texts
