"""`Crew`: agents and tasks that are run together. One object may be kicked off any number of times at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from jackstay.core.budget import Budget
from jackstay.core.canonical import digest
from jackstay.core.content import Content
from jackstay.core.ignored import Files, warn_of_files
from jackstay.core.interpolation import check_inputs, mapped, placeholders
from jackstay.core.retry import Retry
from jackstay.core.specs import CrewSpec
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.crew import accepted
from jackstay.crew.afterwards import address_of
from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.batch import CrewOutputs, OnError, outputs_of
from jackstay.crew.checkpoint import CheckpointConfig, of_an_object, origin_for_copy, origin_of
from jackstay.crew.copying import copy_of
from jackstay.crew.limit import max_rpm_limit
from jackstay.crew.output import CrewOutput, UsageMetrics
from jackstay.crew.planning import planner_of, planning_outline
from jackstay.crew.running import callbacks_outline, kickoff_of, leave_on_crew
from jackstay.crew.security import SecurityConfig
from jackstay.crew.streaming import CrewStreamingOutput
from jackstay.crew.task import Task, check_order
from jackstay.crew.team import check_team, outline_of, specs_of, texts_of, warn_of_idle_manager, workers_of
from jackstay.engine.addressing import find_unit, replay_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.batch import Ended, start_batch
from jackstay.engine.bridge import Work, run_async, run_sync
from jackstay.engine.checkpoints import Origin, beginning
from jackstay.engine.entry import guard_loading
from jackstay.engine.kickoff import Outcome, start
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.engine.task_log import TaskLog
from jackstay.errors import DefinitionError, InputsError

Inputs = Mapping[str, Any]


class Process(StrEnum):
    sequential = "sequential"
    hierarchical = "hierarchical"


class Crew(BaseModel):
    """Agents and the tasks they do, in order. `usage_metrics` and the tasks' `output` are those of the last run.

    `retry`: how failed model calls are tried again, for agents that say nothing themselves. `budget`: what one kickoff
    may spend. `stream`: kickoffs are `CrewStreamingOutput`s. `deadline_s`: how long one kickoff may take, in seconds. `max_rpm`: how
    many model calls per minute crews of this definition make together, in whatever runs and processes; agents' own `max_rpm` hold besides. `output_log_file`: a
    path (True: logs.txt) to which tasks' begins and ends are added. `planning`: before the tasks begin, `planning_llm`
    (gpt-5.4-mini) writes a plan for each. `verbose`: what happens in a kickoff is printed, as it happens.
    `content`: how much of what is said stays when a run has ended: "full", "hashes" or "off".

    `Process.hierarchical`: a manager does all tasks and gives the work to the agents. It is `manager_agent`, an agent
    without tools, or one that the crew makes for the model `manager_llm`. Tasks need no agent then.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", ignored_types=(of_an_object,)
    )

    id: uuid.UUID = Field(default_factory=uuid.uuid4, frozen=True)
    name: str = "crew"
    agents: list[BaseAgent] = Field(default_factory=list)
    tasks: list[Task] = Field(default_factory=list)
    process: Process = Process.sequential
    manager_llm: Any = None
    manager_agent: BaseAgent | None = None
    step_callback: Callable[..., Any] | None = None
    task_callback: Callable[..., Any] | None = None
    before_kickoff_callbacks: list[Callable[..., Any]] = Field(default_factory=list)
    after_kickoff_callbacks: list[Callable[..., Any]] = Field(default_factory=list)
    stream: bool = False
    verbose: bool = False
    output_log_file: bool | str | None = None
    planning: bool = False
    planning_llm: Any = None
    retry: Retry | None = None
    budget: Budget | None = None
    deadline_s: accepted.Deadline = None
    max_rpm: int | None = Field(default=None, ge=1)
    content: Content | None = None
    tool_failure_policy: ToolFailurePolicy | None = None
    security_config: SecurityConfig = Field(default_factory=SecurityConfig)
    usage_metrics: UsageMetrics | None = None
    _begins_at: Origin | None = PrivateAttr(default=None)
    """Of a copy that `fork` or `from_checkpoint` has made."""
    _task_log: tuple[str, TaskLog] | None = PrivateAttr(default=None)

    def __init__(self, **given: Any) -> None:
        with accepted.defining("Crew"):
            super().__init__(**accepted.split("Crew", accepted.CREW, given))
        warn_of_idle_manager(self)

    _id_is_ours = field_validator("id", mode="before")(accepted.refuse_id)

    @model_validator(mode="after")
    def _can_run(self) -> Crew:
        if not self.tasks:
            raise PydanticCustomError("missing_keys", "a crew needs tasks; give it tasks=[…] and agents=[…]")
        check_team(self)
        check_order(self.tasks)
        return self

    def kickoff(
        self,
        inputs: Inputs | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        input_files: Files | None = None,
    ) -> CrewOutput:
        """Runs the crew and blocks until it is done.

        `budget`: what this run may spend, instead of the crew's own. `deadline_s`: ends it with `DeadlineExceeded` after
        so many seconds. `run_key`: the caller's name for this run; the same key with the same inputs goes on, or returns
        the recorded result, instead of starting again. `resume`: the id of a run to go on with. `from_checkpoint`: begins at a
        point of an earlier run, with that run's inputs and those given here. Raises what the run raises; the error's note
        has the command that resumes it. With `stream=True` it returns at once, and what it returns is a
        `CrewStreamingOutput`.
        """
        warn_of_files(input_files)
        with self._kicked_off(inputs, run_key, resume, budget, deadline_s, from_checkpoint) as (runtime, kickoff):
            if self.stream:
                return self._streamed(runtime, kickoff)
            return leave_on_crew(self, runtime, run_sync(runtime, lambda home: start(runtime, home, kickoff)))

    async def akickoff(
        self,
        inputs: Inputs | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        input_files: Files | None = None,
    ) -> CrewOutput:
        """As `kickoff`, to be awaited. The crew's asynchronous tools and callbacks run on the caller's loop."""
        warn_of_files(input_files)
        with self._kicked_off(inputs, run_key, resume, budget, deadline_s, from_checkpoint) as (runtime, kickoff):
            if self.stream:
                return self._streamed(runtime, kickoff)
            return leave_on_crew(self, runtime, await run_async(runtime, lambda home: start(runtime, home, kickoff)))

    async def kickoff_async(
        self,
        inputs: Inputs | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        input_files: Files | None = None,
    ) -> CrewOutput:
        """The same as `akickoff`."""
        warn_of_files(input_files)
        more: dict[str, Any] = {"run_key": run_key, "resume": resume, "from_checkpoint": from_checkpoint}
        return await self.akickoff(inputs, budget=budget, deadline_s=deadline_s, **more)

    def kickoff_for_each(
        self,
        inputs: Sequence[Inputs],
        *,
        concurrency: int = 8,
        on_error: OnError = "keep",
        deadline_s: float | None = None,
        input_files: Files | None = None,
    ) -> CrewOutputs:
        """One run per item, `concurrency` at a time, results in the order of the inputs. An item that fails is an
        output with `ok=False` and `error`; it does not stop the others. `on_error="raise"`: when all have ended, the
        first item's exception is raised. `deadline_s` is for each item."""
        warn_of_files(input_files)
        guard_loading()
        runtime, kickoffs = current_runtime(), self._prepared_each(inputs, deadline_s)
        work = self._batch(runtime, concurrency)
        if self.stream:
            return self._streamed_each(runtime, kickoffs, work, on_error)
        return self._presented_each(run_sync(runtime, work(kickoffs)), on_error)

    async def akickoff_for_each(
        self,
        inputs: Sequence[Inputs],
        *,
        concurrency: int = 8,
        on_error: OnError = "keep",
        deadline_s: float | None = None,
        input_files: Files | None = None,
    ) -> CrewOutputs:
        """As `kickoff_for_each`, to be awaited."""
        warn_of_files(input_files)
        guard_loading()
        runtime, kickoffs = current_runtime(), self._prepared_each(inputs, deadline_s)
        work = self._batch(runtime, concurrency)
        if self.stream:
            return self._streamed_each(runtime, kickoffs, work, on_error)
        return self._presented_each(await run_async(runtime, work(kickoffs)), on_error)

    async def kickoff_for_each_async(
        self,
        inputs: Sequence[Inputs],
        *,
        concurrency: int = 8,
        on_error: OnError = "keep",
        deadline_s: float | None = None,
        input_files: Files | None = None,
    ) -> CrewOutputs:
        """The same as `akickoff_for_each`."""
        warn_of_files(input_files)
        return await self.akickoff_for_each(inputs, concurrency=concurrency, on_error=on_error, deadline_s=deadline_s)

    def replay(
        self,
        task_id: str,
        inputs: Inputs | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
    ) -> CrewOutput:
        """Runs this crew again from one of its tasks in an earlier run, as a new run.

        That task and those that are told its output are done again; the other ones are taken from the record, unless
        their question is another one now. `task_id`: as `jackstay log-tasks-outputs` lists it (`RUN/PATH`), or a task's
        name in the latest run. `inputs`: those that are to be others than in that run. The crew may have been part of a
        flow or a script then. Raises `UnknownTask`, and what the run raises.
        """
        guard_loading()
        runtime = current_runtime()
        kickoff = self._replayed(runtime, task_id, inputs, budget, deadline_s)
        if self.stream:
            return self._streamed(runtime, kickoff)
        return leave_on_crew(self, runtime, run_sync(runtime, lambda home: start(runtime, home, kickoff)))

    async def areplay(
        self,
        task_id: str,
        inputs: Inputs | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
    ) -> CrewOutput:
        """As `replay`, to be awaited."""
        guard_loading()
        runtime = current_runtime()
        kickoff = self._replayed(runtime, task_id, inputs, budget, deadline_s)
        if self.stream:
            return self._streamed(runtime, kickoff)
        return leave_on_crew(self, runtime, await run_async(runtime, lambda home: start(runtime, home, kickoff)))

    @of_an_object
    def fork(self, config: CheckpointConfig, branch: str | None = None) -> Crew:
        """A copy whose kickoffs are new runs that begin at the checkpoint. It has this crew's own agents and tasks.
        `branch`: a word for it, noted with the runs."""
        return self._copy_from(origin_for_copy(config, anew=True, branch=branch))

    @of_an_object
    def from_checkpoint(self, config: CheckpointConfig) -> Crew:
        """A copy whose kickoffs have `from_checkpoint=config`."""
        return self._copy_from(origin_for_copy(config, anew=False))

    def _copy_from(self, origin: Origin) -> Crew:
        made = self.model_copy()
        made._begins_at = origin
        return made

    def copy(self) -> Crew:  # type: ignore[override]  # pydantic's own, deprecated, has other arguments
        """The same definition with agents, tasks and ids of its own, without outputs."""
        return copy_of(self)

    @property
    def token_usage(self) -> UsageMetrics | None:
        """The same as `usage_metrics`."""
        return self.usage_metrics

    def calculate_usage_metrics(self) -> UsageMetrics:
        """The last run's own usage, whatever its agents share with others; zero before there is one."""
        return self.usage_metrics.model_copy() if self.usage_metrics is not None else UsageMetrics()

    def fetch_inputs(self) -> set[str]:
        """The names of all `{variables}` in its tasks and agents: what a kickoff has to be given."""
        texts = [*(text for agent in self.agents for text in agent.texts), *texts_of(self)]
        return {name for text in texts for name in placeholders(text)}

    def to_spec(self, inputs: Inputs) -> CrewSpec:
        """The frozen definition with the inputs filled in: what the engine sees."""
        tasks, agents = specs_of(self, inputs)
        log = self._log()
        logged = tuple(replace(task, log=log.write if log is not None else None) for task in tasks)
        limit = max_rpm_limit("crew", self.name, self.outline, self.max_rpm)
        return CrewSpec(self.name, logged, limit, agents, planner_of(self))

    def _log(self) -> TaskLog | None:
        """One for all kickoffs of this object: they take turns at the file."""
        path = "logs.txt" if self.output_log_file is True else self.output_log_file
        if not path:
            return None
        if self._task_log is None or self._task_log[0] != path:
            self._task_log = (path, TaskLog(path))
        return self._task_log[1]

    @property
    def fingerprint(self) -> str:
        """Names, prompts, schemas, models of the definition; two programs with equal ones can resume one another."""
        return digest(self.outline())

    def outline(self) -> list[Any]:
        """What `fingerprint` is the hash of, as JSON data."""
        # Only where there is something of it: the fingerprints of all other crews stay what they were.
        more = outline_of(self) | callbacks_outline(self) | planning_outline(self)
        return ["crew", self.name, [task.outline(self.tasks) for task in self.tasks], *([more] if more else [])]

    @property
    def workers(self) -> list[BaseAgent]:
        """The agents that may be asked in a run."""
        return workers_of(self)

    @contextmanager
    def _kicked_off(
        self,
        inputs: Inputs | None,
        run_key: str | None,
        resume: str | None,
        budget: Budget | None,
        deadline_s: float | None,
        from_checkpoint: CheckpointConfig | None,
    ) -> Iterator[tuple[Any, Kickoff]]:
        guard_loading()
        runtime, origin = current_runtime(), origin_of(from_checkpoint) or self._begins_at
        if origin is None:
            yield runtime, self._prepared(inputs, run_key, resume, budget, deadline_s)
            return
        begins = beginning(
            runtime.journal,
            origin,
            "crew",
            runtime.masked.secrets.stored_name(self.name),
            run_key=run_key,
            resume=resume,
        )
        kickoff = self._prepared(
            {**runtime.masked.revealed_data(begins.inputs), **check_inputs(inputs)},
            None,
            begins.resume,
            budget,
            deadline_s,
        )
        yield runtime, replace(kickoff, replay=begins.replay, tags=begins.tags)

    def _prepared_each(self, items: Sequence[Inputs], deadline_s: float | None) -> list[Kickoff]:
        if self._begins_at is not None:
            raise DefinitionError("a crew that begins at a checkpoint is kicked off once: use kickoff")
        if isinstance(items, str | Mapping) or not isinstance(items, Iterable):
            raise InputsError(
                f"kickoff_for_each takes a list with the inputs of each item, not a {type(items).__name__}"
            )
        kickoffs = []
        for number, inputs in enumerate(items):
            try:
                mapped(inputs)
            except TypeError as error:
                raise TypeError(f"item {number}: {error}") from None
            kickoffs.append(self._prepared(inputs, None, None, None, deadline_s))
        return kickoffs

    def _prepared(
        self,
        inputs: Inputs | None,
        run_key: str | None,
        resume: str | None,
        budget: Budget | None = None,
        deadline_s: float | None = None,
    ) -> Kickoff:
        limits: dict[str, Any] = {"budget": budget, "deadline_s": deadline_s}
        return kickoff_of(self, current_runtime(), check_inputs(inputs), run_key=run_key, resume=resume, **limits)

    def _replayed(
        self,
        runtime: Runtime,
        task_id: str,
        inputs: Inputs | None,
        budget: Budget | None,
        deadline_s: float | None,
    ) -> Kickoff:
        found = find_unit(runtime.journal, address_of(self.tasks, task_id), kind="task")
        recorded, replay = replay_of(found, "crew", runtime.masked.secrets.stored_name(self.name))
        given = {**runtime.masked.revealed_data(recorded), **check_inputs(inputs)}
        return replace(self._prepared(given, None, None, budget, deadline_s), replay=replay)

    def _streamed(self, runtime: Runtime, kickoff: Kickoff) -> CrewOutput:
        def work(kickoffs: Sequence[Kickoff]) -> Work[Outcome]:
            return lambda home: start(runtime, home, kickoffs[0])

        made = CrewStreamingOutput(
            runtime, self.tasks, [kickoff], work, lambda outcome: [leave_on_crew(self, runtime, outcome)]
        )
        # Said to be what a kickoff returns: a type that depended on `stream` would be a union at every other kickoff.
        return cast("CrewOutput", made)

    def _streamed_each(
        self,
        runtime: Runtime,
        kickoffs: list[Kickoff],
        work: Callable[[Sequence[Kickoff]], Work[Any]],
        on_error: OnError,
    ) -> CrewOutputs:
        made = CrewStreamingOutput(
            runtime, self.tasks, kickoffs, work, lambda ended: self._presented_each(ended, on_error)
        )
        return cast("CrewOutputs", made)

    def _batch(self, runtime: Runtime, concurrency: Any) -> Callable[[Sequence[Kickoff]], Work[list[Ended]]]:
        if not isinstance(concurrency, int):
            raise InputsError(f"concurrency={concurrency!r}: give how many items run at a time, a whole number")
        return lambda kickoffs: start_batch(runtime, self.name, kickoffs, concurrency=concurrency)

    def _presented_each(self, ended: list[Ended], on_error: OnError) -> CrewOutputs:
        outputs = outputs_of(ended, on_error)
        self.usage_metrics = outputs.token_usage
        return outputs


__all__ = ["Crew", "DefinitionError", "Process"]
