"""`Task`: what is to be done, by whom, and what the result should look like."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator
from pydantic_core import PydanticCustomError

from jackstay.core.content import Content
from jackstay.core.interpolation import interpolate
from jackstay.core.specs import AgentSpec, ModelConfig, OutputSpec, TaskSpec
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.crew import accepted
from jackstay.crew.afterwards import Done
from jackstay.crew.alone import Alone
from jackstay.crew.base_agent import BaseAgent
from jackstay.crew.configured import task_arguments
from jackstay.crew.failing import OnErrorWord, Retries, check_on_error, on_error_of, on_error_outline
from jackstay.crew.forms import output_form
from jackstay.crew.guardrails import (
    checked_guardrail,
    guardrail_def,
    guardrail_list,
    renamed_retries,
)
from jackstay.crew.llm_guardrail import LLMGuardrail
from jackstay.crew.naming import key_of
from jackstay.crew.output import TaskOutput
from jackstay.crew.output_file import filled_path, written_path
from jackstay.crew.security import SecurityConfig
from jackstay.errors import DefinitionError
from jackstay.tools.base_tool import as_tool_def, tool_defs


class _NotSpecified:
    def __repr__(self) -> str:
        return "NOT_SPECIFIED"

    def __bool__(self) -> bool:
        return False


NOT_SPECIFIED = _NotSpecified()
"""Context was not given: the outputs of all earlier tasks. (None or []: no context.)"""


class Task(Alone, Done):
    """One piece of work. `description`, `expected_output` and `output_file` may have `{variables}`.

    `context`: the tasks whose outputs are given with it; not specified: all earlier ones. `output_pydantic` or
    `output_json` (a model class each): the answer has to fit it; `response_model` is `output_pydantic` where neither is given. `guardrail`, or `guardrails` in order: functions that are
    given the `TaskOutput` and return (True, output or text) or (False, what is wrong); the agent is asked again up to
    `guardrail_max_retries` times for each. `deadline_s`: how long it may take, in seconds. `human_input`: a person at the console sees the answer and says what is to be different, until there is nothing to say; where nobody is there, the run waits (`RunWaiting`). `output` is set once the crew
    has run.

    `on_error`: what follows when the agent has failed. "abort": the run fails. "retry": it is asked again, `retries` times
    (2, or a `Retry`), then the run fails. "skip": the crew goes on; the output has `ok=False` and `error`, later tasks are
    told that it is missing. "fallback": `fallback`, an agent, does it instead, or is the text that stands in its place.
    `retries` come before "skip" and "fallback", too.

    `content`: "hashes" or "off" where what it says is not to stay when the run has ended: then nothing of that run does.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    id: uuid.UUID = Field(default_factory=uuid.uuid4, frozen=True)
    name: str | None = None
    description: str
    expected_output: str
    agent: BaseAgent | None = None
    context: Any = NOT_SPECIFIED
    tools: list[Any] = Field(default_factory=list)
    async_execution: bool = False
    output_pydantic: type[BaseModel] | None = None
    output_json: type[BaseModel] | None = None
    response_model: type[BaseModel] | None = None
    output_file: str | None = None
    create_directory: bool = True
    markdown: bool = False
    human_input: bool = False
    callback: Callable[..., Any] | None = None
    guardrail: Any = None
    guardrails: Any = None
    guardrail_max_retries: int = Field(default=3, ge=0)
    deadline_s: accepted.Deadline = None
    content: Content | None = None
    tool_failure_policy: ToolFailurePolicy | None = None
    on_error: OnErrorWord = "abort"
    retries: Retries = None
    fallback: BaseAgent | str | None = None
    security_config: SecurityConfig = Field(default_factory=SecurityConfig)

    conditional: ClassVar[bool] = False

    def __init__(self, **given: Any) -> None:
        config = given.get("config")
        given = renamed_retries(task_arguments(given))
        with accepted.defining("Task", config):
            super().__init__(**accepted.split("Task", accepted.TASK, given))

    _id_is_ours = field_validator("id", mode="before")(accepted.refuse_id)

    @field_validator("guardrail", "guardrails")
    @classmethod
    def _can_judge(cls, given: Any) -> Any:
        for each in guardrail_list(given):
            checked_guardrail(each)
        return given

    @field_validator("output_file")
    @classmethod
    def _stays_below(cls, path: str | None) -> str | None:
        return None if path is None else written_path(path)

    @field_validator("context")
    @classmethod
    def _are_tasks(cls, given: Any) -> Any:
        if given is None or given is NOT_SPECIFIED:
            return given
        if not isinstance(given, list | tuple) or not all(isinstance(each, Task) for each in given):
            raise ValueError(f"{given!r:.60} is no list of tasks; give context=[task, …], or [] for none")
        return given

    @field_validator("output_json")
    @classmethod
    def _is_an_object(cls, model: type[BaseModel] | None) -> type[BaseModel] | None:
        if model is not None and issubclass(model, RootModel) and model.model_json_schema().get("type") != "object":
            raise ValueError(f"{model.__name__} is no JSON object, which json_dict could have; take output_pydantic")
        return model

    @model_validator(mode="after")
    def _has_one_form(self) -> Task:
        if self.output_pydantic is not None and self.output_json is not None:
            raise ValueError("give output_pydantic or output_json, not both: a task has one output")
        return self

    @model_validator(mode="after")
    def _knows_what_follows_from_errors(self) -> Task:
        check_on_error(self.on_error, self.retries, self.fallback, self.output_spec())
        return self

    @model_validator(mode="after")
    def _has_one_list_of_guardrails(self) -> Task:
        if guardrail_list(self.guardrails):
            self.guardrail = None  # as in CrewAI
        return self

    @property
    def label(self) -> str:
        """What messages call the task."""
        return self.name or (self.description if len(self.description) <= 60 else self.description[:57] + "…")

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that inputs are filled into."""
        own = (self.description, self.expected_output, self.output_file or "")
        others = (self.fallback,) if isinstance(self.fallback, str) else ()
        return (*own, *others, *(text for agent in self.workers for text in agent.texts))

    @property
    def workers(self) -> list[BaseAgent]:
        """The agents that may do it."""
        return [each for each in (self.agent, self.fallback) if isinstance(each, BaseAgent)]

    @property
    def key(self) -> str:
        """The task's name in paths, from the definition before any inputs were filled in."""
        written = self._unfilled["description"] if self._unfilled else None
        return key_of(self.name or written or self.description)

    def to_spec(
        self,
        inputs: Mapping[str, Any],
        tasks: list[Task],
        extra_callbacks: tuple[Any, ...],
        agent: AgentSpec | None = None,
    ) -> TaskSpec:
        """The frozen definition with the inputs filled in. `tasks` are the crew's, to find the context among them.
        `agent`: who does it, instead of its own agent."""
        owner = f"task '{self.label}'"

        def doer() -> AgentSpec:
            if agent is not None:
                return agent
            if self.agent is None:
                raise DefinitionError(f"{owner} has no agent; give it agent=…")
            return self.agent.to_spec(inputs)

        def filled(field: str) -> str:
            return interpolate(getattr(self, field), inputs, field=field, owner=owner)

        indexes, outside = self._context_among(tasks)
        return TaskSpec(
            key=self.key,
            name=self.name,
            description=filled("description"),
            expected_output=filled("expected_output"),
            agent=self._with_policy(doer()),
            context=indexes,
            given_context=outside,
            async_execution=self.async_execution,
            deadline_s=self.deadline_s,
            output=self.output_spec(),
            output_file=filled_path(filled("output_file"), owner) if self.output_file else None,
            create_directory=self.create_directory,
            tools=tool_defs(self.tools, owner),
            markdown=self.markdown,
            human_input=self.human_input,
            callbacks=tuple(c for c in (self.callback, *extra_callbacks) if c is not None),
            present=TaskOutput.of,
            guardrails=tuple(guardrail_def(each) for each in self._judges),
            guardrail_max_retries=self.guardrail_max_retries,
            on_error=on_error_of(self.on_error, self.retries, self.fallback, self.output_spec(), inputs, owner),
            origin=self,
        )

    @property
    def answer_model(self) -> type[BaseModel] | None:
        """What its answer has to fit, whatever form it is given back in."""
        return self.output_pydantic or self.output_json or self.response_model

    @property
    def judging_models(self) -> tuple[tuple[ModelConfig, str], ...]:
        """Models of its guardrails in words, where these have one of their own, and who asks them."""
        named = [each.config for each in self._judges if isinstance(each, LLMGuardrail)]
        return tuple((config, f"a guardrail of task '{self.label}'") for config in named if config is not None)

    def output_spec(self) -> OutputSpec | None:
        """The form that its answer has to have; None: any text."""
        return output_form(self.answer_model, json_form=self.output_json is not None)

    def outline(self, tasks: list[Task]) -> dict[str, Any]:
        """What the fingerprint of a definition covers."""
        model = self.answer_model
        owner = f"task '{self.label}'"
        return {
            "name": self.name,
            "description": self.description,
            "expected_output": self.expected_output,
            "agent": self.agent.outline() if self.agent else None,
            "context": self._context_among(tasks)[0],
            "tools": [as_tool_def(tool, owner).spec.to_json() for tool in self.tools],
            "output": model.model_json_schema() if model else None,
            "async": self.async_execution,
            "markdown": self.markdown,
            # Only where there are any: the fingerprints of all other definitions stay what they were.
            **({"human_input": True} if self.human_input else {}),
            **({"guardrails": [guardrail_def(each).question for each in self._judges]} if self._judges else {}),
            **on_error_outline(self.on_error, self.retries, self.fallback),
        }

    def _with_policy(self, agent: AgentSpec) -> AgentSpec:
        return replace(agent, tool_failure_policy=self.tool_failure_policy) if self.tool_failure_policy else agent

    @property
    def _judges(self) -> list[Any]:
        """Its guardrails, in order."""
        return guardrail_list(self.guardrails) or guardrail_list(self.guardrail)

    def _context_among(self, tasks: list[Task]) -> tuple[tuple[int, ...] | None, str]:
        """Indexes of the context tasks in the crew, and the outputs that tasks outside it have already."""
        if self.context is NOT_SPECIFIED:
            return None, ""
        given: list[Task] = list(self.context or ())
        indexes = tuple(i for task in given for i, other in enumerate(tasks) if other is task)
        outside = [task.output.raw for task in given if task.output and not any(other is task for other in tasks)]
        return indexes, "\n\n----------\n\n".join(outside)


