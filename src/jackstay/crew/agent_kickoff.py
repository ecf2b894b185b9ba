"""`Agent.kickoff`: an agent asked by itself, as a run of its own or as a step of the run around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import BaseModel, Field

from jackstay.core import prompts
from jackstay.core.budget import Budget
from jackstay.core.canonical import digest, ordered_json
from jackstay.core.messages import Message
from jackstay.core.results import task_from_json, task_to_json
from jackstay.core.specs import ModelConfig, OutputSpec, TaskSpec
from jackstay.core.tool_failures import ToolFailureRecord
from jackstay.crew.afterwards import Record, leave_on_agent
from jackstay.crew.forms import is_form, output_form
from jackstay.crew.guardrails import guardrail_def, guardrail_list
from jackstay.crew.llm_guardrail import LLMGuardrail
from jackstay.crew.naming import key_of
from jackstay.crew.output import UsageMetrics
from jackstay.engine.agent_run import AgentAnswer, run_alone
from jackstay.engine.asked import Kickoff
from jackstay.engine.entry import entry_point
from jackstay.engine.kickoff import Outcome
from jackstay.engine.runtime import Runtime
from jackstay.errors import DefinitionError
from jackstay.llm.llm import message_of
from jackstay.tools.base_tool import tool_defs

if TYPE_CHECKING:
    from jackstay.crew.agent import Agent
    from jackstay.crew.task import Task

Messages = str | Sequence[Mapping[str, Any]]


class RunArguments(TypedDict, total=False):
    """Of the run, as a crew's kickoff takes them."""

    run_key: str | None
    resume: str | None
    budget: Budget | None
    deadline_s: float | None


class LiteAgentOutput(BaseModel):
    """What an agent that was asked by itself has answered. `usage_metrics` and `cost_usd` are of this kickoff alone."""

    raw: str = ""
    pydantic: Any = None
    agent_role: str = ""
    usage_metrics: dict[str, Any] = Field(default_factory=dict)
    cost_usd: Decimal | None = None
    messages: list[dict[str, Any]] = Field(default_factory=list)
    tool_failures: list[ToolFailureRecord] = Field(default_factory=list)
    run_id: str = ""
    path: str = ""

    def to_dict(self) -> dict[str, Any]:
        return self.pydantic.model_dump() if self.pydantic is not None else {}

    def __str__(self) -> str:
        return self.raw


def kickoff_of(
    agent: Agent,
    runtime: Runtime,
    messages: Messages,
    response_format: type[BaseModel] | None,
    *,
    run_key: str | None = None,
    resume: str | None = None,
    budget: Budget | None = None,
    deadline_s: float | None = None,
) -> Kickoff:
    """What the engine is asked."""
    *earlier, last = _messages_of(messages)
    if response_format is not None and not is_form(response_format):
        raise DefinitionError(
            f"Agent.kickoff: response_format={response_format!r:.60} is no form of an answer; give a pydantic model class"
        )
    if agent.verbose:
        runtime.be_verbose()
    runtime.masked.learn_models(agent.model_asked)
    form = output_form(response_format, json_form=False)
    if response_format is not None:
        runtime.vouch_for(response_format)
    judges = guardrail_list(agent.guardrail)
    spec = TaskSpec(
        key=key_of(agent.role),
        name=None,
        description=last.content,
        expected_output="",
        # Code of its own does the tasks of crews (CrewAI's rule).
        agent=replace(agent.to_spec({}), own=None),
        output=form,
        present=lambda result: LiteAgentOutput(raw=result.raw, pydantic=result.value, agent_role=result.agent),
        guardrails=tuple(guardrail_def(each) for each in judges),
        guardrail_max_retries=agent.guardrail_max_retries,
    )
    return _kickoff(
        agent,
        spec,
        earlier,
        [message.question() for message in (*earlier, last)],
        [each.config for each in judges if isinstance(each, LLMGuardrail) and each.config is not None],
        run_key=run_key,
        resume=resume,
        budget=budget,
        deadline_s=deadline_s,
    )


def execution_of(agent: Agent, runtime: Runtime, task: Task, context: str, tools: Sequence[Any] | None) -> Kickoff:
    """What the engine is asked when the agent is given a task outside of a crew: the task's prompt. Its guardrails are
    the crew's business."""
    if agent.verbose:
        runtime.be_verbose()
    runtime.masked.learn_models(agent.model_asked)
    if task.answer_model is not None:
        runtime.vouch_for(task.answer_model)
    given = tool_defs(task.tools if tools is None else tools, f"task '{task.label}'")
    who = replace(agent.to_spec({}), own=None)
    asked = task.to_spec({}, [task], (), who)
    text = prompts.task_text(replace(asked, output=None), context)
    spec = TaskSpec(key_of(agent.role), None, text, "", replace(who, tools=given or who.tools), output=asked.output)
    return _kickoff(agent, spec, [], [Message("user", text).question()], [])


def _kickoff(
    agent: Agent,
    spec: TaskSpec,
    earlier: Sequence[Message],
    asked: Sequence[Mapping[str, Any]],
    judging: Sequence[ModelConfig],
    **run: Any,
) -> Kickoff:
    schema = spec.output.schema.to_json() if spec.output is not None else None
    return Kickoff(
        kind="agent",
        name=agent.role,
        inputs={"messages": list(asked)},
        fingerprint=digest(["agent", agent.outline(), schema, [each.question for each in spec.guardrails]]),
        body=lambda scope: run_alone(scope, spec, earlier),
        encode=_encode,
        decode=lambda text: _decode(text, spec.output),
        models=(
            *agent.model_asked,
            *((config, f"the guardrail of agent '{agent.role}'") for config in judging),
        ),
        entry=entry_point(),
        verbose=agent.verbose,
        **run,
    )


def presented(agent: Agent, runtime: Runtime, outcome: Outcome) -> LiteAgentOutput:
    leave_on_agent(agent, Record(runtime, outcome.run_id, outcome.path))
    answer: AgentAnswer = outcome.result
    return LiteAgentOutput(
        raw=answer.result.raw,
        pydantic=answer.result.value,
        agent_role=answer.result.agent,
        usage_metrics=UsageMetrics.of(outcome.bill).model_dump(),
        cost_usd=outcome.bill.cost_usd,
        messages=[dict(message) for message in answer.messages],
        tool_failures=list(answer.result.tool_failures),
        run_id=outcome.run_id,
        path=outcome.path,
    )


def _messages_of(given: Messages) -> list[Message]:
    if not isinstance(given, str | Sequence):
        raise DefinitionError(
            f"Agent.kickoff: a {type(given).__name__} is no question; give a text or a list of messages"
        )
    messages = [Message("user", given)] if isinstance(given, str) else [message_of(each) for each in given]
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise DefinitionError("Agent.kickoff: the last of the messages has to be one of the user's, with what is asked")
    return messages


def _encode(answer: AgentAnswer) -> str:
    return ordered_json({"result": task_to_json(answer.result), "messages": [dict(each) for each in answer.messages]})


def _decode(text: str, form: OutputSpec | None) -> AgentAnswer:
    body = json.loads(text)
    data = body["result"]["data"]
    value = form.load(data) if form is not None and data is not None else None
    return AgentAnswer(task_from_json(body["result"], value), body["messages"])
