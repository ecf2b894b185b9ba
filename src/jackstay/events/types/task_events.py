"""Tasks."""

from __future__ import annotations

from typing import Any

from jackstay.events.base_events import BaseEvent


class TaskStartedEvent(BaseEvent):
    type: str = "task_started"
    context: str | None
    task: Any = None


class TaskCompletedEvent(BaseEvent):
    type: str = "task_completed"
    output: Any
    task: Any = None


class TaskFailedEvent(BaseEvent):
    type: str = "task_failed"
    error: str
    error_type: str | None = None
    task: Any = None
