"""The circuit breaker's arithmetic, and who is to blame for which failure."""

from __future__ import annotations

import pytest

from jackstay import errors
from jackstay.core.breaker import OPEN_S, THRESHOLD, Breaker
from jackstay.core.fallback import blame


def failed(times: int, *, at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker.failed(at, "server_error")
    return breaker


def test_opens_at_the_threshold_and_lets_one_try_when_the_time_is_over():
    breaker = failed(THRESHOLD - 1)
    assert breaker.entry(0) == "go"

    breaker.failed(0, "server_error")

    assert breaker.entry(OPEN_S - 0.1) == "open"
    assert breaker.entry(OPEN_S) == "probe"


def test_failed_probe_opens_it_again_and_an_answer_closes_it():
    breaker = failed(THRESHOLD)
    breaker.failed(OPEN_S, "server_error")
    assert breaker.entry(OPEN_S + 1) == "open"

    breaker.succeeded()

    assert breaker.entry(OPEN_S + 1) == "go"


def test_failures_have_to_be_in_a_row():
    breaker = failed(THRESHOLD - 1)
    breaker.succeeded()
    breaker.failed(0, "server_error")
    assert breaker.entry(0) == "go"


def test_provider_that_asks_for_a_longer_rest_gets_it():
    breaker = failed(THRESHOLD - 1)
    breaker.failed(0, "rate_limited", retry_after_s=100)
    assert breaker.entry(99) == "open"


@pytest.mark.parametrize("failures", range(THRESHOLD))
def test_so_many_are_let_through_at_once_that_the_threshold_is_not_passed(failures):
    breaker = failed(failures)
    let_through = 0
    while breaker.entry(0) == "go" and let_through < 100:
        breaker.in_flight += 1
        let_through += 1

    assert failures + let_through == THRESHOLD
    assert breaker.entry(0) == "wait"


def test_proven_model_takes_any_number_at_once():
    breaker = Breaker(in_flight=1_000)
    breaker.succeeded()
    assert breaker.entry(0) == "go"


def test_every_error_of_a_model_is_somebodys_fault_or_ours():
    kinds = {
        kind: blame(kind("x"))
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ModelError)
    }
    ours = {kind for kind, found in kinds.items() if found is None}

    assert ours == {errors.ModelError, errors.ModelRejected}
    assert blame(errors.ModelRejected("x", status=404)) == "model"
    assert blame(errors.ModelRejected("x", status=400)) is None
