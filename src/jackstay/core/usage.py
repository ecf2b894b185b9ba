"""Tokens and money of model calls: plain sums over rows, there is no second counter."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

PICO = Decimal(1_000_000_000_000)
"""Money is stored as whole pico-dollars (BIGINT): exact on SQLite, whose NUMERIC is a float."""


def to_pico(cost_usd: Decimal | None) -> int | None:
    """US dollars to whole pico-dollars; None (unknown) stays None."""
    return None if cost_usd is None else int((cost_usd * PICO).to_integral_value())


def from_pico(cost_pico: int | None) -> Decimal | None:
    """Whole pico-dollars to US dollars; None (unknown) stays None."""
    return None if cost_pico is None else Decimal(cost_pico) / PICO


@dataclass(frozen=True, slots=True)
class Usage:
    """What one model call used. All counts are tokens; cached and cache-write tokens are part of `input_tokens`,
    reasoning tokens are part of `output_tokens`."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Bill:
    """A sum over model-call rows. `cost_usd` is None as soon as one paid call has no known price."""

    usage: Usage = NO_USAGE
    requests: int = 0
    """Calls that were answered."""
    cost_usd: Decimal | None = Decimal(0)

    def __add__(self, other: Bill) -> Bill:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Bill(
            self.usage + other.usage,
            self.requests + other.requests,
            None if unknown else (self.cost_usd or Decimal(0)) + (other.cost_usd or Decimal(0)),
        )


NO_BILL = Bill()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, and where the figures come from (`version` is stored with every call)."""

    input_mtok: Decimal
    output_mtok: Decimal
    cached_mtok: Decimal | None = None
    cache_write_mtok: Decimal | None = None
    version: str = ""
    simulated: bool = False

    def cost(self, usage: Usage) -> Decimal:
        """What a call with this usage costs, in US dollars, exact to a pico-dollar."""
        cached = self.cached_mtok if self.cached_mtok is not None else self.input_mtok
        written = self.cache_write_mtok if self.cache_write_mtok is not None else self.input_mtok
        plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
        micro = (
            plain * self.input_mtok
            + usage.cached_tokens * cached
            + usage.cache_write_tokens * written
            + usage.output_tokens * self.output_mtok
        )
        return micro / 1_000_000

    def worst(self, input_tokens: int, output_tokens: int) -> Decimal:
        """What these tokens cost at most, of whatever kind those of the input are."""
        rates = (self.input_mtok, self.cached_mtok, self.cache_write_mtok)
        dearest = max(rate for rate in rates if rate is not None)
        return (input_tokens * dearest + output_tokens * self.output_mtok) / 1_000_000
