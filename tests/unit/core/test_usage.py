"""Arithmetic of tokens and money: sums are associative, money is exact to a pico-dollar, unknown stays unknown."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.usage import NO_BILL, NO_USAGE, Bill, Price, Usage, from_pico, to_pico

COUNTS = st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())
PICOS = st.integers(0, 2**63 - 1)
COSTS = st.none() | st.integers(0, 10**15).map(from_pico)
BILLS = st.builds(Bill, USAGES, st.integers(0, 10**6), COSTS)


@given(USAGES, USAGES, USAGES)
def test_usage_adds_like_numbers(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + NO_USAGE == a


@given(st.lists(USAGES, max_size=8))
def test_a_sum_of_usage_is_the_sum_of_its_fields(usages: list[Usage]) -> None:
    total = sum(usages, NO_USAGE)

    assert total.input_tokens == sum(usage.input_tokens for usage in usages)
    assert total.reasoning_tokens == sum(usage.reasoning_tokens for usage in usages)
    assert total.total_tokens == sum(usage.total_tokens for usage in usages)
    assert total.estimated == any(usage.estimated for usage in usages)


@given(st.lists(BILLS, max_size=8), st.integers(0, 8))
def test_bills_of_parts_add_up_to_the_bill_of_the_whole(bills: list[Bill], cut: int) -> None:
    whole = reduce(add, bills, NO_BILL)

    assert reduce(add, bills[:cut], NO_BILL) + reduce(add, bills[cut:], NO_BILL) == whole
    assert whole.requests == sum(bill.requests for bill in bills)


@given(st.lists(BILLS, min_size=1, max_size=5))
def test_one_unknown_price_makes_the_sum_unknown(bills: list[Bill]) -> None:
    total = reduce(add, bills, NO_BILL)

    assert (total.cost_usd is None) == any(bill.cost_usd is None for bill in bills)


@given(PICOS)
def test_pico_dollars_come_back_exactly(pico: int) -> None:
    assert to_pico(from_pico(pico)) == pico


@given(st.integers(0, 10**15).map(lambda pico: Decimal(pico).scaleb(-12)))
def test_dollars_with_twelve_places_come_back_exactly(cost_usd: Decimal) -> None:
    assert from_pico(to_pico(cost_usd)) == cost_usd


def test_unknown_money_stays_unknown() -> None:
    assert to_pico(None) is None
    assert from_pico(None) is None


def test_price_of_a_call_by_hand() -> None:
    price = Price(Decimal("0.15"), Decimal("0.60"), cached_mtok=Decimal("0.075"), cache_write_mtok=Decimal("0.30"))
    usage = Usage(input_tokens=1000, cached_tokens=400, cache_write_tokens=100, output_tokens=10)

    # 500 plain at 0.15, 400 cached at 0.075, 100 written at 0.30, 10 said at 0.60: micro-dollars
    assert price.cost(usage) == Decimal("0.000141")


def test_cached_tokens_cost_as_much_as_others_where_no_price_says_less() -> None:
    price = Price(Decimal(2), Decimal(8))

    assert price.cost(Usage(10, cached_tokens=4)) == price.cost(Usage(10)) == Decimal("0.00002")


@given(USAGES.filter(lambda u: u.cached_tokens + u.cache_write_tokens <= u.input_tokens), USAGES)
def test_the_price_of_two_calls_is_the_sum_of_their_prices(first: Usage, second: Usage) -> None:
    if second.cached_tokens + second.cache_write_tokens > second.input_tokens:
        second = Usage(second.input_tokens, output_tokens=second.output_tokens)
    price = Price(Decimal("0.15"), Decimal("0.60"), Decimal("0.075"), Decimal("0.3"))

    assert price.cost(first) + price.cost(second) == price.cost(first + second)


@pytest.mark.parametrize("cost", [Decimal("0.0000000000004"), Decimal("0.0000000000006")])
def test_less_than_a_pico_dollar_is_rounded(cost: Decimal) -> None:
    assert to_pico(cost) == round(cost * 10**12)
