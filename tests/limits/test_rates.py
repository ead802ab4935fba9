"""Buckets and rates, by a clock that the tests hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.limits.rates import Bucket, Rates, used_tokens, worst_tokens


@given(
    rate=st.floats(0.1, 1000),
    burst=st.floats(1, 100),
    asks=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5)), max_size=60),
)
def test_never_more_than_rate_times_time_and_burst(rate: float, burst: float, asks: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(rate, burst=burst), 0.0, 0.0
    for share, idle in asks:
        now += idle
        amount = share * burst
        now += bucket.wait(amount, now)
        bucket.take(amount, now)
        taken += amount
        assert taken <= rate * now + burst + 1e-6 * (rate * now + burst)


@given(rate=st.floats(0.1, 1000), amount=st.floats(1, 1e6))
def test_what_is_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for_after(
    rate: float, amount: float
) -> None:
    bucket = Bucket(rate, burst=1)
    assert bucket.wait(amount, 0.0) == 0
    bucket.take(amount, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx(amount / rate)


def times(rates: Rates, number: int, tokens: int = 0) -> list[float]:
    """When so many requests go out that are all there at once."""
    now, found = 0.0, []
    for _ in range(number):
        now += rates.wait(tokens, now)
        rates.take(tokens, now)
        found.append(now)
    return found


def test_requests_a_minute() -> None:
    assert times(Rates(rpm=60), 4) == pytest.approx([0, 1, 2, 3])
    assert times(Rates(rpm=1), 2) == pytest.approx([0, 60])


def test_tokens_a_minute_and_what_was_reserved_in_vain_comes_back() -> None:
    assert times(Rates(tpm=6000), 3, tokens=100) == pytest.approx([0, 1, 2])
    rates = Rates(tpm=6000)
    rates.take(100, 0.0)
    rates.settle(100, 40)
    assert rates.wait(100, 0.0) == pytest.approx(0.4)


def test_a_request_of_more_tokens_than_a_minute_has_goes_out() -> None:
    assert times(Rates(tpm=100), 2, tokens=1000) == pytest.approx([0, 600])


def headers(limit: int, left: int, reset: str) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": reset,
    }


def test_headers_set_the_pace_when_little_is_left() -> None:
    rates = Rates()
    rates.learn(headers(60, 2, "58s"), 0.0)
    assert times(rates, 4) == pytest.approx([0, 0, 1, 2])


def test_headers_make_nobody_wait_for_long() -> None:
    rates = Rates(patience=2)
    rates.learn(headers(1000, 1, "24h"), 0.0)
    assert max(later - sooner for sooner, later in zip([0.0, *times(rates, 5)], times(rates, 5), strict=False)) <= 10
    assert rates.wait(0, 0.0) <= 2


def test_the_worst_that_a_request_may_use() -> None:
    body = b'{"messages": "' + b"x" * 380 + b'", "max_tokens": 50}'
    assert worst_tokens(body) == len(body) // 4 + 50
    assert used_tokens(b'{"usage": {"prompt_tokens": 3, "total_tokens": 12}}') == 12
    assert used_tokens(b'{"usage": null}') is None
