"""What services say of when to come again; nonsense is as good as nothing."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.limits.headers import allowance, go_duration, retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after-ms": "300"}, 0.3),
        ({"retry-after-ms": "300", "retry-after": "5"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "5"}, 5.0),
        ({"retry-after": formatdate(NOW + 20, usegmt=True)}, 20.0),
        ({"retry-after": formatdate(NOW - 20, usegmt=True)}, None),
        ({}, None),
        *(({"retry-after": nonsense}, None) for nonsense in ("0", "-5", "abc", "1e999", "nan", "-inf", "", "9" * 500)),
    ],
)
def test_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1m30s", 90.0),
        ("1h2m3.5s", 3723.5),
        ("6m0s", 360.0),
        ("0s", 0.0),
        ("20", 20.0),
        ("", None),
        ("-1", None),
        ("-5s", None),
        ("1m 30s", None),
        ("1 minute", None),
        ("1e999", None),
        ("s", None),
    ],
)
def test_durations_as_go_writes_them(text: str, seconds: float | None) -> None:
    assert go_duration(text) == seconds


def told(limit: str, left: str, reset: str) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": reset,
    }


def test_what_is_left_says_how_fast_it_comes_back() -> None:
    found = allowance(told("500", "499", "120ms"), "requests")
    assert found is not None
    assert found.rate == pytest.approx(500 / 60)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        told("500", "-1", "1s"),
        told("500", "0", "1s"),
        told("500", "500", "1s"),
        told("500", "501", "1s"),
        told("-1", "-1", "1s"),
        told("0", "0", "0"),
        told("500", "400", "0"),
        told("500", "400", "later"),
        told("many", "some", "1s"),
    ],
)
def test_what_cannot_be_believed_is_not(headers: dict[str, str]) -> None:
    assert allowance(headers, "requests") is None


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
@example("1e308", "1e-308", "1e-308")
def test_no_header_is_a_negative_or_endless_wait(one: str, two: str, three: str) -> None:
    for headers in ({"retry-after": one}, {"retry-after-ms": one}):
        seconds = retry_after(headers, now=NOW)
        assert seconds is None or 0 < seconds < math.inf
    duration = go_duration(one)
    assert duration is None or 0 <= duration < math.inf
    found = allowance(told(one, two, three), "requests")
    assert found is None or (found.rate > 0 and found.left > 0)
