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


@dataclass(slots=True)
class LLMCallHookContext:
    """One model call. Before it `messages` may be changed in place; that counts for this request alone. After it
    `response` is the answer's text."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    llm: Any = None
    """Your `BaseLLM` object, else the model's name."""
    agent: AgentView | None = None
    task: TaskView | None = None
    crew: CrewView | None = None
    iterations: int = 0
    """Which call of its agent, task or method this is, from 1."""
    response: str | None = None

    @property
    def payload(self) -> Any:
        """The messages before the call, the response after it."""
        return self.messages if self.response is None else self.response

    def request_human_input(self, prompt: str, default_message: str = "Press Enter to continue") -> str:
        """What a person types at the console; the hook waits for it."""
        return input(f"{prompt}\n{default_message}: ").strip()


@dataclass(slots=True)
class ToolCallHookContext:
    """One tool call. Before it `tool_input` may be changed in place; after it `tool_result` is what the model is going to
    read, `raw_tool_result` what the tool returned (the text again, if that comes from the record)."""

    tool_name: str
    tool_input: dict[str, Any]
    tool: Any = None
    """The tool as the model sees it: `name`, `description`, `parameters`."""
    agent: AgentView | None = None
    task: TaskView | None = None
    crew: CrewView | None = None
    tool_result: str | None = None
    raw_tool_result: Any = None

    @property
    def payload(self) -> Any:
        """The arguments before the call, the result after it."""
        return self.tool_input if self.tool_result is None else self.tool_result

    def request_human_input(self, prompt: str, default_message: str = "Press Enter to continue") -> str:
        """What a person types at the console; the hook waits for it."""
        return input(f"{prompt}\n{default_message}: ").strip()
