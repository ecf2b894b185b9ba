"""Whether and when a failed model call is tried again. The one retry policy; provider SDKs' own retries are off."""

from __future__ import annotations

from dataclasses import dataclass

from jackstay.errors import JackstayError, ModelError

MAX_RETRY_AFTER_S = 120.0
"""A provider that asks for a longer wait is taken at its word by failing: waiting silently for minutes hides it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `max_attempts` requests; waits of `backoff_s`, times `factor` each time, at most `max_s`.

    `jitter` is the share of a wait that is drawn at random (0: none, 1: all of it). The default waits 1, 2, 4 s.
    A model that has a fallback gets `before_fallback` requests, then the next one is asked: waiting is for the last.
    """

    max_attempts: int = 4
    backoff_s: float = 1.0
    factor: float = 2.0
    max_s: float = 30.0
    jitter: float = 0.1
    before_fallback: int = 1

    def __post_init__(self) -> None:
        for name in ("max_attempts", "before_fallback"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(
                    f"Retry({name}={getattr(self, name)!r}): at least one attempt is made; use 1 for no retry"
                )
        # (Written so that NaN, which is neither more nor less than anything, is refused.)
        if not all(waits >= 0 for waits in (self.backoff_s, self.factor, self.max_s)) or not 0 <= self.jitter <= 1:
            raise ValueError("Retry: backoff_s, factor and max_s cannot be negative, and jitter is between 0 and 1")

    def wait_s(self, attempt: int, draw: float) -> float:
        """Seconds to wait after the failed attempt (counted from 1); `draw` is a random number in [0, 1)."""
        try:
            wait = min(self.backoff_s * self.factor ** (attempt - 1), self.max_s)
        except OverflowError:  # a float's largest power, after some thousand attempts
            wait = self.max_s
        return wait * (1 - self.jitter * draw)


def next_wait_s(
    policy: Retry, error: Exception, *, attempt: int, draw: float, replaceable: bool = False
) -> float | None:
    """Seconds until the next attempt, or None: give up. A provider's `Retry-After` is honoured up to a cap.

    `replaceable`: another model could be asked instead.
    """
    most = policy.before_fallback if replaceable else policy.max_attempts
    if attempt >= most or not isinstance(error, JackstayError) or not error.retryable:
        return None
    asked = error.retry_after_s if isinstance(error, ModelError) else None
    if asked is None:
        return policy.wait_s(attempt, draw)
    return max(0.0, asked) if asked <= MAX_RETRY_AFTER_S else None
