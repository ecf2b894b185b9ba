"""A task outside of a crew: its prompt, and doing it as a run of one task, by the same way as a crew's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import BaseModel, PrivateAttr

from jackstay.core import prompts
from jackstay.core.canonical import digest
from jackstay.core.interpolation import check_inputs, interpolate
from jackstay.core.specs import AgentSpec, CrewSpec, ModelConfig
from jackstay.crew.afterwards import Record, leave_on_agent, leave_on_task
from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.copying import copied_task
from jackstay.crew.output import TaskOutput
from jackstay.crew.running import decode, encode
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import run_async, run_beside, run_sync
from jackstay.engine.crew import run_crew
from jackstay.engine.entry import entry_point, guard_loading
from jackstay.engine.kickoff import Outcome, start
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.errors import DefinitionError, InputsError

if TYPE_CHECKING:
    from jackstay.crew.task import Task


class Alone(BaseModel):
    """What a `Task` can do by itself. A run of its own, or a step of the run around it; the task's callback, file, guardrails
    and form hold as in a crew. `agent` and `tools`: instead of the task's own. `context`: a text; None: the outputs that
    its context tasks have. The `output` is set when it is done. Raises `DefinitionError` without an agent, and what the run
    raises."""

    _unfilled: dict[str, str | None] | None = PrivateAttr(default=None)
    """The texts as they were written, once inputs have been filled into them."""

    def execute_sync(
        self, agent: BaseAgent | None = None, context: str | None = None, tools: list[Any] | None = None
    ) -> TaskOutput:
        """Does the task and blocks until it is done."""
        runtime, kickoff = _asked(self, agent, context, tools)
        outcome = run_sync(runtime, lambda home: start(runtime, home, kickoff), name="execute_sync")
        return _presented(self, agent, runtime, outcome)

    def execute_async(
        self, agent: BaseAgent | None = None, context: str | None = None, tools: list[Any] | None = None
    ) -> Future[TaskOutput]:
        """Begins to do the task and returns at once. Inside a run it ends with what began it at the latest: wait for the
        result there."""
        runtime, kickoff = _asked(self, agent, context, tools)
        return run_beside(
            runtime,
            lambda home: start(runtime, home, kickoff),
            lambda outcome: _presented(self, agent, runtime, outcome),
        )

    async def aexecute_sync(
        self, agent: BaseAgent | None = None, context: str | None = None, tools: list[Any] | None = None
    ) -> TaskOutput:
        """As `execute_sync`, to be awaited."""
        runtime, kickoff = _asked(self, agent, context, tools)
        outcome = await run_async(runtime, lambda home: start(runtime, home, kickoff))
        return _presented(self, agent, runtime, outcome)

    def prompt(self, context: str | None = None) -> str:
        """The text that the task gives its agent, with the variables as they stand now."""
        task = _as_task(self)
        spec = task.to_spec({}, [task], (), _ANYBODY)
        return prompts.task_text(spec, spec.given_context if context is None else context)

    def interpolate_inputs_and_add_conversation_history(self, inputs: Mapping[str, Any]) -> None:
        """Fills the inputs into the task's own texts, each time from what these were at first. A kickoff does not need it: it
        fills in its own inputs, and leaves the definition as it is. Raises `MissingVariableError`."""
        task, given = _as_task(self), check_inputs(inputs)
        if self._unfilled is None:
            self._unfilled = {field: getattr(task, field) for field in _FILLED}
        owner = f"task '{task.label}'"
        filled = {
            field: text if text is None else interpolate(text, given, field=field, owner=owner)
            for field, text in self._unfilled.items()
        }
        for field, text in filled.items():
            setattr(task, field, text)

    def copy(  # type: ignore[override]  # pydantic's own, deprecated, has other arguments
        self, agents: Sequence[BaseAgent] = (), task_mapping: Mapping[str, Task] | None = None
    ) -> Self:
        """A task with an id of its own that has done nothing yet. Its agent is that of `agents` with the same role, else the
        same one; the tasks in its context are those of `task_mapping` under their `key`, else the same ones."""
        by_role = {agent.role: agent for agent in reversed(agents)}
        mapping = task_mapping or {}
        return cast(
            "Self",
            copied_task(
                _as_task(self),
                lambda agent: by_role.get(agent.role, agent),
                lambda task: mapping.get(task.key, task),
            ),
        )


_FILLED = ("description", "expected_output", "output_file")
_ANYBODY = AgentSpec("", "", "", ModelConfig(""))
"""A prompt is the same whoever is asked."""


def _as_task(alone: Alone) -> Task:
    return cast("Task", alone)  # the only class that has it


def _asked(
    alone: Alone, agent: BaseAgent | None, context: str | None, tools: Sequence[Any] | None
) -> tuple[Runtime, Kickoff]:
    """What the engine is asked: what a crew of this one task would ask, which nothing comes before."""
    guard_loading()
    runtime, written = current_runtime(), _as_task(alone)
    if not isinstance(agent, BaseAgent | None):
        raise DefinitionError(f"{written.label}: agent={agent!r}: a task is done by an Agent")
    if not isinstance(context, str | None):
        raise InputsError(
            f"{written.label}: context={context!r}: give a text, or None for what its context tasks have said"
        )
    task = written.model_copy(update={"agent": agent or written.agent, "tools": list(tools or written.tools)})
    spec = replace(task.to_spec({}, [task], ()), origin=written)
    if context is not None:
        spec = replace(spec, context=(), given_context=context)
    if any(each.verbose for each in task.workers):
        runtime.be_verbose()
    if task.answer_model is not None:
        runtime.vouch_for(task.answer_model)
    outline, forms = ["crew", task.label, [task.outline([task])]], [spec.output]
    return runtime, Kickoff(
        kind="crew",
        name=task.label,
        inputs={"context": spec.given_context} if spec.given_context else {},
        fingerprint=digest(outline),
        outline=outline,
        body=lambda scope: run_crew(scope, CrewSpec(task.label, (spec,))),
        encode=encode,
        decode=lambda text: decode(text, forms),
        models=(*(each for worker in task.workers for each in worker.model_asked), *task.judging_models),
        entry=entry_point(),
        verbose=any(each.verbose for each in task.workers),
    )


def _presented(alone: Alone, agent: BaseAgent | None, runtime: Runtime, outcome: Outcome) -> TaskOutput:
    (result,) = outcome.result.tasks
    agent = agent or _as_task(alone).agent
    record = Record(runtime, outcome.run_id, result.path)
    if agent is not None:
        leave_on_agent(agent, record)
    return leave_on_task(_as_task(alone), result, record)
