"""Work that an agent gives to another one of its crew: tools whose step is a scope in which the other's loop runs.

What the coworker asks and calls are steps below the tool's, so that resume, replay and usage hold for them as for all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from jackstay.core import delegation, prompts
from jackstay.core.delegation import Chain
from jackstay.core.specs import AgentSpec, TaskSpec, ToolDef
from jackstay.engine.agent_loop import run_agent
from jackstay.engine.dates import todays_date
from jackstay.engine.deadlines import watched
from jackstay.engine.own_agent import run_own
from jackstay.engine.planning import planned
from jackstay.engine.scope import Scope


class Coworkers:
    """The agents of one crew's kickoff that work may be delegated to."""

    def __init__(self, crew: Scope, agents: Sequence[AgentSpec]) -> None:
        self.crew = crew
        self.team = delegation.named(agents)

    def added_to(self, tools: Sequence[ToolDef], chain: Chain) -> Sequence[ToolDef]:
        """The agent's tools and, if it may delegate, those for it. A tool of its own with such a name is kept instead."""
        others = delegation.coworkers(self.team, chain)
        own = {tool.spec.name for tool in tools}
        added = [self._tool(name, others, chain) for name in (delegation.DELEGATE, delegation.ASK) if others]
        return (*tools, *(tool for tool in added if tool.spec.name not in own)) if added else tools

    def question(self, chain: Chain) -> list[list[Any]]:
        """What of its coworkers decides what an agent may answer; empty if it has none."""
        return delegation.questions_of(self.team, chain)

    def _tool(self, name: str, others: Mapping[str, AgentSpec], chain: Chain) -> ToolDef:
        return ToolDef(
            delegation.tool_spec(name, others),
            _never,
            lambda given: delegation.checked(name, others, given),
            inside=_Delegated(self, others, chain),
        )


@dataclass(frozen=True, slots=True)
class _Delegated:
    crew: Coworkers
    others: Mapping[str, AgentSpec]
    chain: Chain

    def question(self, arguments: str) -> Any:
        """Who the coworker is: another one's answer is none of this one's."""
        try:
            given = json.loads(arguments)
        except ValueError:
            return None
        name = delegation.coworker_named(self.others, given.get("coworker") if isinstance(given, dict) else None)
        return None if name is None else delegation.question_of(self.crew.team, (*self.chain, self.others[name]))

    async def perform(self, scope: Scope, arguments: Mapping[str, Any]) -> str:
        """The coworker's answer, in its own loop with its own tools and bounds."""
        agent = self.others[arguments["coworker"]]
        chain = (*self.chain, agent)
        own = scope.child(scope.path, agent=agent.role)
        # The crew's bounds and the coworker's; not those of the agent that waits for it.
        own.retry, own.limits = self.crew.crew.retry, self.crew.crew.limits
        own.bound(
            deadline_s=agent.max_execution_time_s, retry=agent.retry, limits=(agent.limit,) if agent.limit else ()
        )
        work = TaskSpec("", None, arguments["work"], prompts.DELEGATED_ANSWER, agent)
        user = prompts.task_text(work, arguments["context"], today=todays_date(own, agent))
        async with watched(own):
            if agent.own is not None:
                return (await run_own(own, work, agent, arguments["context"])).text
            tools = self.crew.added_to(agent.tools_for(), chain)
            user = await planned(own, agent, user, tuple(tool.spec.name for tool in tools))
            return (await run_agent(own, agent, user, tools)).text


def _never(**_: Any) -> NoReturn:
    raise AssertionError("performed by the engine")