class ConditionalTask(Task):
    """A task that is done only if `condition`, called with the output of the task before it, says so; else its output is
    empty. `condition` is `def` or `async def`; a resumed run keeps to what it has said."""

    condition: Callable[..., Any]
    conditional: ClassVar[bool] = True

    def should_execute(self, context: TaskOutput) -> Any:
        """What the condition says of an output (of an `async def`: to be awaited)."""
        return self.condition(context)

    def get_skipped_task_output(self) -> TaskOutput:
        """The output that it has when it is skipped."""
        agent = self.agent.role if self.agent else ""
        return TaskOutput(description=self.description, name=self.name, raw="", agent=agent)

    def to_spec(
        self,
        inputs: Mapping[str, Any],
        tasks: list[Task],
        extra_callbacks: tuple[Any, ...],
        agent: AgentSpec | None = None,
    ) -> TaskSpec:
        return replace(super().to_spec(inputs, tasks, extra_callbacks, agent), condition=self.condition)

    def outline(self, tasks: list[Task]) -> dict[str, Any]:
        return super().outline(tasks) | {"conditional": True}


def check_order(tasks: list[Task]) -> None:
    """What a task waits for, or decides by, has to be done when it starts (CrewAI's rules). Raises `ValueError` naming the
    tasks."""
    _check_conditional(tasks)
    place = {id(task): index for index, task in enumerate(tasks)}
    for index, task in enumerate(tasks):
        for other in task.context or ():
            at = place.get(id(other), -1)
            if at >= index:
                raise ValueError(
                    f"task '{task.label}' has '{other.label}' in its context, which comes later in the crew"
                )
            between = tasks[at + 1 : index] if at >= 0 else ()
            if at >= 0 and task.async_execution and other.async_execution and all(t.async_execution for t in between):
                raise ValueError(
                    f"task '{task.label}' has '{other.label}' in its context, but the two run side by side; put a "
                    "synchronous task between them, or make one of them synchronous"
                )
    if len(tasks) > 1 and tasks[-1].async_execution and tasks[-2].async_execution:
        raise PydanticCustomError(
            "async_task_count",
            "a crew has at most one asynchronous task at the end: its output is the crew's ('{task}' is another one)",
            {"task": tasks[-2].label},
        )


def _check_conditional(tasks: list[Task]) -> None:
    """With CrewAI's codes."""
    told = {"task": tasks[0].label}
    if all(task.conditional for task in tasks):
        text = "a crew needs a task that is no ConditionalTask: '{task}' has no output before it to decide by"
        raise PydanticCustomError("only_conditional_tasks", text, told)
    if tasks[0].conditional:
        text = "the first task cannot be a ConditionalTask: '{task}' has no output before it to decide by"
        raise PydanticCustomError("invalid_first_task", text, told)
    for task in tasks:
        if task.conditional and task.async_execution:
            text = "the ConditionalTask '{task}' cannot be asynchronous; leave async_execution out"
            raise PydanticCustomError("invalid_async_conditional_task", text, {"task": task.label})
