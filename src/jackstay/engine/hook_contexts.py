"""What hooks around model and tool calls are shown. The names are CrewAI's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jackstay.core.interception import AgentView, CrewView, TaskView


class _Asks:
    __slots__ = ()

    def request_human_input(self, prompt: str, default_message: str = "Press Enter to continue") -> str:
        """What a person types at the console; the hook waits for it."""
        return input(f"{prompt}\n{default_message}: ").strip()


@dataclass(slots=True)
class LLMCallHookContext(_Asks):
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

    @payload.setter
    def payload(self, said: Any) -> None:
        if self.response is None:
            self.messages = said
        else:
            self.response = said


@dataclass(slots=True)
class ToolCallHookContext(_Asks):
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

    @payload.setter
    def payload(self, said: Any) -> None:
        if self.tool_result is None:
            self.tool_input = said
        else:
            self.tool_result = said
