"""A circuit breaker as arithmetic: after some failures in a row a model is left alone for a while, then one call tries it.

Times are seconds of whatever clock the caller passes in. Only calls that have another model to ask look at it: a
model without an alternative is asked in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

THRESHOLD = 5
"""Failures in a row that open the breaker."""
OPEN_S = 30.0
"""How long it stays open; then one call is let through as a probe."""
PROBE_S = 10.0
"""How long others wait for a probe's outcome before one of them is the next probe."""


def open_s(retry_after_s: float | None = None) -> float:
    """How long a breaker stays open: a provider that says how long it wants to be left alone is taken at its word."""
    return max(OPEN_S, retry_after_s or 0.0)


Entry = Literal["go", "probe", "wait", "open"]


@dataclass(slots=True)
class Breaker:
    """One model's, or one provider's, state in this process."""

    failures: int = 0
    open_until: float = 0.0
    in_flight: int = 0
    proven: bool = False
    """An answer has come since the last failure."""
    reason: str = ""

    def entry(self, now: float) -> Entry:
        """Whether a call may ask: `go`; `probe` (it is the one that tries); `wait` (enough calls are already finding out
        whether the model answers at all: fifty that begin together must not all run into it); `open`."""
        if self.failures >= THRESHOLD:
            return "open" if now < self.open_until else "probe"
        if not self.proven and self.in_flight >= THRESHOLD - self.failures:
            return "wait"
        return "go"

    def succeeded(self) -> None:
        self.failures, self.open_until, self.proven, self.reason = 0, 0.0, True, ""

    def failed(self, now: float, reason: str, *, retry_after_s: float | None = None) -> None:
        self.failures += 1
        self.proven, self.reason = False, reason
        if self.failures >= THRESHOLD:
            self.open_until = now + open_s(retry_after_s)
