"""One agent asked by itself: prompt, agent loop, guardrails. What a task is to a crew, without a crew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackstay.core import prompts
from jackstay.core.messages import Conversation, Message
from jackstay.core.results import TaskResult
from jackstay.core.specs import TaskSpec
from jackstay.engine.answering import answered
from jackstay.engine.concealing import masked_conversation
from jackstay.engine.dates import todays_date
from jackstay.engine.scope import Scope
from jackstay.engine.tool_servers import equipped


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """`messages`: the whole conversation, as role and content."""

    result: TaskResult
    messages: Sequence[Mapping[str, Any]]


async def run_alone(scope: Scope, task: TaskSpec, earlier: Sequence[Message]) -> AgentAnswer:
    """The agent's answer to the task's description, after the `earlier` messages, when every guardrail has passed it.
    Raises what the agent loop and the guardrails raise."""
    async with equipped(scope, [task.agent]) as [agent]:
        task, since_s = replace(task, agent=agent), scope.run.runtime.clock.monotonic()
        scope.agent = agent.role
        limits = (agent.limit,) if agent.limit else ()
        scope.bound(retry=agent.retry, limits=limits, deadline_s=agent.max_execution_time_s)
        result, conversation = await answered(
            scope,
            task,
            agent,
            _user(scope, task),
            agent.tools_for(),
            since_s=since_s,
            after=_after(scope, task, earlier),
        )
    return AgentAnswer(result, [{"role": each.role, "content": each.content} for each in conversation.messages])


def _user(scope: Scope, task: TaskSpec) -> str:
    today = todays_date(scope, task.agent)
    lines = [task.description]
    if today:
        lines.append(f"Current Date: {today}")
    if task.output is not None:
        lines.append(prompts.schema_text(task.output.schema.schema))
    return "\n\n".join(lines)


def _after(scope: Scope, task: TaskSpec, earlier: Sequence[Message]) -> Conversation | None:
    if not earlier:
        return None
    agent = task.agent
    native = scope.run.models.chain_asker(agent.model, owner=f"agent '{agent.role}'").native_tools
    system = prompts.system_text(agent, () if native else tuple(tool.spec for tool in agent.tools_for()))
    messages = [Message("system" if agent.use_system_prompt else "user", system), *earlier]
    return masked_conversation(Conversation.of(messages), scope.run.secrets)
