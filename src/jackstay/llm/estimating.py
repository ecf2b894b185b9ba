"""`estimate_cost`: what a usage costs with a model, for programs that reckon before or beside a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackstay.core.usage import Usage
from jackstay.engine.runtime import current_runtime

UNKNOWN = -1.0
"""A float that no cost is: programs that add estimates up see at once that one is missing."""


def estimate_cost(usage: Any, model: str = "gpt-4o-mini") -> float:
    """US dollars for this usage with that model, by the prices that runs are billed with; -1.0 if they are unknown.

    `usage`: a `UsageMetrics`, or any object or mapping with `prompt_tokens` and `completion_tokens`, and if there are
    `cached_prompt_tokens` and `cache_creation_tokens`, which are part of `prompt_tokens`. A figure for display: what a run
    has cost, exactly, is its `cost_usd`. Raises `ConfigurationError` for a `jackstay.toml` that cannot be used.
    """
    counted = Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(usage, "cached_prompt_tokens"),
        cache_write_tokens=_count(usage, "cache_creation_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
    )
    cost = current_runtime().wire.estimate(model, counted, requests=_count(usage, "successful_requests"))
    return UNKNOWN if cost.usd is None else float(cost.usd)


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
    return int(value or 0)
