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
) -> tuple[TaskResult, Conversation]:
    """The result, and the conversation that has led to it. `since_s`: on the monotonic clock, when the task began; `after`:
    what was said before the prompt. Of a task with `human_input` a person sees each answer before the guardrails do. Raises what the agent loop and the guardrails raise."""

    async def asked(prompt: str, after: Conversation | None) -> AgentResult:
        """The agent's answer that a person, if one is to look at it, has nothing to say to."""
        first = await run_agent(scope, agent, prompt, tools, task.output, after=after)
        return await reviewed(scope, task, first, told)

    async def told(answer: AgentResult, said: str) -> AgentResult:
        return await run_agent(scope, agent, said, tools, task.output, after=answer.conversation)

    answer = await asked(user, after)

    def made() -> TaskResult:
        return result_of(scope, task, agent, answer.text, answer.value, since_s=since_s)

    async def ask_again(result: TaskResult, problem: str) -> TaskResult:
        # The conversation goes on: its context, and what its tools have found, are kept and not asked for again.
        nonlocal answer
        complaint = prompts.rejected_text(problem, None if result.raw == answer.text else result.raw)
        answer = await asked(complaint, answer.conversation)
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
