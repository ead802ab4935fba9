"""Calls of tools in a recording: kept when a trial is live, found again when it is replayed.

One trial may hold several conversations, since assistants serve as tools of others, and services may give the same ids
in each of them. So a call is kept with the conversation that it was made in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from harness.errors import CassetteDamaged
from harness.jsontext import same_json
from harness.records import JSON, Attachment, ToolCall, ToolFailure, ToolSource
from harness.tools.endrun import EndRun
from harness.tools.plain import plain

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
    #: The conversation that it was made in: empty for that of the assistant under test. One that its third call began,
    #: by asking another assistant, is `3`; and `3.1` is one that the first call in there began.
    conversation: str = ""
    #: Which call of its conversation it was, from 1, where it must not be taken for any other; None: id and arguments
    #: tell.
    number: int | None = None
    #: Which of the case's mocks it got, from 1 in their sequence; it has no output of its own then.
    mock: int | None = None

    @classmethod
    def of(
        cls,
        call: ToolCall,
        *,
        arguments: JSON,
        ended: EndRun | None,
        conversation: str = "",
        number: int | None = None,
        mock: int | None = None,
    ) -> RecordedCall:
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
            conversation=conversation,
            number=number,
            mock=mock,
        )

    @classmethod
    def read(
        cls,
        data: Mapping[str, JSON],
        *,
        shown: str = "the recording",
        how: str = "record this trial anew with `harness record --rewrite`",
    ) -> RecordedCall:
        """Return a call from plain data.

        Args:
            data: As a cassette's facts have it.
            shown: How messages name the cassette.
            how: What a user does to record it anew.

        Raises:
            CassetteDamaged: It is no such data.
        """
        try:
            return cls._read(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CassetteDamaged(
                f"{shown} is damaged: a call of a tool is incomplete ({type(error).__name__}: {error}). Restore it from "
                f"version control, or {how}.",
                where=shown,
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
            conversation=str(data.get("conversation", "")),
            number=_counted(data.get("number")),
            mock=_counted(data.get("mock")),
        )

    def plain(self) -> dict[str, JSON]:
        """Return it as plain data, for a cassette."""
        found: dict[str, JSON] = {"id": self.id, "name": self.name, "arguments": self.arguments}
        if self.conversation:
            found["conversation"] = self.conversation
        if self.number is not None:
            found["number"] = self.number
        if self.mock is not None:
            return found | {"mock": self.mock}
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
    """The calls of a recording that were not played yet; all conversations of a trial share one."""

    def __init__(self, calls: Sequence[RecordedCall], *, seconds: Mapping[str, float] | None = None) -> None:
        """
        Args:
            calls: In the order in which they were made.
            seconds: How long calls took, by their place; see `place_of`.
        """
        self._waiting = list(calls)
        self._seconds = seconds or {}
        # Recordings made before calls were kept with their conversations say nothing of them.
        self._told = any(one.conversation for one in calls)

    @property
    def left(self) -> tuple[RecordedCall, ...]:
        """The calls that were not played."""
        return tuple(self._waiting)

    def seconds(self, place: str) -> float | None:
        """Return how long the call in a place took; None where that was not recorded."""
        return self._seconds.get(place)

    def at(self, call: ToolCall, *, conversation: str, number: int) -> RecordedCall | None:
        """Return, once, what was recorded for this very call and for no other like it; None where nothing was.

        Args:
            call: What the model asks for.
            conversation: In which conversation.
            number: Which call of it, from 1.
        """
        place = (conversation, number, call.id, call.name)
        found = [one for one in self._waiting if (one.conversation, one.number, one.id, one.name) == place]
        return self._taken(found[0]) if found else None

    def take(self, call: ToolCall, arguments: JSON, *, conversation: str = "") -> RecordedCall | None:
        """Return the recorded call that this one repeats, once; None where there is none (left).

        It is the one with the same id and name, else the first with the same name and equal arguments.
        """
        asked = plain(arguments)
        same_name = [one for one in self._waiting if one.name == call.name and self._may_be(one, conversation)]
        same_id = [one for one in same_name if one.id == call.id]
        equal = [one for one in same_name if same_json(one.arguments, asked)]
        # Some services give the same ids again in every step, and then the arguments tell.
        both = [one for one in same_id if one in equal]
        for found in (both, same_id, equal):
            if found:
                return self._taken(found[0])
        return None

    def _may_be(self, one: RecordedCall, conversation: str) -> bool:
        return one.number is None and (one.conversation == conversation or not self._told)

    def _taken(self, found: RecordedCall) -> RecordedCall:
        self._waiting = [one for one in self._waiting if one is not found]
        return found


def place_of(conversation: str, number: int) -> str:
    """Return the place of a call in a trial: `2` in the assistant's own conversation, `2.1` in one that this call began."""
    return f"{conversation}.{number}" if conversation else str(number)


def _counted(value: JSON) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no place in a sequence")
    return value
