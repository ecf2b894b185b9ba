"""Frozen definitions: what the public objects turn into at kickoff, and all that the engine sees of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from jackstay.core.feedback import FlowTalk
from jackstay.core.flow_graph import FlowGraph
from jackstay.core.limits import Limit
from jackstay.core.messages import NO_SAMPLING, OutputSchema, Sampling, ToolSpec
from jackstay.core.results import TaskResult, Verdict
from jackstay.core.retry import Retry
from jackstay.core.tool_failures import ToolFailurePolicy


class Secret(str):
    """A string that does not show itself. Never stored: the journal knows keys by their variable's name only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model as the user asked for it. Resolved to a provider, an address and a key when the first call is near."""

    model: str
    """As written: `gpt-4o`, `anthropic/claude-…`, `ollama/llama3`, `hosted_vllm/x`."""
    sampling: Sampling = NO_SAMPLING
    provider: str | None = None
    """Forced provider, else by the model's prefix or name."""
    base_url: str | None = None
    api_key: Secret | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    stream: bool = False
    api: Literal["completions", "responses"] = "completions"
    native_tools: bool | None = None
    """False: tools are described in text (ReAct). None: as the model's profile says."""
    native_output: bool | None = None
    context_window: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Client options that do not change the answer: organization, project."""
    custom: Any = None
    """A user's `BaseLLM` object; it is user code and is called as such."""
    fallbacks: tuple[ModelConfig, ...] = ()
    """Models that answer where this one does not, in order. Each is resolved when it is needed."""
    retry: Retry | None = None
    """The nearest policy counts: this one, else the agent's, crew's, flow's, run's."""
    deadline_s: float | None = None
    """For one call with all its attempts; `timeout_s` is for one request."""
    cache_ttl_s: float | None = None
    """An equal question is answered from the journal if it was answered no longer ago than this. None: never."""
    prompt_caching: bool = False
    """Marks the prompt for the provider's own cache, where that wants marks."""
    reads_environment: bool = False
    """No model was named: `model` comes from MODEL, MODEL_NAME, OPENAI_MODEL_NAME or the default."""

    def named(self, model: str) -> ModelConfig:
        """Another model, given by its name only: asked as this one is (sampling, limits of time), found anew (provider,
        address, key)."""
        return ModelConfig(
            model,
            sampling=self.sampling,
            timeout_s=self.timeout_s,
            deadline_s=self.deadline_s,
            retry=self.retry,
            stream=self.stream,
            cache_ttl_s=self.cache_ttl_s,
            prompt_caching=self.prompt_caching,
        )


def chain_of(config: ModelConfig) -> tuple[ModelConfig, ...]:
    """A model and its fallbacks, in order. A fallback's own fallbacks do not count."""
    return (config, *config.fallbacks)


class Inside(Protocol):
    """What a tool of the engine's own does: no user code, but steps of the run below the tool's step."""

    def question(self, arguments: str) -> Any:
        """What decides the result besides the arguments (as the model wrote them), as JSON data."""
        ...

    async def perform(self, scope: Any, arguments: Mapping[str, Any]) -> str:
        """The result. `scope` is the tool's step, `arguments` are validated."""
        ...


@dataclass(frozen=True, slots=True)
class ToolDef:
    """A tool with the function behind it. `spec` is what the model sees."""

    spec: ToolSpec
    call: Callable[..., Any]
    """Called with the validated arguments as keywords; `def` or `async def`."""
    validate: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Arguments of the model, checked and converted; raises `ValueError` with a text the model can act on."""
    result_as_answer: bool = False
    max_usage_count: int | None = None
    claim: Callable[[], bool] | None = None
    """Counts one use of a tool with `max_usage_count`; False when it is used up."""
    inside: Inside | None = None
    """Performed by the engine; `call` is not called then."""
    side_effect: bool = False
    """It acts on the world: an intent is recorded before each call, and no call is repeated by itself."""
    polling: bool = False
    """Equal calls with equal results are no sign that the agent makes no progress."""
    cache_ttl_s: float | None = None
    """An equal call in the same run is answered by the result of one no older than this. None: never."""
    cache_function: Callable[..., Any] | None = None
    """Called with the arguments and the result; False: the result answers no other call."""
    failure_policy: ToolFailurePolicy | None = None
    """What follows from a `ToolFailure`. None: as the agent says."""


class Connection(Protocol):
    """One kickoff's way to a server of tools. Its coroutines are user code; they run on one loop."""

    @property
    def is_open(self) -> bool:
        """Something has to be closed."""
        ...

    async def tools(self, agent: AgentSpec) -> Any:
        """The tools that the agent sees, as JSON data for the journal."""
        ...

    def tool_defs(self, tools: Any) -> tuple[ToolDef, ...]:
        """The tools of such data; their calls open the connection if need be."""
        ...

    async def close(self) -> None: ...


