"""A copy of a crew with agents and tasks of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.task import Task

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew

Defined = TypeVar("Defined", bound=BaseModel)


def copy_of(crew: Crew) -> Crew:
    """What is changed in the copy does not show in the crew. Models and tools themselves are shared, outputs are not
    taken along."""
    agents = {id(agent): agent.copy() for agent in _all(crew)}
    tasks = {id(task): _copied(task, tools=list(task.tools), output=None) for task in crew.tasks}
    for task in tasks.values():
        _rewire(task, agents, tasks)
    return _copied(
        crew,
        agents=[agents[id(agent)] for agent in crew.agents],
        tasks=[tasks[id(task)] for task in crew.tasks],
        before_kickoff_callbacks=list(crew.before_kickoff_callbacks),
        after_kickoff_callbacks=list(crew.after_kickoff_callbacks),
        manager_agent=agents[id(crew.manager_agent)] if crew.manager_agent is not None else None,
        usage_metrics=None,
    )


def _all(crew: Crew) -> list[BaseAgent]:
    manager = [crew.manager_agent] if crew.manager_agent is not None else []
    return [*crew.agents, *(agent for task in crew.tasks for agent in task.workers), *manager]


def _rewire(task: Task, agents: dict[int, BaseAgent], tasks: dict[int, Task]) -> None:
    task.agent = agents.get(id(task.agent))
    if isinstance(task.fallback, BaseAgent):
        task.fallback = agents[id(task.fallback)]
    if isinstance(task.context, list | tuple):
        # Those outside the crew stay who they are: their outputs are what the task is given.
        task.context = [tasks.get(id(other), other) for other in task.context]


def _copied(definition: Defined, **changed: Any) -> Defined:
    return definition.model_copy(update={"id": uuid.uuid4(), **changed})
