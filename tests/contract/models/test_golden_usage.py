"""Tokens and cost, exact: every provider's way to count, whole and streamed, through the real wire.

The expected figures are worked out by hand. What real providers reported is in `test_recorded.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from jackstay.core.messages import Answer
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import Usage, to_pico
from jackstay.models import Cost
from jackstay.models.overrides import Overrides
from jackstay.models.wire import Wire
from tests.contract.models import golden
from tests.contract.models.asking import ENVIRON, needed, question
from tests.contract.models.loopback import Loopback, Reply

RATES = {
    "input_mtok": Decimal("1.234567"),
    "output_mtok": Decimal("9.876543"),
    "cached_mtok": Decimal("0.123457"),
    "cache_write_mtok": Decimal("1.543211"),
}
OWN = Overrides({"*": RATES}, lambda key, what: AssertionError(f"{key} {what}"))

USED = {
    "plain": Usage(1000, 0, 0, 50, 0),
    "cached": Usage(1000, 400, 0, 50, 0),
    "cache-write": Usage(1000, 400, 100, 50, 0),
    "reasoning": Usage(1000, 0, 0, 50, 30),
}
COST = {
    "plain": Decimal("0.00172839415"),  # 1000 * 1.234567 + 50 * 9.876543 = 1234.567 + 493.82715, in millionths
    "cached": Decimal("0.00128395015"),  # 600 * 1.234567 + 400 * 0.123457 + 493.82715 = 740.7402 + 49.3828 + …
    "cache-write": Decimal(
        "0.00131481455"
    ),  # 500 * 1.234567 + 49.3828 + 100 * 1.543211 + … = 617.2835 + … + 154.3211 + …
    "reasoning": Decimal("0.00172839415"),  # reasoning is output
}


@dataclass(frozen=True)
class Api:
    """A provider's API: how it is asked, what it answers, which model of the price list stands for it."""

    name: str
    model: str
    reply: Callable[..., Reply]
    usage: dict[str, dict[str, Any]]
    path: str = ""
    answered_by: str = ""
    listed: str | None = None
    """The list's name of the provider; None: no prices are listed."""
    config: tuple[tuple[str, Any], ...] = ()


APIS = [
    Api("openai-chat", "gpt-4o-mini", golden.chat, golden.CHAT, "/v1", "gpt-4o-mini-2024-07-18", "openai"),
    Api(
        "openai-responses", "openai/gpt-5-mini", golden.responses, golden.RESPONSES, "/v1", "gpt-5-mini-2025-08-07",
        "openai", (("api", "responses"),),
    ),
    Api(
        "anthropic", "anthropic/claude-sonnet-4-5", golden.anthropic, golden.ANTHROPIC, "", "claude-sonnet-4-5-20250929",
        "anthropic",
    ),
    Api("gemini", "gemini/gemini-2.5-flash", golden.gemini, golden.GEMINI, "", "gemini-2.5-flash", "google"),
    Api(
        "bedrock", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", golden.bedrock, golden.BEDROCK, "",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws",
    ),
    Api("azure", "azure/my-deployment", golden.chat, golden.CHAT, "", "gpt-4o-2024-08-06", "azure"),
    Api(
        "openrouter", "openrouter/anthropic/claude-sonnet-4.5", golden.openrouter, golden.OPENROUTER, "/api/v1",
        "anthropic/claude-sonnet-4.5", "openrouter",
    ),
    Api("ollama", "ollama/llama3", golden.chat, golden.CHAT, "/v1", "llama3"),
]  # fmt: skip


def cases() -> Iterator[Any]:
    for api in APIS:
        for kind in api.usage:
            for streamed in (False, True):
                yield pytest.param(api, kind, streamed, id=f"{api.name}-{kind}-{'streamed' if streamed else 'whole'}")


def answered(api: Api, kind: str, *, streamed: bool, prices: Overrides | None = None) -> tuple[Answer, Cost]:
    needed(api.model)
    reply = api.reply(api.usage[kind], streamed=streamed, model=api.answered_by)

    async def once(url: str) -> tuple[Answer, Cost]:
        wire = Wire(ENVIRON) if prices is None else Wire(ENVIRON, prices=prices)
        try:
            endpoint = wire.resolve(ModelConfig(api.model, base_url=url, stream=streamed, **dict(api.config)))
            answer = await wire.ask(endpoint, question(), timeout_s=20)
            return answer, wire.cost(endpoint, answer)
        finally:
            await wire.close()

    with Loopback(reply) as server:
        told = asyncio.run(once(server.url + api.path))
        assert len(server.asked) == 1
    assert told[0].text == "hello"
    return told


@pytest.mark.parametrize(("api", "kind", "streamed"), cases())
def test_tokens_and_cost_are_exact(api: Api, kind: str, streamed: bool) -> None:
    answer, cost = answered(api, kind, streamed=streamed, prices=OWN)

    assert answer.usage == USED[kind]
    assert cost.usd == COST[kind]
    assert to_pico(cost.usd) == COST[kind] * 1_000_000_000_000
    assert cost.price_version is not None
    assert cost.price_version.startswith("jackstay.toml * ")


@pytest.mark.parametrize(("api", "kind", "streamed"), cases())
def test_listed_cost_is_what_the_list_s_own_reckoning_makes_of_the_tokens(api: Api, kind: str, streamed: bool) -> None:
    _, cost = answered(api, kind, streamed=streamed)

    if api.listed is None:
        assert cost == Cost(None)
        return
    used = USED[kind]
    counted = genai_prices.Usage(
        input_tokens=used.input_tokens,
        cache_read_tokens=used.cached_tokens,
        cache_write_tokens=used.cache_write_tokens,
        output_tokens=used.output_tokens,
    )
    assert cost.usd == genai_prices.calc_price(counted, api.answered_by, provider_id=api.listed).total_price


@pytest.mark.parametrize(
    ("name", "kind", "usd"),
    [
        ("openai-chat", "cached", "0.00015"),  # 600 * 0.15 + 400 * 0.075 + 50 * 0.6 dollars per million
        ("anthropic", "cache-write", "0.002745"),  # 500 * 3 + 400 * 0.3 + 100 * 3.75 + 50 * 15
        ("gemini", "reasoning", "0.000425"),  # 1000 * 0.3 + 50 * 2.5
        ("azure", "plain", "0.003"),  # 1000 * 2.5 + 50 * 10
    ],
)
def test_listed_cost_is_what_the_vendors_publish(name: str, kind: str, usd: str) -> None:
    (api,) = [api for api in APIS if api.name == name]

    assert answered(api, kind, streamed=False)[1].usd == Decimal(usd)


def test_a_gemini_answer_that_read_a_tool_s_result_counts_it_as_input() -> None:
    usage = {**golden.GEMINI["plain"], "promptTokenCount": 900, "toolUsePromptTokenCount": 100}
    (api,) = [api for api in APIS if api.name == "gemini"]

    answer, _ = answered(
        Api("gemini", api.model, api.reply, {"tool": usage}, answered_by=api.answered_by), "tool", streamed=False
    )

    assert answer.usage == USED["plain"]
