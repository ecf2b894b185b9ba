"""The watch over everything that waits inside a scope with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackstay.engine.scope import Scope

GRACE_S = 0.2
"""How long after a limit a function may still pass on the error of what it had started, which has the same limit."""
WATCH_AFTER_S = GRACE_S + 0.1
"""Model calls and users' functions end at the limit by themselves, with the better error; the watch comes after them."""


_UNWATCHED = nullcontext()


def watched(scope: Scope) -> AbstractAsyncContextManager[None]:
    """What waits inside the block (a retry, a limiter, a commit) is interrupted soon after the scope's limit, and the
    block then ends with `DeadlineExceeded`; so it does when its code got past the limit without noticing."""
    left_s = scope.time_left_s()
    return _UNWATCHED if left_s is None else _watched(scope, left_s)


@asynccontextmanager
async def _watched(scope: Scope, left_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(max(0.0, left_s) + WATCH_AFTER_S) as watch:
            yield
    except TimeoutError:
        if watch.expired():
            scope.run.check(scope)
        raise
