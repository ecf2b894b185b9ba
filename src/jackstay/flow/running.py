"""One kickoff of a flow object: its inputs, its state, its result as the journal has them."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import enum
import json
import sys
import threading
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json, digest
from jackstay.core.content import checked_content
from jackstay.core.deadline import checked_deadline, nearest
from jackstay.core.feedback import FlowTalk, HumanFeedbackResult
from jackstay.core.interception import InterceptionPoint
from jackstay.core.interpolation import mapped
from jackstay.core.paths import parent_of
from jackstay.core.specs import FlowSpec, ModelConfig
from jackstay.core.values import NotStorable, UnknownClass, class_name
from jackstay.crew.agent_kickoff import LiteAgentOutput
from jackstay.crew.checkpoint import CheckpointConfig, origin_of
from jackstay.crew.output import CrewOutput, OutputFormat, TaskOutput, UsageMetrics
from jackstay.engine.addressing import find_unit, replay_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.checkpoints import beginning
from jackstay.engine.entry import entry_point
from jackstay.engine.flow import run_flow
from jackstay.engine.hooks import is_wanted
from jackstay.engine.kickoff import Outcome
from jackstay.engine.kickoff_hooks import left_of
from jackstay.engine.replaying import Replay
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.errors import DefinitionError, InputsError
from jackstay.flow.decorators import with_payload
from jackstay.flow.pausing import pause_of
from jackstay.flow.persistence import saving_of
from jackstay.flow.state import StateBox, fresh_id, give_id, with_inputs

if TYPE_CHECKING:
    from jackstay.flow.flow import Flow


class Running:
    """One kickoff of a flow object: on the object itself, or on a copy while another one is running."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._original = flow
        self._owns = flow._busy.acquire(blocking=False)
        self.flow = flow if self._owns else copied(flow)
        self._kept = False

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.let_go()

    def kept(self) -> Running:
        """Goes on after its block, until it is let go."""
        self._kept = True
        return self

    def let_go(self) -> None:
        if self._owns:
            self._owns = False
            self._original._busy.release()

    def prepared(
        self,
        runtime: Runtime,
        inputs: Mapping[str, Any] | None,
        run_key: str | None,
        resume: str | None,
        budget: Budget | None,
        deadline_s: float | None,
        restore: str | None = None,
        replay: Replay | None = None,
    ) -> Kickoff:
        """`restore`: the id of the saved state with which it is to begin, under an id of its own."""
        flow = self.flow
        given = {**mapped(inputs), **(runtime.session.inputs_for_kickoff() if runtime.session else {})}
        plain = _plain(given, runtime)  # refused before the state has any of it
        # The caller's lists and dicts stay as they were given: the state's methods change their own.
        given = copy.deepcopy(given)
        flow._state = with_inputs(flow._state, given)
        if restore is not None and "id" not in given:
            give_id(flow._state, fresh_id())
        flow._id_given = (flow._id_given and restore is None) or "id" in given
        vouch(runtime, flow)
        box, graph = StateBox(flow._state, runtime.codec, given), flow._graph()
        outline, graph = flow._outlined(graph), with_payload(graph, given)
        saving = saving_of(flow, graph)
        if restore is not None and saving is None:
            raise InputsError(
                f"flow {flow._name}: restore_from_state_id= needs states that are saved: write @persist above it"
            )
        asked = str(given["id"]) if "id" in given and saving is not None and replay is None else None
        of = (replay.run_id, replay.scope) if replay is not None and saving is not None else None
        flow._talk, flow._paused, flow._returned = FlowTalk(flow, class_name(type(flow))), None, {}
        spec = FlowSpec(flow._name, graph, box, saving, restore or asked, of, flow._returned, flow._talk)
        takes_runs_id = not flow._id_given and (flow._outcome is None or restore is not None)

        async def body(scope: Scope) -> Any:
            flow._begun = scope.run.id, scope.path
            if scope.path == "" and takes_runs_id:
                give_id(flow._state, scope.run.id)
                flow._id_given = True  # kept by later kickoffs, though this one may fail
            await _hooked_inputs(scope, given, plain, box)
            return await _hooked_output(scope, await run_flow(scope, spec))

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
            content=checked_content(flow.content, f"content of flow {flow._name}"),
            run_key=run_key,
            resume=resume,
            replay=replay,
            entry=entry_point(),
            models=(*_models_of(spec), *flow._models),
            paused=lambda run: pause_of(runtime, flow, run),
            tags={"state_id": str(given["id"])} if "id" in given else {},
            state_id=asked if restore is None else None,
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
        restore: str | None = None,
    ) -> Kickoff:
        """`prepared`, to begin at a checkpoint, or with a saved state, if that was asked."""
        origin = origin_of(from_checkpoint) or self.flow._begins_at
        if origin is not None and restore is not None:
            raise InputsError("from_checkpoint= and restore_from_state_id= both say where to begin: give one of them")
        if origin is None:
            return self.prepared(runtime, inputs, run_key, resume, budget, deadline_s, restore)
        begins = beginning(
            runtime.journal,
            origin,
            "flow",
            runtime.masked.secrets.stored_name(self.flow._name),
            run_key=run_key,
            resume=resume,
        )
        vouch(runtime, self.flow)
        given = {**runtime.codec.decode(runtime.masked.revealed_data(begins.inputs)), **mapped(inputs)}
        kickoff = self.prepared(runtime, given, None, begins.resume, budget, deadline_s, replay=begins.replay)
        return dataclasses.replace(kickoff, tags={**kickoff.tags, **begins.tags})

    def replayed(
        self,
        runtime: Runtime,
        method: str,
        inputs: Mapping[str, Any] | None,
        budget: Budget | None,
        deadline_s: float | None,
    ) -> Kickoff:
        recorded, replay = replay_of(
            find_unit(runtime.journal, method, kind="method"),
            "flow",
            runtime.masked.secrets.stored_name(self.flow._name),
        )
        vouch(runtime, self.flow)
        given = {**runtime.codec.decode(runtime.masked.revealed_data(recorded)), **(inputs or {})}
        return self.prepared(runtime, given, None, None, budget, deadline_s, replay=replay)

    def ended(self, outcome: Outcome) -> Any:
        """The result. The object has the state of what ended last; while a kickoff runs on it, its state is that one's."""
        original = self._original
        if self._owns or original._busy.acquire(blocking=False):
            try:
                original._state, original._outcome = self.flow._state, outcome
                original._begun = self.flow._begun
                original._talk, original._paused = self.flow._talk, self.flow._paused
            finally:
                if not self._owns:
                    original._busy.release()
        return outcome.result


