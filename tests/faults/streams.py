"""Streams that break, and connections that do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.faults.entries import Bare, Ends, Fault, Ran

_TALK = ({"chunks": ["Hello ", "there, ", "world"]},)


def _after(then: str, events: int = 3) -> Any:
    return [{"fault": {"stream": {"after": events, "then": then}}}]


#: Where runs are started.
_RUNS = {"method": "POST", "path": "/v1/threads/*/runs"}


def _broken(kind: str) -> Ends:
    return Ends(outcome="error", kind=kind, kept=False, also=_keeps_the_start, words="what was said so far is shown")


def _keeps_the_start(ran: Ran) -> None:
    for row in ran.rows:
        assert row["output"]
        assert "Hello there, world".startswith(row["output"])


def _of_a_run(letter: str, number: int, what: str, *, then: str, harness: Ends, **more: Any) -> Fault:
    """The same of the stream of a run: the run is stopped, and what was made for it is taken away."""
    rules = [{"match": _RUNS, "fault": {"stream": {"after": 8, "then": then}}}]
    # The assistant, the thread, the run, and the ends of all three.
    ends = replace(harness, attempts=5, requests=(6, 6))
    return Fault(
        id=f"F{number}{letter}", what=what, api="threads", stream=True, script=_TALK, rules=rules, harness=ends, **more
    )


def _has_a_first_token(ran: Ran) -> None:
    # A replay that says something else is noticed for every entry.
    assert all(row["ttft"] > 0 for row in ran.rows)


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
        id="F31",
        what="a header of 200 kB",
        rules=[{"fault": {"header_bytes": 200_000}}],
        harness=Ends(outcome="error", kind="protocol", attempts=3, kept=False),
        bare=Bare(attempts=3, raises="APIConnectionError"),
    ),
    Fault(
        id="F31b",
        what="a malformed header",
        rules=[{"fault": {"header_line": "this is no header"}}],
        harness=Ends(outcome="error", kind="protocol", attempts=3, kept=False),
        bare=Bare(attempts=3, raises="APIConnectionError"),
    ),
    Fault(
        id="F32",
        what="no byte ever comes",
        rules=[{"fault": {"hang": "before"}}],
        settings={"timeout": "300ms"},
        harness=Ends(outcome="error", kind="timeout", kept=False),
        bare=Bare(attempts=3, raises="APITimeoutError", timeout=0.1),
    ),
    Fault(
        id="F33",
        what="a few bytes now and then",
        rules=[{"fault": {"drip": {"bytes": 50, "every": 0.03}}}],
        settings={"timeout": "200ms"},
        harness=Ends(outcome="error", kind="timeout", kept=False),
        bare=Bare(
            returns="the answer, however long it takes: only the time between two bytes counts",
            check=lambda got: got.choices[0].message.content == "Hello there",
            timeout=0.1,
        ),
    ),
    Fault(
        id="F34",
        what="a stream with comments that keep it alive, sent byte by byte",
        stream=True,
        script=[{"chunks": ["Hello ", "wörld 🌍"]}],
        expect={"equals": "Hello wörld 🌍"},
        rules=[{"fault": {"split": 1, "stream": {"comments": True}}}],
        harness=Ends(outcome="passed", also=_has_a_first_token, words="the time to first token comes back on replay"),
        bare=Bare(returns="the text", check=lambda got: got == "Hello wörld 🌍"),
    ),
    Fault(
        id="F34b",
        what="the same of Responses",
        api="responses",
        stream=True,
        script=[{"chunks": ["Hello ", "wörld 🌍"]}],
        expect={"equals": "Hello wörld 🌍"},
        rules=[{"fault": {"split": 1, "stream": {"comments": True}}}],
        harness=Ends(outcome="passed", also=_has_a_first_token, words="the time to first token comes back on replay"),
        bare=Bare(returns="the text", check=lambda got: got == "Hello wörld 🌍"),
    ),
    Fault(
        id="F20b",
        what="a byte that is no UTF-8 in a stream",
        stream=True,
        rules=[{"fault": {"invalid_utf8": True}}],
        harness=Ends(outcome="error", kind="protocol", kept=False),
        bare=Bare(raises="UnicodeDecodeError"),
    ),
    *_both(
        35,
        "",
        "a stream that ends without a finish reason",
        then="cut",
        harness=_broken("truncated_stream"),
        chat=Bare(returns="the text so far", check=lambda got: got == "Hello there, "),
        responses=Bare(returns="the text so far", check=lambda got: got.startswith("Hello ")),
    ),
    *_both(
        36,
        "",
        "a stream that is closed in the middle",
        then="close",
        harness=_broken("connection"),
        chat=Bare(raises="APIConnectionError"),
        responses=Bare(raises="APIConnectionError"),
    ),
    *_both(
        36,
        "c",
        "a stream that is reset",
        then="reset",
        harness=_broken("connection"),
        chat=Bare(raises="APIConnectionError"),
        responses=Bare(raises="APIConnectionError"),
    ),
    *_both(
        36,
        "e",
        "a stream that stalls",
        then="stall",
        settings={"timeout": "300ms"},
        harness=_broken("timeout"),
        chat=Bare(raises="APITimeoutError", timeout=0.1),
        responses=Bare(raises="APITimeoutError", timeout=0.1),
    ),
    *_both(
        37,
        "",
        "an error among the events of a stream",
        then="error",
        harness=_broken("server"),
        chat=Bare(raises="APIError"),
        responses=Bare(returns="the text so far, and the error as an event", check=lambda got: got == "Hello there, "),
    ),
    *_both(
        37,
        "c",
        "an event that is no JSON",
        then="bad",
        harness=_broken("protocol"),
        chat=Bare(raises="JSONDecodeError"),
        responses=Bare(raises="JSONDecodeError"),
    ),
    _of_a_run("c", 35, "the same of a run", then="cut", harness=_broken("truncated_stream")),
    _of_a_run("g", 36, "the stream of a run is reset", then="reset", harness=_broken("connection")),
    _of_a_run("e", 37, "an error in the stream of a run", then="error", harness=_broken("server")),
)
