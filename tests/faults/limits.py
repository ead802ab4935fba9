"""Services that refuse, fail, break off or are not there: what is sent again, when, and when no more."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.entries import Bare, Ends, Fault, Ran


def _first(times: int, **fault: Any) -> Sequence[Mapping[str, Any]]:
    return [{"times": times, "fault": fault}]


def _always(**fault: Any) -> Sequence[Mapping[str, Any]]:
    return [{"fault": fault}]


def _lasts(fewest: float, most: float) -> Any:
    """A check that trials took so many seconds, which is how long was waited."""

    def check(ran: Ran) -> None:
        for row in ran.rows:
            assert fewest <= row["latency"] <= most, row["latency"]

    return check


def _told(message: str, code: str | None = None, **more: Any) -> Mapping[str, Any]:
    return {"json": {"error": {"message": message, "code": code, "type": None, **more}}}


def _no_key(ran: Ran) -> None:
    assert "OPENAI_API_KEY" in ran.result.output
    assert "none-needed" not in ran.result.output


def _nothing_paid(ran: Ran) -> None:
    assert "may have been paid" not in ran.result.output


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


_PASSED = Ends(outcome="passed", attempts=2)
_SLOWLY = {"backoff": "200ms", "jitter": 0.0}
_BAD = Ends(outcome="error", kind="bad_request", says=["no such thing"])

ROWS: Sequence[Fault] = (
    Fault(
        id="F1",
        what="429, then an answer",
        rules=_first(1, status=429),
        retry=_SLOWLY,
        harness=Ends(outcome="passed", attempts=2, also=_lasts(0.2, 2), words="after the back-off"),
        bare=Bare(attempts=2, returns="the answer", check=lambda got: got.choices[0].message.content == "Hello there"),
    ),
    Fault(
        id="F2",
        what="429 with `Retry-After: 1`, then an answer; four trials at once",
        rules=_first(4, status=429, headers={"retry-after": "1"}),
        cases=4,
        harness=Ends(
            outcome="passed",
            attempts=2,
            also=_lasts(1, 5),
            words="everybody waits for a second, then one after the other",
        ),
    ),
    Fault(
        id="F3",
        what="429 with `retry-after-ms: 150`",
        rules=_first(1, status=429, headers={"retry-after-ms": "150"}),
        harness=Ends(outcome="passed", attempts=2, also=_lasts(0.15, 1.5), words="after as long as was asked"),
    ),
    *(
        Fault(
            id=f"F3{letter}",
            what=f"429 with `Retry-After: {said}`",
            rules=_first(1, status=429, headers={"retry-after": said}),
            retry=_SLOWLY,
            harness=Ends(outcome="passed", attempts=2, also=_lasts(0.2, 2), words="after the back-off"),
        )
        for letter, said in zip("bcde", ("0", "-5", "abc", "1e999"), strict=True)
    ),
    Fault(
        id="F4",
        what="429 with `Retry-After: 3600`",
        rules=_always(status=429, headers={"retry-after": "3600"}),
        harness=Ends(
            outcome="error",
            kind="rate_limited",
            kept=False,
            says=["asks to wait 3600 s"],
            words="at once: longer than `retry.budget`",
        ),
        bare=Bare(attempts=1, raises="RateLimitError"),
    ),
    Fault(
        id="F5",
        what="429 for ever; 200 cases, 100 at once",
        rules=_always(status=429),
        retry={"backoff": "10ms", "longest": "50ms"},
        cases=200,
        flags=["-j", "100"],
        harness=Ends(
            outcome="error",
            kind="rate_limited",
            kept=False,
            requests=(100, 110),
            words="at most 110 requests in all: one tries at a time, and after six refusals nobody does",
        ),
        slow=True,
    ),
    Fault(
        id="F7",
        what="500, 502, then an answer",
        rules=[{"match": {"nth": 1}, "fault": {"status": 500}}, {"match": {"nth": 1}, "fault": {"status": 502}}],
        harness=Ends(outcome="passed", attempts=3),
        bare=Bare(attempts=3, returns="the answer", check=lambda got: got.choices[0].message.content == "Hello there"),
    ),
    Fault(
        id="F7b",
        what="503 and 529, then an answer",
        rules=[{"match": {"nth": 1}, "fault": {"status": 503}}, {"match": {"nth": 1}, "fault": {"status": 529}}],
        harness=Ends(outcome="passed", attempts=3),
    ),
    Fault(
        id="F8",
        what="500 for ever",
        rules=_always(status=500, **_told("out of order")),
        harness=Ends(outcome="error", kind="server", attempts=3, kept=False, says=["out of order", "Run again later"]),
        bare=Bare(attempts=3, raises="InternalServerError"),
    ),
    Fault(
        id="F8b",
        what="500 with `x-should-retry: false`",
        rules=_always(status=500, headers={"x-should-retry": "false"}),
        harness=Ends(outcome="error", kind="server", kept=False),
        bare=Bare(attempts=1, raises="InternalServerError"),
    ),
    *(
        Fault(
            id=f"F9{letter}",
            what=f"{status}",
            rules=_always(status=status, **_told("no such thing")),
            harness=_BAD,
            bare=Bare(attempts=1, raises=raises),
        )
        for letter, status, raises in (
            ("", 400, "BadRequestError"),
            ("b", 404, "NotFoundError"),
            ("c", 413, "APIStatusError"),
            ("d", 422, "UnprocessableEntityError"),
        )
    ),
    Fault(
        id="F9e",
        what="400 with `x-should-retry: true`",
        rules=_always(status=400, headers={"x-should-retry": "true"}, **_told("no such thing")),
        harness=Ends(outcome="error", kind="bad_request", attempts=3, says=["no such thing"]),
        bare=Bare(attempts=3, raises="BadRequestError"),
    ),
    Fault(
        id="F11",
        what="408, then an answer",
        rules=_first(1, status=408),
        harness=_PASSED,
        bare=Bare(attempts=2, returns="the answer", check=lambda got: got.choices[0].message.content == "Hello there"),
    ),
    Fault(id="F11b", what="409, then an answer", rules=_first(1, status=409), harness=_PASSED),
    Fault(
        id="F14",
        what="the connection is reset before the answer",
        rules=_always(reset="before"),
        harness=Ends(outcome="error", kind="connection", attempts=3, kept=False, says=["broke off"]),
        bare=Bare(attempts=3, raises="APIConnectionError"),
    ),
    Fault(
        id="F14b",
        what="the same, with `broken = false`",
        rules=_always(reset="before"),
        retry={"broken": False},
        harness=Ends(outcome="error", kind="connection", attempts=1, kept=False, words="nothing is paid twice"),
    ),
    Fault(
        id="F15",
        what="the connection is reset in the answer, then an answer",
        rules=_first(1, reset=40),
        harness=_PASSED,
        bare=Bare(attempts=2, returns="the answer", check=lambda got: got.choices[0].message.content == "Hello there"),
    ),
    Fault(
        id="F15b",
        what="an answer shorter than its content-length",
        rules=_always(close=40),
        harness=Ends(outcome="error", kind="connection", attempts=3, kept=False),
        bare=Bare(attempts=3, raises="APIConnectionError"),
    ),
    Fault(
        id="F45",
        what="nobody listens at the address",
        suite={"base_url": f"http://127.0.0.1:{_closed_port()}/v1"},
        harness=Ends(
            outcome="error",
            kind="connection",
            attempts=3,
            requests=(0, 0),
            kept=False,
            says=["nobody answers at"],
            also=_nothing_paid,
        ),
    ),
    Fault(
        id="F6",
        what="429 `insufficient_quota`",
        harness=Ends(
            outcome="error",
            kind="quota",
            kept=False,
            says=["Add credit"],
            words="nothing more is sent, the rest is skipped",
        ),
        rules=_always(status=429, **_told("You exceeded your quota.", "insufficient_quota")),
        bare=Bare(attempts=3, raises="RateLimitError"),
    ),
    Fault(
        id="F13",
        what="302, 307 or 308 to somewhere else",
        harness=Ends(outcome="error", kind="redirect", says=["not followed"]),
        held_by="tests/limits/test_services.py::test_redirects_are_not_followed",
    ),
    Fault(
        id="F10",
        what="401 or 403",
        harness=Ends(
            outcome="error", kind="credentials", exit=2, words="the run ends; the variable is named, the key never"
        ),
        held_by="tests/limits/test_services.py::test_a_refused_key_ends_the_run",
    ),
    Fault(
        id="F45b",
        what="the host's name is not known; its certificate is not trusted",
        harness=Ends(outcome="error", kind="connection", attempts=1),
        held_by="tests/limits/test_services.py::test_a_host_that_is_not_known_is_looked_up_once",
    ),
)
