"""Tools."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jackstay.events.base_events import BaseEvent


class ToolUsageEvent(BaseEvent):
    agent_key: str | None = None
    tool_name: str
    tool_args: dict[str, Any] | str
    tool_class: str | None = None
    run_attempts: int = 0
    delegations: int | None = None
    agent: Any = None
    from_task: Any = None
    from_agent: Any = None


class ToolUsageStartedEvent(ToolUsageEvent):
    type: str = "tool_usage_started"


class ToolUsageFinishedEvent(ToolUsageEvent):
    type: str = "tool_usage_finished"
    started_at: datetime
    finished_at: datetime
    from_cache: bool = False
    output: Any
    failure: Any = None


class ToolUsageErrorEvent(ToolUsageEvent):
    type: str = "tool_usage_error"
    error: Any


class ToolFailureDetectedEvent(ToolUsageEvent):
    """A tool has stated that it failed (`ToolFailure`)."""

    type: str = "tool_failure_detected"
    failure: Any
    policy: str
