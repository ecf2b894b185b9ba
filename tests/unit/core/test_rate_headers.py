"""What is read from the headers of providers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jackstay.core.rate_headers import Announced, announced

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reset", "pause_s"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("11m", 0),
        ("1m30s", 90),
        ("20ms", 0.02),
        ("1.5s", 1.5),
        ("7", 7),
        ("soon", 0),
        ("", 0),
    ],
)
def test_openai_says_when_requests_are_taken_again(reset, pause_s):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}

    found = announced(200, headers, NOW)

    assert (found.pause_s if found else 0) == pytest.approx(pause_s)


def test_anthropic_gives_a_time():
    headers = {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:09Z"}

    assert announced(200, headers, NOW) == Announced(9.0)


def test_what_remains_is_no_reason_to_pause():
    headers = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "20s"}

    assert announced(200, headers, NOW) is None


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:04 GMT"}, 4),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "2", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3s"}, 3),
    ],
)
def test_a_429_says_when_to_come_back(headers, pause_s):
    found = announced(429, headers, NOW)

    assert found is not None
    assert found.pause_s == pytest.approx(pause_s)
    assert announced(503, {"retry-after": "2"}, NOW) is None


def test_limits_are_announced():
    headers = {"x-ratelimit-limit-requests": "500", "x-ratelimit-limit-tokens": "30000"}

    assert announced(200, headers, NOW) == Announced(0.0, 500, 30_000)
    assert announced(200, {"x-ratelimit-limit-requests": "lots"}, NOW) is None
