"""Small crews for the tests of this folder."""

from __future__ import annotations

from typing import Any

from jackstay import Agent, BaseAgent, Crew, Task
from jackstay.testing import ScriptedModel


def agent(model: Any, role: str = "Analyst", **more: Any) -> Agent:
    """What its model raises is not tried again, so that an exception in a script ends the run."""
    given = {"role": role, "goal": "Know it all", "backstory": "An expert.", "llm": model, "max_retry_limit": 0}
    return Agent(**{**given, **more})


def task(worker: BaseAgent, description: str = "Do it", **more: Any) -> Task:
    return Task(**{"description": description, "expected_output": "A brief", "agent": worker, **more})


def crew(*tasks: Task, **more: Any) -> Crew:
    workers = {id(one.agent): one.agent for one in tasks}
    return Crew(agents=list(workers.values()), tasks=list(tasks), **more)


def one_task(model: Any, description: str = "Do it", *, agent_fields: Any = None, **more: Any) -> Crew:
    return crew(task(agent(model, **(agent_fields or {})), description, **more))


def prompts(model: ScriptedModel) -> list[str]:
    """The user message of each call."""
    return [call.last_user for call in model.calls]
