"""What calls cost, and the bound of what one may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.messages import Conversation, Message, Question, Sampling, ToolSpec
from jackstay.core.usage import Price, Usage
from jackstay.models import Cost, Endpoint, Provider
from jackstay.models.estimates import estimated_usage, most_input_tokens
from jackstay.models.prices import PriceList
from jackstay.models.table import providers

ROWS = providers()
USED = Usage(1000, 400, 0, 50)


def endpoint(provider: str, model: str, **more: Any) -> Endpoint:
    return Endpoint(provider, model, f"{provider}/{model}", **more)


def question(text: str = "hello", **sampling: Any) -> Question:
    return Question(("m",), Conversation.of([Message("user", text)]), sampling=Sampling(**sampling))


@pytest.mark.parametrize(
    ("provider", "model", "micro_usd"),
    [
        ("openai", "gpt-4o-mini", 150),
        ("openai", "gpt-5", 1300),
        ("anthropic", "claude-sonnet-4-5", 2670),
        ("gemini", "gemini-2.5-flash", 317),
        ("azure", "gpt-4o", 2500),
    ],
)
def test_a_listed_model_costs_what_the_list_says(provider: str, model: str, micro_usd: int) -> None:
    cost = PriceList().cost(ROWS[provider], endpoint(provider, model), USED)

    assert cost.usd == Decimal(micro_usd) / 1_000_000
    assert cost.price_version is not None
    assert cost.price_version.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "mystery"),
        ("openai", "ft:gpt-4o-mini:a"),
        ("ollama", "llama3"),
        ("hosted_vllm", "gpt-4o"),
        ("openrouter", "perplexity/sonar-deep-research"),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(provider: str, model: str) -> None:
    prices = PriceList()

    assert prices.cost(ROWS[provider], endpoint(provider, model), USED) == Cost(None)
    assert prices.worst(ROWS[provider], endpoint(provider, model), question()).usd is None


def test_the_model_that_answered_decides_before_the_one_that_was_asked() -> None:
    cost = PriceList().cost(ROWS["azure"], endpoint("azure", "my-deployment"), USED, answered_by="gpt-4o-2024-08-06")

    assert cost.usd == Decimal("0.0025")


def test_a_threshold_raises_the_price_of_the_whole_call() -> None:
    prices, gemini = PriceList(), endpoint("gemini", "gemini-2.5-pro")

    below = prices.cost(ROWS["gemini"], gemini, Usage(200_000))
    above = prices.cost(ROWS["gemini"], gemini, Usage(200_001))

    assert below.usd == Decimal("0.25")
    assert above.usd == Decimal("0.5000025")


def test_a_provider_s_own_price_is_used_and_marked() -> None:
    price = Price(Decimal(1), Decimal(2), version="sim 1", simulated=True)
    own = Provider("own", ("own",), lambda *_: None, price=lambda _: price)  # type: ignore[arg-type, return-value]

    assert PriceList().cost(own, endpoint("own", "x"), Usage(10, output_tokens=5)) == Cost(
        Decimal("0.00002"), "sim 1", True
    )


def test_the_worst_case_takes_max_tokens_or_the_model_s_longest_answer() -> None:
    prices, mini = PriceList(), endpoint("openai", "gpt-4o-mini")

    given_limit = prices.worst(ROWS["openai"], mini, question(max_tokens=100))
    longest = prices.worst(ROWS["openai"], mini, question())
    twice = prices.worst(ROWS["openai"], mini, question(max_tokens=100, extra={"n": 2}))

    assert (given_limit.output_tokens, longest.output_tokens, twice.output_tokens) == (100, 16_384, 200)
    assert given_limit.usd == (given_limit.input_tokens * Decimal("0.15") + 100 * Decimal("0.6")) / 1_000_000


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-5-mini", 128_000),
        ("openai", "gpt-5-pro-2025-10-06", 272_000),
        ("openai", "gpt-4-32k", 32_768),
        ("openai", "gpt-6-sol", 1_050_000),  # no limit is known: its window
        ("openai", "gpt-4o:extended", 272_000),  # another model than gpt-4o, of which nothing is known
        ("anthropic", "claude-sonnet-4-5-20250929", 64_000),
        ("anthropic", "claude-opus-4-6", 128_000),
        ("gemini", "gemini-2.5-pro", 65_536),
        ("openai", "mystery", 272_000),
    ],
)
def test_the_longest_answer_is_never_taken_for_shorter_than_it_may_be(provider: str, model: str, tokens: int) -> None:
    assert PriceList().worst(ROWS[provider], endpoint(provider, model), question()).output_tokens == tokens


def test_a_window_that_the_user_gives_bounds_a_model_without_a_known_limit() -> None:
    mine = endpoint("openai", "mystery", context_window=8_000)

    assert PriceList().worst(ROWS["openai"], mine, question()).output_tokens == 8_000


def test_every_model_whose_output_limit_the_wire_library_knows_has_at_least_that_limit() -> None:
    from pydantic_ai.profiles.anthropic import anthropic_model_profile

    for model in (
        "claude-opus-4-6",
        "claude-opus-5-5",
        "claude-haiku-4-5-20251001",
        "claude-fable-5",
        "claude-sonnet-5-5",
    ):
        profile = anthropic_model_profile(model)
        assert profile is not None
        known: Any = profile.get("anthropic_max_output_tokens") or profile.get("max_output_tokens") or 0
        assert PriceList().worst(ROWS["anthropic"], endpoint("anthropic", model), question()).output_tokens >= known > 0


@pytest.mark.parametrize(
    ("model", "at_least"),
    [
        ("openai/gpt-5-pro:batch", 272_000),
        ("google/gemini-2.0-flash-thinking-exp:free", 65_536),
        ("openai/gpt-4o:extended", 64_000),
        ("openai/gpt-4o-64k-output-alpha", 64_000),
    ],
)
def test_a_variant_of_a_model_is_not_bounded_by_another_one_s_shorter_answers(model: str, at_least: int) -> None:
    worst = PriceList().worst(ROWS["openrouter"], endpoint("openrouter", model), question())

    assert worst.output_tokens >= at_least


@given(st.text(max_size=200), st.integers(1, 500), st.integers(0, 200))
def test_no_call_costs_more_than_its_worst_case(text: str, limit: int, tool_bytes: int) -> None:
    tool = ToolSpec("t", "d" * tool_bytes, {"type": "object"})
    asked = Question(("m",), Conversation.of([Message("user", text)]), (tool,), Sampling(max_tokens=limit))
    prices, mini = PriceList(), endpoint("openai", "gpt-4o-mini")

    most = Usage(input_tokens=len(text.encode()), output_tokens=limit)  # a token is at least a byte
    cost = prices.cost(ROWS["openai"], mini, most).usd
    worst = prices.worst(ROWS["openai"], mini, asked).usd

    assert cost is not None
    assert worst is not None
    assert cost <= worst
    assert estimated_usage(asked, "x" * limit).input_tokens <= most_input_tokens(asked)


def test_an_estimate_says_so() -> None:
    assert estimated_usage(question("x" * 40), "12345") == Usage(14, output_tokens=2, estimated=True)
