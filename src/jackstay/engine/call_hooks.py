"""Hooks around model calls: what is sent in place of the question, what stands in place of the answer.

The question's hash stays that of what the engine asks, so a recorded answer is found whatever hooks have made of it; the
row's messages are those that were sent, its result is what the model said. What hooks have made of the answer is a step
below the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.interception import InterceptionPoint, agent_view, crew_view, task_view
from jackstay.core.messages import Answer, Conversation, Message, ToolCall
from jackstay.engine.asker import Ask, as_dict
from jackstay.engine.hook_contexts import LLMCallHookContext
from jackstay.engine.hooks import Interception, intercepted, looking
from jackstay.engine.scope import Scope
from jackstay.errors import DefinitionError


async def before_call(scope: Scope, ask: Ask, path: str) -> Ask:
    """What is sent. Raises `HookAborted`."""
    step = scope.child(path)
    if not looking(InterceptionPoint.PRE_MODEL_CALL, agent=scope.agent) and not _is_recorded(step, "pre_model_call"):
        return ask
    asked = ask.question.conversation.messages
    known = {canonical_json(as_dict(message)): message for message in asked}
    context = _context(scope, ask, path)
    at = Interception(step, InterceptionPoint.PRE_MODEL_CALL, [as_dict(message) for message in asked])
    changed = await intercepted(at, context, left=lambda: context.messages, vetoes=True)
    if changed is None:
        return ask
    messages = [known.get(canonical_json(each)) or _message(each) for each in changed]
    return replace(ask, question=replace(ask.question, conversation=Conversation.of(messages)))


async def after_call(scope: Scope, ask: Ask, path: str, answer: Answer) -> Answer:
    """The answer as the hooks leave it: its text may be another one."""
    context = _context(scope, ask, path)
    context.response = answer.text

    def take(said: Any) -> None:
        context.response = said if isinstance(said, str) else context.response

    at = Interception(scope.child(path), InterceptionPoint.POST_MODEL_CALL, answer.text)
    changed = await intercepted(at, context, take=take, left=lambda: context.response)
    return answer if changed is None else replace(answer, text=str(changed), raw=None)


def is_wanted(scope: Scope) -> bool:
    """Somebody wants to see the answer: noted in its row, so that a process that takes the run over asks them, too."""
    return bool(looking(InterceptionPoint.POST_MODEL_CALL, agent=scope.agent))


def _is_recorded(step: Scope, point: str) -> bool:
    return Interception(step, InterceptionPoint(point), None).is_recorded


def _context(scope: Scope, ask: Ask, path: str) -> LLMCallHookContext:
    about, models = scope.about, ask.question.models
    number = path.rpartition("#")[2]
    return LLMCallHookContext(
        messages=[as_dict(message) for message in ask.question.conversation.messages],
        llm=ask.config.custom or models[0],
        agent=agent_view(about, scope.agent),
        task=task_view(about, scope.task),
        crew=crew_view(about.crew),
        iterations=int(number) if number.isdigit() else 0,
    )


def _message(body: Any) -> Message:
    if not isinstance(body, Mapping) or body.get("role") not in ("system", "user", "assistant", "tool"):
        raise DefinitionError(
            f"a before_llm_call hook left {body!r} among the messages; a message is a dict with a role (system, user, "
            "assistant or tool) and content"
        )
    calls: Sequence[Any] = body.get("tool_calls") or ()
    return Message(
        body["role"],
        str(body.get("content") or ""),
        tuple(ToolCall(str(c["id"]), c["function"]["name"], c["function"]["arguments"]) for c in calls),
        tool_call_id=str(body.get("tool_call_id") or ""),
        name=str(body.get("name") or ""),
    )