class ToolServer(Protocol):
    """A server of tools, as a definition names it."""

    @property
    def label(self) -> str:
        """What messages and paths call it."""
        ...

    def question(self, agent: AgentSpec) -> Any:
        """What decides which tools the agent gets from it, as JSON data."""
        ...

    def connection(self) -> Connection:
        """A new one, not yet open."""
        ...

    def secrets(self) -> Iterable[tuple[str, str]]:
        """What it is told that nobody may see, each with a name."""
        ...


@dataclass(frozen=True, slots=True)
class OwnExecution:
    """Code of the user's does an agent's tasks. Each is called with the `TaskSpec` and its context; one of them is there."""

    name: str
    """Its class, for the record."""
    call: Callable[[Any, str], Any] | None
    acall: Callable[[Any, str], Any] | None
    """To be preferred where somebody awaits the kickoff."""


@dataclass(frozen=True, slots=True)
class Planning:
    """How an agent makes a plan for its task before the work."""

    model: ModelConfig | None = None
    """None: the agent's."""
    max_attempts: int = 1
    max_steps: int = 20
    system_prompt: str | None = None
    plan_prompt: str | None = None
    refine_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class AgentSpec:
    role: str
    goal: str
    backstory: str
    model: ModelConfig
    tools: tuple[ToolDef, ...] = ()
    max_iter: int = 25
    max_retry_limit: int = 2
    max_execution_time_s: float | None = None
    retry: Retry | None = None
    limit: Limit | None = None
    use_system_prompt: bool = True
    system_template: str | None = None
    prompt_template: str | None = None
    response_template: str | None = None
    step_callback: Callable[..., Any] | None = None
    inject_date: bool = False
    date_format: str = "%Y-%m-%d"
    respect_context_window: bool = True
    """A conversation that its model would refuse as too long is made to fit."""
    allow_delegation: bool = False
    """It may give work to the crew's other agents (a manager always may)."""
    tool_failure_policy: ToolFailurePolicy | None = None
    """Of tools without a policy of their own; the task's, agent's or crew's, whichever is nearest. None: warn."""
    servers: tuple[ToolServer, ...] = ()
    """Where further tools come from, at each task."""
    served: tuple[ToolDef, ...] = ()
    """Those tools, once a kickoff has asked for them."""
    verbose: bool = False
    """What it does is printed."""
    planning: Planning | None = None
    own: OwnExecution | None = None
    """It does its tasks itself; else its model does."""

    def tools_for(self, own: Sequence[ToolDef] = ()) -> tuple[ToolDef, ...]:
        """Its tools at a task that has these of its own."""
        return (*(own or self.tools), *self.served)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The structured form of a task's output. `parse` takes JSON text and returns the validated object, or raises
    `ValueError` with a text that the model can act on."""

    schema: OutputSchema
    parse: Callable[[str], Any]
    form: Literal["pydantic", "json"]
    dump: Callable[[Any], Any]
    """The object as JSON-able data, for the journal."""
    load: Callable[[Any], Any]
    """The object back from `dump`'s data."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What a model judges an output by, in words."""

    description: str
    output: OutputSpec
    """The form of its judgement."""
    model: ModelConfig | None = None
    """None: that of the agent whose output it is."""


@dataclass(frozen=True, slots=True)
class GuardrailDef:
    """A check of a task's output that may send it back to the agent."""

    name: str
    call: Callable[..., Any]
    """The user's function, called with the public output object; `def` or `async def`."""
    read: Callable[[Any], Verdict]
    """What it returned, understood; raises `DefinitionError` for what cannot be."""
    judge: Judge | None = None
    """A model judges: `call` is not called, and `read` is given what the model said."""

    @property
    def question(self) -> str:
        """What of it belongs to a task's question, and to a definition's outline."""
        return self.name if self.judge is None else f"{self.name}: {self.judge.description}"


