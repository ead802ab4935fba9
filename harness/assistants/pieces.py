"""When the first piece of an answer came, where a target answers in pieces.

What counts is the recorded moment at which the model had said the words of that piece. A framework may read the model's
stream in a task of its own, so the clock of whoever takes the pieces says little, and on replay nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.assistants import wire
from harness.recording import Interaction, Tape, sse


class FirstPiece:
    """Listens to the pieces of one turn's answer."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._text: str | None = None
        self._before = 0.0

    def heard(self, given: Any) -> str:
        """Take the next piece; return its text."""
        text = "" if given is None else str(given)
        if self._text is None and text:
            self._text = text
            self._before = max((one.end for one in self._tape.interactions), default=0.0)
        return text

    def moment(self, interactions: Iterable[Interaction]) -> float | None:
        """Return when the first piece was there, seconds from trial start; None where there were no pieces.

        Args:
            interactions: What the turn sent and received. If none was streamed, a piece was there when the last answer
                before it had come.
        """
        if self._text is None:
            return None
        first: float | None = None
        streamed = False
        for one in interactions:
            said = ""
            for moment, delta in _deltas(one):
                streamed = True
                first = moment if first is None else first
                said += delta
                if self._text in said:
                    return moment
        return first if streamed else self._before


def _deltas(one: Interaction) -> Iterator[tuple[float, str]]:
    """Yield each piece of text that a model streamed, and when it was there."""
    if one.error is not None or one.status >= 400:
        return
    for moment, block in zip(one.events, sse.blocks(one.body), strict=False):
        event = sse.decode(block)
        try:
            body = json.loads(event.data) if event is not None else None
            text = _delta(body) if isinstance(body, Mapping) else ""
        except wire.UNREADABLE:
            continue
        if text:
            yield moment, text


def _delta(body: Mapping[str, Any]) -> str:
    if body.get("object") == "chat.completion.chunk":
        said = [choice.get("delta") or {} for choice in body.get("choices") or ()]
        return "".join(wire.text(one.get("content")) or wire.text(one.get("refusal")) for one in said)
    if body.get("type") in ("response.output_text.delta", "response.refusal.delta"):
        return wire.text(body.get("delta"))
    if body.get("object") == "thread.message.delta":
        parts = body["delta"].get("content") or ()
        return "".join(wire.text((part.get("text") or {}).get("value")) for part in parts)
    return ""
