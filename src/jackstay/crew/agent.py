"""`Agent`: a role, a goal, a model, tools. It describes; what happens in a run is in the run's journal."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Unpack

from pydantic import BaseModel, ConfigDict, Field, field_validator

from jackstay.core.interpolation import interpolate
from jackstay.core.retry import Retry
from jackstay.core.specs import AgentSpec, ModelConfig
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.crew import accepted
from jackstay.crew.agent_kickoff import LiteAgentOutput, Messages, RunArguments, kickoff_of, presented
from jackstay.crew.configured import agent_arguments
from jackstay.crew.guardrails import checked_guardrail, guardrail_list
from jackstay.crew.limit import max_rpm_limit
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import loop_is_running, run_async, run_sync
from jackstay.engine.entry import guard_loading
from jackstay.engine.kickoff import start
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.llm.llm import as_config
from jackstay.tools.base_tool import as_tool_def, tool_defs
from jackstay.tools.mcp.servers import servers_outline, tool_servers


class Agent(BaseModel):
    """Who does a task. `role`, `goal` and `backstory` may have `{variables}` of the kickoff's inputs.

    `llm` is a model's name, an `LLM`, a `BaseLLM` of one's own, or None for the environment's default model; a list of
    these is a model and its fallbacks. `retry`: how failed model calls of this agent are tried again.
    `max_iter` bounds the agent's turns per task; then a final answer is forced (one call more). `max_execution_time`
    is in seconds, per task. `max_retry_limit`: how often per task a `BaseLLM` of one's own is asked again after an exception
    of its own; what model calls over the wire raise was tried again by `retry` already. `max_rpm`: how many model calls per
    minute agents of this definition make, in whatever runs and processes. `allow_delegation`: it may give work to the
    crew's other agents, and ask them. `tool_failure_policy`: what follows when a tool says that it failed (`ToolFailure`).
    `mcps`: MCP servers whose tools it has as well, at each task. `verbose`: what it does is printed, as it happens.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    id: uuid.UUID = Field(default_factory=uuid.uuid4, frozen=True)
    role: str
    goal: str
    backstory: str
    llm: Any = None
    tools: list[Any] = Field(default_factory=list)
    max_iter: int = Field(default=25, ge=1)
    max_retry_limit: int = Field(default=2, ge=0)
    max_execution_time: float | None = Field(default=None, gt=0)
    max_rpm: int | None = Field(default=None, ge=1)
    use_system_prompt: bool = True
    system_template: str | None = None
    prompt_template: str | None = None
    retry: Retry | None = None
    step_callback: Callable[..., Any] | None = None
    inject_date: bool = False
    date_format: str = "%Y-%m-%d"
    allow_delegation: bool = False
    tool_failure_policy: ToolFailurePolicy | None = None
    guardrail: Any = None
    guardrail_max_retries: int = Field(default=3, ge=0)
    mcps: list[Any] | None = None
    verbose: bool = False

    def __init__(self, **given: Any) -> None:
        with accepted.defining("Agent"):
            given = agent_arguments(given, {*type(self).model_fields, *accepted.AGENT})
            super().__init__(**accepted.split("Agent", accepted.AGENT, given))
        # Looked at when the agent is made, so that a wrong object is reported where it was written.
        self._config: ModelConfig = as_config(self.llm, self._owner)
        tool_servers(self.mcps or (), self._owner)

    def kickoff(
        self, messages: Messages, response_format: type[BaseModel] | None = None, **run: Unpack[RunArguments]
    ) -> LiteAgentOutput | Coroutine[Any, Any, LiteAgentOutput]:
        """The agent's answer to a text, or to messages (`role`, `content`) of which the last is the user's. A run of its
        own, or a step of the run around it. Where a loop is running, a coroutine to be awaited (CrewAI's rule)."""
        if loop_is_running():
            return self.kickoff_async(messages, response_format, **run)
        runtime, kickoff = self._asked(messages, response_format, run)
        return presented(run_sync(runtime, lambda home: start(runtime, home, kickoff)))

    async def kickoff_async(
        self, messages: Messages, response_format: type[BaseModel] | None = None, **run: Unpack[RunArguments]
    ) -> LiteAgentOutput:
        """As `kickoff`, to be awaited."""
        runtime, kickoff = self._asked(messages, response_format, run)
        return presented(await run_async(runtime, lambda home: start(runtime, home, kickoff)))

    async def akickoff(
        self, messages: Messages, response_format: type[BaseModel] | None = None, **run: Unpack[RunArguments]
    ) -> LiteAgentOutput:
        """As `kickoff_async`."""
        return await self.kickoff_async(messages, response_format, **run)

    def _asked(
        self, messages: Messages, response_format: type[BaseModel] | None, run: RunArguments
    ) -> tuple[Runtime, Kickoff]:
        guard_loading()
        runtime = current_runtime()
        return runtime, kickoff_of(self, runtime, messages, response_format, **run)

    @field_validator("guardrail")
    @classmethod
    def _can_judge(cls, given: Any) -> Any:
        for each in guardrail_list(given):
            checked_guardrail(each)
        return given

    _id_is_ours = field_validator("id", mode="before")(accepted.refuse_id)

    @field_validator("role", "goal", "backstory")
    @classmethod
    def _is_said(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("is empty; say in a few words who the agent is and what it wants")
        return text

    _config: ModelConfig

    @property
    def _owner(self) -> str:
        return f"agent '{self.role}'"

    @property
    def key(self) -> str:
        """CrewAI's name for what is the same agent in every process: the MD5 of role, goal and backstory."""
        said = "|".join((self.role, self.goal, self.backstory))
        return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()

    def copy(self) -> Agent:  # type: ignore[override]
        """An agent of its own, with lists of its own of the same tools and servers, and the same model."""
        servers = None if self.mcps is None else list(self.mcps)
        return self.model_copy(update={"id": uuid.uuid4(), "tools": list(self.tools), "mcps": servers})

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that inputs are filled into."""
        return self.role, self.goal, self.backstory

    @property
    def model_config_used(self) -> ModelConfig:
        """The model and its fallbacks, as they were last set."""
        return self._config

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "llm":
            self._config = as_config(value, self._owner)

    def to_spec(self, inputs: Mapping[str, Any]) -> AgentSpec:
        """The frozen definition with the inputs filled in. Raises `MissingVariableError`."""

        def filled(field: str) -> str:
            return interpolate(getattr(self, field), inputs, field=field, owner=self._owner)

        return AgentSpec(
            role=filled("role"),
            goal=filled("goal"),
            backstory=filled("backstory"),
            model=self._config,
            tools=tool_defs(self.tools, self._owner),
            max_iter=self.max_iter,
            max_retry_limit=self.max_retry_limit,
            max_execution_time_s=self.max_execution_time,
            retry=self.retry,
            limit=max_rpm_limit("agent", self.role, self.outline, self.max_rpm),
            use_system_prompt=self.use_system_prompt,
            system_template=self.system_template,
            prompt_template=self.prompt_template,
            step_callback=self.step_callback,
            inject_date=self.inject_date,
            date_format=self.date_format,
            allow_delegation=self.allow_delegation,
            tool_failure_policy=self.tool_failure_policy,
            servers=tool_servers(self.mcps or (), self._owner),
            verbose=self.verbose,
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
            "templates": [self.system_template, self.prompt_template, self.use_system_prompt],
            "date": self.date_format if self.inject_date else None,
            **({"delegates": True} if self.allow_delegation else {}),
            **servers_outline(self.mcps or (), self._owner),
        }
