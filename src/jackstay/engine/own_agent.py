"""An agent whose own code does its tasks (`BaseAgent.execute_task`): each asking is a step of the task. Its answer is recorded;
model calls and kickoffs inside it are steps below."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jackstay.core import prompts
from jackstay.core.canonical import canonical_json, digest
from jackstay.core.failures import Failure, rebuild
from jackstay.core.messages import Conversation, Message
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.specs import AgentSpec, OwnExecution, TaskSpec
from jackstay.engine.agent_loop import OUTPUT_TRIES, AgentResult
from jackstay.engine.home import CallerHome
from jackstay.engine.scope import Scope
from jackstay.engine.task_failures import failed_with
from jackstay.engine.tool_call import as_text
from jackstay.engine.user_code import call_user
from jackstay.errors import DefinitionError, OutputError


async def run_own(scope: Scope, task: TaskSpec, agent: AgentSpec, context: str, *, problem: str = "") -> AgentResult:
    """The answer of the agent's own code. `problem`: what was wrong with its last answer, which it is told at the end of the
    context. Raises what the code raises, `OutputError` if its answer never fits the task's output."""
    told, tried = _with_problem(context, problem), 0
    while True:
        tried += 1
        text = await _Asked(scope, task, agent, told).perform()
        said = Conversation.of([Message("user", prompts.task_text(task, told)), Message("assistant", text)])
        if task.output is None:
            return AgentResult(text, None, said)
        try:
            return AgentResult(text, task.output.parse(text), said)
        except ValueError as error:
            if tried > OUTPUT_TRIES:
                raise OutputError(
                    f"what agent '{agent.role}' returns does not fit {task.output.schema.name} after {tried} tries: {error}; "
                    "return JSON text that fits, or an object of that class"
                ) from error
            told = _with_problem(context, prompts.rejected_text(str(error), text))


def _with_problem(context: str, problem: str) -> str:
    return "\n\n".join(text for text in (context, problem) if text)


class _Asked:
    """One call of the code. The engine orders them, so that they are numbered."""

    def __init__(self, around: Scope, task: TaskSpec, agent: AgentSpec, context: str) -> None:
        assert agent.own is not None
        self.own: OwnExecution = agent.own
        self.run, self.task, self.agent, self.context = around.run, task, agent, context
        self.scope = around.child(around.numbered("execute"), agent=agent.role)
        schema = task.output.schema.to_json() if task.output else None
        said = [task.description, task.expected_output, agent.role, agent.goal, agent.backstory, context, schema]
        self.args_hash = digest([self.own.name, said])

    async def perform(self) -> str:
        run, path = self.run, self.scope.path
        run.check(self.scope)
        row = run.find(path, self.args_hash)
        if row is not None:
            run.tell("reused", path, kind="step", name=self.own.name)
            if row.status == "failed":
                raise rebuild(Failure.from_json(row.error or "{}"), run.runtime.codec.classes)
            return str(json.loads(row.result or "{}")["text"])
        self.scope.check_goes_on()
        self.began = run.began()
        try:
            said = await call_user(self.scope, self._function, self.task, self.context)
            # Code that swallowed a stop has given no answer.
            run.check(self.scope)
            text = self._text(said)
        except Exception as error:
            if error is not run.stop and not self.scope.is_late:
                await run.commit(self._row("failed", failed_with(error)))
            raise
        run.defer(self._row("succeeded", text=text))
        return text

    @property
    def _function(self) -> Callable[..., Any]:
        awaited = isinstance(self.scope.home, CallerHome)
        function = (self.own.acall or self.own.call) if awaited else (self.own.call or self.own.acall)
        assert function is not None
        return function

    def _text(self, said: Any) -> str:
        if said is None:
            raise DefinitionError(
                f"{self.own.name} has returned None for task '{self.task.name or self.task.description[:60]}'; it has to return "
                "the answer's text"
            )
        return as_text(said)

    def _row(self, status: StepStatus, error: Failure | None = None, text: str | None = None) -> StepRow:
        return self.run.step_row(
            self.began, self.scope.path, "step", self.own.name, status, self.args_hash,
            error=error, result=None if text is None else canonical_json({"text": text}), agent=self.scope.agent,
            task=self.scope.task,
        )  # fmt: skip