def _models_of(spec: FlowSpec) -> tuple[tuple[ModelConfig, str], ...]:
    """Who finds the outcomes that people's words come to."""
    asking = [method for method in spec.graph.methods.values() if method.feedback is not None and method.feedback.llm]
    return tuple((m.feedback.llm, f"@human_feedback of {m.name}") for m in asking if m.feedback and m.feedback.llm)


def outputs_in(runtime: Runtime, outcome: Outcome) -> list[Any]:
    """What the methods of a kickoff have returned, in order of completion. (What could not be stored, or cannot be read, is left out.)"""
    rows = sorted(runtime.journal.steps(outcome.run_id), key=lambda row: row.seq)
    done = [r for r in rows if r.kind == "method" and r.status == "succeeded" and parent_of(r.path) == outcome.path]
    found = []
    for row in done:
        with contextlib.suppress(UnknownClass):
            found.append(runtime.codec.decode(json.loads(row.result or "{}").get("value")))
    return found


def copied(flow: Flow[Any]) -> Flow[Any]:
    clone = copy.copy(flow)
    clone._busy, clone._outcome, clone._begun, clone._id_given = threading.Lock(), None, None, False
    clone._state = copy.deepcopy(flow._state)
    give_id(clone._state, fresh_id())
    return clone


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


