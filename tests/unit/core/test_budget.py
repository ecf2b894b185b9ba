"""Budgets as arithmetic: what fits, what is left for an answer, how amounts are written."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.budget import Amount, Budget, Ceiling, DoesNotFit, Hold, in_words, most_output, parse_amount
from jackstay.errors import ConfigurationError

amounts = st.builds(Amount, *[st.integers(0, 10**15)] * 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "at least one of"),
        ({"usd": "half"}, "no amount of US dollars"),
        ({"usd": float("inf")}, "no amount of US dollars"),
        ({"usd": -1}, "cannot be negative"),
        ({"calls": 1, "on_exceed": "panic"}, "'stop', 'pause' or 'downgrade'"),
        ({"calls": 1, "on_exceed": "downgrade"}, "belong together"),
        ({"calls": 1, "model": "gpt-4o-mini"}, "belong together"),
        ({"calls": 1, "per": "week"}, "'day' or 'month'"),
    ],
)
def test_budget_that_says_nothing_sensible_is_refused(given, said):
    with pytest.raises(ConfigurationError, match=said):
        Budget(**given)


def test_money_is_exact_however_it_is_written():
    assert {Budget(usd=usd).ceiling.pico for usd in (0.1, "0.1", Decimal("0.1"))} == {10**11}


def test_period_is_the_day_or_month_of_utc():
    moment = datetime(2026, 11, 5, 23, 59, tzinfo=UTC)
    assert [Budget(calls=1, per=per).period(moment) for per in (None, "day", "month")] == ["", "2026-11-05", "2026-11"]


def test_none_is_no_limit_of_that_kind():
    assert Ceiling(tokens=5).exceeded_by(Amount(10**18, 5, 10**9)) == ""
    assert Ceiling(tokens=5).exceeded_by(Amount(0, 6, 0)) == "tokens"
    assert Ceiling(1, 1, 1).exceeded_by(Amount(1, 1, 2)) == "calls"


@given(spent=amounts, reserved=amounts, worst=amounts, most=st.integers(0, 10**15))
def test_what_does_not_fit_for_good_does_not_fit_when_all_that_is_reserved_comes_back(spent, reserved, worst, most):
    refused = DoesNotFit(Hold("b", "", worst, Ceiling(pico=most)), spent, reserved)

    assert refused.for_good is (spent.pico + worst.pico > most)


@given(
    used=st.integers(0, 10**12),
    most=st.integers(0, 10**12),
    input_pico=st.integers(0, 10**9),
    token_pico=st.integers(1, 10**8),
)
def test_longest_answer_fits_and_one_token_more_does_not(used, most, input_pico, token_pico):
    room = most_output(Ceiling(pico=most), Amount(used), input_pico=input_pico, input_tokens=1, token_pico=token_pico)

    assert room is not None
    assert used + input_pico + room * token_pico <= most
    assert used + input_pico + (room + 1) * token_pico > most


def test_nothing_limits_an_answer_under_a_budget_in_calls():
    assert most_output(Ceiling(calls=1), Amount(), input_pico=1, input_tokens=1, token_pico=1) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.50", {"usd": "0.50"}),
        ("2 usd", {"usd": "2"}),
        ("20_000tokens", {"tokens": 20_000}),
        ("10 calls", {"calls": 10}),
    ],
)
def test_amounts_of_the_command_line(text, expected):
    assert parse_amount(text) == expected


@pytest.mark.parametrize("text", ["", "half", "5 euros", "1.5calls", "-1", "1..2"])
def test_amounts_that_are_none(text):
    with pytest.raises(ConfigurationError):
        parse_amount(text)


def test_amounts_in_words():
    amount = Amount(500_000_000_000, 12_000, 3)
    assert [in_words(amount, kind) for kind in ("pico", "tokens", "calls")] == ["0.5 USD", "12,000 tokens", "3 calls"]
