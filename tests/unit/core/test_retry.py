"""The one retry policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.retry import MAX_RETRY_AFTER_S, Retry, next_wait_s
from jackstay.errors import (
    JackstayError,
    ModelAuthenticationFailed,
    ModelConnectionFailed,
    ModelError,
    ModelOverloaded,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelRejected,
    ModelServerError,
    ModelTimeout,
)


def waits(policy: Retry, error: Exception, draw: float = 0.0) -> list[float | None]:
    return [next_wait_s(policy, error, attempt=attempt, draw=draw) for attempt in range(1, policy.max_attempts + 1)]


def test_waits_1_2_4_seconds_and_then_gives_up() -> None:
    assert waits(Retry(), ModelServerError("x")) == [1.0, 2.0, 4.0, None]


def test_a_wait_is_capped() -> None:
    assert waits(Retry(max_attempts=8, max_s=5), ModelServerError("x")) == [1, 2, 4, 5, 5, 5, 5, None]


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_jitter_only_shortens_a_wait_and_by_its_share_at_most(attempt: int, draw: float, jitter: float) -> None:
    policy = Retry(jitter=jitter)
    full = min(2.0 ** (attempt - 1), 30.0)

    assert full * (1 - jitter) <= policy.wait_s(attempt, draw) <= full


@pytest.mark.parametrize("asked", [0.0, 0.25, 7.0, MAX_RETRY_AFTER_S])
def test_retry_after_is_honoured(asked: float) -> None:
    error = ModelRateLimited("x", retry_after_s=asked)

    assert next_wait_s(Retry(), error, attempt=1, draw=0.9) == asked


def test_a_retry_after_beyond_the_cap_gives_up() -> None:
    error = ModelRateLimited("x", retry_after_s=MAX_RETRY_AFTER_S + 0.1)

    assert next_wait_s(Retry(), error, attempt=1, draw=0) is None


def test_a_retry_after_in_the_past_waits_not_at_all() -> None:
    assert next_wait_s(Retry(), ModelRateLimited("x", retry_after_s=-3), attempt=1, draw=0) == 0


@pytest.mark.parametrize(
    "error",
    [
        ModelRejected("x"),
        ModelAuthenticationFailed("x"),
        ModelQuotaExceeded("x", retry_after_s=1),
        ModelError("x"),
        JackstayError("x"),
        ValueError("x"),
        TimeoutError("x"),
    ],
)
def test_what_is_not_retryable_is_not_retried(error: Exception) -> None:
    assert next_wait_s(Retry(), error, attempt=1, draw=0) is None


@pytest.mark.parametrize(
    "kind", [ModelRateLimited, ModelOverloaded, ModelServerError, ModelConnectionFailed, ModelTimeout]
)
def test_the_worlds_faults_are_retried(kind: type[ModelError]) -> None:
    assert next_wait_s(Retry(), kind("x"), attempt=1, draw=0) == 1.0


def test_no_retry_makes_one_attempt() -> None:
    assert waits(Retry(max_attempts=1), ModelServerError("x", retry_after_s=1)) == [None]


@pytest.mark.parametrize("given_values", [{"max_attempts": 0}, {"backoff_s": -1}, {"factor": -1}, {"jitter": 1.1}])
def test_a_policy_that_makes_no_sense_is_refused(given_values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Retry"):
        Retry(**given_values)  # type: ignore[arg-type]


def test_a_high_attempt_number_does_not_overflow() -> None:
    assert Retry(max_attempts=5000).wait_s(4000, 0) == 30.0


def test_model_that_can_be_replaced_is_asked_once_and_the_last_one_with_all_attempts() -> None:
    error = ModelServerError("x")
    assert next_wait_s(Retry(), error, attempt=1, draw=0, replaceable=True) is None
    assert next_wait_s(Retry(before_fallback=2), error, attempt=1, draw=0, replaceable=True) == 1
    assert next_wait_s(Retry(), error, attempt=1, draw=0) == 1


@pytest.mark.parametrize("name", ["max_attempts", "before_fallback"])
def test_no_attempt_at_all_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Retry(**{name: 0})
