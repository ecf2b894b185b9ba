"""`[prices]` of jackstay.toml: which price counts, from when, and what is said of a mistake."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jackstay.core.messages import Conversation, Message, Question, Sampling
from jackstay.core.usage import Price, Usage
from jackstay.errors import ConfigurationError
from jackstay.models import Cost, Endpoint, Provider
from jackstay.models.overrides import Overrides
from jackstay.models.prices import PriceList
from jackstay.models.table import providers

ROWS = providers()
NOW = datetime(2026, 6, 1, tzinfo=UTC)
USED = Usage(1000, 400, 100, 50, 20)


def read(text: str) -> Overrides:
    section = tomllib.loads(text, parse_float=Decimal)["prices"]
    return Overrides(section, lambda key, what: ConfigurationError(f"jackstay.toml: {key} {what}"))


def rate(overrides: Overrides, *names: str, now: datetime = NOW) -> Decimal | None:
    price = overrides.find(names, now)
    return None if price is None else price.input_mtok


def priced(overrides: Overrides) -> PriceList:
    return PriceList(overrides, now=lambda: NOW)


def test_each_kind_of_token_has_its_rate_and_the_sum_is_exact() -> None:
    own = read('[prices."gpt-4o"]\ninput_mtok = 0.1\noutput_mtok = 0.7\ncached_mtok = 0.03\ncache_write_mtok = 0.13\n')

    cost = priced(own).cost(ROWS["openai"], Endpoint("openai", "gpt-4o", "gpt-4o"), USED)

    assert cost.usd == Decimal("0.000110")  # 500 * 0.1 + 400 * 0.03 + 100 * 0.13 + 50 * 0.7, in millionths
    assert cost.price_version is not None
    assert cost.price_version.startswith("jackstay.toml gpt-4o ")


def test_cached_tokens_cost_what_others_do_where_no_rate_is_given() -> None:
    own = read('[prices."gpt-4o"]\ninput_mtok = 1\noutput_mtok = 2\n')

    cost = priced(own).cost(ROWS["openai"], Endpoint("openai", "gpt-4o", "gpt-4o"), USED)

    assert cost.usd == Decimal("0.0011")


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "openai/*", "*4o"])
@pytest.mark.parametrize("asked", ["gpt-4o", "openai/gpt-4o"])
def test_a_model_is_found_as_written_with_its_provider_bare_or_by_a_pattern(name: str, asked: str) -> None:
    own = read(f'[prices."{name}"]\ninput_mtok = 7\noutput_mtok = 0\n')

    cost = priced(own).cost(ROWS["openai"], Endpoint("openai", "gpt-4o", asked), Usage(1_000_000))

    assert cost.usd == 7


def test_an_exact_name_comes_before_a_pattern_and_patterns_in_the_order_of_the_file() -> None:
    own = read(
        "\n".join(f'[prices."{n}"]\ninput_mtok = {i}\noutput_mtok = 0' for i, n in enumerate(["a/*", "*", "a/x"]))
    )

    assert [rate(own, name) for name in ("a/x", "a/y", "b")] == [2, 0, 1]


def test_of_several_prices_the_newest_that_has_begun_counts() -> None:
    own = read(
        "[[prices.m]]\ninput_mtok = 2\noutput_mtok = 0\nfrom = 2026-07-01\n"
        "[[prices.m]]\ninput_mtok = 1\noutput_mtok = 0\nfrom = 2026-01-01T06:00:00+02:00\n"
    )

    days = [
        datetime(2026, 1, 1, 3, 59, tzinfo=UTC),
        datetime(2026, 1, 1, 4, tzinfo=UTC),
        datetime(2026, 7, 1, tzinfo=UTC),
    ]
    found = [own.find(["m"], day) for day in days]

    assert [price and price.input_mtok for price in found] == [None, 1, 2]
    assert found[1] is not None
    assert found[2] is not None
    assert found[1].version.startswith("jackstay.toml m from 2026-01-01T04:00:00Z ")
    assert found[2].version.startswith("jackstay.toml m from 2026-07-01 ")


def test_a_pattern_counts_where_the_price_of_the_exact_name_has_not_begun() -> None:
    own = read(
        "[prices.m]\ninput_mtok = 2\noutput_mtok = 0\nfrom = 2027-01-01\n[prices.'*']\ninput_mtok = 1\noutput_mtok = 0\n"
    )

    assert rate(own, "m") == 1


def test_the_version_changes_with_the_rates_and_not_with_how_they_are_written() -> None:
    versions = [
        price.version
        for written in ("1", "1.0", "1.5")
        if (price := read(f"[prices.m]\ninput_mtok = {written}\noutput_mtok = 0\n").find(["m"], NOW))
    ]

    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(("provider", "model"), [("ollama", "llama3"), ("hosted_vllm", "x"), ("openai", "mystery")])
def test_a_model_that_no_list_knows_has_the_price_that_the_user_gives(provider: str, model: str) -> None:
    own = read(f'[prices."{provider}/{model}"]\ninput_mtok = 0\noutput_mtok = 0\n')
    endpoint = Endpoint(provider, model, f"{provider}/{model}")
    asked = Question(("m",), Conversation.of([Message("user", "hello")]), sampling=Sampling(max_tokens=10))

    cost = priced(own).cost(ROWS[provider], endpoint, USED)
    worst = priced(own).worst(ROWS[provider], endpoint, asked)

    assert cost.usd == worst.usd == Decimal(0)
    assert cost.price_version is not None


def test_a_user_s_price_wins_over_a_provider_s_own_which_stays_marked_as_simulated() -> None:
    simulated = Price(Decimal(1), Decimal(2), version="sim 1", simulated=True)
    sim = Provider("own", ("own",), lambda *_: None, price=lambda _: simulated)  # type: ignore[arg-type, return-value]
    own = read("[prices.'own/*']\ninput_mtok = 5\noutput_mtok = 0\n")

    cost = priced(own).cost(sim, Endpoint("own", "x", "own/x"), Usage(1_000_000))

    assert cost.usd == 5
    assert cost.simulated


def test_the_name_that_was_asked_decides_also_when_another_one_answered() -> None:
    own = read(
        "[prices.'azure/mine']\ninput_mtok = 5\noutput_mtok = 0\n[prices.'gpt-4o-2024-08-06']\ninput_mtok = 6\noutput_mtok = 0\n"
    )
    asked = [Endpoint("azure", name, f"azure/{name}") for name in ("mine", "other")]

    costs = [priced(own).cost(ROWS["azure"], one, Usage(1_000_000), answered_by="gpt-4o-2024-08-06") for one in asked]

    assert [cost.usd for cost in costs] == [5, Decimal("2.5")]


def test_nothing_is_overridden_without_a_file() -> None:
    assert PriceList().cost(ROWS["openai"], Endpoint("openai", "mystery", "mystery"), USED) == Cost(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prices.m = 3", 'prices.m is one value; write it as a section, [prices."m"]'),
        ("[prices.m]\ninput_mtok = 3", "prices.m.output_mtok is missing"),
        ("[prices.m]\ninput_mtok = 3\noutput_mtok = -1", "prices.m.output_mtok is -1; write US dollars"),
        ("[prices.m]\ninput_mtok = nan\noutput_mtok = 1", "prices.m.input_mtok is NaN; write US dollars"),
        ("[prices.m]\ninput_mtok = true\noutput_mtok = 1", "prices.m.input_mtok is True; write US dollars"),
        ("[prices.m]\ninput_mtok = '3'\noutput_mtok = 1", "prices.m.input_mtok is '3'; write US dollars"),
        ("[prices.m]\ninput_mtok = 3\noutput_mtok = 1\ninput = 1", "prices.m.input is unknown; known: input_mtok"),
        (
            "[prices.m]\ninput_mtok = 3\noutput_mtok = 1\nfrom = '2026-01-01'",
            "prices.m.from is '2026-01-01'; write a date",
        ),
        ("[prices.gpt-4.1]\ninput_mtok = 3\noutput_mtok = 1", "prices.gpt-4 has a section inside; put a model's name"),
        ("[[prices.m]]\ninput_mtok = 3\noutput_mtok = 1\n" * 2, "prices.m.from is there twice"),
    ],
)
def test_a_mistake_names_file_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)

    assert str(caught.value).startswith(f"jackstay.toml: {said}")
