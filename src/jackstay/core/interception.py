"""Where hooks may look in and change what happens, and what they are shown there. The names are CrewAI's."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jackstay.core.specs import AgentSpec, TaskSpec


class InterceptionPoint(StrEnum):
    EXECUTION_START = "execution_start"
    INPUT = "input"
    OUTPUT = "output"
    EXECUTION_END = "execution_end"
    PRE_MODEL_CALL = "pre_model_call"
    POST_MODEL_CALL = "post_model_call"
    PRE_TOOL_CALL = "pre_tool_call"
    POST_TOOL_CALL = "post_tool_call"
    PRE_STEP = "pre_step"
    POST_STEP = "post_step"


@dataclass(frozen=True, slots=True)
class About:
    """Whose work a scope is."""

    agent: AgentSpec | None = None
    task: TaskSpec | None = None
    crew: str | None = None
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent as hooks and observers see it: what it is, not the object that defines it."""

    role: str
    goal: str = ""
    backstory: str = ""


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as hooks and observers see it, with its variables filled in."""

    name: str | None
    description: str = ""
    expected_output: str = ""


@dataclass(frozen=True, slots=True)
class CrewView:
    """A crew, or a flow, as hooks and observers see it."""

    name: str


def agent_view(about: About, role: str | None) -> AgentView | None:
    """`role`: the agent's name, if no more is known of it."""
    if about.agent is not None and role in (None, about.agent.role):
        return AgentView(about.agent.role, about.agent.goal, about.agent.backstory)
    return AgentView(role) if role is not None else None


def task_view(about: About, name: str | None) -> TaskView | None:
    """`name`: the task's name, if no more is known of it."""
    if about.task is not None:
        return TaskView(about.task.name, about.task.description, about.task.expected_output)
    return TaskView(name) if name is not None else None


def crew_view(name: str | None) -> CrewView | None:
    return CrewView(name) if name is not None else None


@dataclass(slots=True)
class InterceptionContext:
    """What a hook is shown. `payload` may be changed in place or replaced, where the point says so."""

    payload: Any = None
    agent: AgentView | None = None
    task: TaskView | None = None
    crew: CrewView | None = None
    flow: CrewView | None = None

    @property
    def agent_role(self) -> str | None:
        return self.agent.role if self.agent is not None else None


@dataclass(slots=True)
class ExecutionStartContext(InterceptionContext):
    """A crew or flow is about to begin; `payload` is its inputs. What is changed in it has no effect."""

    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class InputContext(InterceptionContext):
    """What a crew or flow is to begin with; `payload` is its inputs, to be changed in place or replaced."""


@dataclass(slots=True)
class OutputContext(InterceptionContext):
    """What a crew or flow has come to; `payload` is its `CrewOutput`, or the flow's result, to be changed in place or
    replaced."""


@dataclass(slots=True)
class ExecutionEndContext(InterceptionContext):
    """A crew or flow has ended; `status` is `completed` or `failed`."""

    output: Any = None
    status: str = "completed"
    error: str | None = None


@dataclass(slots=True)
class StepContext(InterceptionContext):
    """`kind`: `task` (before it `payload` is its context, after it the output's text) or `flow_method`."""

    kind: str = "task"
    step_name: str = ""
    output: Any = None
