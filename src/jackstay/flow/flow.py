"""`Flow`: methods that run when others have completed, over one state. Subclass it; a kickoff is a run."""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import sys
import threading
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json, digest
from jackstay.core.deadline import checked_deadline, nearest
from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, Trigger, problems
from jackstay.core.retry import Retry
from jackstay.core.specs import FlowSpec
from jackstay.core.values import NotStorable, UnknownClass
from jackstay.crew.checkpoint import CheckpointConfig, of_an_object, origin_for_copy, origin_of
from jackstay.crew.output import CrewOutput, OutputFormat, TaskOutput, UsageMetrics
from jackstay.engine.addressing import find_unit, replay_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import run_async, run_sync
from jackstay.engine.checkpoints import Origin, beginning
from jackstay.engine.entry import entry_point, guard_loading
from jackstay.engine.flow import run_flow
from jackstay.engine.kickoff import Outcome
from jackstay.engine.kickoff import start as start_run
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.errors import DefinitionError, InputsError
from jackstay.flow.decorators import and_, listen, mark_of, method_spec, or_, router, start
from jackstay.flow.state import FlowState, StateBox, fresh_state, with_inputs

# Existing code imports the decorators from here, as from CrewAI's `flow.flow`.
__all__ = ["Flow", "FlowState", "and_", "listen", "or_", "router", "start"]

T = TypeVar("T")


class Flow(Generic[T]):
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
    checkpoint: bool | CheckpointConfig | None = None
    """Accepted: the journal has every method in any case."""
    _state_type: ClassVar[Any] = None
    _begins_at: Origin | None = None

    def __class_getitem__(cls, item: Any) -> Any:
        made = super().__class_getitem__(item)  # type: ignore[misc]
        if isinstance(item, TypeVar):
            return made
        # A class of its own, so that `class F(Flow[State])` finds the state among its bases.
        return type(cls.__name__, (cls,), {"_state_type": item, "__module__": cls.__module__, "__doc__": cls.__doc__})

    def __init__(self, **fields: Any) -> None:
        for name in ("name", "initial_state", "max_method_calls", "retry", "budget", "deadline_s", "checkpoint"):
            if name in fields:
                setattr(self, name, fields.pop(name))
        self._state = with_inputs(fresh_state(self._initial()), fields)
        self._id_given = "id" in fields
        self._busy = threading.Lock()
        self._outcome: Outcome | None = None
        found = problems(self._graph())
        if found:
            raise DefinitionError(f"flow {self._name}: {'; '.join(found)}")

    # --- what users read -----------------------------------------------------------------------------------------------

    @property
    def state(self) -> T:
        """Inside a run, that run's state; outside, the last finished run's."""
        return self._state  # type: ignore[no-any-return]

    @property
    def flow_id(self) -> str:
        return str(_id_of(self._state))

    @property
    def run_id(self) -> str | None:
        """The id of the last finished run."""
        return self._outcome.run_id if self._outcome else None

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
    ) -> Any:
        """Runs the flow and blocks until it is done; returns what the method that completed last returned.

        A method's exception is raised as it was. `budget`, `deadline_s`, `run_key`, `resume`, `from_checkpoint`: see
        `Crew.kickoff`.
        """
        guard_loading()
        runtime = current_runtime()
        with _Running(self) as running:
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, from_checkpoint)
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
    ) -> Any:
        """As `kickoff`, to be awaited. The flow's asynchronous methods run on the caller's loop."""
        guard_loading()
        runtime = current_runtime()
        with _Running(self) as running:
            kickoff = running.begun(runtime, inputs, run_key, resume, budget, deadline_s, from_checkpoint)
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
    ) -> Any:
        """The same as `akickoff`."""
        more: dict[str, Any] = {"run_key": run_key, "resume": resume, "from_checkpoint": from_checkpoint}
        return await self.akickoff(inputs, budget=budget, deadline_s=deadline_s, **more)

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
        with _Running(self) as running:
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
        with _Running(self) as running:
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
        made = _copied(self)
        made._begins_at = origin
        return made

    @property
    def fingerprint(self) -> str:
        """The methods, what they listen to, and the names of the state's fields; no source text."""
        return digest(self._outline())

    @property
    def outline(self) -> list[Any]:
        """What `fingerprint` is the hash of, as JSON data."""
        return self._outline()

    def _outline(self) -> list[Any]:
        graph = self._graph()
        methods = {
            name: [m.start, _outline(m.condition), m.router, list(m.emits or ())] for name, m in graph.methods.items()
        }
        state = sorted(getattr(type(self._state), "model_fields", ()))
        return ["flow", self._name, methods, state]

    # --- inside --------------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return self.name or type(self).__name__

    def _initial(self) -> Any:
        return self._state_type if self._state_type is not None else self.initial_state

    def _graph(self) -> FlowGraph:
        """All decorated methods, inherited ones too, in the order of their definition."""
        methods = {}
        for cls in reversed(type(self).__mro__):
            for name, function in vars(cls).items():
                mark = mark_of(function)
                if mark is not None:
                    methods[name] = method_spec(name, getattr(self, name), mark)
                elif name in methods and callable(function):
                    del methods[name]  # overridden without a decorator: no flow method any more
        return FlowGraph(methods, self.max_method_calls)


