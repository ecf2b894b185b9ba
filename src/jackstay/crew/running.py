"""One kickoff of a crew: its inputs, its callbacks, its result as the journal has it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from pydantic import BaseModel

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json, digest, ordered_json
from jackstay.core.content import least
from jackstay.core.deadline import checked_deadline, nearest
from jackstay.core.interception import InterceptionPoint
from jackstay.core.interpolation import placeholders
from jackstay.core.results import CrewResult, Replacement, task_from_json, task_to_json
from jackstay.core.specs import CrewSpec, ModelConfig, OutputSpec
from jackstay.crew.afterwards import Record, leave_on_agent, leave_on_task
from jackstay.crew.guardrails import guardrail_name
from jackstay.crew.output import CrewOutput
from jackstay.crew.planning import planning_model
from jackstay.crew.team import agents_of, texts_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.crew import run_crew
from jackstay.engine.entry import entry_point
from jackstay.engine.hooks import is_wanted, looking
from jackstay.engine.kickoff import Outcome
from jackstay.engine.kickoff_callbacks import (
    Callback,
    OutputPort,
    call_after,
    call_before,
    hooked_inputs,
    hooked_output,
)
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.errors import DefinitionError

if TYPE_CHECKING:
    from jackstay.crew.crew import Crew


def kickoff_of(
    crew: Crew,
    runtime: Runtime,
    inputs: Mapping[str, Any],
    *,
    run_key: str | None = None,
    resume: str | None = None,
    budget: Budget | None = None,
    deadline_s: float | None = None,
) -> Kickoff:
    """What the engine is asked. The definition is frozen now, or, with callbacks before it, once these have been called."""
    given = {**inputs, **(runtime.session.inputs_for_kickoff() if runtime.session else {})}
    if crew.verbose or any(agent.verbose for agent in (*crew.agents, *crew.workers)):
        runtime.be_verbose()
    models = models_of(crew)
    runtime.masked.learn_models(models)  # before tasks get their names in paths
    outline, forms = crew.outline(), [task.output_spec() for task in crew.tasks]
    runtime.vouch_for(
        *(m for t in crew.tasks for m in (t.output_pydantic, t.output_json, t.response_model) if m is not None)
    )
    return Kickoff(
        kind="crew",
        name=crew.name,
        inputs=given,
        fingerprint=digest(outline),
        outline=outline,
        body=_body(crew, given, forms),
        encode=encode,
        decode=lambda text: decode(text, forms),
        models=models,
        budget=budget or crew.budget,
        deadline_s=nearest(checked_deadline(deadline_s), crew.deadline_s),
        retry=crew.retry,
        run_key=run_key,
        resume=resume,
        entry=entry_point(),
        verbose=crew.verbose,
        content=least(crew.content, *(task.content for task in crew.tasks)),
    )


def leave_on_crew(crew: Crew, runtime: Runtime, outcome: Outcome) -> CrewOutput:
    """The crew's output; what it, its tasks and its agents have of the run from now on."""
    output = CrewOutput.of(outcome)
    crew.usage_metrics = output.token_usage
    for task, result in zip(crew.tasks, outcome.result.tasks, strict=True):
        leave_on_task(task, result, Record(runtime, outcome.run_id, result.path))
    for agent in agents_of(crew):
        leave_on_agent(agent, Record(runtime, outcome.run_id, outcome.path, ref(crew)))
    return output


def models_of(crew: Crew) -> tuple[tuple[ModelConfig, str], ...]:
    """The models that a kickoff may ask, and who asks them."""
    return (
        *(each for agent in crew.workers for each in agent.model_asked),
        *(each for task in crew.tasks for each in task.judging_models),
        *(((planning_model(crew), "the crew's planning_llm"),) if crew.planning else ()),
    )


def callbacks_outline(crew: Crew) -> dict[str, Any]:
    """What a crew's outline has of them: nothing where there are none, so that other fingerprints stay as they are."""
    named = {
        "before_kickoff": [guardrail_name(each) for each in crew.before_kickoff_callbacks],
        "after_kickoff": [guardrail_name(each) for each in crew.after_kickoff_callbacks],
    }
    return named if any(named.values()) else {}


