"""Agents at work: on a task, or by themselves (`lite`)."""

from __future__ import annotations

from typing import Any

from jackstay.events.base_events import BaseEvent


class AgentExecutionStartedEvent(BaseEvent):
    type: str = "agent_execution_started"
    agent: Any
    task: Any
    tools: list[Any] | None
    task_prompt: str


class AgentExecutionCompletedEvent(BaseEvent):
    type: str = "agent_execution_completed"
    agent: Any
    task: Any
    output: str


class AgentExecutionErrorEvent(BaseEvent):
    type: str = "agent_execution_error"
    agent: Any
    task: Any
    error: str


class LiteAgentExecutionStartedEvent(BaseEvent):
    type: str = "lite_agent_execution_started"
    agent_info: dict[str, Any]
    tools: list[Any] | None
    messages: str | list[dict[str, Any]]


class LiteAgentExecutionCompletedEvent(BaseEvent):
    type: str = "lite_agent_execution_completed"
    agent_info: dict[str, Any]
    output: str


class LiteAgentExecutionErrorEvent(BaseEvent):
    type: str = "lite_agent_execution_error"
    agent_info: dict[str, Any]
    error: str
