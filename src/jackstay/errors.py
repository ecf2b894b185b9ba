"""Every error that Jackstay raises on its own account.

An error says what was wrong, where, and what to do next. `code` is stable and is what programs compare;
`retryable` says whether the same call may succeed later without a change by the caller.
Where CrewAI users catch a builtin (`ValueError`, `TimeoutError`, …) ours is also one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class JackstayError(Exception):
    """Root of all errors of ours."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    run_id: str | None = None
    """The run that it has ended. (A kickoff notes it on exceptions of your own, too.)"""


NOT_SENT = "the model's request had not been sent yet"
"""A note on a `CancelledError`: nothing went out, so nothing is billed."""

# --- the caller's fault ------------------------------------------------------------------------------------------


class ConfigurationError(JackstayError, ValueError):
    """A setting or argument cannot be used; the message names it and the remedy."""

    code = "configuration"


class DefinitionError(JackstayError, ValueError):
    """An agent, task, crew or flow is defined in a way that cannot run."""

    code = "definition"


class ExpressionError(DefinitionError):
    """An expression of a declared flow cannot be read, or has no value."""

    code = "expression"


class MissingVariableError(JackstayError, ValueError):
    """A template names a variable that the inputs do not have."""

    code = "missing_variable"

    def __init__(self, variable: str, field: str, owner: str, given: tuple[str, ...] = ()) -> None:
        self.variable, self.field, self.owner = variable, field, owner
        have = ", ".join(given) if given else "none"
        super().__init__(
            f"Missing required template variable '{variable}' in {field} of {owner} (inputs given: {have}); "
            f"pass it with kickoff(inputs={{'{variable}': …}}) or write {{ {variable} }} with spaces for literal braces"
        )


class InputsError(JackstayError, ValueError):
    """The inputs of a kickoff cannot be used or stored."""

    code = "inputs"


class UnknownModelError(ConfigurationError):
    """The model's prefix belongs to no provider that is known."""

    code = "unknown_model"


class MissingKeyError(ConfigurationError):
    """The environment has no key for the provider of a model."""

    code = "missing_key"


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is not installed; the message names the extra."""

    code = "missing_extra"


class KickoffWhileLoading(JackstayError, RuntimeError):
    """A kickoff stands at module level of a project that is only being loaded."""

    code = "kickoff_while_loading"


class NotFoundError(JackstayError, LookupError):
    """There is no such run, task or step."""

    code = "not_found"


class UnknownTask(NotFoundError, ValueError):
    """There is no task or method with this id."""

    code = "unknown_task"


class ContentForgotten(NotFoundError):
    """The run's content was erased: there is nothing that it could go on with."""

    code = "forgotten"


class AlreadyRunning(JackstayError, RuntimeError):
    """The run is being driven by another process."""

    code = "already_running"
    retryable = True


class RunKeyConflict(JackstayError, ValueError):
    """The run key belongs to a run with other inputs or another definition."""

    code = "run_key_conflict"


class DefinitionChanged(JackstayError, ValueError):
    """The definition is not the one that the run was made with, and nothing may be asked anew (`--strict`)."""

    code = "definition_changed"


class AlreadyAnswered(JackstayError, ValueError):
    """Somebody else has answered what the run waited for, or the time for an answer is over."""

    code = "already_answered"


class AlreadyResumed(AlreadyAnswered):
    """Somebody else has answered this flow's question and goes on with it."""

    code = "already_resumed"


class NoPendingFeedback(NotFoundError, ValueError):
    """No run of this flow waits for a person under this id."""

    code = "no_pending_feedback"


class MaxMethodCallsExceeded(JackstayError, RecursionError):
    """A flow method was called more often than `max_method_calls` allows."""

    code = "max_method_calls"


# --- the world's fault -------------------------------------------------------------------------------------------


class StorageUnavailable(JackstayError, RuntimeError):
    """A step could not be stored; the run has stopped and can be resumed after the repair."""

    code = "storage"
    retryable = True


class DatabaseTooNew(StorageUnavailable):
    """The database was written by a newer version of Jackstay."""

    code = "database_too_new"
    retryable = False


class MigrationNeeded(StorageUnavailable):
    """The database's tables are older than this version; `jackstay db upgrade` brings them up to date."""

    code = "migration_needed"
    retryable = False


class StatePersistenceFailed(JackstayError, RuntimeError):
    """A flow's state could not be saved by its persistence (`@persist`); the method after which it was fails."""

    code = "state_persistence"


class ModelError(JackstayError, RuntimeError):
    """A model call failed. `exhausted` says that the retries of the pipeline are used up (or useless):
    no layer above retries it again by itself."""

    code = "model"

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        provider: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        exhausted: bool = False,
    ) -> None:
        super().__init__(message)
        self.model, self.provider, self.status = model, provider, status
        self.retry_after_s, self.exhausted = retry_after_s, exhausted

    def details(self) -> dict[str, Any]:
        """The fields beside the message, for the journal."""
        return {
            "model": self.model,
            "provider": self.provider,
            "status": self.status,
            "retry_after_s": self.retry_after_s,
            "exhausted": self.exhausted,
        }


class ModelRateLimited(ModelError):
    """HTTP 429: the provider asks to slow down."""

    code = "rate_limited"
    retryable = True


class ModelQuotaExceeded(ModelError):
    """The account's quota or credit is used up; waiting does not help."""

    code = "quota"


class ModelOverloaded(ModelError):
    """The provider is overloaded (529, or it says so)."""

    code = "overloaded"
    retryable = True


