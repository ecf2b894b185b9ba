"""What calls cost: a user's own prices, else a provider's own, else the bundled list of `genai-prices`. No network, ever.

An unknown price is None and stays unknown; it never becomes zero.
"""

from __future__ import annotations

import importlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jackstay.core.messages import Question
from jackstay.core.usage import Price, Usage
from jackstay.models.estimates import most_input_tokens
from jackstay.models.overrides import NO_OVERRIDES, Overrides
from jackstay.models.provider import Cost, Endpoint, Provider, Worst

LIST_NAMES = {
    "gemini": "google",
    "bedrock": "aws",
    "xai": "x-ai",
    "dashscope": "alibaba",
    "openai_compatible": None,
}
"""Our provider's name → the list's, where they differ. None: found by the server's address."""

FIELDS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
UNPRICED = ("requests", "output_reasoning", "output_citation")
"""Kinds of price that our token counts do not settle: a model that has one is unknown to us."""

OUTPUT_LIMITS = (
    # OpenAI, as its pages on each model say. Newer ones (gpt-5.5, gpt-6, …) are not here: the window bounds them.
    ("gpt-5-pro", 272_000),
    ("gpt-5", 128_000),
    ("gpt-5.1", 128_000),
    ("gpt-5.2", 128_000),
    ("gpt-4.1", 32_768),
    ("gpt-4o-64k-output-alpha", 65_536),
    ("gpt-4o", 16_384),
    ("gpt-4-turbo", 4_096),
    ("gpt-4-32k", 32_768),
    ("gpt-4", 8_192),
    ("gpt-3.5-turbo", 16_385),  # the newer ones write 4096; the window of the older ones is the bound of both
    ("o1", 100_000),
    ("o3", 100_000),
    ("o4", 100_000),
    # Anthropic: 64,000 and 128,000 as in pydantic_ai/profiles/anthropic.py; 3 and 3.5 as its comment there says; for 3.7
    # and for Claude 4, of which it says nothing, the highest that Anthropic has documented for the generation.
    ("claude-3-5", 8_192),
    ("claude-3-7", 128_000),
    ("claude-3", 4_096),
    ("claude-haiku-4-5", 64_000),
    ("claude-opus-4-5", 64_000),
    ("claude-sonnet-4-5", 64_000),
    ("claude-haiku-5-5", 128_000),
    ("claude-opus-4", 128_000),
    ("claude-sonnet-4", 128_000),
    ("claude-fable-5", 128_000),
    ("claude-mythos-5", 128_000),
    ("claude-opus-5", 128_000),
    ("claude-sonnet-5", 128_000),
    # Google, as its page of models says.
    ("gemini-2.0-flash-thinking-exp", 65_536),
    ("gemini-2.0", 8_192),
    ("gemini-1.5", 8_192),
    ("gemini-2.5", 65_536),
    ("gemini-3", 65_536),
    ("gemini-3.1", 65_536),
)
"""The most tokens that a model writes in one answer, by its name or the beginning of it before a `-`. Never less than the
real limit: a reservation is the worst case. A model that is not here is bounded by its context window. (Under a budget a
call is sent with `max_tokens`, and that is the bound.)"""

MOST_OUTPUT = 272_000
"""Where the window is unknown too: the highest limit that a vendor has documented and that we know of."""