class _Running:
    """One kickoff of a flow object: on the object itself, or on a copy while another one is running."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._original = flow
        self._owns = flow._busy.acquire(blocking=False)
        self.flow = flow if self._owns else _copied(flow)

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owns:
            self._original._busy.release()

    def prepared(
        self,
        runtime: Runtime,
        inputs: Mapping[str, Any] | None,
        run_key: str | None,
        resume: str | None,
        budget: Budget | None,
        deadline_s: float | None,
    ) -> Kickoff:
        flow = self.flow
        given = {**(inputs or {}), **(runtime.session.inputs_for_kickoff() if runtime.session else {})}
        plain = _plain(given, runtime)  # refused before the state has any of it
        flow._state = with_inputs(flow._state, given)
        flow._id_given = flow._id_given or "id" in given
        _vouch(runtime, flow)
        box, outline = StateBox(flow._state, runtime.codec), flow._outline()
        spec = FlowSpec(flow._name, flow._graph(), box)

        async def body(scope: Any) -> Any:
            if scope.path == "" and not flow._id_given and flow._outcome is None:
                box.apply({"id": scope.run.id}, ())
            return await run_flow(scope, spec)

        return Kickoff(
            kind="flow",
            name=flow._name,
            inputs=plain,
            fingerprint=digest(outline),
            outline=outline,
            body=body,
            encode=lambda value: _encoded(value, box, runtime),
            decode=lambda text: _decoded(text, box, runtime),
            budget=budget or flow.budget,
            deadline_s=nearest(checked_deadline(deadline_s), checked_deadline(flow.deadline_s)),
            retry=flow.retry,
            run_key=run_key,
            resume=resume,
            entry=entry_point(),
            tags={"state_id": str(given["id"])} if "id" in given else {},
        )

    def begun(
        self,
        runtime: Runtime,
        inputs: Mapping[str, Any] | None,
        run_key: str | None,
        resume: str | None,
        budget: Budget | None,
        deadline_s: float | None,
        from_checkpoint: CheckpointConfig | None,
    ) -> Kickoff:
        """`prepared`, to begin at a checkpoint if that was asked."""
        origin = origin_of(from_checkpoint) or self.flow._begins_at
        if origin is None:
            return self.prepared(runtime, inputs, run_key, resume, budget, deadline_s)
        begins = beginning(runtime.journal, origin, "flow", self.flow._name, run_key=run_key, resume=resume)
        _vouch(runtime, self.flow)
        given = {**runtime.codec.decode(begins.inputs), **(inputs or {})}
        kickoff = self.prepared(runtime, given, None, begins.resume, budget, deadline_s)
        return dataclasses.replace(kickoff, replay=begins.replay, tags={**kickoff.tags, **begins.tags})

    def replayed(
        self,
        runtime: Runtime,
        method: str,
        inputs: Mapping[str, Any] | None,
        budget: Budget | None,
        deadline_s: float | None,
    ) -> Kickoff:
        recorded, replay = replay_of(find_unit(runtime.journal, method, kind="method"), "flow", self.flow._name)
        _vouch(runtime, self.flow)
        given = {**runtime.codec.decode(recorded), **(inputs or {})}
        return dataclasses.replace(self.prepared(runtime, given, None, None, budget, deadline_s), replay=replay)

    def ended(self, outcome: Outcome) -> Any:
        self._original._state, self._original._outcome = self.flow._state, outcome
        return outcome.result


def _copied(flow: Flow[Any]) -> Flow[Any]:
    clone = copy.copy(flow)
    clone._busy, clone._outcome, clone._id_given = threading.Lock(), None, False
    clone._state = copy.deepcopy(flow._state)
    _renamed(clone._state)
    return clone


def _renamed(state: Any) -> None:
    fresh = fresh_state(None)["id"]
    if isinstance(state, dict):
        dict.__setitem__(state, "id", fresh)
    else:
        state.id = fresh


def _id_of(state: Any) -> Any:
    return dict.get(state, "id") if isinstance(state, dict) else state.id


def _encoded(value: Any, box: StateBox, runtime: Runtime) -> str:
    """The flow's result and its final state. A result that cannot be stored is left out: the state still stands."""
    try:
        text = runtime.codec.dumps(value)
    except NotStorable:
        text = '{"$":"opaque"}'
    try:
        fields = box.fields()
    except NotStorable:
        fields = {}
    state = ",".join(f"{canonical_json(name)}:{field}" for name, field in fields.items())
    return f'{{"state":{{{state}}},"value":{text}}}'