@dataclass(frozen=True, slots=True)
class OnError:
    """What follows when a task's agent has failed. `retry`: how often, and when, it is asked again before `then`."""

    then: Literal["abort", "skip", "fallback"] = "abort"
    retry: Retry | None = None
    agent: AgentSpec | None = None
    """The fallback that does the task instead; None: `text` is the result."""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    key: str
    """The task's name in paths: its name, else a slug of its description."""
    name: str | None
    description: str
    expected_output: str
    agent: AgentSpec
    """Who does it: in a hierarchical crew the manager."""
    context: tuple[int, ...] | None = None
    """Indexes of the tasks whose outputs are the context. None: all earlier ones."""
    given_context: str = ""
    """Outputs of context tasks outside the crew, read once at kickoff."""
    async_execution: bool = False
    deadline_s: float | None = None
    output: OutputSpec | None = None
    output_file: str | None = None
    create_directory: bool = True
    tools: tuple[ToolDef, ...] = ()
    markdown: bool = False
    callbacks: tuple[Callable[..., Any], ...] = ()
    """Called with the public output object that `present` makes, in order."""
    present: Callable[[Any], Any] | None = None
    guardrails: tuple[GuardrailDef, ...] = ()
    guardrail_max_retries: int = 3
    """How often the agent is asked again for one guardrail."""
    on_error: OnError = OnError()
    log: Callable[[Mapping[str, str]], None] | None = None
    """Adds an entry to the user's log of tasks; may block, and may raise `OSError` or `ValueError`."""
    condition: Callable[..., Any] | None = None
    """Called with the output of the task before this one, as `present` makes it; False: the task is skipped."""
    human_input: bool = False
    """A person looks at each answer, and says what is to be different."""
    plan: str = ""
    """What the crew's planner says of how to do it."""
    origin: Any = None
    """The public object, for an agent's own code."""
    meant_for: str | None = None
    """The role of the agent that the definition names, where the manager does the task."""

    def presented(self, result: TaskResult) -> Any:
        """The output as users' functions are given it."""
        return result if self.present is None else self.present(result)


@dataclass(frozen=True, slots=True)
class Planner:
    """Who plans a crew's tasks before they begin."""

    model: ModelConfig
    output: OutputSpec
    """The form of its plans."""
    plans: Callable[[Any], Mapping[int, str]]
    """The plans in such an object, by the task's number from 1."""


@dataclass(frozen=True, slots=True)
class CrewSpec:
    name: str
    tasks: tuple[TaskSpec, ...]
    limit: Limit | None = None
    agents: tuple[AgentSpec, ...] = ()
    """Whom work may be delegated to; empty if nobody may delegate. An agent that does a task and is one of them is the
    same object."""
    planner: Planner | None = None


class StatePort(Protocol):
    """A flow's state as the engine sees it: fields that can be read as JSON and set again."""

    @property
    def id(self) -> str:
        """Empty if it has none."""
        ...

    def fields(self) -> dict[str, str]:
        """Every top-level field as JSON text (see `core.values`). Raises `NotStorable` naming the field."""
        ...

    def apply(self, changed: Mapping[str, Any], removed: Sequence[str]) -> None:
        """Sets fields from the data of such JSON texts."""
        ...

    def touched_by(self, marks: Set[tuple[int, str]]) -> set[str]:
        """Which of this state's fields a method's marks name."""
        ...

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes these values instead of what it has; its id and the kickoff's inputs stay. Raises `InputsError`."""
        ...

    def copied(self) -> Any:
        """The state as a dict or a model of its own, equal to it. Raises `NotStorable`."""
        ...


@dataclass(frozen=True, slots=True)
class Saving:
    """How a flow's state outlives its runs, by its id. A store is an object with CrewAI's `save_state` and `load_state`, and
    user code; None: the journal, which has the state anyway."""

    stores: Mapping[str, Any]
    """Where to the state goes after each method that is persisted."""
    source: Any
    """Where from a saved state is loaded."""
    told: Set[str] = frozenset()
    """Methods after which it is said that the state was saved."""


@dataclass(frozen=True, slots=True)
class FlowSpec:
    name: str
    graph: FlowGraph
    state: StatePort
    saving: Saving | None = None
    """None: the state is of this run only."""
    restore: str | None = None
    """The id of the saved state with which it begins, if there is one."""
    replayed: tuple[str, str] | None = None
    """Run and scope that it replays: with other inputs it begins with the state that was there before them."""
    returned: dict[str, Any] = field(default_factory=dict)
    """What each method has returned last, by its name; kept by the engine for methods that ask."""
    talk: FlowTalk = field(default_factory=FlowTalk)
