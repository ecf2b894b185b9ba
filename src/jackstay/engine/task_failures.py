"""What follows when a task's agent has failed: it is asked again, another one is, or the crew goes on without the result.

Each such decision is a step. It tells a resumed run that the failure has been gone on from, so that the failed step is not
executed again (engine rule 22), and that there is nothing left to wait for.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Literal

from jackstay.core.canonical import digest
from jackstay.core.failures import Failure, failure_of
from jackstay.core.results import TaskResult
from jackstay.core.specs import OnError
from jackstay.engine.scope import Scope


async def retried(scope: Scope, on_error: OnError, answer: Callable[[], Awaitable[TaskResult]]) -> TaskResult:
    """The first answer that comes. Raises the last failure once `on_error.retry` is used up, or the run was stopped.

    The user has asked for these retries by name: they come on top of those of each model call, and count those errors,
    too, that the pipeline has given up on (engine rule 18). Deadlines and budgets bound them.
    """
    run, attempt = scope.run, 0
    while True:
        attempt += 1
        try:
            return await answer()
        except Exception as error:
            policy = on_error.retry
            if policy is None or attempt >= policy.max_attempts or run.stopped(scope) is not None:
                raise
            wait_s = round(policy.wait_s(attempt, run.runtime.clock.draw()), 3)
            if go_on_from(scope, "retry", error) == "recorded":
                continue
            run.tell("retry", scope.path, attempt=attempt, wait_s=wait_s, error=str(error), model=scope.agent or "")
            await run.runtime.clock.sleep(wait_s)


def go_on_from(scope: Scope, decision: Literal["retry", "fallback"], error: Exception) -> Literal["new", "recorded"]:
    """Notes what is done about a failure, and says whether an earlier process had."""
    run, failure = scope.run, failed_with(error)
    path, args_hash = scope.numbered(f"@{decision}"), digest([failure.type, failure.message])
    if run.find(path, args_hash) is not None:
        return "recorded"
    run.defer(
        run.step_row(
            run.began(), path, "step", decision, "succeeded", args_hash,
            error=failure, agent=scope.agent, task=scope.task,
        )
    )  # fmt: skip
    return "new"


def failed_with(error: Exception) -> Failure:
    return failure_of(error, traceback="".join(traceback.format_exception(error)))
