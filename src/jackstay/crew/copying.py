"""Copies: of a crew, with agents and tasks of its own, and of one task."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from jackstay.crew.afterwards import forget_on_task
from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.team import agents_of

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew
    from jackstay.crew.task import Task

Defined = TypeVar("Defined", bound=BaseModel)


def copy_of(crew: Crew) -> Crew:
    """What is changed in the copy does not show in the crew. Models and tools themselves are shared, outputs are not
    taken along."""
    agents = {id(agent): agent.copy() for agent in agents_of(crew)}
    tasks: dict[int, Task] = {}
    for task in crew.tasks:
        # What is in its context comes before it.
        tasks[id(task)] = copied_task(task, lambda agent: agents[id(agent)], lambda other: tasks.get(id(other), other))
    return _copied(
        crew,
        agents=[agents[id(agent)] for agent in crew.agents],
        tasks=[tasks[id(task)] for task in crew.tasks],
        before_kickoff_callbacks=list(crew.before_kickoff_callbacks),
        after_kickoff_callbacks=list(crew.after_kickoff_callbacks),
        manager_agent=agents[id(crew.manager_agent)] if crew.manager_agent is not None else None,
        usage_metrics=None,
    )


def copied_task(task: Task, agent_for: Callable[[BaseAgent], BaseAgent], task_for: Callable[[Task], Task]) -> Task:
    """The task with other agents and context tasks, as if it had done nothing. Tasks for which there is no other one stay who
    they are: their outputs are what it is given."""
    changed: dict[str, Any] = {"tools": list(task.tools)}
    if task.agent is not None:
        changed["agent"] = agent_for(task.agent)
    if isinstance(task.fallback, BaseAgent):
        changed["fallback"] = agent_for(task.fallback)
    if isinstance(task.context, list | tuple):
        changed["context"] = [task_for(other) for other in task.context]
    made = _copied(task, **changed)
    forget_on_task(made)
    return made


def _copied(definition: Defined, **changed: Any) -> Defined:
    return definition.model_copy(update={"id": uuid.uuid4(), **changed})
