"""Rate limits as values. The arithmetic (GCRA) is in `core/gcra.py`, the queues are in `engine/limiter.py`."""

from __future__ import annotations

from dataclasses import dataclass

from jackstay.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast calls may go out that share the name: a provider's key, an agent, a crew. None: no limit of that kind.

    `name` is what they share, across objects and processes: `openai:OPENAI_API_KEY`, `agent:Researcher~3fa9…`.
    """

    name: str
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    concurrent: int | None = None

    def __post_init__(self) -> None:
        for kind in ("requests_per_min", "tokens_per_min", "concurrent"):
            value = getattr(self, kind)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigurationError(
                    f"limit {kind} of {self.name} is {value!r}; it is a whole number of at least 1, or left out"
                )
