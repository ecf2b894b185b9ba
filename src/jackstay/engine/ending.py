"""How a run ends that does not succeed: for which reason, and how that is written."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import Any

from jackstay.core.content import how_to_go_on
from jackstay.core.events import EventName
from jackstay.core.failures import failure_of, text_of
from jackstay.core.records import FailReason, RunEnd, RunStatus
from jackstay.engine.run import Run
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import UserExit
from jackstay.errors import (
    AlreadyRunning,
    BudgetExceeded,
    DeadlineExceeded,
    GuardrailFailed,
    LeaseLost,
    NoFinalAnswer,
    NoProgress,
    RunCancelled,
    RunSignal,
    RunSuspended,
    StorageUnavailable,
)


def why_ended(scope: Scope, error: BaseException) -> BaseException:
    """The stop behind the error, if there was one: a run ends with that reason, whatever user code made of it (engine
    rule 21)."""
    run = scope.run
    if isinstance(error, asyncio.CancelledError):
        # Not the caller who cancelled, if the run was stopped: the caller is told why.
        why = run.stop if isinstance(run.stop, RunSignal) else error
        # Abandoned functions of the run's may still be at work; they start nothing more.
        run.stop = run.stop or RunCancelled(f"run {run.id} was cancelled")
        return why
    if isinstance(error, RunSignal | DeadlineExceeded) or not scope.is_late:
        return error
    return run.stopped(scope) or error


async def end_failed(run: Run, error: BaseException) -> None:
    """Writes how a run failed, as far as it can be written, and notes on the error how the run goes on."""
    with contextlib.suppress(AttributeError):  # a class of the user's may have no room for it
        error.run_id = run.id  # type: ignore[attr-defined]
    for text in run.abandoned:
        if text not in getattr(error, "__notes__", ()):
            BaseException.add_note(error, text)  # (a user's class may have one of its own)
    if run.writer.visible and not isinstance(error, asyncio.CancelledError | RunSuspended):
        BaseException.add_note(error, how_to_go_on(run.id, run.content))
    if isinstance(error, LeaseLost | AlreadyRunning):
        return
    status, reason = status_of(error)
    failure = failure_of(error, traceback="".join(traceback.format_exception(error)))
    with contextlib.suppress(StorageUnavailable, LeaseLost):
        await run.end(RunEnd(status, run.now(), reason=reason, error=failure.to_json()))


def tell_end(run: Run, error: BaseException | None = None) -> None:
    """Says how the run has ended, and what it has used."""
    bill = run.bills.own()
    news: dict[str, Any] = {
        "kind": run.row.kind,
        "name": run.row.name,
        "tokens": bill.usage.total_tokens,
        "cost_usd": bill.cost_usd,
        "requests": bill.requests,
    }
    if error is None:
        run.tell("run_finished", "", **news)
        return
    status = run.ended.status if run.ended is not None else "failed"
    name: EventName = {"cancelled": "run_cancelled", "waiting": "run_waiting"}.get(status, "run_failed")  # type: ignore[assignment]
    run.tell(name, "", **news, error=text_of(error) or type(error).__name__)


def status_of(error: BaseException) -> tuple[RunStatus, FailReason | None]:
    match error:
        case RunCancelled():
            return "cancelled", None
        case asyncio.CancelledError() | UserExit(original=KeyboardInterrupt()):
            return "cancelled", "interrupted"
        case RunSuspended():
            return "waiting", None
        case RunSignal():
            return "failed", "interrupted"
        case NoProgress():
            return "failed", "no_progress"
        case NoFinalAnswer():
            return "failed", "max_iterations"
        case GuardrailFailed():
            return "failed", "guardrail"
        case DeadlineExceeded():
            return "failed", "deadline"
        case BudgetExceeded():
            return "failed", "budget"
        case StorageUnavailable():
            return "failed", "storage"
        case _:
            return "failed", "error"