class PriceList:
    """Prices by model, each looked up once."""

    def __init__(
        self, overrides: Overrides = NO_OVERRIDES, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._overrides, self._now = overrides, now
        self._listed: dict[tuple[str, str, str | None], Listed | None] = {}

    def load(self) -> None:
        """Imports the list, which takes 0.2 s the first time."""
        importlib.import_module("genai_prices.data_snapshot").get_snapshot()

    def cost(
        self, provider: Provider, endpoint: Endpoint, usage: Usage, *, answered_by: str = "", requests: int = 1
    ) -> Cost:
        """What a call cost. Of listed prices, that of the model that answered (a router or a deployment has a name of
        its own); of the user's own, that of the name that was asked, as in the worst case before it. A usage summed over several
        `requests` reaches a threshold of size with their average."""
        if (own := self._own(provider, endpoint)) is not None:
            return Cost(own.cost(usage), own.version, own.simulated)
        for model in dict.fromkeys(name for name in (answered_by, endpoint.model) if name):
            asked = endpoint if model == endpoint.model else replace(endpoint, model=model)
            if (price := self._price(provider, asked, usage.input_tokens // max(1, requests))) is not None:
                return Cost(price.cost(usage), price.version or None, price.simulated)
        return Cost(None)

    def worst(self, provider: Provider, endpoint: Endpoint, question: Question) -> Worst:
        """The most that one request can cost: every byte a token, the longest answer, the dearest kind of input."""
        tokens_in = most_input_tokens(question)
        tokens_out = self._most_output(provider, endpoint, question)
        price = self._own(provider, endpoint) or self._price(provider, endpoint, tokens_in)
        if price is None:
            return Worst(None, tokens_in, tokens_out)
        return Worst(price.worst(tokens_in, tokens_out), tokens_in, tokens_out)

    def context_window(self, provider: Provider, endpoint: Endpoint) -> int | None:
        """The user's own figure, else the list's."""
        listed = None if endpoint.context_window else self._lookup(provider, endpoint)
        return endpoint.context_window or (listed.context_window if listed is not None else None)

    def _own(self, provider: Provider, endpoint: Endpoint) -> Price | None:
        """The user's own price. What is simulated stays so: the tokens are made up whatever they cost."""
        if not self._overrides:
            return None
        spelled = (f"{prefix}/{endpoint.model}" for prefix in dict.fromkeys((provider.name, *provider.prefixes)))
        price = self._overrides.find((endpoint.requested, *spelled, endpoint.model), self._now())
        if price is None or provider.price is None:
            return price
        given = provider.price(endpoint)
        return replace(price, simulated=given is not None and given.simulated)

    def _price(self, provider: Provider, endpoint: Endpoint, input_tokens: int) -> Price | None:
        if provider.price is not None:
            return provider.price(endpoint)
        listed = self._lookup(provider, endpoint)
        return listed.at(input_tokens, self._now()) if listed is not None else None

    def _lookup(self, provider: Provider, endpoint: Endpoint) -> Listed | None:
        if provider.local or provider.price is not None:
            return None
        key = (provider.name, endpoint.model, endpoint.base_url)
        if key not in self._listed:
            self._listed[key] = find(provider.name, endpoint.model, endpoint.base_url)
        return self._listed[key]

    def _most_output(self, provider: Provider, endpoint: Endpoint, question: Question) -> int:
        sampling = question.sampling
        answers = int(sampling.extra.get("n") or 1)
        if sampling.max_tokens is not None:
            return sampling.max_tokens * answers
        name = endpoint.model.rpartition("/")[2]
        # A variant (`:batch`, `:free`, `:extended` of routers) may write more than the model that it is one of.
        rows = () if ":" in name else OUTPUT_LIMITS
        limits: Iterator[int] = (limit for start, limit in rows if f"{name}-".startswith(f"{start}-"))
        if (limit := next(limits, None)) is not None:
            return limit * answers
        return (self.context_window(provider, endpoint) or MOST_OUTPUT) * answers


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of the price list."""

    info: Any
    version: str
    _hours: dict[int, Hour] = field(default_factory=dict)
    """Prices have dates of effect; looking through them for every call takes longer than the sum."""

    @property
    def context_window(self) -> int | None:
        window: int | None = self.info.context_window
        return window

    def at(self, input_tokens: int, now: datetime) -> Price | None:
        """The price of a call with so many input tokens (some models cost more beyond a threshold), at that time."""
        number = int(now.timestamp()) // 3600
        if number not in self._hours:
            self._hours.clear()
            self._hours[number] = Hour(vars(self.info.get_prices(now)), self.version)
        return self._hours[number].at(input_tokens)


class Hour:
    """The prices of one hour, by the tiers that a call's size reaches."""

    def __init__(self, prices: dict[str, Any], version: str) -> None:
        self._prices, self._version = prices, version
        self._starts = sorted({tier.start for price in prices.values() for tier in getattr(price, "tiers", ())})
        self._known: dict[int, Price | None] = {}

    def at(self, input_tokens: int) -> Price | None:
        reached = bisect_left(self._starts, input_tokens)
        if reached not in self._known:
            self._known[reached] = self._made(input_tokens)
        return self._known[reached]

    def _made(self, input_tokens: int) -> Price | None:
        if any(name.startswith(UNPRICED) and value is not None for name, value in self._prices.items()):
            return None
        given, said, cached, written = (_rate(self._prices.get(field), input_tokens) for field in FIELDS)
        if given is None or said is None:
            return None
        return Price(given, said, cached, written, version=self._version)


def _rate(price: Any, input_tokens: int) -> Decimal | None:
    """The rate beyond a tier's start holds for all tokens of the call, not only for those beyond."""
    if price is None or isinstance(price, Decimal):
        return price
    reached: list[Decimal] = [tier.price for tier in price.tiers if input_tokens > tier.start]
    base: Decimal = price.base
    return reached[-1] if reached else base


def find(provider: str, model: str, base_url: str | None) -> Listed | None:
    """The model's entry in the price list. The list (0.2 s) is imported with the first call, not before."""
    snapshot = importlib.import_module("genai_prices.data_snapshot").get_snapshot()
    name = LIST_NAMES.get(provider, provider)
    try:
        found, info = snapshot.find_provider_model(model, None, name, base_url if name is None else None)
    except LookupError:
        return None
    version = importlib.import_module("genai_prices").__version__
    return Listed(info, f"genai-prices {version} {found.id}/{info.id}")