def _body(crew: Crew, given: Mapping[str, Any], forms: Sequence[OutputSpec | None]) -> Callable[[Scope], Any]:
    before, after = _callbacks(crew.before_kickoff_callbacks), _callbacks(crew.after_kickoff_callbacks)
    models = [task.output_pydantic or task.response_model for task in crew.tasks]
    # What cannot be filled in is said before the kickoff begins; but the callbacks may add what is missing.
    frozen = None if before or looking(InterceptionPoint.INPUT) else _filled(crew, given)

    async def body(scope: Scope) -> CrewResult:
        inputs = await call_before(scope, before, given) if before else given
        inputs = await hooked_inputs(scope, inputs)
        spec = frozen if inputs is given else None
        if spec is None:
            # Off the engine loop: the definition's schemas are made by users' classes.
            spec = await scope.run.runtime.off_loop(_filled, crew, inputs)
        began_s = scope.run.runtime.clock.monotonic()
        result = await run_crew(scope, spec)
        if not after and not is_wanted(scope, InterceptionPoint.OUTPUT):
            return result

        def present(now: CrewResult) -> CrewOutput:
            run, seconds = scope.run, scope.run.runtime.clock.monotonic() - began_s
            reused = run.bills.reused(scope.path)
            return CrewOutput.of(Outcome(now, run.id, scope.path, run.bills.own(scope.path), seconds, reused=reused))

        port = OutputPort(present, lambda name, said: _read(name, said, models), lambda body: _rebuilt(body, forms))
        return await call_after(scope, after, await hooked_output(scope, result, port), port)

    return body


def _filled(crew: Crew, inputs: Mapping[str, Any]) -> CrewSpec:
    if not inputs:
        _warn_of_placeholders(texts_of(crew))
    return crew.to_spec(inputs)


def _callbacks(functions: Sequence[Callable[..., Any]]) -> tuple[Callback, ...]:
    return tuple(Callback(guardrail_name(function), function) for function in functions)


def _read(name: str, said: Any, models: Sequence[type[BaseModel] | None]) -> Replacement:
    if not isinstance(said, CrewOutput):
        raise DefinitionError(
            f"{name} returned {said!r}; it has to return the CrewOutput that it was given, changed or not, or None"
        )
    if said.pydantic is not None:
        model = type(said.pydantic)
        if model not in models:
            raise DefinitionError(
                f"{name} returned an output whose pydantic is a {model.__name__}, which is "
                "the output_pydantic of no task of the crew; return one of these, or put its data into json_dict"
            )
        return Replacement(said.raw, "pydantic", said.pydantic.model_dump(mode="json"), models.index(model))
    if said.json_dict is None:
        return Replacement(said.raw)
    try:
        canonical_json(said.json_dict)
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"{name} returned an output whose json_dict is no JSON: {error}; return plain values"
        ) from error
    return Replacement(said.raw, "json", said.json_dict)


def _rebuilt(body: Mapping[str, Any], forms: Sequence[OutputSpec | None]) -> Replacement:
    form = forms[body["like"]] if body["like"] is not None else None
    return Replacement(**body, value=None if form is None else form.load(body["data"]))


def encode(result: CrewResult) -> str:
    """A crew's result as the journal has it."""
    body: dict[str, Any] = {"tasks": [task_to_json(task) for task in result.tasks], "final": result.final}
    if result.replaced is not None:
        body["replaced"] = result.replaced.to_json()
    return ordered_json(body)


def decode(text: str, forms: Sequence[OutputSpec | None]) -> CrewResult:
    """The same result; `forms`: those of its tasks' outputs."""
    body = json.loads(text)
    results = []
    for form, item in zip(forms, body["tasks"], strict=True):
        value = form.load(item["data"]) if form and item["data"] is not None else None
        results.append(task_from_json(item, value))
    replaced = body.get("replaced")
    return CrewResult(tuple(results), body["final"], _rebuilt(replaced, forms) if replaced else None)


def _warn_of_placeholders(texts: Sequence[str]) -> None:
    """Without inputs they are sent as they stand, as in CrewAI; somebody forgot them more often than not."""
    names = dict.fromkeys(name for text in texts for name in placeholders(text))
    if names:
        listed = ", ".join(f"{{{name}}}" for name in names)
        logging.getLogger("jackstay").warning(
            "%s stands in the definition and kickoff was given no inputs: the text is sent as it is", listed
        )
