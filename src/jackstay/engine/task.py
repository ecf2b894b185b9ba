"""One task of a crew: condition, prompt, agent loop, structured output, guardrails, what follows from a failure, callbacks,
file, row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from jackstay.core import prompts
from jackstay.core.canonical import digest, ordered_json
from jackstay.core.failures import Failure, text_of
from jackstay.core.messages import Answer
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.results import TaskResult, output_hash, task_from_json, task_to_json
from jackstay.core.specs import AgentSpec, TaskSpec, ToolDef
from jackstay.core.usage import NO_BILL
from jackstay.engine.answering import answered, result_of
from jackstay.engine.dates import todays_date
from jackstay.engine.deadlines import watched
from jackstay.engine.decision import Decision
from jackstay.engine.delegation import Coworkers
from jackstay.engine.listening import tell_whole
from jackstay.engine.receipts import Receipts
from jackstay.engine.retrying import retried
from jackstay.engine.scope import Scope
from jackstay.engine.step_hooks import after_task, before_task
from jackstay.engine.task_failures import ended_before, failed_with, go_on_from
from jackstay.engine.tool_failure import with_traceback
from jackstay.engine.user_code import call_user
from jackstay.errors import ConfigurationError


async def run_task(
    crew: Scope,
    task: TaskSpec,
    number: int,
    context: str,
    previous: TaskResult | None = None,
    *,
    coworkers: Coworkers,
) -> TaskResult:
    """The task's result, from the record or from its agent. `previous`, the output before it, is what its condition looks
    at; without it the condition does not count. `coworkers`: whom its agent may delegate to. Raises what the agent's run, a
    condition or a guardrail raises, unless the task says to go on after it (`on_error`)."""
    return await _TaskStep(crew, task, number, context, previous, coworkers).perform()


class _TaskStep:
    def __init__(
        self,
        crew: Scope,
        task: TaskSpec,
        number: int,
        context: str,
        previous: TaskResult | None,
        coworkers: Coworkers,
    ) -> None:
        self.run, self.crew, self.task, self.context = crew.run, crew, task, context
        self.previous = previous if task.condition is not None else None
        self.coworkers = coworkers
        self.path = crew.at(task.key, number)
        self.given_to(task.agent)
        self.args_hash = _question(task, self.tools, context, self.previous, coworkers.question((task.agent,)))
        self.attempts = 0
        """Of the agent that the task names."""
        self.missing: Failure | None = None
        """Why there is no result, if the crew goes on without it."""

    def given_to(self, agent: AgentSpec, *, after: Scope | None = None) -> None:
        """Who does it from here on. `after`: the scope of the agent before, whose steps are numbered on from."""
        self.agent = agent
        self.scope = self.crew.child(self.path, agent=agent.role, task=self.task.name or self.task.key, after=after)
        self.scope.bound(retry=agent.retry, limits=(agent.limit,) if agent.limit else ())
        self.scope.about = replace(self.crew.about, agent=agent, task=self.task)
        self.tools: Sequence[ToolDef] = self.coworkers.added_to(agent.tools_for(self.task.tools), (agent,))

    async def perform(self) -> TaskResult:
        self.run.check(self.scope)
        row = self.run.find(self.path, self.args_hash)
        # A failure is looked into again: which of its steps is repeated, its own rows say.
        if row is not None and row.status == "succeeded":
            self.run.tell("reused", self.path, kind="task", task=self.scope.task)
            result = self._recorded(row)
            tell_whole(self.scope, self.path, Answer(result.raw), replayed=True)
            return result
        self.began = self.run.began()
        self.run.tell(
            "task_started", self.path, task=self.scope.task, agent=self.scope.agent, about=(self.scope, self.context)
        )
        await self._log("started")
        self._bound_in_time()
        try:
            result, how = await self._outcome()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._failed(error)
            raise
        if how is not None:
            result = replace(result, **self._around)
        done = ordered_json(task_to_json(result))
        self.run.defer(self._row("succeeded", result=done, flags=how, error=self.missing))
        self._tell_end(result, how)
        await self._log(how or "completed", output=result.error or result.raw)
        return result

    def _bound_in_time(self) -> None:
        """The task's limit counts from its begin, whoever does it; an agent's from when it is asked."""
        self.scope.bound(deadline_s=self.task.deadline_s, since_s=self.began.monotonic_s)
        self.scope.bound(deadline_s=self.agent.max_execution_time_s)

    async def _outcome(self) -> tuple[TaskResult, Literal["skipped", "missing"] | None]:
        """The result, and what is noted of how it came about."""
        async with watched(self.scope):
            if not await self._is_wanted():
                return self._result("", None), "skipped"
            self.context = await before_task(self.scope, self.task, self.context)
        on_error = self.task.on_error
        if on_error.retry is not None or on_error.then == "fallback":
            self.scope.receipts = Receipts(self.run.done_by_tools, self.path, self.scope.receipts)
        try:
            async with watched(self.scope):
                result = await retried(
                    self.scope,
                    on_error.retry,
                    self._attempted,
                    is_new=lambda error: go_on_from(self.scope, "retry", error) == "new",
                    prepare=self._begin_again,
                )
        except Exception as error:
            if on_error.then == "abort" or self.run.stopped(self.crew) is not None:
                raise
            result = await self._instead(error)
        if result.error is not None:
            return result, "missing"
        async with watched(self.scope):
            result = await after_task(self.scope, self.task, result)
            result = replace(result, bill=self.run.bills.own(self.path), duration_s=self._took_s(), **self._around)
            await self._hand_out(result)
            # A callback may have swallowed a stop.
            self.run.check(self.scope)
        return result, None

    async def _instead(self, error: Exception) -> TaskResult:
        """What stands in the place of the answer that failed. Raises what the fallback raises."""
        on_error, said = self.task.on_error, f"task '{self.scope.task}' failed ({type(error).__name__}: {error})"
        if on_error.then == "skip":
            self.missing = failed_with(error)
            self.run.tell("warning", self.path, text=f"{said}; its on_error='skip' lets the crew go on without it")
            return replace(self._result("", None), error=f"{type(error).__name__}: {error}")
        go_on_from(self.scope, "fallback", error)
        # The place is the same, but not what has run out for the agent before.
        self.given_to(on_error.agent or self.task.agent, after=self.scope)
        if on_error.agent is None:
            self.run.tell("warning", self.path, text=f"{said}; the text in fallback= stands in its place")
            text = on_error.text or ""
            return self._result(text, self.task.output.parse(text) if self.task.output is not None else None)
        self.run.tell("warning", self.path, text=f"{said}; agent '{on_error.agent.role}' does it instead")
        self._bound_in_time()
        await self._begin_again()
        async with watched(self.scope):
            return await self._answered()

    async def _attempted(self) -> TaskResult:
        self.attempts += 1
        self.scope.ended_by = ended_before(self.scope, self.attempts)
        return await self._answered()

    async def _begin_again(self) -> None:
        if self.scope.receipts is not None:
            self.scope.receipts.begin_again()

    async def _is_wanted(self) -> bool:
        """What the task's condition says of the output before it; decided once in a run."""
        if self.task.condition is None or self.previous is None:
            return True
        decision = Decision(self.scope, "@condition", "step", "condition", output_hash(self.previous))
        decided = decision.recorded()
        if decided is None:
            with decision.recording_failure():
                decided = bool(await decision.ask(self.task.condition, self.task.presented(self.previous)))
            decision.record(decided)
        return bool(decided)

    async def _answered(self) -> TaskResult:
        """The agent's answer that every guardrail has passed."""
        today = todays_date(self.scope, self.agent)
        user = prompts.task_text(self.task, self.context, today=today)
        result, _ = await answered(
            self.scope, self.task, self.agent, user, self.tools, since_s=self.began.monotonic_s, context=self.context
        )
        return result

    async def _hand_out(self, result: TaskResult) -> None:
        """To callbacks, and to its file."""
        for callback in self.task.callbacks:
            await call_user(self.scope, callback, self.task.presented(result))
        if self.task.output_file:
            # As user code: the answer is on disk before the world sees anything of it.
            await self.run.writer.flush()
            self.run.check(self.scope)
            await self.run.runtime.off_loop(_write_file, self.task, result)

    def _result(self, text: str, value: Any) -> TaskResult:
        return result_of(self.scope, self.task, self.agent, text, value, since_s=self.began.monotonic_s)

    @property
    def _around(self) -> dict[str, Any]:
        return {"began_at": self.began.at, "context": self.context}

    def _took_s(self) -> float:
        return self.run.runtime.clock.monotonic() - self.began.monotonic_s

    def _tell_end(self, result: TaskResult, how: str | None) -> None:
        named = {"task": self.scope.task, "agent": self.scope.agent}
        if how is not None:
            self.run.tell("task_skipped", self.path, **named, error=result.error, about=(self.scope, self.task, result))
            return
        figures = {"tokens": result.bill.usage.total_tokens, "cost_usd": result.bill.cost_usd}
        self.run.tell(
            "task_finished", self.path, **named, summary=self.run.secrets.masked(result.raw)[:120], **figures, duration_s=result.duration_s,
            about=(self.scope, self.task, result),
        )  # fmt: skip

    async def _failed(self, error: Exception) -> None:
        about = (self.scope, error)
        self.run.tell(
            "task_failed", self.path, task=self.scope.task, agent=self.scope.agent, error=text_of(error), about=about
        )
        await self._log("failed", output=f"{type(error).__name__}: {error}")
        if error is self.run.stop:
            return
        await self.run.commit(self._row("failed", error=failed_with(error)))

    async def _log(self, status: str, **more: str) -> None:
        if self.task.log is None:
            return
        named = {"task_name": self.task.name or self.task.key, "task": self.task.description}
        when = self.run.now().isoformat(timespec="seconds")
        entry = {"timestamp": when, **named, "agent": self.agent.role, "status": status, **more}
        entry = {name: self.run.secrets.masked(value) for name, value in entry.items()}
        try:
            await self.run.runtime.off_loop(self.task.log, entry)
        except (OSError, ValueError) as error:
            self.run.tell("warning", self.path, text=f"output_log_file: {error}; the task goes on without it")

    def _recorded(self, row: StepRow) -> TaskResult:
        body = json.loads(row.result or "{}")
        load = self.task.output.load if self.task.output is not None and body.get("data") is not None else None
        result = task_from_json(body, load(body["data"]) if load else None)
        # What another run has paid for is no cost of this one.
        paid_here = row.origin_run_id in (None, self.run.id)
        failures = tuple(with_traceback(failure, self.run) for failure in result.tool_failures)
        bill = result.bill if paid_here else NO_BILL
        return replace(result, path=self.path, bill=bill, tool_failures=failures, context=self.context)

    def _row(self, status: StepStatus, *, error: Failure | None = None, **fields: Any) -> StepRow:
        return self.run.step_row(
            self.began,
            self.path,
            "task",
            self.task.name or self.task.key,
            status,
            self.args_hash,
            error=error,
            agent=self.scope.agent,
            task=self.scope.task,
            **fields,
        )


