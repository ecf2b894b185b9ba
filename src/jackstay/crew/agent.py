"""`Agent`: a role, a goal, a model, tools. It describes; what happens in a run is in the run's journal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, Unpack

from pydantic import BaseModel, Field, field_validator

from jackstay.core.ignored import Files, warn_of_files
from jackstay.core.specs import AgentSpec, ModelConfig
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.crew.agent_kickoff import (
    LiteAgentOutput,
    Messages,
    RunArguments,
    execution_of,
    kickoff_of,
    presented,
)
from jackstay.crew.base_agent import BaseAgent, by_the_engine
from jackstay.crew.guardrails import checked_guardrail, guardrail_list
from jackstay.crew.planning import PlanningConfig, planning_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import loop_is_running, run_async, run_sync
from jackstay.engine.entry import guard_loading
from jackstay.engine.kickoff import start
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.tools.mcp.servers import servers_outline, tool_servers

if TYPE_CHECKING:
    from jackstay.crew.task import Task


class Agent(BaseAgent):
    """Who does a task. `role`, `goal` and `backstory` may have `{variables}` of the kickoff's inputs.

    `llm` is a model's name, an `LLM`, a `BaseLLM` of one's own, or None for the environment's default model; a list of
    these is a model and its fallbacks. `retry`: how failed model calls of this agent are tried again.
    `max_iter` bounds the agent's turns per task; then a final answer is forced (one call more). `max_execution_time`
    is in seconds, per task. `max_retry_limit`: how often per task a `BaseLLM` of one's own is asked again after an exception
    of its own; what model calls over the wire raise was tried again by `retry` already. `max_rpm`: how many model calls per
    minute agents of this definition make, in whatever runs and processes. `allow_delegation`: it may give work to the
    crew's other agents, and ask them. `tool_failure_policy`: what follows when a tool says that it failed (`ToolFailure`).
    `respect_context_window`: a conversation that has become too long for the model is made to fit, by showing it long texts
    shortened and by summing up; False: it is refused before it is sent.
    `planning`: it makes a plan for each task before the work, as `planning_config` says; `reasoning` is the older name.
    `mcps`: MCP servers whose tools it has as well, at each task.
    """

    max_retry_limit: int = Field(default=2, ge=0)
    respect_context_window: bool = True
    use_system_prompt: bool = True
    system_template: str | None = None
    prompt_template: str | None = None
    response_template: str | None = None
    step_callback: Callable[..., Any] | None = None
    inject_date: bool = False
    date_format: str = "%Y-%m-%d"
    tool_failure_policy: ToolFailurePolicy | None = None
    guardrail: Any = None
    guardrail_max_retries: int = Field(default=3, ge=0)
    mcps: list[Any] | None = None
    planning: bool = False
    planning_config: PlanningConfig | None = None
    reasoning: bool = False
    max_reasoning_attempts: int | None = Field(default=None, ge=1)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        tool_servers(self.mcps or (), self._owner)

    def kickoff(
        self,
        messages: Messages,
        response_format: type[BaseModel] | None = None,
        input_files: Files | None = None,
        **run: Unpack[RunArguments],
    ) -> LiteAgentOutput | Coroutine[Any, Any, LiteAgentOutput]:
        """The agent's answer to a text, or to messages (`role`, `content`) of which the last is the user's. A run of its
        own, or a step of the run around it. Where a loop is running, a coroutine to be awaited (CrewAI's rule)."""
        warn_of_files(input_files)
        if loop_is_running():
            return self.kickoff_async(messages, response_format, **run)
        runtime, kickoff = self._asked(messages, response_format, run)
        return presented(self, runtime, run_sync(runtime, lambda home: start(runtime, home, kickoff)))

    async def kickoff_async(
        self,
        messages: Messages,
        response_format: type[BaseModel] | None = None,
        input_files: Files | None = None,
        **run: Unpack[RunArguments],
    ) -> LiteAgentOutput:
        """As `kickoff`, to be awaited."""
        warn_of_files(input_files)
        runtime, kickoff = self._asked(messages, response_format, run)
        return presented(self, runtime, await run_async(runtime, lambda home: start(runtime, home, kickoff)))

    async def akickoff(
        self,
        messages: Messages,
        response_format: type[BaseModel] | None = None,
        input_files: Files | None = None,
        **run: Unpack[RunArguments],
    ) -> LiteAgentOutput:
        """As `kickoff_async`."""
        warn_of_files(input_files)
        return await self.kickoff_async(messages, response_format, **run)

    def _asked(
        self, messages: Messages, response_format: type[BaseModel] | None, run: RunArguments
    ) -> tuple[Runtime, Kickoff]:
        guard_loading()
        runtime = current_runtime()
        return runtime, kickoff_of(self, runtime, messages, response_format, **run)

    @by_the_engine
    def execute_task(self, task: Task, context: str | None = None, tools: list[Any] | None = None) -> str:
        """The agent's answer to a task outside of a crew, as text: a run of its own, or a step of the run around it. What a
        subclass with an `execute_task` of its own calls (`super()`) to have its model do it."""
        runtime, kickoff = self._executing(task, context, tools)
        return presented(self, runtime, run_sync(runtime, lambda home: start(runtime, home, kickoff))).raw

    @by_the_engine
    async def aexecute_task(self, task: Task, context: str | None = None, tools: list[Any] | None = None) -> str:
        """As `execute_task`, to be awaited."""
        runtime, kickoff = self._executing(task, context, tools)
        return presented(self, runtime, await run_async(runtime, lambda home: start(runtime, home, kickoff))).raw

    def _executing(self, task: Task, context: str | None, tools: list[Any] | None) -> tuple[Runtime, Kickoff]:
        guard_loading()
        runtime = current_runtime()
        return runtime, execution_of(self, runtime, task, context or "", tools)

    @field_validator("guardrail")
    @classmethod
    def _can_judge(cls, given: Any) -> Any:
        for each in guardrail_list(given):
            checked_guardrail(each)
        return given

    def copy(self) -> Self:  # type: ignore[override]
        """An agent of its own, with lists of its own of the same tools and servers, and the same model."""
        made = super().copy()
        return made if self.mcps is None else made.model_copy(update={"mcps": list(self.mcps)})

    def to_spec(self, inputs: Mapping[str, Any]) -> AgentSpec:
        """The frozen definition with the inputs filled in. Raises `MissingVariableError`."""
        return replace(
            super().to_spec(inputs),
            max_retry_limit=self.max_retry_limit,
            respect_context_window=self.respect_context_window,
            use_system_prompt=self.use_system_prompt,
            system_template=self.system_template,
            prompt_template=self.prompt_template,
            response_template=self.response_template,
            step_callback=self.step_callback,
            inject_date=self.inject_date,
            date_format=self.date_format,
            tool_failure_policy=self.tool_failure_policy,
            servers=tool_servers(self.mcps or (), self._owner),
            planning=self._planning.frozen(self._owner) if self._planning is not None else None,
        )

    @property
    def planning_enabled(self) -> bool:
        """It makes a plan before the work."""
        return self._planning is not None

    @property
    def _planning(self) -> PlanningConfig | None:
        attempts = self.max_reasoning_attempts
        return planning_of(self.planning, self.planning_config, reasoning=self.reasoning, attempts=attempts)

    @property
    def model_asked(self) -> tuple[tuple[ModelConfig, str], ...]:
        """The models that its tasks need, and who asks them."""
        planning = self._planning.frozen(self._owner) if self._planning is not None else None
        plans = (
            () if planning is None or planning.model is None else ((planning.model, f"the planning of {self._owner}"),)
        )
        return (*super().model_asked, *plans)

    def outline(self) -> dict[str, Any]:
        """What the fingerprint of a definition covers: names, prompts, schemas, models; no ids, no source text."""
        return {
            **super().outline(),
            "templates": [self.system_template, self.prompt_template, self.use_system_prompt],
            **({"response_template": self.response_template} if self.response_template else {}),
            "date": self.date_format if self.inject_date else None,
            **servers_outline(self.mcps or (), self._owner),
            **(
                {"planning": self._planning.model_dump(mode="json", exclude={"llm"})}
                if self._planning is not None
                else {}
            ),
        }
