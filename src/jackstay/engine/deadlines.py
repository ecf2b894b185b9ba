"""Time limits: what a limit may be, and the watch over everything that waits inside a scope that has one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from jackstay.errors import ConfigurationError

if TYPE_CHECKING:
    from jackstay.engine.scope import Scope

GRACE_S = 0.2
"""How long after a limit a function may still pass on the error of what it had started, which has the same limit."""
WATCH_AFTER_S = GRACE_S + 0.1
"""Model calls and users' functions end at the limit by themselves, with the better error; the watch comes after them."""


def checked_deadline(deadline_s: object) -> float | None:
    """The limit as seconds. Raises `ConfigurationError` for anything else."""
    if deadline_s is None:
        return None
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float) or not 0 < deadline_s < math.inf:
        raise ConfigurationError(f"deadline_s={deadline_s!r}: a time limit is a number of seconds greater than 0")
    return float(deadline_s)


def nearest(*limits_s: float | None) -> float | None:
    return min((limit for limit in limits_s if limit is not None), default=None)


@asynccontextmanager
async def watched(scope: Scope) -> AsyncIterator[None]:
    """What waits inside the block (a retry, a limiter, a commit) is interrupted soon after the scope's limit, and the
    block then ends with `DeadlineExceeded`; so it does when its code got past the limit without noticing."""
    left_s = scope.time_left_s()
    if left_s is None:
        yield
        return
    try:
        async with asyncio.timeout(max(0.0, left_s) + WATCH_AFTER_S) as watch:
            yield
    except TimeoutError:
        if watch.expired():
            scope.run.check(scope)
        raise
