"""Delegation as decisions over plain values: who may give work to whom, how coworkers are named, what a model is told.

An agent with its `chain`: those who have delegated to it, from the outermost inwards, and itself at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackstay.core.messages import ToolSpec
from jackstay.core.specs import AgentSpec

MAX_DEPTH = 2
"""An agent's coworker may itself delegate (`allow_delegation`); that coworker's coworker may not."""

DELEGATE, ASK = "delegate_work_to_coworker", "ask_question_to_coworker"
_WORK = {DELEGATE: "task", ASK: "question"}
_SAYS = {
    DELEGATE: "Gives a task to one of your coworkers, who does it and gives you the result.",
    ASK: "Asks one of your coworkers a question and gives you the answer.",
}
_ALONE = (
    "They know nothing of your work and remember nothing of what you told them before: say everything that they need in "
    "the arguments."
)

Chain = tuple[AgentSpec, ...]


def named(agents: Sequence[AgentSpec]) -> dict[str, AgentSpec]:
    """The agents by the names that models call them: their roles, equal ones numbered."""
    found: dict[str, AgentSpec] = {}
    for agent in agents:
        name, number = agent.role, 1
        while _plain(name) in map(_plain, found):
            number += 1
            name = f"{agent.role} ({number})"
        found[name] = agent
    return found


def coworkers(team: Mapping[str, AgentSpec], chain: Chain) -> dict[str, AgentSpec]:
    """Whom the last of the chain may delegate to: all others, but for those who wait for it."""
    if not chain[-1].allow_delegation or len(chain) > MAX_DEPTH:
        return {}
    return {name: agent for name, agent in team.items() if not any(agent is one for one in chain)}


def tool_spec(tool: str, others: Mapping[str, AgentSpec]) -> ToolSpec:
    """`DELEGATE` or `ASK` as the model sees it; `coworker` can only be one of the names."""
    listed = "\n".join(f"- {name}: {agent.goal}" for name, agent in others.items())
    work = _WORK[tool]
    fields = {
        work: {"type": "string", "description": f"The {work}, in full"},
        "context": {"type": "string", "description": f"Everything that is to be known for the {work}"},
        "coworker": {"type": "string", "enum": list(others), "description": "Which coworker"},
    }
    parameters = {"type": "object", "properties": fields, "required": list(fields)}
    return ToolSpec(tool, f"{_SAYS[tool]} {_ALONE} The coworkers:\n{listed}", parameters)


def checked(tool: str, others: Mapping[str, AgentSpec], given: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of a call: the work, its context, the coworker's exact name. Raises `ValueError` with what a model
    can do about it."""
    who, work = given.get("coworker"), given.get(_WORK[tool])
    name = coworker_named(others, who)
    if name is None:
        raise ValueError(f"coworker: {who!r} is none of your coworkers; they are: {', '.join(map(repr, others))}")
    if not isinstance(work, str) or not work.strip():
        raise ValueError(f"{_WORK[tool]}: is missing; say what the coworker is to do")
    context = given.get("context") or ""
    return {"work": work, "context": context if isinstance(context, str) else json.dumps(context), "coworker": name}


def coworker_named(others: Mapping[str, AgentSpec], given: Any) -> str | None:
    """The coworker that is meant, whatever the case, spaces and quotes (models that are given tools in text)."""
    if not isinstance(given, str):
        return None
    return next((name for name in others if _plain(name) == _plain(given)), None)


def _plain(name: str) -> str:
    return " ".join(name.replace('"', "").replace("'", "").replace("`", "").split()).casefold()


def question_of(team: Mapping[str, AgentSpec], chain: Chain) -> list[Any]:
    """What decides an agent's answers besides the work that it is given; with those that it may delegate to."""
    agent = chain[-1]
    tools = [tool.spec.to_json() for tool in agent.tools_for()]
    return [agent.role, agent.goal, agent.backstory, tools, questions_of(team, chain)]


def questions_of(team: Mapping[str, AgentSpec], chain: Chain) -> list[list[Any]]:
    """The same of all its coworkers."""
    return [question_of(team, (*chain, agent)) for agent in coworkers(team, chain).values()]
