"""What is called before and after a crew's tasks, and may change its inputs and its output.

Each call is a step: its result enters prompts, or is the run's result, so a resumed run reads it instead of calling again
(engine rule 12). A call that had not been recorded when the process died is made again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackstay.core.canonical import canonical_json, digest, ordered_json
from jackstay.core.interception import InterceptionPoint
from jackstay.core.interpolation import check_inputs
from jackstay.core.replay import AFTER_KICKOFF, BEFORE_KICKOFF
from jackstay.core.results import CrewResult, Replacement, crew_hash
from jackstay.engine.decision import Decision
from jackstay.engine.hooks import is_wanted
from jackstay.engine.kickoff_hooks import left_of
from jackstay.engine.scope import Scope
from jackstay.errors import InputsError


@dataclass(frozen=True, slots=True)
class Callback:
    name: str
    """In the step's row; the same in every process."""
    call: Callable[..., Any]
    """The user's function: `def` or `async def`."""


@dataclass(frozen=True, slots=True)
class OutputPort:
    """A crew's output as its callbacks see it."""

    present: Callable[[CrewResult], Any]
    """The public object."""
    read: Callable[[str, Any], Replacement]
    """What a callback (or hook; so it is called) returned, understood; raises `DefinitionError` for what cannot be."""
    rebuild: Callable[[Mapping[str, Any]], Replacement]
    """From `Replacement.to_json`."""


async def call_before(scope: Scope, callbacks: Sequence[Callback], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as the callbacks, in order, leave them. One that returns None has changed them in place, or not at all.

    Raises what a callback raises, `TypeError` and `InputsError` for what cannot be inputs.
    """
    known = dict(inputs)
    for callback in callbacks:
        decision = Decision(scope, BEFORE_KICKOFF, "step", callback.name, digest(known))
        changed = decision.recorded()
        if changed is None:
            shown = copy.deepcopy(known)
            with decision.recording_failure():
                said = await decision.ask(callback.call, shown)
                # As JSON has it, so that a resumed run fills in the very same text.
                left = _inputs_of(f"the before_kickoff callback {callback.name!r}", shown if said is None else said)
                changed = json.loads(ordered_json(left))
            decision.record(changed)
        known = changed
    return known


async def hooked_inputs(scope: Scope, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs as the hooks leave them; the very same object if they leave them as they are. Raises `HookAborted`, and
    `TypeError` and `InputsError` for what cannot be inputs."""
    if not is_wanted(scope, InterceptionPoint.INPUT):
        return inputs
    shown = json.loads(ordered_json(dict(inputs)))
    left: Mapping[str, Any] | None = await left_of(
        scope,
        InterceptionPoint.INPUT,
        copy.deepcopy(dict(inputs)),
        shown=shown,
        encode=lambda said: _inputs_of("an input hook", said),
    )
    return inputs if left is None else left


def _inputs_of(who: str, said: Any) -> dict[str, Any]:
    try:
        return check_inputs(said)
    except (TypeError, InputsError) as error:
        raise type(error)(f"{who} has left what cannot be inputs: {error}") from error


async def hooked_output(scope: Scope, result: CrewResult, port: OutputPort) -> CrewResult:
    """The result as the hooks leave it. Raises `HookAborted`, `DefinitionError` for what cannot be an output."""
    if not is_wanted(scope, InterceptionPoint.OUTPUT):
        return result

    def encode(said: Any) -> dict[str, Any]:
        return port.read("an output hook", said).to_json()

    payload = port.present(result)
    left = await left_of(scope, InterceptionPoint.OUTPUT, payload, shown=encode(payload), encode=encode)
    return result if left is None else replace(result, replaced=port.rebuild(left))


async def call_after(scope: Scope, callbacks: Sequence[Callback], result: CrewResult, port: OutputPort) -> CrewResult:
    """The result as the callbacks, in order, leave it. Raises what a callback raises, `DefinitionError` for what cannot
    be an output."""
    for callback in callbacks:
        decision = Decision(scope, AFTER_KICKOFF, "step", callback.name, crew_hash(result))
        left = decision.recorded()
        if left is None:
            shown = port.present(result)
            with decision.recording_failure():
                said = await decision.ask(callback.call, shown)
                left = port.read(
                    f"the after_kickoff callback '{callback.name}'", shown if said is None else said
                ).to_json()
                canonical_json(left)
            decision.record(left)
        result = replace(result, replaced=port.rebuild(left))
    return result
