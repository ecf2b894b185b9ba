"""Who of a crew works for whom: the manager of a hierarchical one, and whom work may be delegated to."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from jackstay.core import prompts
from jackstay.core.specs import AgentSpec, TaskSpec
from jackstay.crew.agent import Agent
from jackstay.crew.base_agent import BaseAgent
from jackstay.errors import DefinitionError

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew


def is_hierarchical(crew: Crew) -> bool:
    return crew.process == "hierarchical"


def manager_of(crew: Crew) -> BaseAgent | None:
    """The agent that does all tasks of a hierarchical crew: its `manager_agent`, else one made for `manager_llm`."""
    if not is_hierarchical(crew):
        return None
    if crew.manager_agent is None:
        role, goal, backstory = prompts.MANAGER_ROLE, prompts.MANAGER_GOAL, prompts.MANAGER_BACKSTORY
        return Agent(role=role, goal=goal, backstory=backstory, llm=crew.manager_llm, allow_delegation=True)
    if crew.manager_agent.is_of_its_own:
        raise DefinitionError(
            f"the manager '{crew.manager_agent.role}' executes its tasks itself; a manager works through its coworkers, with "
            "tools that only an Agent with a model has"
        )
    if crew.manager_agent.tools or getattr(crew.manager_agent, "mcps", None):
        raise DefinitionError(
            f"the manager '{crew.manager_agent.role}' has tools; a manager works through its coworkers: give the tools "
            "to them, or to a task"
        )
    return crew.manager_agent


def coworkers_of(crew: Crew) -> list[BaseAgent]:
    """Whom work may be delegated to: the agents of the crew and of its tasks; empty if nobody may delegate."""
    agents = list(_once(*crew.agents, *(task.agent for task in crew.tasks if task.agent is not None)))
    if is_hierarchical(crew):
        return [agent for agent in agents if agent is not crew.manager_agent]
    return agents if len(agents) > 1 and any(agent.allow_delegation for agent in agents) else []


def specs_of(crew: Crew, inputs: Mapping[str, Any]) -> tuple[tuple[TaskSpec, ...], tuple[AgentSpec, ...]]:
    """The tasks, each with the agent that does it, and those that work may be delegated to. An agent that is both is one
    object."""
    coworkers = {id(agent): _spec_of(crew, agent, inputs) for agent in coworkers_of(crew)}
    manager = manager_of(crew)
    managed = replace(_spec_of(crew, manager, inputs), allow_delegation=True) if manager is not None else None
    tasks = []
    for task in crew.tasks:
        common = crew.task_callback
        callbacks = (common,) if common is not None and common is not task.callback else ()
        own = coworkers.get(id(task.agent))
        spec = task.to_spec(inputs, crew.tasks, callbacks, managed or own)
        if managed is not None and own is not None:
            spec = replace(spec, meant_for=own.role)
        elif managed is None and own is None:
            spec = replace(spec, agent=_with_common(crew, spec.agent))
        if spec.on_error.agent is not None:
            spec = replace(spec, on_error=replace(spec.on_error, agent=_with_common(crew, spec.on_error.agent)))
        tasks.append(spec)
    return tuple(tasks), tuple(coworkers.values())


def _spec_of(crew: Crew, agent: BaseAgent, inputs: Mapping[str, Any]) -> AgentSpec:
    return _with_common(crew, agent.to_spec(inputs))


def _with_common(crew: Crew, agent: AgentSpec) -> AgentSpec:
    """With what the crew says for agents that say nothing themselves."""
    if agent.step_callback is None and crew.step_callback is not None:
        agent = replace(agent, step_callback=crew.step_callback)
    if agent.tool_failure_policy is None and crew.tool_failure_policy is not None:
        agent = replace(agent, tool_failure_policy=crew.tool_failure_policy)
    return agent


def agents_of(crew: Crew) -> list[BaseAgent]:
    """All agents that were given to it, by whatever argument; some more than once."""
    manager = [crew.manager_agent] if crew.manager_agent is not None else []
    return [*crew.agents, *(agent for task in crew.tasks for agent in task.workers), *manager]


def workers_of(crew: Crew) -> list[BaseAgent]:
    """The agents that may be asked in a run, each once."""
    manager = manager_of(crew)
    others = (*coworkers_of(crew), *(agent for task in crew.tasks for agent in task.workers))
    return list(_once(*([manager] if manager is not None else []), *others))


def texts_of(crew: Crew) -> list[str]:
    """Everything that inputs are filled into."""
    manager = [crew.manager_agent] if is_hierarchical(crew) and crew.manager_agent is not None else []
    agents = [text for agent in (*coworkers_of(crew), *manager) for text in agent.texts]
    return [*(text for task in crew.tasks for text in task.texts), *agents]


def outline_of(crew: Crew) -> dict[str, Any]:
    """What the crew's fingerprint covers of it; nothing where nobody may delegate."""
    manager, agents = manager_of(crew), coworkers_of(crew)
    found: dict[str, Any] = {"manager": manager.outline()} if manager is not None else {}
    return found | ({"agents": [agent.outline() for agent in agents]} if agents else {})


def check_team(crew: Crew) -> None:
    """With CrewAI's codes."""
    if not is_hierarchical(crew):
        for task in crew.tasks:
            if task.agent is None:
                text = "task '{task}' has no agent; a sequential crew needs agent=… on every task"
                raise PydanticCustomError("missing_agent_in_task", text, {"task": task.label})
        return
    if crew.manager_llm is None and crew.manager_agent is None:
        text = (
            "Process.hierarchical needs a manager; give the crew manager_llm=… (a model) or manager_agent=… (an agent)"
        )
        raise PydanticCustomError("missing_manager_llm_or_manager_agent", text)
    if any(agent is crew.manager_agent for agent in crew.agents):
        text = "manager_agent is one of the crew's agents as well; take it out of agents=[…]"
        raise PydanticCustomError("manager_agent_in_agents", text)
    if not coworkers_of(crew):
        text = "a hierarchical crew needs agents=[…] that its manager can give the work to"
        raise PydanticCustomError("missing_keys", text)
    manager_of(crew)  # which raises


def warn_of_idle_manager(crew: Crew) -> None:
    """More often than not `process` was forgotten."""
    given = [name for name in ("manager_llm", "manager_agent") if getattr(crew, name) is not None]
    if given and not is_hierarchical(crew):
        listed = ", ".join(f"{name}=" for name in given)
        text = (
            f"Crew: {listed} has no effect in a sequential crew; give it process=Process.hierarchical, or leave it out"
        )
        warnings.warn(text, UserWarning, stacklevel=3)


def _once(*agents: BaseAgent) -> Iterable[BaseAgent]:
    return {id(agent): agent for agent in agents}.values()
