"""Failed calls of tools as data: what a result lists, and what follows from a failure that a tool states itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ToolFailurePolicy(StrEnum):
    """What follows from a `ToolFailure`. The agent is told of it in any case, and the journal has it."""

    IGNORE = "ignore"
    """Nothing else."""
    WARN = "warn"
    """A warning, and the result lists it."""
    RAISE = "raise"
    """The task ends with `ToolExecutionFailedError`."""


@dataclass(frozen=True, slots=True)
class ToolFailureRecord:
    """One failed call. The journal has it at `path`."""

    tool_name: str
    reason: str
    """`tool_reported` (or the tool's own word), `exception`, `unknown_tool`, `invalid_input`, `usage_limit`, `decided`."""
    message: str
    code: str
    """The tool's own, else the exception's."""
    error_type: str
    """The exception's class, as `module:name`."""
    retryable: bool
    arguments: str
    """JSON text, as the model gave it."""
    agent: str | None = None
    task: str | None = None
    path: str = ""
    traceback: str = field(default="", repr=False, compare=False)
    """Of the exception. Empty in a finished run's recorded result: `jackstay show --json` has it."""
