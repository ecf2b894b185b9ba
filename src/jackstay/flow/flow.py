"""`Flow`: methods that run when others have completed, over one state. Subclass it; a kickoff is a run."""

from __future__ import annotations

import sys
import threading
import warnings
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from jackstay.core.budget import Budget
from jackstay.core.canonical import digest
from jackstay.core.content import Content
from jackstay.core.flow_graph import FlowGraph, problems, unheard
from jackstay.core.ignored import Files, warn_of_files
from jackstay.core.retry import Retry
from jackstay.core.specs import ModelConfig
from jackstay.crew.checkpoint import CheckpointConfig, of_an_object, origin_for_copy
from jackstay.crew.output import UsageMetrics
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import run_async, run_sync
from jackstay.engine.checkpoints import Origin
from jackstay.engine.entry import guard_loading
from jackstay.engine.kickoff import Outcome
from jackstay.engine.kickoff import start as start_run
from jackstay.engine.own_step import refuse_in_a_loop, run_step
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.errors import DefinitionError
from jackstay.flow.asking import AsksPeople
from jackstay.flow.decorators import Mark, and_, listen, method_spec, or_, router, start
from jackstay.flow.definition import ConfigDefinition, FlowDefinition, definition_of
from jackstay.flow.methods import marks_in, marks_of, outline_of, set_aside
from jackstay.flow.persistence import FlowPersistence
from jackstay.flow.plotting import Format, form_of, states_in, text_of, write
from jackstay.flow.running import Running, copied, outputs_in
from jackstay.flow.state import FlowState, fresh_state, id_of, with_inputs

if TYPE_CHECKING:
    from jackstay.flow.streaming import AsyncStreamSession, StreamSession

# Existing code imports the decorators from here, as from CrewAI's `flow.flow`.
__all__ = ["Flow", "FlowState", "and_", "listen", "or_", "router", "start"]

T = TypeVar("T")
S = TypeVar("S")
_OURS = ("retry", "budget", "deadline_s", "content", "strict")
"""Settings that CrewAI's flows do not have: a method of such a name is a method, and the setting is as it was."""
_SETTINGS = (
    *_OURS, "name", "initial_state", "max_method_calls", "checkpoint", "persistence", "input_provider", "stream", "tracing",
    "suppress_flow_events",
)  # fmt: skip


