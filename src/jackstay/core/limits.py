"""Rate limits as values. The arithmetic (GCRA) is in `core/gcra.py`, the queues are in `engine/limiter.py`, what
processes share is in `journal/limits.py`."""

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


@dataclass(frozen=True, slots=True)
class LimitAsk:
    """What a process asks of a limit, in one transaction: turns for its next calls, and what it has to tell."""

    limit: Limit
    tokens: tuple[int, ...] = ()
    """The estimates of the calls that are next; as many turns are wanted."""
    patient: bool = True
    """False: the calls do not sit out a pause."""
    in_use: int = 0
    """Calls of this process that are under way."""
    waiting: int = 0
    correction_us: int = 0
    """What answers have shown the estimates to be wrong by: on the tokens' arrival time, and in tokens."""
    correction_tokens: int = 0
    sent_late: bool = False
    """The last call went out later than its turn was: the next one's is that much later."""


@dataclass(frozen=True, slots=True)
class Turns:
    """The answer. Fewer turns than wanted: the rest has to ask again."""

    wait_s: tuple[float, ...] = ()
    """From now on, per call, in the order of `LimitAsk.tokens`."""
    paused_s: float = 0.0
    crowded: bool = False
    """Other processes wait for a share of what may run at once."""


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit as processes share it, for people. `requests`, `tokens`: of about the last minute."""

    name: str
    requests: int
    tokens: int
    next_in_s: float
    """When the next call may go out; 0: at once."""
    paused_s: float
    in_use: int
    waiting: int
    waiting_processes: int