def _decoded(text: str, box: StateBox, runtime: Runtime) -> Any:
    body = json.loads(text)
    if body["value"] == {"$": "opaque"}:
        raise DefinitionError(
            "the result of this flow could not be stored when it ran; run it anew with another run_key"
        )
    try:
        box.apply(body["state"], ())
        return runtime.codec.decode(body["value"])
    except (UnknownClass, ValueError) as error:
        raise DefinitionError(
            f"the recorded result of this flow does not fit the program any more: {error}; run it anew with another run_key"
        ) from error


def _plain(inputs: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Inputs as JSON data; a value that cannot be stored is refused before anything runs."""
    try:
        plain: dict[str, Any] = json.loads(runtime.codec.dumps(dict(inputs)))
    except NotStorable as error:
        raise InputsError(f"inputs: {error}; pass its text or its fields") from error
    return plain


def _vouch(runtime: Runtime, flow: Flow[Any]) -> None:
    """Classes that stored values may be rebuilt as: those named in the flow's module and its state's annotations."""
    runtime.vouch_for(CrewOutput, TaskOutput, OutputFormat, UsageMetrics)
    for cls in type(flow).__mro__:
        module = sys.modules.get(cls.__module__)
        if module is None or cls.__module__.startswith("jackstay"):
            continue
        names = [value for value in vars(module).values() if isinstance(value, type)]
        runtime.vouch_for(*(c for c in names if _is_storable(c)))
    state = flow._initial()
    runtime.vouch_for(*_models_in(state if isinstance(state, type) else type(state)))


def _is_storable(cls: type) -> bool:
    if issubclass(cls, BaseModel | enum.Enum | Exception) or dataclasses.is_dataclass(cls):
        return True
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def _models_in(cls: Any, seen: set[Any] | None = None) -> set[type]:
    """The classes that a model's annotations reach."""
    seen = set() if seen is None else seen
    for part in (cls, *typing.get_args(cls)):
        if isinstance(part, type) and part not in seen:
            seen.add(part)
            for field in getattr(part, "model_fields", {}).values():
                _models_in(field.annotation, seen)
        elif part is not cls:
            _models_in(part, seen)
    return {c for c in seen if isinstance(c, type)}


def _outline(condition: Condition | None) -> Any:
    match condition:
        case None:
            return None
        case Trigger(name):
            return name
        case AnyOf(parts):
            return ["or", *map(_outline, parts)]
        case AllOf(parts):
            return ["and", *map(_outline, parts)]
