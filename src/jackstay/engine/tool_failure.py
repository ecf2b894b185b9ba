"""What becomes of a tool's failure: what the model is told, what the result lists, whether the task ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jackstay.core.failures import Failure
from jackstay.core.messages import ToolCall
from jackstay.core.tool_failures import ToolFailurePolicy, ToolFailureRecord
from jackstay.core.values import class_name
from jackstay.engine.run import Run
from jackstay.engine.scope import Scope
from jackstay.errors import HookAborted, JackstayError, ToolExecutionFailedError, ToolFailure


class ToolMisuse(JackstayError, ValueError):
    """The model called a tool that does not exist, or with arguments that do not fit; it is told so."""

    code = "tool_misuse"

    def __init__(self, message: str, *, reason: str = "invalid_input") -> None:
        super().__init__(message)
        self.reason = reason

    def details(self) -> dict[str, Any]:
        """For the journal."""
        return {"reason": self.reason}


def observation(failure: Failure) -> str:
    """What the model is told of a failed call; the same text whether it has just failed or was recorded."""
    if failure.code in (ToolMisuse.code, HookAborted.code) or _is_stated(failure):
        return f"Error: {failure.message}"
    return f"Error: the tool failed with {failure.type.rpartition(':')[2]}: {failure.message}"


def record_of(failure: Failure, call: ToolCall, scope: Scope) -> ToolFailureRecord:
    """As the task's result lists it."""
    details = failure.details or {}
    return ToolFailureRecord(
        tool_name=call.name,
        reason=details.get("reason", "exception"),
        message=failure.message,
        code=failure.code if failure.code != "error" else failure.type.rpartition(":")[2],
        error_type=failure.type,
        retryable=bool(details.get("retryable", False)),
        arguments=call.arguments,
        agent=scope.agent,
        task=scope.task,
        path=scope.path,
        traceback=failure.traceback,
    )


def with_traceback(record: ToolFailureRecord, run: Run) -> ToolFailureRecord:
    """As the row of its call has it, if the run knows that row."""
    row = run.recorded.newest(record.path)
    if row is None or row.error is None:
        return record
    return replace(record, traceback=Failure.from_json(row.error).traceback)


def settle(
    scope: Scope, record: ToolFailureRecord, failure: Failure, policy: ToolFailurePolicy, *, is_over: bool = False
) -> None:
    """Lists the failure. Raises `ToolExecutionFailedError` if the tool has stated it and that is the policy. `is_over`: it is
    on record that the task went on, so that nothing more follows."""
    run, stated = scope.run, _is_stated(failure)
    if not stated or policy is not ToolFailurePolicy.IGNORE:
        run.tool_failures.append(record)
    if not stated or is_over:
        return
    run.news("tool_failure", scope.path, (scope, record, policy))
    if policy is ToolFailurePolicy.RAISE:
        raise ToolExecutionFailedError(f"the tool '{record.tool_name}' failed: {record.message}", record)
    if policy is ToolFailurePolicy.WARN:
        run.tell("warning", scope.path, text=f"{scope.path}: the tool '{record.tool_name}' failed: {record.message}")


def _is_stated(failure: Failure) -> bool:
    """The tool itself has said that it failed."""
    return class_name(ToolFailure) in failure.bases
