"""An agent's answer that every guardrail has passed: of a task in a crew, and of an agent that is asked by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jackstay.core import prompts
from jackstay.core.messages import Conversation
from jackstay.core.results import TaskResult
from jackstay.core.specs import AgentSpec, TaskSpec, ToolDef
from jackstay.engine.agent_loop import AgentResult, run_agent
from jackstay.engine.guardrails import pass_guardrails
from jackstay.engine.own_agent import run_own
from jackstay.engine.planning import planned
from jackstay.engine.reviewing import reviewed
from jackstay.engine.scope import Scope


async def answered(
    scope: Scope,
    task: TaskSpec,
    agent: AgentSpec,
    user: str,
    tools: Sequence[ToolDef],
    *,
    since_s: float,
    after: Conversation | None = None,
    context: str = "",
) -> tuple[TaskResult, Conversation]:
    """The result, and the conversation that has led to it. `since_s`: on the monotonic clock, when the task began; `after`:
    what was said before the prompt; `context`: what of the prompt is the task's context, for an agent's own code. Of a task
    with `human_input` a person sees each answer before the guardrails do. Raises what the agent loop, that code and the
    guardrails raise."""

    async def told(answer: AgentResult, said: str) -> AgentResult:
        if agent.own is not None:
            return await run_own(scope, task, agent, context, problem=f"{said}\n\n{answer.text}")
        return await run_agent(scope, agent, said, tools, task.output, after=answer.conversation)

    if agent.own is not None:
        answer = await run_own(scope, task, agent, context)
    else:
        user = await planned(scope, agent, user, tuple(tool.spec.name for tool in tools))
        answer = await run_agent(scope, agent, user, tools, task.output, after=after)
    answer = await reviewed(scope, task, answer, told)

    def made() -> TaskResult:
        return result_of(scope, task, agent, answer.text, answer.value, since_s=since_s)

    async def ask_again(result: TaskResult, problem: str) -> TaskResult:
        # The conversation goes on: its context, and what its tools have found, are kept and not asked for again.
        nonlocal answer
        if agent.own is not None:
            answer = await run_own(scope, task, agent, context, problem=prompts.rejected_text(problem, result.raw))
            answer = await reviewed(scope, task, answer, told)
            return made()
        complaint = prompts.rejected_text(problem, None if result.raw == answer.text else result.raw)
        answer = await reviewed(scope, task, await told(answer, complaint), told)
        return made()

    result = await pass_guardrails(scope, task, made(), ask_again)
    return result, answer.conversation


def result_of(scope: Scope, task: TaskSpec, agent: AgentSpec, text: str, value: Any, *, since_s: float) -> TaskResult:
    """The task's result with this text, and with the object of its structured output, if it has one."""
    run, output = scope.run, task.output if value is not None else None
    below = f"{scope.path}/" if scope.path else ""
    return TaskResult(
        key=task.key,
        name=task.name,
        description=task.description,
        expected_output=task.expected_output,
        agent=agent.role,
        raw=text,
        form="raw" if output is None else output.form,
        value=value,
        data=None if output is None else output.dump(value),
        bill=run.bills.own(scope.path),
        duration_s=run.runtime.clock.monotonic() - since_s,
        path=scope.path,
        tool_failures=tuple(f for f in run.tool_failures if f.path.startswith(below)),
    )