async def _hooked_inputs(scope: Scope, given: Mapping[str, Any], plain: Mapping[str, Any], box: StateBox) -> None:
    """The state with the inputs as hooks leave them."""
    if not is_wanted(scope, InterceptionPoint.INPUT):
        return
    runtime = scope.run.runtime

    def encode(said: Any) -> dict[str, Any]:
        if not isinstance(said, Mapping):
            raise InputsError(f"an input hook has left {said!r:.80} as the inputs of a flow; leave a dict")
        return _plain(said, runtime)

    left = await left_of(scope, InterceptionPoint.INPUT, copy.deepcopy(dict(given)), shown=plain, encode=encode)
    if left is not None:
        # Off the engine loop: users' classes say what fits.
        inputs = runtime.codec.decode(left)
        await runtime.off_loop(box.take, inputs, [name for name in plain if name not in left])


async def _hooked_output(scope: Scope, result: Any) -> Any:
    """The flow's result as hooks leave it."""
    if not is_wanted(scope, InterceptionPoint.OUTPUT):
        return result
    codec = scope.run.runtime.codec

    def encode(said: Any) -> Any:
        try:
            return json.loads(codec.dumps(said))
        except NotStorable as error:
            if said is result:  # as it was, whatever it is
                return {"$": "opaque"}
            raise DefinitionError(f"an output hook has left a result that cannot be stored: {error}") from error

    left = await left_of(
        scope, InterceptionPoint.OUTPUT, result, shown=[encode(result)], encode=lambda said: [encode(said)]
    )
    return result if left is None else codec.decode(left[0])


def _plain(inputs: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    """Inputs as JSON data; a value that cannot be stored is refused before anything runs."""
    try:
        plain: dict[str, Any] = json.loads(runtime.codec.dumps(dict(inputs)))
    except NotStorable as error:
        raise InputsError(f"inputs: {error}; pass its text or its fields") from error
    return plain


_PYTHONS = frozenset({"abc", "builtins", "typing"})
"""Modules of classes that stand behind every flow's, and have none that are stored by their names."""


def vouch(runtime: Runtime, flow: Flow[Any]) -> None:
    """Classes that stored values may be rebuilt as: those named in the flow's module and its state's annotations."""
    runtime.vouch_for(CrewOutput, LiteAgentOutput, TaskOutput, OutputFormat, UsageMetrics, HumanFeedbackResult)
    for name in (*(cls.__module__ for cls in type(flow).__mro__), *flow._modules):
        module = sys.modules.get(name)
        if module is None or name.startswith("jackstay") or name in _PYTHONS:
            continue
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        runtime.vouch_for(*(c for c in classes if _is_storable(c)))
    state = flow._initial()
    runtime.vouch_for(*_models_in(state if isinstance(state, type) else type(state)))


def _is_storable(cls: type) -> bool:
    if issubclass(cls, BaseModel | enum.Enum | Exception) or dataclasses.is_dataclass(cls):
        return True
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def _models_in(cls: Any, seen: set[Any] | None = None) -> set[type]:
    """The classes that the annotations of a model, a dataclass or a named tuple reach."""
    seen = set() if seen is None else seen
    for part in (cls, *typing.get_args(cls)):
        if isinstance(part, type) and part not in seen:
            seen.add(part)
            for annotation in _annotations_of(part):
                _models_in(annotation, seen)
        elif part is not cls:
            _models_in(part, seen)
    return {c for c in seen if isinstance(c, type)}


def _annotations_of(cls: type) -> typing.Iterable[Any]:
    if issubclass(cls, BaseModel):
        return [field.annotation for field in cls.model_fields.values()]
    if not _is_storable(cls):
        return ()
    try:
        return typing.get_type_hints(cls).values()
    except (NameError, TypeError):  # names that only the program can resolve
        return ()
