"""Calls of tools in a recording: kept when a trial is live, found again when it is replayed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from harness.errors import CassetteDamaged
from harness.jsontext import json_text, same_json
from harness.records import JSON, Attachment, ToolCall, ToolFailure, ToolSource
from harness.tools.endrun import EndRun
from harness.tools.plain import plain

_MOST = 3
_LONGEST = 80
_FAILURES = ("unknown", "arguments", "timeout", "raised", "mock")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One call, and what the tool gave."""

    id: str
    name: str
    arguments: JSON
    output: JSON = None
    error: str | None = None
    failure: ToolFailure | None = None
    #: What gave it then.
    source: ToolSource | None = "function"
    #: The tool ended the run; `output` is its data.
    ended: bool = False
    attachments: tuple[Attachment, ...] = ()

    @classmethod
    def of(cls, call: ToolCall, *, arguments: JSON, ended: EndRun | None) -> RecordedCall:
        """Return a call as it is recorded."""
        return cls(
            id=call.id,
            name=call.name,
            arguments=plain(arguments),
            output=call.output,
            error=call.error,
            failure=call.failure,
            source=call.source,
            ended=ended is not None,
            attachments=call.attachments,
        )

    @classmethod
    def read(cls, data: Mapping[str, JSON]) -> RecordedCall:
        """Return a call from plain data.

        Raises:
            CassetteDamaged: It is no such data.
        """
        try:
            return cls._read(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CassetteDamaged(
                f"the recording is damaged: a call of a tool is incomplete ({type(error).__name__}: {error}). Restore it "
                "from version control, or record this trial anew with `harness record --rewrite`."
            ) from None

    @classmethod
    def _read(cls, data: Mapping[str, JSON]) -> RecordedCall:
        failure = data.get("failure")
        if failure is not None and failure not in _FAILURES:
            raise ValueError(f"{failure!r} is no failure of a tool")
        return cls(
            id=str(data["id"]),
            name=str(data["name"]),
            arguments=data["arguments"],
            output=data.get("output"),
            error=data.get("error"),
            failure=cast("ToolFailure | None", failure),
            source=cast("ToolSource", data.get("source", "function")),
            ended=bool(data.get("ended", False)),
            attachments=tuple(
                Attachment(
                    kind=one["kind"],
                    name=one["name"],
                    media_type=one["media_type"],
                    data=base64.b64decode(one["data"], validate=True),
                )
                for one in data.get("attachments", ())
            ),
        )

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data, for a cassette."""
        found: dict[str, JSON] = {"id": self.id, "name": self.name, "arguments": self.arguments}
        if self.error is None:
            found["output"] = self.output
        else:
            found |= {"error": self.error, "failure": self.failure}
        if self.source not in (None, "function"):
            found["source"] = self.source
        if self.ended:
            found["ended"] = True
        if self.attachments:
            found["attachments"] = [
                {
                    "kind": one.kind,
                    "name": one.name,
                    "media_type": one.media_type,
                    "data": base64.b64encode(one.data).decode("ascii"),
                }
                for one in self.attachments
            ]
        return found


class Recording:
    """The calls of a recording that were not played yet."""

    def __init__(self, calls: Sequence[RecordedCall]) -> None:
        self._waiting = list(calls)

    def take(self, call: ToolCall, arguments: JSON) -> RecordedCall | None:
        """Return the recorded call that this one repeats, once; None where there is none (left).

        It is the one with the same id and name, else the first with the same name and equal arguments.
        """
        asked = plain(arguments)
        same_name = [one for one in self._waiting if one.name == call.name]
        same_id = [one for one in same_name if one.id == call.id]
        equal = [one for one in same_name if same_json(one.arguments, asked)]
        # Some services give the same ids again in every step, and then the arguments tell.
        both = [one for one in same_id if one in equal]
        for found in (both, same_id, equal):
            if found:
                index = next(index for index, one in enumerate(self._waiting) if one is found[0])
                return self._waiting.pop(index)
        return None


def drift(call: ToolCall, recorded: RecordedCall, *, output: JSON, error: str | None) -> str | None:
    """Say how a result differs from the recorded one; None where it does not."""
    if error is None and recorded.error is None:
        found = list(_differences(recorded.output, output, "$"))
        said = "; ".join(found[:_MOST]) + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")
    elif error != recorded.error:
        before = f"error {_short(recorded.error)}" if recorded.error is not None else _short(recorded.output)
        said = f"{before} -> " + (f"error {_short(error)}" if error is not None else _short(output))
    else:
        return None
    return f"tool {call.name}, {call.id}: {said}" if said else None


def _differences(before: JSON, now: JSON, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"
            if key not in now:
                yield f"{inner} {_short(before[key])} -> nothing"
            elif key not in before:
                yield f"{inner} nothing -> {_short(now[key])}"
            else:
                yield from _differences(before[key], now[key], inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]")
    elif not same_json(before, now):
        yield f"{path} {_short(before)} -> {_short(now)}"


def _short(value: JSON) -> str:
    text = json_text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
