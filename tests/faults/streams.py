"""Streams that break, and connections that do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.faults.entries import Bare, Ends, Fault

_TALK = ({"chunks": ["Hello ", "there, ", "world"]},)


def _after(then: str, events: int = 3) -> Any:
    return [{"fault": {"stream": {"after": events, "then": then}}}]


def _both(
    number: int, letter: str, what: str, *, then: str, harness: Ends, chat: Bare, responses: Bare, **more: Any
) -> tuple[Fault, Fault]:
    """One fault of a stream, in both APIs."""
    chat_id, responses_id = f"F{number}{letter}", f"F{number}{chr(ord(letter or 'a') + 1)}"
    shared: Any = {"harness": harness, "stream": True, "script": _TALK, **more}
    return (
        Fault(id=chat_id, what=what, rules=_after(then), bare=chat, **shared),
        Fault(
            id=responses_id,
            what="the same of Responses",
            api="responses",
            rules=_after(then, 6),
            bare=responses,
            **shared,
        ),
    )


ROWS: Sequence[Fault] = (
    Fault(
        id="F34",
        what="a stream with comments that keep it alive, sent byte by byte",
        stream=True,
        script=[{"chunks": ["Hello ", "wörld 🌍"]}],
        expect={"equals": "Hello wörld 🌍"},
        rules=[{"fault": {"split": 1, "stream": {"comments": True}}}],
        harness=Ends(outcome="passed", words="the time to first token comes back on replay"),
        bare=Bare(returns="the text", check=lambda got: got == "Hello wörld 🌍"),
    ),
    *_both(
        35,
        "",
        "a stream that ends without a finish reason",
        then="cut",
        harness=Ends(outcome="error", kind="truncated_stream", kept=False),
        chat=Bare(returns="the text so far", check=lambda got: got == "Hello there, "),
        responses=Bare(returns="the text so far", check=lambda got: got.startswith("Hello ")),
    ),
)
