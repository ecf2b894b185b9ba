"""Servers of tools (MCP) during one kickoff of a crew: asked what they have, connected while they are needed, closed.

What a server has enters prompts, so it is a step of the kickoff (engine rule 12): a resumed or replayed run reads it, and
opens a connection only for a call that is not recorded. Connections are user code, on the home loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from jackstay.core.canonical import digest
from jackstay.core.specs import AgentSpec, Connection, CrewSpec, TaskSpec, ToolDef, ToolServer
from jackstay.engine.decision import Decision
from jackstay.engine.scope import Scope
from jackstay.engine.together import together
from jackstay.errors import DefinitionError

CLOSE_WAIT_S = 8.0


@asynccontextmanager
async def served(scope: Scope, crew: CrewSpec) -> AsyncIterator[CrewSpec]:
    """The crew, whose agents have their servers' tools; connections are closed at the end.

    Raises what a server that cannot be asked raises, `DefinitionError` for two tools of one name.
    """
    agents = list(_once([*(worker for task in crew.tasks for worker in _workers(task)), *crew.agents]))
    async with equipped(scope, agents) as made:
        if made is agents:
            yield crew
            return
        by_id = {id(before): after for before, after in zip(agents, made, strict=True)}
        tasks = tuple(_with_agents(task, by_id) for task in crew.tasks)
        for task in tasks:
            for worker in _workers(task):
                _check_names(worker, task.tools)
        yield replace(crew, tasks=tasks, agents=tuple(by_id[id(agent)] for agent in crew.agents))


@asynccontextmanager
async def equipped(scope: Scope, agents: Sequence[AgentSpec]) -> AsyncIterator[Sequence[AgentSpec]]:
    """The agents with their servers' tools, in order; the very same sequence if none has a server."""
    if not any(agent.servers for agent in agents):
        yield agents
        return
    for agent in agents:
        for server in agent.servers:
            scope.run.runtime.masked.learn(server.secrets())
    connections = _Connections(scope)
    try:
        # The steps' paths are taken in order; the servers are asked side by side.
        asked = [[connections.asking(server, agent) for server in agent.servers] for agent in agents]
        every = list(dict.fromkeys(asking for each in asked for asking in each))
        found = dict(zip(every, await together([asking.tools() for asking in every]), strict=True))
        yield [_equipped(agent, [found[asking] for asking in each]) for agent, each in zip(agents, asked, strict=True)]
    finally:
        await connections.close()


class _Connections:
    """One for each server that differs from the others, however many agents name it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: list[tuple[ToolServer, Connection]] = []
        self._asked: dict[tuple[int, str], _Asking] = {}

    def asking(self, server: ToolServer, agent: AgentSpec) -> _Asking:
        """The same for agents that are to get the same tools."""
        connection, question = self._to(server), digest(server.question(agent))
        asking = self._asked.get((id(connection), question))
        if asking is None:
            decision = Decision(self._scope, f"@tools:{server.label}", "input", server.label, question)
            asking = self._asked[id(connection), question] = _Asking(decision, connection, agent)
        return asking

    def _to(self, server: ToolServer) -> Connection:
        known = next((connection for other, connection in self._known if other == server), None)
        if known is None:
            known = server.connection()
            self._known.append((server, known))
        return known

    async def close(self) -> None:
        """Nobody waits longer than `CLOSE_WAIT_S`; a home loop that is gone has cancelled them already."""
        jobs = []
        for _, connection in self._known:
            if connection.is_open:
                try:
                    jobs.append(self._scope.home.run(connection.close, contextvars.Context()))
                except RuntimeError:
                    return
        if jobs:
            waiting = [asyncio.wrap_future(job.future) for job in jobs]
            done, _ = await asyncio.wait(waiting, timeout=CLOSE_WAIT_S)
            for each in done:
                if not each.cancelled():
                    each.exception()  # looked at: the work is done, and how the connection ended changes nothing


class _Asking:
    """One server asked for one agent's tools: a step of the kickoff."""

    def __init__(self, decision: Decision, connection: Connection, agent: AgentSpec) -> None:
        self._decision, self._connection, self._agent = decision, connection, agent

    async def tools(self) -> tuple[ToolDef, ...]:
        listed = self._decision.recorded()
        if listed is None:
            with self._decision.recording_failure():
                listed = await self._decision.ask(self._connection.tools, self._agent)
            self._decision.record(listed)
        return self._connection.tool_defs(listed)


def _equipped(agent: AgentSpec, served_by: Iterable[tuple[ToolDef, ...]]) -> AgentSpec:
    agent = replace(agent, served=tuple(tool for tools in served_by for tool in tools))
    _check_names(agent, ())
    return agent


def _check_names(agent: AgentSpec, own: Sequence[ToolDef]) -> None:
    names: set[str] = set()
    for tool in agent.tools_for(own) if agent.served else ():
        if tool.spec.name in names:
            raise DefinitionError(
                f"agent '{agent.role}' has two tools that models see as {tool.spec.name!r}, one of them from a server in "
                "mcps=; give that server name=…, which its tools' names then begin with, or a tool_filter"
            )
        names.add(tool.spec.name)


def _workers(task: TaskSpec) -> list[AgentSpec]:
    return [task.agent, *([task.on_error.agent] if task.on_error.agent is not None else [])]


def _with_agents(task: TaskSpec, by_id: dict[int, AgentSpec]) -> TaskSpec:
    fallback = task.on_error.agent
    on_error = replace(task.on_error, agent=by_id[id(fallback)]) if fallback is not None else task.on_error
    return replace(task, agent=by_id[id(task.agent)], on_error=on_error)


def _once(agents: Iterable[AgentSpec]) -> Iterable[AgentSpec]:
    return {id(agent): agent for agent in agents}.values()
