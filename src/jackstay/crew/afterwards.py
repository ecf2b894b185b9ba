"""What a run leaves on the definitions that it was of, for code that reads it there: written once, at its end. The engine never
reads it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from jackstay.core.results import TaskResult
from jackstay.crew.output import TaskOutput

if TYPE_CHECKING:
    from jackstay.crew.task import Task

NOTHING_DONE: dict[str, Any] = {"output": None, "start_time": None, "end_time": None}


class Done(BaseModel):
    """What a `Task` has from its last run that succeeded."""

    output: TaskOutput | None = None
    start_time: datetime | None = None
    """In UTC."""
    end_time: datetime | None = None

    @property
    def execution_duration(self) -> float | None:
        """Seconds that it took."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()


def leave_on_task(task: Task, result: TaskResult) -> TaskOutput:
    """The task's output, which it has from now on."""
    task.output, task.start_time = TaskOutput.of(result), result.began_at
    task.end_time = result.began_at + timedelta(seconds=result.duration_s) if result.began_at is not None else None
    return task.output
