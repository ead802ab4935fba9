"""A cassette from its file, or the reason why it cannot be trusted.

A file that was cut, edited or left half-written is refused as a whole: a recording that silently lost an interaction
would replay a conversation that never took place.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from harness.errors import CassetteDamaged
from harness.recording import sse
from harness.recording.cassette import FORMAT, Cassette, Facts, Interaction, Request
from harness.records import JSON

#: Of a trial's recording larger than this, bytes, the run says so.
LARGE = 512_000
#: A trial's recording larger than this is refused.
LARGEST = 2_000_000
#: How a trial's recording is made anew.
TRIAL = "record this trial anew with `harness record --rewrite`"


def read_cassette(path: Path, *, shown: str, how: str = TRIAL) -> Cassette:
    """Read and verify one cassette file.

    Args:
        path: The file.
        shown: How messages name it.
        how: What a user does to record it anew, for the message about a damaged one.

    Raises:
        FileNotFoundError: There is no such file.
        CassetteDamaged: There is one, and it is not whole.
    """
    try:
        raw = _raw(path)
    except _BrokenError as error:
        raise _damaged(str(error), shown, how) from None
    return parse_cassette(raw, shown=shown, how=how)


def parse_cassette(raw: bytes, *, shown: str, how: str = TRIAL) -> Cassette:
    """Read and verify a cassette from what its file holds; see `read_cassette`.

    Raises:
        CassetteDamaged: It is not whole.
    """
    try:
        return _cassette(data_of(raw))
    except _BrokenError as error:
        why = str(error)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, InvalidOperation) as error:
        why = f"an entry is incomplete ({type(error).__name__}: {_first_line(error)})"
    raise _damaged(why, shown, how)


def _damaged(why: str, shown: str, how: str) -> CassetteDamaged:
    return CassetteDamaged(f"{shown} is damaged: {why}. Restore it from version control, or {how}.", where=shown)


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _BrokenError(f"it cannot be read ({error.strerror or error})") from None


def data_of(raw: bytes) -> Any:
    """Return what a cassette file holds, as plain data, unchecked."""
    if len(raw) > LARGEST:
        raise _BrokenError(f"it has {len(raw):,} bytes, more than the {LARGEST:,} that a cassette may have")
    try:
        # A byte order mark and CRLF come from editors and checkouts; both are undone by decoding as text.
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, only faster)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise _BrokenError(f"it is not readable YAML ({_first_line(error)})") from None


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _BrokenError(Exception):
    """A cassette whose parts do not fit together."""


def _cassette(data: Any) -> Cassette:
    if not isinstance(data, dict) or data.get("version") != 1 or not isinstance(data.get("interactions"), list):
        raise _BrokenError("it is no cassette (`version: 1` and `interactions:` are missing)")
    entries = data["interactions"]
    if not entries:
        raise _BrokenError("it holds no interaction")
    interactions = tuple(_interaction(entry) for entry in entries)
    for number, one in enumerate(interactions, start=1):
        _check_events(number, one)
    mark = entries[-1]["response"].get("recorder", {}).get("cassette")
    if not isinstance(mark, dict):
        raise _BrokenError("its end mark is missing (it was cut short, or another tool wrote it)")
    facts = _facts(mark)
    if facts.format > FORMAT:
        raise _BrokenError(f"its format is {facts.format}, newer than this version of harness reads")
    if facts.count != len(interactions):
        raise _BrokenError(f"it should hold {facts.count} interactions and holds {len(interactions)}")
    return Cassette(interactions=interactions, facts=facts)


def _interaction(entry: Mapping[str, Any]) -> Interaction:
    request, response = entry["request"], entry["response"]
    recorder = response["recorder"]
    return Interaction(
        request=Request(
            method=str(request["method"]),
            uri=str(request["uri"]),
            headers=_headers(request["headers"]),
            body=_bytes(request["body"]),
        ),
        status=int(response["status"]["code"]),
        reason=str(response["status"]["message"]),
        headers=_headers(response["headers"]),
        body=_bytes(response["body"]["string"]) or b"",
        slot=int(recorder["slot"]),
        attempt=int(recorder["attempt"]),
        start=float(recorder["start"]),
        first_byte=float(recorder["first_byte"]),
        end=float(recorder["end"]),
        events=tuple(float(moment) for moment in recorder.get("events", ())),
        error=recorder.get("error"),
        truncated=bool(recorder.get("truncated", False)),
        conversation=recorder.get("conversation"),
    )


def _check_events(number: int, one: Interaction) -> None:
    """Compare the events of a stream with their times: a stream that was edited would replay at the wrong ones."""
    if not one.events:
        return
    found = len(sse.Splitter().feed(one.body))
    if found != len(one.events):
        raise _BrokenError(f"the stream of interaction {number} has {found} events and the times of {len(one.events)}")


def _facts(mark: Mapping[str, Any]) -> Facts:
    cost = mark.get("cost")
    return Facts(
        format=int(mark["format"]),
        count=int(mark["count"]),
        end=float(mark["end"]),
        waited=float(mark.get("waited", 0.0)),
        recorded_at=str(mark["recorded_at"]),
        source=dict(mark.get("source") or {}),
        harness=str(mark.get("harness")),
        openai=str(mark.get("openai")),
        case_hash=mark.get("case_hash"),
        assistant_hash=mark.get("assistant_hash"),
        prices=mark.get("prices"),
        cost=None if cost is None else Decimal(str(cost)),
        tools=tuple(_call(one) for one in mark.get("tools") or ()),
        definitions=dict(mark.get("definitions") or {}),
        sources={str(name): str(one) for name, one in dict(mark.get("sources") or {}).items()},
        conditions=dict(mark.get("conditions") or {}),
        seconds={str(number): float(one) for number, one in dict(mark.get("seconds") or {}).items()},
    )


def _call(entry: Any) -> Mapping[str, JSON]:
    if not isinstance(entry, dict) or not {"id", "name", "arguments"} <= entry.keys():
        raise _BrokenError("a call of a tool in it is incomplete")
    return entry


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(name).lower(): str(value[0]) if isinstance(value, list) else str(value) for name, value in headers.items()
    }


def _bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
