"""What follows when a task's agent has failed: it is asked again, another one is, or the crew goes on without the result.

Each such decision is a step. It tells a resumed run that the failure has been gone on from, so that the failed step is not
executed again (engine rule 22), and that there is nothing left to wait for.
"""

from __future__ import annotations

import traceback
from typing import Literal

from jackstay.core.canonical import digest
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.engine.scope import Scope


def go_on_from(scope: Scope, decision: Literal["retry", "fallback"], error: Exception) -> Literal["new", "recorded"]:
    """Notes what is done about a failure, and says whether an earlier process had."""
    run, failure = scope.run, failed_with(error)
    # Not its class: one of the user's that is raised again from the record is the nearest that is known.
    path, args_hash = scope.numbered(f"@{decision}"), digest(failure.message)
    if run.find(path, args_hash) is not None:
        return "recorded"
    run.defer(
        run.step_row(
            run.began(), path, "step", decision, "succeeded", args_hash,
            error=failure, agent=scope.agent, task=scope.task,
        )
    )  # fmt: skip
    return "new"


def ended_before(scope: Scope, attempt: int) -> Exception | None:
    """With what this attempt at a task has ended, if an earlier process had gone on from it. The fallback comes after the
    last attempt."""
    for step in (f"@retry#{attempt}", "@fallback#1"):
        row = scope.run.recorded.newest(f"{scope.path}/{step}")
        if row is not None and row.error is not None:
            return rebuild(Failure.from_json(row.error), scope.run.runtime.codec.classes)
    return None


def failed_with(error: Exception) -> Failure:
    return failure_of(error, traceback="".join(traceback.format_exception(error)))