def _question(
    task: TaskSpec, tools: Sequence[ToolDef], context: str, previous: TaskResult | None, coworkers: Sequence[Any]
) -> str:
    agent = task.agent
    schema: Any = task.output.schema.to_json() if task.output else None
    said = [task.description, task.expected_output, agent.role, agent.goal, agent.backstory, context]
    # Only where there are any: the questions of all other tasks are what they were.
    guarded = [["guardrails", *(guardrail.question for guardrail in task.guardrails)]] if task.guardrails else []
    conditional = [["condition", output_hash(previous)]] if previous is not None else []
    delegating = [["coworkers", task.meant_for, *coworkers]] if coworkers else []
    planned = [["plan", task.plan]] if task.plan else []
    return digest(
        [said, [tool.spec.to_json() for tool in tools], schema, *guarded, *conditional, *delegating, *planned]
    )


def _write_file(task: TaskSpec, result: TaskResult) -> None:
    """`output_file`: the JSON of a structured output, else the text. The path was checked when it was filled in."""
    path = Path(task.output_file or "")
    text = result.raw if result.data is None else json.dumps(result.data, ensure_ascii=False, indent=2)
    try:
        if task.create_directory:
            path.parent.mkdir(parents=True, exist_ok=True)
        # A model may say half of a pair of surrogates, which no file can hold.
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            f"output_file of task '{task.name or task.key}' cannot be written: {error}; its result is in the journal"
        ) from error
