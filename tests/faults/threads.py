"""Runs of the Assistants API that come to nothing, or to no end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.entries import Bare, Ends, Fault, Ran

_LOOKS = {"method": "GET", "path": "/v1/threads/*/runs/*"}
#: The assistant, the thread, the run, a look, and the ends of the thread and of the assistant.
_ALL = {"attempts": 5, "requests": (6, 6)}
#: An answer asks for the run's messages as well.
_ANSWERED = {"attempts": 6, "requests": (7, 7)}


def seen(**fault: Any) -> Sequence[Mapping[str, Any]]:
    """Let looks at a run go wrong."""
    return [{"match": _LOOKS, "fault": fault}]


def _ended(id: str, what: str, *, status: str, said: Sequence[str], **more: Any) -> Fault:
    return Fault(
        id=id,
        what=what,
        api="threads",
        rules=seen(set={"status": status, **more}),
        harness=Ends(outcome="error", kind=f"run_{status}", says=said, **_ALL),
        bare=Bare(attempts=4, returns="the run as it is", check=lambda got: got.status == status),
    )


def _cancelled_once(ran: Ran) -> None:
    told = [one.path for one in ran.server.requests if one.path.endswith("/cancel")]
    assert len(told) == len(ran.rows)
    # Looks come a tenth of a second apart at most, however often the service would be looked at.
    looks = sum(times for path, times in ran.server.counts.items() if path.startswith("GET "))
    assert 1 <= looks <= 10


def _for_ever(id: str, what: str, status: str) -> Fault:
    return Fault(
        id=id,
        what=what,
        api="threads",
        rules=[
            {
                "match": _LOOKS,
                "times": 30,
                "fault": {"set": {"status": status}, "headers": {"openai-poll-after-ms": "1"}},
            }
        ],
        settings={"timeout": "1s"},
        harness=Ends(
            outcome="error",
            kind="timeout",
            attempts=10,
            requests=(7, 16),
            kept=False,
            also=_cancelled_once,
            words="looked at until the trial's time is over, ten times a second at most; the run is cancelled, once",
        ),
        bare=Bare(
            attempts=34,
            returns="the run, however long it takes: a wait of its own has no end",
            check=lambda got: got.status == "completed",
        ),
    )


def _truncated(ran: Ran) -> None:
    assert [row["finish_reason"] for row in ran.rows] == ["length"]


def _lasts(fewest: float) -> Any:
    def check(ran: Ran) -> None:
        for row in ran.rows:
            assert fewest <= row["latency"] < fewest + 2

    return check


def _pause(id: str, asked: str, *, seconds: float, words: str, bare: Bare | None = None, looks: int = 0) -> Fault:
    """A service that says wrongly when to look again."""
    head = {"headers": {"openai-poll-after-ms": asked}}
    return Fault(
        id=id,
        what=f"`openai-poll-after-ms: {asked}`",
        api="threads",
        rules=[
            {"match": _LOOKS, "times": max(looks, 1), "fault": {**head, "set": {"status": "queued"}}},
        ],
        harness=Ends(
            outcome="passed",
            also=_lasts(seconds),
            attempts=6 + max(looks, 1),
            requests=(7 + max(looks, 1),) * 2,
            words=words,
        ),
        bare=bare,
    )


ROWS: Sequence[Fault] = (
    _ended(
        "F38",
        "a run that failed",
        status="failed",
        last_error={"code": "server_error", "message": "It broke."},
        said=["failed (server_error): It broke."],
    ),
    _ended("F38b", "a run that was cancelled", status="cancelled", said=["was cancelled"]),
    _ended("F38c", "a run that expired", status="expired", said=["expired"]),
    Fault(
        id="F38d",
        what="a run that is incomplete for its `max_completion_tokens`",
        api="threads",
        rules=seen(set={"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}}),
        harness=Ends(
            outcome="passed", also=_truncated, words="marked `truncated`, and the reports say so", **_ANSWERED
        ),
        bare=Bare(attempts=4, returns="the run as it is", check=lambda got: got.status == "incomplete"),
    ),
    Fault(
        id="F38e",
        what="a run that fails in the middle of its stream",
        api="threads",
        stream=True,
        script=[{"chunks": ["Hel"], "fail": {"status": 500, "message": "It broke.", "partial": True}}],
        harness=Ends(
            outcome="error", kind="run_failed", says=["failed (server_error): It broke."], attempts=4, requests=(5, 5)
        ),
    ),
    _for_ever("F39", "a run that stays in the queue for ever", "queued"),
    _for_ever("F39b", "a run whose status nobody knows", "paused"),
    _pause(
        "F39c",
        "x",
        seconds=1,
        words="looked at again after a second",
        bare=Bare(attempts=4, raises="ValueError"),
    ),
    _pause("F39d", "nan", seconds=1, words="looked at again after a second"),
    _pause("F39e", "0", seconds=0.4, looks=4, words="looked at again after a tenth of a second"),
    Fault(
        id="F39f",
        what="a run that waits for nothing that has a name",
        api="threads",
        rules=seen(set={"status": "requires_action", "required_action": {"type": "approve"}}),
        harness=Ends(
            outcome="error", kind="protocol", kept=False, attempts=6, requests=(7, 7), words="the run is cancelled"
        ),
        bare=Bare(attempts=4, returns="the run as it is", check=lambda got: got.status == "requires_action"),
    ),
)
