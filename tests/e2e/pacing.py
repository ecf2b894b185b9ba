"""What a provider saw of a limit: the law that the limiter promises, checked on the stub's log."""

from __future__ import annotations

from collections.abc import Sequence

from jackstay.core.gcra import LATE_US, request_cost_us
from jackstay.testing import StubRequest

MINUTE_S = 60.0


def most_in(window_s: float, times: Sequence[float], sizes: Sequence[int] | None = None) -> int:
    """The most that any window of that length has seen."""
    seen = sorted(zip(times, sizes or [1] * len(times), strict=True))
    most = total = start = 0
    for at, size in seen:
        total += size
        while seen[start][0] <= at - window_s:
            total -= seen[start][1]
            start += 1
        most = max(most, total)
    return most


def arrivals(requests: Sequence[StubRequest]) -> list[float]:
    return sorted(request.received_s for request in requests)


def check_pace(times: Sequence[float], per_min: int, *, jitter_s: float = 0.6) -> None:
    """Every window, however long, has what fits into it at that rate; so that no minute has more than the limit."""
    step_s, slack_s = request_cost_us(per_min) / 1e6, LATE_US / 1e6 + jitter_s
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            most = 1 + (times[last] - began + slack_s) / step_s
            assert last - first + 1 <= most, (first, last, times[last] - began)
