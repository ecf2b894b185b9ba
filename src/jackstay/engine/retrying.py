"""Doing a step again after a failure, as often as the user has asked for: a task with `on_error`, a flow's method with
`retry`.

The user has asked for these retries by name: they come on top of those of each model call, and count those errors, too,
that the pipeline has given up on (engine rule 18). Deadlines and budgets bound them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from jackstay.core.failures import text_of
from jackstay.core.retry import Retry
from jackstay.engine.scope import Scope

T = TypeVar("T")


async def retried(
    scope: Scope,
    policy: Retry | None,
    attempt: Callable[[], Awaitable[T]],
    *,
    is_new: Callable[[Exception], bool] | None = None,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> T:
    """The first result that comes. Raises the last failure once the policy is used up, or the run was stopped.

    `is_new` is told each failure that is gone on from; False: an earlier process has waited already. `prepare` is awaited
    before the step is done again.
    """
    run, number = scope.run, 0
    while True:
        number += 1
        try:
            return await attempt()
        except Exception as error:
            if policy is None or number >= policy.max_attempts or run.stopped(scope) is not None:
                raise
            wait_s = round(policy.wait_s(number, run.runtime.clock.draw()), 3)
            if is_new is None or is_new(error):
                run.tell(
                    "retry", scope.path, attempt=number, wait_s=wait_s, error=text_of(error), model=scope.agent or ""
                )
                await run.runtime.clock.sleep(wait_s)
        if prepare is not None:
            await prepare()
