"""`BaseAgent`: what all agents have, and where code of one's own does a task (`execute_task`)."""

from __future__ import annotations

import hashlib
import uuid
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import ConfigDict, Field, field_validator

from jackstay.core.interpolation import interpolate
from jackstay.core.prompts import planned_text
from jackstay.core.retry import Retry
from jackstay.core.specs import AgentSpec, ModelConfig, OwnExecution, TaskSpec
from jackstay.crew import accepted
from jackstay.crew.afterwards import Worked, forget_on_agent
from jackstay.crew.configured import agent_arguments
from jackstay.crew.limit import max_rpm_limit
from jackstay.crew.security import SecurityConfig
from jackstay.errors import DefinitionError
from jackstay.llm.llm import as_config
from jackstay.tools.base_tool import as_tool_def, tool_defs

if TYPE_CHECKING:
    from jackstay.crew.task import Task

Method = TypeVar("Method", bound=Callable[..., Any])


def by_the_engine(method: Method) -> Method:
    """Marks a method as ours: a subclass that has it does its tasks in the engine's loop."""
    method.by_the_engine = True  # type: ignore[attr-defined]
    return method


class BaseAgent(Worked):
    """Subclass it and write `execute_task` or `aexecute_task`: then that is how its tasks are done. (An `Agent` has a model
    that does them.)

    Given the task with its variables filled in, its context as text, and the tools of the task or agent, it returns the
    answer's text (or an object of the task's model class). The answer is recorded: a resumed run does not call it again.
    Model calls, kickoffs and steps inside it are recorded as well. Guardrails and the task's output form hold as for every
    agent: they call it again, with what was wrong at the end of the context. `max_execution_time` is in seconds, per task.
    With both methods, `execute_task` is called under `kickoff` and `aexecute_task` under `akickoff`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    id: uuid.UUID = Field(default_factory=uuid.uuid4, frozen=True)
    goal: str
    backstory: str
    llm: Any = None
    tools: list[Any] = Field(default_factory=list)
    max_iter: int = Field(default=25, ge=1)
    max_execution_time: float | None = Field(default=None, gt=0)
    max_rpm: int | None = Field(default=None, ge=1)
    retry: Retry | None = None
    allow_delegation: bool = False
    verbose: bool = False
    """What it does is printed, as it happens."""
    security_config: SecurityConfig = Field(default_factory=SecurityConfig)

    _config: ModelConfig

    def __init__(self, **given: Any) -> None:
        kind = type(self).__name__
        with accepted.defining(kind, given.get("config")):
            given = agent_arguments(given, {*type(self).model_fields, *accepted.AGENT, *accepted.MEMORY})
            super().__init__(**accepted.split(kind, accepted.AGENT, given))
        # Looked at when the agent is made, so that a wrong object is reported where it was written.
        self._config = as_config(self.llm, self._owner)
        self._can_execute(kind)

    def _can_execute(self, kind: str) -> None:
        if not self.is_of_its_own and type(self).execute_task is BaseAgent.execute_task:
            raise DefinitionError(f"{kind} does no tasks: write execute_task or aexecute_task in it, or use an Agent")
        if self.is_of_its_own and self.allow_delegation:
            text = (
                f"{kind}: allow_delegation= has no effect for an agent that executes its tasks itself: it has no tools "
                "for it; it may be given work by others"
            )
            warnings.warn(text, UserWarning, stacklevel=4)

    _id_is_ours = field_validator("id", mode="before")(accepted.refuse_id)

    @field_validator("role", "goal", "backstory")
    @classmethod
    def _is_said(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("is empty; say in a few words who the agent is and what it wants")
        return text

    @by_the_engine
    def execute_task(self, task: Task, context: str | None = None, tools: list[Any] | None = None) -> Any:
        """The answer to the task. Of a subclass."""
        raise NotImplementedError(f"{type(self).__name__} has no execute_task")

    @by_the_engine
    async def aexecute_task(self, task: Task, context: str | None = None, tools: list[Any] | None = None) -> Any:
        """The same, to be awaited."""
        raise NotImplementedError(f"{type(self).__name__} has no aexecute_task")

    @property
    def is_of_its_own(self) -> bool:
        """Its class says itself how tasks are done."""
        return _writes(self, "execute_task") or _writes(self, "aexecute_task")

    @property
    def _owner(self) -> str:
        return f"agent '{self.role}'"

    @property
    def key(self) -> str:
        """CrewAI's name for what is the same agent in every process: the MD5 of role, goal and backstory."""
        said = "|".join((self.role, self.goal, self.backstory))
        return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()

    def copy(self) -> Self:  # type: ignore[override]
        """An agent of its own, with a list of its own of the same tools, and the same model."""
        made = self.model_copy(update={"id": uuid.uuid4(), "tools": list(self.tools)})
        forget_on_agent(made)
        return made

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that inputs are filled into."""
        return self.role, self.goal, self.backstory

    @property
    def model_config_used(self) -> ModelConfig:
        """The model and its fallbacks, as they were last set."""
        return self._config

    @property
    def model_asked(self) -> tuple[tuple[ModelConfig, str], ...]:
        """The model that its tasks need, and who asks it; none where code of its own does them and no model is given."""
        return () if self.is_of_its_own and self.llm is None else ((self._config, self._owner),)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "llm":
            self._config = as_config(value, self._owner)

    def to_spec(self, inputs: Mapping[str, Any]) -> AgentSpec:
        """The frozen definition with the inputs filled in. Raises `MissingVariableError`."""
        texts = {
            field: interpolate(getattr(self, field), inputs, field=field, owner=self._owner)
            for field in ("role", "goal", "backstory")
        }
        own = self.is_of_its_own
        return AgentSpec(
            role=texts["role"],
            goal=texts["goal"],
            backstory=texts["backstory"],
            model=self._config,
            tools=tool_defs(self.tools, self._owner),
            max_iter=self.max_iter,
            max_execution_time_s=self.max_execution_time,
            retry=self.retry,
            limit=max_rpm_limit("agent", self.role, self.outline, self.max_rpm),
            allow_delegation=self.allow_delegation and not own,
            own=self._own_execution(texts) if own else None,
            verbose=self.verbose,
        )

    def _own_execution(self, texts: Mapping[str, str]) -> OwnExecution:
        same = all(getattr(self, field) == text for field, text in texts.items())
        # Other kickoffs of the same object may fill in other values.
        agent = self if same else self.model_copy(update=texts)
        return OwnExecution(
            type(self).__name__,
            partial(_execute, agent) if _writes(self, "execute_task") else None,
            partial(_aexecute, agent) if _writes(self, "aexecute_task") else None,
        )

    def outline(self) -> dict[str, Any]:
        """What the fingerprint of a definition covers: names, prompts, schemas, models; no ids, no source text."""
        config = self._config
        return {
            "role": self.role,
            "goal": self.goal,
            "backstory": self.backstory,
            "model": config.model,
            **({"fallbacks": [each.model for each in config.fallbacks]} if config.fallbacks else {}),
            "sampling": config.sampling.to_json(),
            "tools": [as_tool_def(tool, self._owner).spec.to_json() for tool in self.tools],
            "max_iter": self.max_iter,
            **({"delegates": True} if self.allow_delegation else {}),
            **({"executes": type(self).__name__} if self.is_of_its_own else {}),
        }


def _writes(agent: BaseAgent, method: str) -> bool:
    return not getattr(getattr(type(agent), method), "by_the_engine", False)


def _execute(agent: BaseAgent, spec: TaskSpec, context: str) -> Any:
    task = _seen(agent, spec)
    return agent.execute_task(task, context, task.tools or list(agent.tools))


async def _aexecute(agent: BaseAgent, spec: TaskSpec, context: str) -> Any:
    task = _seen(agent, spec)
    return await agent.aexecute_task(task, context, task.tools or list(agent.tools))


def _seen(agent: BaseAgent, spec: TaskSpec) -> Task:
    """The task as the agent's code is given it: with its variables filled in, and its own alone."""
    from jackstay.crew.task import Task  # made of agents, so that it cannot stand on top

    planned = f"\n\n{planned_text(spec.plan)}" if spec.plan else ""
    said = {"description": f"{spec.description}{planned}", "expected_output": spec.expected_output}
    if spec.origin is None:
        return Task(**said, agent=agent)
    task: Task = spec.origin.model_copy(update={**said, "agent": agent, "tools": list(spec.origin.tools)})
    return task