class ModelServerError(ModelError):
    """The provider failed (5xx, 408, 409)."""

    code = "server_error"
    retryable = True


class ModelConnectionFailed(ModelError, ConnectionError):
    """The provider could not be reached, or the connection broke before the answer was whole."""

    code = "connection"
    retryable = True


class ModelTimeout(ModelError, TimeoutError):
    """The provider did not answer within the call's time limit."""

    code = "model_timeout"
    retryable = True


class ModelRejected(ModelError):
    """The provider refused the request itself (400, 404, 422); the same request will be refused again."""

    code = "rejected"


class ModelAuthenticationFailed(ModelRejected):
    """The provider refused the key (401, 403)."""

    code = "authentication"


class ModelContextExceeded(ModelRejected):
    """The messages are longer than the model's context window."""

    code = "context_window"


class ModelContentRefused(ModelRejected):
    """The provider's content policy refused the request or the answer."""

    code = "content_refused"


class ModelAnswerUnreadable(ModelError):
    """The provider answered 2xx with something that is not an answer (invalid JSON, no choices)."""

    code = "unreadable"
    retryable = True


class OutputError(JackstayError, ValueError):
    """The model's final answer does not fit the task's output schema after all the asking again."""

    code = "output"


class GuardrailFailed(JackstayError, RuntimeError):
    """A guardrail of the task rejected the answer, and each one that was asked for instead of it."""

    code = "guardrail"


class NoFinalAnswer(JackstayError, RuntimeError):
    """The agent used up `max_iter` and the model still gave no final answer."""

    code = "max_iterations"


class NoTaskOutput(JackstayError, ValueError):
    """Every task of the crew was skipped, was left out after a failure, or said nothing."""

    code = "no_output"


class NoProgress(JackstayError, RuntimeError):
    """The agent makes the same tool calls again and again, with the same results."""

    code = "no_progress"


class HookAborted(JackstayError, ValueError):
    """A hook has forbidden what it was asked about: raised by the hook, or for it where it returned False.

    `reason` is what it says, `source` what or who aborts (a text or any object of yours; not stored).
    """

    code = "hook_aborted"

    def __init__(self, reason: str, source: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.source = reason, source

    def details(self) -> dict[str, Any]:
        """For the journal."""
        return {"reason": self.code}


class ToolFailure(JackstayError, RuntimeError):
    """A tool's own statement that it has failed: raised or returned by it. The agent is told the message, and whether the
    run goes on says `tool_failure_policy`.

    `reason` is a word for the kind of failure, `code` one of the tool's own; `retryable`: whether the same call may
    succeed later; `details`: JSON values for whoever reads the record.
    """

    code = "tool_failure"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "tool_reported",
        code: str | None = None,
        retryable: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.reason, self.given = message, reason, dict(details or {})
        # Of this failure, not of the class.
        self.code = code or type(self).code  # type: ignore[misc]
        self.retryable = retryable  # type: ignore[misc]

    def details(self) -> dict[str, Any]:
        """The fields beside the message, for the journal."""
        return {"reason": self.reason, "retryable": self.retryable, "details": self.given}


class ToolServerUnavailable(JackstayError, ConnectionError):
    """A server of tools (MCP) could not be started or reached, or does not answer."""

    code = "tool_server"
    retryable = True


class ToolExecutionFailedError(JackstayError, RuntimeError):
    """A tool has stated that it failed (`ToolFailure`), and its `tool_failure_policy` is to end the run then."""

    code = "tool_failed"

    def __init__(self, message: str, record: Any = None) -> None:
        super().__init__(message)
        self.record = record
        """A `ToolFailureRecord`; None after it was read from the journal."""


# --- stops: sticky for the run (engine rule 21) --------------------------------------------------------------------


class DeadlineExceeded(JackstayError, TimeoutError):
    """The run's, task's or agent's time limit has passed."""

    code = "deadline"


class BudgetExceeded(JackstayError, RuntimeError):
    """The budget does not cover the next call."""

    code = "budget"


class RunWaiting(JackstayError, RuntimeError):
    """The run has paused for a person. `run_id` names it; `wait` says what for and how it goes on."""

    code = "waiting"

    def __init__(self, text: str, *, run_id: str = "", wait: str = "") -> None:
        super().__init__(text)
        self.run_id, self.wait = run_id, wait


class HumanFeedbackPending(JackstayError):
    """A flow has paused for a person: what its `kickoff` returns then, and what a provider raises to pause it.

    `context` says what is asked and of what; `callback_info` is a provider's own.
    """

    code = "feedback_pending"

    def __init__(
        self, context: Any, callback_info: Mapping[str, Any] | None = None, message: str | None = None
    ) -> None:
        self.context, self.callback_info = context, dict(callback_info or {})
        if message is None:  # read from the journal it has only its text
            flow_id = getattr(context, "flow_id", None)
            message = str(context) if flow_id is None else f"flow {flow_id} waits for an answer to: {context.message}"
        self.message = message
        super().__init__(self.message)


class RunSignal(BaseException):
    """Passes through users' `except Exception`: the run is being stopped, not failing."""

    code: ClassVar[str] = "signal"


class RunCancelled(RunSignal):
    """Somebody cancelled the run."""

    code = "cancelled"


class RunSuspended(RunSignal):
    """The run waits for an answer and gives its worker back."""

    code = "suspended"


class LeaseLost(RunSignal):
    """Another worker has taken the run over; this one must not write any more."""

    code = "lease_lost"
