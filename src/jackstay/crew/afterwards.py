"""What a run leaves on the definitions that it was of, for code that reads it there: written once, at its end. The engine never
reads it. What the journal has is read there, when somebody asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import ref

from pydantic import BaseModel, PrivateAttr

from jackstay.core.delegation import ASK, DELEGATE
from jackstay.core.failures import Failure
from jackstay.core.interpolation import may_become
from jackstay.core.records import StepRow
from jackstay.core.results import TaskResult
from jackstay.crew.output import TaskOutput
from jackstay.engine.runtime import Runtime

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew
    from jackstay.crew.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Where the journal has what was done: `path` of the run, and below it. Equal to itself alone: definitions that are compared
    are not to compare their crews, which are made of them."""

    runtime: Runtime
    run_id: str
    path: str
    crew: ref[Crew] | None = None
    """Weak: a crew that knows its agents and is known by them would wait for the garbage collector after every kickoff."""

    def __deepcopy__(self, memo: Any) -> Record:
        return self  # it is of the runtime, of which there is one

    def rows(self) -> list[StepRow]:
        rows = self.runtime.journal.steps(self.run_id)
        return [row for row in rows if not self.path or row.path == self.path or row.path.startswith(f"{self.path}/")]


class Done(BaseModel):
    """What a `Task` has from its last run that succeeded."""

    output: TaskOutput | None = None
    start_time: datetime | None = None
    """In UTC."""
    end_time: datetime | None = None
    _context: str | None = PrivateAttr(default=None)
    _record: Record | None = PrivateAttr(default=None)

    @property
    def execution_duration(self) -> float | None:
        """Seconds that it took."""
        if self.start_time is None or self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def prompt_context(self) -> str | None:
        """What it was told of other tasks."""
        return self._context

    @property
    def processed_by_agents(self) -> set[str]:
        """The roles of the agents that worked on it."""
        return {row.agent for row in self._rows() if row.agent}

    @property
    def used_tools(self) -> int:
        """Calls of tools."""
        return len(self._rows("tool"))

    @property
    def tools_errors(self) -> int:
        """Those that failed."""
        return sum(row.status == "failed" for row in self._rows("tool"))

    @property
    def delegations(self) -> int:
        """Work given to coworkers, and questions to them."""
        return sum(row.name in (DELEGATE, ASK) for row in self._rows("tool"))

    @property
    def retry_count(self) -> int:
        """How often guardrails have sent an answer back."""
        return sum("rejected" in (row.flags or "") for row in self._rows("guardrail"))

    def _rows(self, kind: str | None = None) -> list[StepRow]:
        rows = self._record.rows() if self._record is not None else []
        return [row for row in rows if kind is None or row.kind == kind]


class Worked(BaseModel):
    """What an agent has from the last run that it was asked in."""

    role: str
    _record: Record | None = PrivateAttr(default=None)

    @property
    def crew(self) -> Crew | None:
        """The crew that it worked in last, as long as the program has it; None before."""
        crew = self._record.crew if self._record is not None else None
        return crew() if crew is not None else None

    @property
    def tools_results(self) -> list[dict[str, Any]]:
        """Its calls of tools, in the order in which they ended: `tool_name`, `tool_args`, `result`. Of agents whose roles differ
        in their variables alone, those of all."""
        rows = self._record.rows() if self._record is not None else []
        return [_tool_result(row) for row in rows if row.kind == "tool" and may_become(self.role, row.agent or "")]


def _tool_result(row: StepRow) -> dict[str, Any]:
    asked = json.loads(row.request or "{}").get("arguments")
    try:
        arguments = json.loads(asked)
    except (TypeError, ValueError):  # what the model wrote was no JSON
        arguments = asked
    if row.error is not None:
        failure = Failure.from_json(row.error)
        result = f"{failure.type.rpartition(':')[2]}: {failure.message}"
    else:
        result = json.loads(row.result or "{}").get("text", "")
    return {"tool_name": row.name, "tool_args": arguments, "result": result}


def leave_on_task(task: Task, result: TaskResult, record: Record) -> TaskOutput:
    """The task's output, which it has from now on."""
    task.output, task.start_time = TaskOutput.of(result), result.began_at
    task.end_time = result.began_at + timedelta(seconds=result.duration_s) if result.began_at is not None else None
    task._context, task._record = result.context, record
    return task.output


def address_of(tasks: Iterable[Task], task_id: object) -> str:
    """Where the journal has the task's last run, if it is a task's own `id` (CrewAI's way to name it); else as it is."""
    for task in tasks:
        if str(task.id) == str(task_id) and task._record is not None:
            return f"{task._record.run_id}/{task._record.path}"
    return str(task_id)


def leave_on_agent(agent: Worked, record: Record) -> None:
    """Without a crew in the record the one before stays."""
    before = agent._record.crew if agent._record is not None else None
    agent._record = replace(record, crew=record.crew or before)


def forget_on_task(task: Task) -> None:
    """Of a copy, which has done nothing."""
    task.output = task.start_time = task.end_time = task._context = task._record = None


def forget_on_agent(agent: Worked) -> None:
    """The same of an agent's copy."""
    agent._record = None
