"""`@human_feedback`: what a method has returned is recorded, a person is asked about it, and the words become a label.

The method is not called again after a pause: what it returned, and what it did to the state, is a row of its own.
"""

from __future__ import annotations

import json
from typing import Any

from jackstay.core import prompts
from jackstay.core.feedback import (
    FeedbackSpec,
    FlowTalk,
    HumanFeedbackResult,
    PendingFeedbackContext,
    label_in,
    shown,
)
from jackstay.core.flow_graph import MethodSpec
from jackstay.core.messages import Conversation, Message, OutputSchema, Question
from jackstay.core.specs import FlowSpec
from jackstay.core.values import NotStorable
from jackstay.core.waits import Answer, Asked
from jackstay.engine.asker import Ask
from jackstay.engine.model_call import call_model
from jackstay.engine.people import asked_at_console, called, console_is_there, flow_config, uses_console
from jackstay.engine.scope import Scope
from jackstay.engine.waiting import answered
from jackstay.errors import DefinitionError, HumanFeedbackPending, ModelRejected

RETURNED = "@returned"
"""The part of the path under which a method's return value stands until its feedback is there."""


async def feedback_on(scope: Scope, flow: FlowSpec, method: MethodSpec, output: Any) -> HumanFeedbackResult:
    """What a person says of the output. `scope`: the method's. Suspends the method if nobody is there to be asked."""
    spec = method.feedback
    assert spec is not None
    inner = scope.child(scope.numbered("@feedback"))
    inner.listener = None  # who streams a flow hears what is said in it, not what is said about it
    asked = _asked(inner, flow, method.name, spec, output)
    provider = spec.provider or flow_config.said_in(scope.run.runtime, "hitl_provider")
    console = uses_console(provider) or (provider is None and console_is_there(inner))

    async def here() -> Answer | None:
        if provider is None:
            return await asked_at_console(inner, asked)
        return await _of_provider(inner, provider, context_of(asked, output), flow.talk)

    can_ask = provider is not None or console
    answer = await answered(inner, asked, here if can_ask else None, again=console)
    outcome = answer.outcome if answer.outcome or not spec.emit else await _collapsed(inner, asked, spec, answer)
    return HumanFeedbackResult(
        output, answer.text or "", outcome, answer.at, method.name, json.loads(json.dumps(dict(spec.metadata)))
    )


def _asked(scope: Scope, flow: FlowSpec, method: str, spec: FeedbackSpec, output: Any) -> Asked:
    codec = scope.run.runtime.codec
    try:
        stored = codec.dumps(output)
    except NotStorable:
        stored = None
    about = {
        "flow_id": _flow_id(scope, flow),
        "flow_class": flow.talk.flow_class or flow.name,
        "method": method,
        "metadata": dict(spec.metadata),
        "output": stored,
        "llm": spec.llm.model if spec.llm else None,
    }
    return Asked("feedback", spec.message, shown(output), spec.emit, spec.default_outcome, spec.timeout_s, about)


def _flow_id(scope: Scope, flow: FlowSpec) -> str:
    try:
        return str(json.loads(flow.state.fields()["id"]))
    except (NotStorable, KeyError):
        return scope.run.id


def context_of(asked: Asked, output: Any) -> PendingFeedbackContext:
    about = asked.about
    return PendingFeedbackContext(
        flow_id=about["flow_id"],
        flow_class=about["flow_class"],
        method_name=about["method"],
        method_output=output,
        message=asked.message,
        emit=list(asked.options) or None,
        default_outcome=asked.default,
        metadata=dict(about["metadata"]),
        llm=about["llm"],
    )


async def _of_provider(scope: Scope, provider: Any, context: PendingFeedbackContext, talk: FlowTalk) -> Answer | None:
    context.run_id, context.requested_at = scope.run.id, scope.run.now()
    try:
        said = await called(scope, provider, provider.request_feedback, context, talk.flow)
    except HumanFeedbackPending as pause:
        talk.pauses[scope.path] = pause
        return None
    if said is not None and not isinstance(said, str):
        raise DefinitionError(
            f"{type(provider).__name__}.request_feedback returned a {type(said).__name__}; it returns the person's words, "
            "or raises HumanFeedbackPending(context)"
        )
    return None if said is None else Answer(said.strip(), by=type(provider).__name__)


# --- from words to a label -----------------------------------------------------------------------------------------


async def _collapsed(scope: Scope, asked: Asked, spec: FeedbackSpec, answer: Answer) -> str:
    """The label that the words come to: said outright, or found by a model (recorded like every call of one)."""
    text = (answer.text or "").strip()
    if not text:
        return spec.default_outcome or spec.emit[0]
    outright = next((label for label in spec.emit if label.casefold() == text.casefold()), None)
    if outright is not None or spec.llm is None:
        return outright or spec.emit[0]
    try:
        said = await _ask_model(scope, asked, spec, text, plain=False)
        found = _outcome_in(said, spec.emit) or label_in(said, spec.emit)
    except ModelRejected as error:
        if type(error) is not ModelRejected:  # a missing key, say: the plain question would fare no better
            raise
        found = None  # a provider that knows no schemas
    if found is None:
        found = label_in(await _ask_model(scope, asked, spec, text, plain=True), spec.emit)
    if found is None:
        found = spec.emit[0]
        told = f"{scope.path}: the model found none of {', '.join(spec.emit)} in {text!r}; {found!r} is taken"
        scope.run.tell("warning", scope.path, text=told)
    return found


async def _ask_model(scope: Scope, asked: Asked, spec: FeedbackSpec, text: str, *, plain: bool) -> str:
    assert spec.llm is not None
    models, config = scope.run.models, scope.run.models.model_for(spec.llm)
    models.chain_asker(spec.llm, owner=f"@human_feedback of {asked.about['method']}")
    prompt = prompts.feedback_text(asked.message, asked.shown, text, spec.emit, plain=plain)
    question = Question(
        models.asked_for(spec.llm),
        Conversation.of([Message("user", prompt)]),
        sampling=config.sampling,
        output=None if plain else _schema(spec.emit),
    )
    return (await call_model(scope, Ask(config, question), path=scope.numbered("llm"))).text


def _schema(labels: tuple[str, ...]) -> OutputSchema:
    outcome = {"type": "string", "enum": list(labels)}
    return OutputSchema(
        "FeedbackOutcome",
        {
            "type": "object",
            "properties": {"outcome": outcome},
            "required": ["outcome"],
            "additionalProperties": False,
        },
    )


def _outcome_in(text: str, labels: tuple[str, ...]) -> str | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    outcome = said.get("outcome") if isinstance(said, dict) else None
    return next(
        (label for label in labels if isinstance(outcome, str) and label.casefold() == outcome.casefold()), None
    )
