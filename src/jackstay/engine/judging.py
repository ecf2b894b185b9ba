"""A guardrail in words: a model judges the output, in a step of the task."""

from __future__ import annotations

from typing import Any

from jackstay.core import prompts
from jackstay.core.canonical import digest
from jackstay.core.results import TaskResult, output_hash
from jackstay.core.specs import AgentSpec, GuardrailDef, Judge
from jackstay.engine.agent_loop import run_agent
from jackstay.engine.scope import Scope


def guardrail_question(guardrail: GuardrailDef, result: TaskResult) -> str:
    """The hash that a recorded verdict answers to."""
    shown = output_hash(result)
    return shown if guardrail.judge is None else digest([shown, guardrail.judge.description])


async def judged(scope: Scope, judge: Judge, agent: AgentSpec, result: TaskResult) -> Any:
    """What the model says, in the judge's form. Its calls are steps in `scope`, and count for the task and its agent.
    Raises `OutputError` when it never fits the form, and whatever the model calls raise."""
    # Who streams a crew hears what its agents say, not what is said about them.
    scope.listener = None
    who = AgentSpec(
        prompts.JUDGE_ROLE,
        prompts.JUDGE_GOAL,
        prompts.JUDGE_BACKSTORY,
        judge.model or agent.model,
        max_retry_limit=agent.max_retry_limit,
    )
    shown = prompts.judged_text(judge.description, result.raw)
    schema = prompts.schema_text(judge.output.schema.schema)
    return (await run_agent(scope, who, f"{shown}\n\n{schema}", (), judge.output)).value
