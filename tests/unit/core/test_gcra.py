"""The laws of the rate limiter's arithmetic."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.gcra import LATE_US, MINUTE_US, Bucket, admit, correction_us, request_cost_us, token_cost_us
from jackstay.core.limits import Limit

JITTER_US = 900_000
limits = st.integers(1, 20_000)
gaps = st.lists(st.integers(0, 90_000_000), min_size=1, max_size=200)


def admissions(limit: Limit, arrivals: list[int], tokens: list[int] | None = None) -> list[int]:
    """When each call goes out."""
    bucket, sent = Bucket(), []
    for index, now in enumerate(arrivals):
        at, bucket = admit(bucket, limit, tokens=tokens[index] if tokens else 0, now_us=now)
        sent.append(max(at, now))
    return sent


def most_in_a_minute(times: list[int], sizes: list[int] | None = None) -> int:
    times_sizes = sorted(zip(times, sizes or [1] * len(times), strict=True))
    most = total = start = 0
    for at, size in times_sizes:
        total += size
        while times_sizes[start][0] <= at - MINUTE_US:
            total -= times_sizes[start][1]
            start += 1
        most = max(most, total)
    return most


@given(limits, gaps, st.randoms())
def test_no_minute_has_more_requests_than_the_limit_wherever_they_are_delayed(limit, gaps, random):
    arrivals = list(accumulate(gaps, initial=10**15))
    sent = admissions(Limit("x", requests_per_min=limit), arrivals)

    seen = [at + random.randint(0, JITTER_US) for at in sent]

    assert most_in_a_minute(seen) <= limit


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 59, 60, 600, 6_000])
def test_a_crowd_gets_at_least_95_per_cent_and_never_more_than_the_limit(limit):
    minutes = 20 if limit < 100 else 3
    sent = admissions(Limit("x", requests_per_min=limit), [10**15] * (limit * minutes))

    assert most_in_a_minute(sent) <= limit
    assert (len(sent) - 1) / ((sent[-1] - sent[0]) / MINUTE_US or 1) >= 0.95 * limit


def test_goes_out_smoothly():
    sent = admissions(Limit("x", requests_per_min=600), [10**15] * 100)

    apart = [later - earlier for earlier, later in pairwise(sent)]
    assert max(apart) - min(apart[3:]) <= 1
    assert sum(1 for gap in apart if gap == 0) <= LATE_US / request_cost_us(600)


@given(limits, gaps)
def test_a_call_that_comes_when_nothing_is_due_does_not_wait(limit, gaps):
    cost = request_cost_us(limit)
    arrivals = list(accumulate((cost + gap for gap in gaps), initial=10**15))

    assert admissions(Limit("x", requests_per_min=limit), arrivals) == arrivals


@given(st.integers(1_000, 1_000_000), st.data())
def test_equal_calls_use_no_more_tokens_in_a_minute_than_the_limit(limit, data):
    size = data.draw(st.integers(max(1, limit // 500), limit // 2))
    calls = min(3 * limit // size, 300) + 2
    sent = admissions(Limit("x", tokens_per_min=limit), [10**15] * calls, [size] * calls)

    # What is late and catches up may put one call more into the first minute.
    assert most_in_a_minute(sent, [size] * calls) <= limit * 1.02 + size * (token_cost_us(limit, size) < LATE_US)
    assert most_in_a_minute(sent[1:], [size] * (calls - 1)) <= limit * 1.02


def test_small_calls_use_at_least_95_per_cent_of_the_tokens():
    sent = admissions(Limit("x", tokens_per_min=90_000), [10**15] * 300, [600] * 300)

    assert 299 * 600 / ((sent[-1] - sent[0]) / MINUTE_US) >= 0.95 * 90_000


def test_a_call_larger_than_the_limit_gets_through_and_is_paid_off():
    limit = Limit("x", tokens_per_min=1_000)
    first, second = admissions(limit, [10**15, 10**15], [5_000, 10])

    assert first == 10**15
    assert second - first >= 5 * MINUTE_US - LATE_US


@given(st.integers(2, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_correction_makes_the_bucket_what_it_would_have_been(per_min, reserved, used):
    limit = Limit("x", tokens_per_min=per_min)
    _, guessed = admit(Bucket(), limit, tokens=reserved, now_us=10**15)
    _, known = admit(Bucket(), limit, tokens=used, now_us=10**15)

    assert guessed.token_tat + correction_us(limit, reserved=reserved, used=used) == known.token_tat


def test_requests_and_tokens_are_admitted_together_at_the_later_time():
    both = Limit("x", requests_per_min=60, tokens_per_min=1_000)

    at, bucket = admit(Bucket(10**15, 10**15 + 5_000_000), both, tokens=10, now_us=10**15)

    assert at == 10**15 + 5_000_000
    assert bucket.request_tat == at + request_cost_us(60)


def test_a_limit_of_one_token_per_minute_still_passes():
    assert token_cost_us(1, 1) >= MINUTE_US