class Flow(AsksPeople, Generic[T]):
    """An event-driven program over one state.

    `Flow[Model]` or `initial_state = …` says what the state is; else it is a dict. The state has an `id`: the run's,
    unless the inputs give one; kicked off again, an object keeps its state and so its id. One object may be kicked off several times at once: each further run has a copy of it.
    """

    initial_state: ClassVar[Any] = None
    name: str | None = None
    max_method_calls: int = 100
    retry: Retry | None = None
    budget: Budget | None = None
    deadline_s: float | None = None
    content: Content | None = None
    """How much of what is said stays when a run has ended: "full", "hashes" or "off"."""
    checkpoint: bool | CheckpointConfig | None = None
    """Accepted: the journal has every method in any case."""
    persistence: FlowPersistence | None = None
    """Where the state is saved, whatever `@persist` says."""
    stream: bool = False
    """Kickoffs are `StreamSession`s, awaited ones `AsyncStreamSession`s."""
    strict: bool = False
    """A label that nothing listens to is refused when the flow is made; else it is a warning."""
    tracing: bool | None = None
    suppress_flow_events: bool = False
    """Accepted: nothing is sent anywhere, and nothing is printed."""
    _state_type: ClassVar[Any] = None
    _begins_at: Origin | None = None
    _declared: ClassVar[FlowDefinition | None] = None
    """The declaration that the class was made of."""
    _functions: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    """Its methods. (One may be called as something that all flows have.)"""
    _models: ClassVar[tuple[tuple[ModelConfig, str], ...]] = ()
    """Those that are known to be asked in its methods: what is wrong with one is said before anything runs."""
    _modules: ClassVar[tuple[str, ...]] = ()
    """Where its methods' code is, besides its own module: classes there may be stored."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        set_aside(cls, _OURS)

    def __class_getitem__(cls, item: Any) -> Any:
        made = super().__class_getitem__(item)  # type: ignore[misc]
        if isinstance(item, TypeVar):
            return made
        # A class of its own, so that `class F(Flow[State])` finds the state among its bases.
        return type(cls.__name__, (cls,), {"_state_type": item, "__module__": cls.__module__, "__doc__": cls.__doc__})

    def __init__(self, **fields: Any) -> None:
        for name in _SETTINGS:
            if name in fields:
                setattr(self, name, fields.pop(name))
        self._state = with_inputs(fresh_state(self._initial()), fields)
        self._id_given = "id" in fields
        self._busy = threading.Lock()
        self._outcome: Outcome | None = None
        self._begun: tuple[str, str] | None = None
        """The run of the kickoff that has begun last on this object, and its place in it."""
        self._returned: dict[str, Any] = {}
        graph = self._graph()
        found, loose = [*self._taken(graph), *problems(graph)], unheard(graph)
        if found or (loose and self.strict):
            raise DefinitionError(f"flow {self._name}: {'; '.join([*found, *loose])}")
        if loose:
            level = 2 if self._declared is None else 3  # the line that made it, or that had it made
            warnings.warn(f"flow {self._name}: {'; '.join(loose)}: the flow ends there", UserWarning, stacklevel=level)
        self._announce("FlowCreatedEvent")

    # --- what users read -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> T:
        """Inside a run, that run's state; outside, the last finished run's."""
        return self._state  # type: ignore[no-any-return]

    @property
    def flow_id(self) -> str:
        return str(id_of(self._state))

    @property
    def run_id(self) -> str | None:
        """The id of the last finished run."""
        return self._outcome.run_id if self._outcome else None

    @property
    def method_outputs(self) -> list[Any]:
        """What the methods of the last finished run returned, in the order in which they completed."""
        return outputs_in(current_runtime(), self._outcome) if self._outcome else []

    @property
    def usage_metrics(self) -> UsageMetrics:
        """Tokens of the last finished run, everything inside it included."""
        return UsageMetrics.of(self._outcome.bill) if self._outcome else UsageMetrics()

    @property
    def reused_usage(self) -> UsageMetrics:
        """What a replay took from another run's record: paid there, and no part of `usage_metrics`."""
        return UsageMetrics.of(self._outcome.reused) if self._outcome else UsageMetrics()

    @property
    def cost_usd(self) -> Any:
        """US dollars of the last finished run; None if a price is unknown."""
        return self._outcome.bill.cost_usd if self._outcome else None

    # --- running -------------------------------------------------------------------------------------------------------

    def kickoff(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        restore_from_state_id: str | None = None,
        input_files: Files | None = None,
    ) -> Any:
        """Runs the flow and blocks until it is done; returns what the method that completed last returned.

        A method's exception is raised as it was. `budget`, `deadline_s`, `run_key`, `resume`, `from_checkpoint`: see
        `Crew.kickoff`. Of a flow with `@persist`: `inputs={"id": …}` goes on with the run of that state if it has not
        finished, and else begins with the state as it was saved last; `restore_from_state_id` begins with a copy of one.
        """
        warn_of_files(input_files)
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            begins = (from_checkpoint, restore_from_state_id)
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, *begins)
            if self.stream:
                return _session(runtime, running.kept(), kickoff)
            return running.ended(run_sync(runtime, lambda home: start_run(runtime, home, kickoff)))

    async def akickoff(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        restore_from_state_id: str | None = None,
        input_files: Files | None = None,
    ) -> Any:
        """As `kickoff`, to be awaited. The flow's asynchronous methods run on the caller's loop."""
        warn_of_files(input_files)
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            begins = (from_checkpoint, restore_from_state_id)
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, *begins)
            if self.stream:
                return _async_session(runtime, running.kept(), kickoff)
            return running.ended(await run_async(runtime, lambda home: start_run(runtime, home, kickoff)))

    async def kickoff_async(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        restore_from_state_id: str | None = None,
        input_files: Files | None = None,
    ) -> Any:
        """The same as `akickoff`."""
        warn_of_files(input_files)
        more: dict[str, Any] = {"run_key": run_key, "resume": resume, "from_checkpoint": from_checkpoint}
        more["restore_from_state_id"] = restore_from_state_id
        return await self.akickoff(inputs, budget=budget, deadline_s=deadline_s, **more)

    def stream_events(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        restore_from_state_id: str | None = None,
    ) -> StreamSession:
        """A kickoff that is iterated: everything that happens in it comes out as frames, the result at the end
        (`.result`). The arguments are those of `kickoff`; `stream=True` makes every kickoff one of these."""
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            begins = (from_checkpoint, restore_from_state_id)
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, *begins)
            return _session(runtime, running.kept(), kickoff)

    def astream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        run_key: str | None = None,
        resume: str | None = None,
        from_checkpoint: CheckpointConfig | None = None,
        restore_from_state_id: str | None = None,
    ) -> AsyncStreamSession:
        """As `stream_events`, for `async for`. The flow's asynchronous methods run on the caller's loop."""
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            begins = (from_checkpoint, restore_from_state_id)
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, *begins)
            return _async_session(runtime, running.kept(), kickoff)

    def replay(
        self,
        method: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
    ) -> Any:
        """Runs this flow again from one of its methods in an earlier run, as a new run; returns what `kickoff` returns.

        That method and what followed from it are done again; the others, and the state as they left it, are taken from
        the record. `method`: its name (in the latest run), or an id of `jackstay log-tasks-outputs` (`RUN/PATH`).
        `inputs`: those that are to be others than in that run. Raises `UnknownTask`, and what the run raises.
        """
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            kickoff = running.replayed(runtime, method, inputs, budget, deadline_s)
            return running.ended(run_sync(runtime, lambda home: start_run(runtime, home, kickoff)))

    async def areplay(
        self,
        method: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
    ) -> Any:
        """As `replay`, to be awaited."""
        guard_loading()
        runtime = current_runtime()
        with Running(self) as running:
            kickoff = running.replayed(runtime, method, inputs, budget, deadline_s)
            return running.ended(await run_async(runtime, lambda home: start_run(runtime, home, kickoff)))

    @of_an_object
    def fork(self, config: CheckpointConfig, branch: str | None = None) -> Flow[T]:
        """A copy whose kickoffs are new runs that begin at the checkpoint, with the state of then. `branch`: a word for
        it, noted with the runs."""
        return self._copy_from(origin_for_copy(config, anew=True, branch=branch))

    @of_an_object
    def from_checkpoint(self, config: CheckpointConfig) -> Flow[T]:
        """A copy whose kickoffs have `from_checkpoint=config`."""
        return self._copy_from(origin_for_copy(config, anew=False))

    def _copy_from(self, origin: Origin) -> Flow[T]:
        made = copied(self)
        made._begins_at = origin
        return made

    def step(self, name: str, function: Callable[..., S], /, *args: Any, key: str | None = None, **kwargs: Any) -> S:
        """Calls the function in a method of the running flow, and records its result: a run that is resumed has it
        from there, and does not call the function again.

        A step is told by its name and arguments (or by `key`), equal ones by their order. The function may be `def` or
        `async def`; what it returns is stored as a method's result is. Raises what it raises; `InputsError` for
        arguments that cannot be stored; `DefinitionError` outside a run. In `async def` methods: `astep`.
        """
        refuse_in_a_loop(name)
        result: S = run_sync(current_runtime(), lambda _: run_step(name, function, args, kwargs, key))
        return result

    async def astep(
        self, name: str, function: Callable[..., Any], /, *args: Any, key: str | None = None, **kwargs: Any
    ) -> Any:
        """As `step`, to be awaited: for `async def` methods."""
        return await run_async(current_runtime(), lambda _: run_step(name, function, args, kwargs, key))

    def plot(self, filename: str | Path = "flow", show: bool = True, *, format: Format | None = None) -> str:
        """Writes a picture of the flow and returns its path: which method follows which, and how they fared in the
        latest run of this object, also if that has failed.

        "html" is one file that needs no network: pan, zoom, a method's source on a click; `show` opens it in the browser
        (only from a terminal). "svg" and "mermaid" are for documents. Without `format` the file's suffix says it, else it is
        "html". Raises `ConfigurationError` where it cannot be written.
        """
        form = format or form_of(filename)
        graph, (run_id, scope) = self._graph(), self._begun or (None, "")
        rows = current_runtime().journal.steps(run_id) if run_id else ()
        text = text_of(self._name, graph, form, states_in(rows, graph, scope), run_id)
        path = write(text, filename, form)
        self._announce("FlowPlotEvent")
        if show and form == "html" and sys.stdout.isatty():
            webbrowser.open(path.as_uri())
        return str(path)

    @classmethod
    def from_declaration(
        cls,
        declaration: str | Path | Mapping[str, Any] | FlowDefinition | None = None,
        *,
        contents: str | Mapping[str, Any] | None = None,
        path: str | Path | None = None,
    ) -> Flow[Any]:
        """The flow that a YAML or JSON declaration describes (`crewai.flow/v1`): its file's path, its text, a dict, or what
        `flow_definition()` has returned.

        The modules that it names are imported, and its crews and agents made, so that what is wrong is said before
        anything is run: `DefinitionError` with file, line and key. Code in the declaration itself is not executed.
        """
        # When it is wanted: with it come YAML and all of crews.
        from jackstay.flow.declaration import class_of, document_of

        document = document_of(declaration, contents, path)
        made = class_of(document, cls)
        try:
            return made()
        except (DefinitionError, TypeError, ValueError) as error:
            raise document.mistake((), f"the flow cannot be made: {error}") from error

    @classmethod
    def flow_definition(cls) -> FlowDefinition:
        """The flow as data: its methods and what they listen to, its state, its settings. It can be written as YAML or JSON,
        and run again by `from_declaration`."""
        if cls._declared is not None:
            return cls._declared
        state = cls.initial_state if cls.initial_state is not None else cls._state_type
        config = ConfigDefinition(stream=cls.stream, max_method_calls=cls.max_method_calls)
        return definition_of(cls, cls._marks(), state, config)

    @property
    def fingerprint(self) -> str:
        """The methods, what they listen to, and the names of the state's fields; no source text."""
        return digest(self._outlined(self._graph()))

    def outline(self) -> list[Any]:
        """What `fingerprint` is the hash of, as JSON data."""
        return self._outlined(self._graph())

    def _outlined(self, graph: FlowGraph) -> list[Any]:
        return outline_of(self._name, graph, getattr(type(self._state), "model_fields", ()))

    # --- inside --------------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self.name or type(self).__name__

    def _announce(self, event: str) -> None:
        events = sys.modules.get("jackstay.events")  # else nobody can listen
        if events is not None:
            events.event_bus.emit(self, getattr(events, event)(flow_name=self._name))

    def _initial(self) -> Any:
        return self.initial_state if self.initial_state is not None else self._state_type

    def _graph(self) -> FlowGraph:
        """All decorated methods, inherited ones too, in the order of their definition."""
        methods = {name: method_spec(name, self._method(name), mark) for name, mark in self._marks().items()}
        return FlowGraph(methods, self.max_method_calls)

    def _taken(self, graph: FlowGraph) -> list[str]:
        """Methods that would be taken for something else, in sentences."""
        kept = {*_SETTINGS, "kickoff", "kickoff_async", "akickoff"}.difference(_OURS)
        found = () if self._declared is not None else kept & graph.methods.keys()
        return [
            f"{name} is what every flow has under that name: call the method something else" for name in sorted(found)
        ]

    def _method(self, name: str) -> Callable[..., Any]:
        function = self._functions.get(name)
        return getattr(self, name) if function is None else MethodType(function, self)

    @classmethod
    def _marks(cls) -> dict[str, Mark]:
        # A declaration's methods are its own; its bases are there for their code.
        return marks_in(cls._functions) if cls._declared is not None else marks_of(cls, _WITHOUT_METHODS)


_WITHOUT_METHODS = frozenset(Flow.__mro__)


def _session(runtime: Runtime, running: Running, kickoff: Kickoff) -> StreamSession:
    # When it is wanted: with it come the classes of all events.
    from jackstay.flow.streaming import StreamSession

    return StreamSession(runtime, running, kickoff)


def _async_session(runtime: Runtime, running: Running, kickoff: Kickoff) -> AsyncStreamSession:
    from jackstay.flow.streaming import AsyncStreamSession  # as above

    return AsyncStreamSession(runtime, running, kickoff)
