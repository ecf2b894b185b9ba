"""Hooks around tool calls: with which arguments a tool is called, and what the model is told of its result.

The call's hash stays that of what the model asked for; its row has the arguments that the tool was given and what it
returned. What hooks have made of the result is a step below the row.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.interception import InterceptionPoint, agent_view, crew_view, task_view
from jackstay.core.messages import ToolCall
from jackstay.core.specs import ToolDef
from jackstay.engine.hook_contexts import ToolCallHookContext
from jackstay.engine.hooks import Interception, intercepted, looking
from jackstay.engine.scope import Scope


async def before_tool(scope: Scope, tool: ToolDef, call: ToolCall) -> ToolCall:
    """The call as the hooks leave it: its arguments may be others. Raises `HookAborted`. Arguments that are no JSON object
    are not shown: the model is told so, and the tool not called."""
    given = _object(call.arguments)
    if given is None:
        return call
    context = _context(scope, tool, given)
    at = Interception(scope, InterceptionPoint.PRE_TOOL_CALL, json.loads(canonical_json(given)), tool=call.name)
    changed = await intercepted(at, context, left=lambda: context.tool_input, vetoes=True)
    return call if changed is None else replace(call, arguments=canonical_json(changed))


async def after_tool(scope: Scope, tool: ToolDef, call: ToolCall, text: str, raw: Any) -> str:
    """What the model is told. `raw`: what the tool returned; None where that comes from the record."""
    context = _context(scope, tool, _object(call.arguments) or {})
    context.tool_result, context.raw_tool_result = text, text if raw is None else raw

    def take(said: Any) -> None:
        context.tool_result = said if isinstance(said, str) else context.tool_result

    at = Interception(scope, InterceptionPoint.POST_TOOL_CALL, text, tool=call.name)
    changed = await intercepted(at, context, take=take, left=lambda: context.tool_result)
    return text if changed is None else str(changed)


def is_wanted(scope: Scope, tool: str) -> bool:
    """Somebody wants to see the result: noted in its row, so that a process that takes the run over asks them, too."""
    return bool(looking(InterceptionPoint.POST_TOOL_CALL, agent=scope.agent, tool=tool))


def _object(text: str) -> dict[str, Any] | None:
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError:
        return None
    return given if isinstance(given, dict) else None


def _context(scope: Scope, tool: ToolDef, given: dict[str, Any]) -> ToolCallHookContext:
    about = scope.about
    return ToolCallHookContext(
        tool.spec.name,
        given,
        tool.spec,
        agent=agent_view(about, scope.agent),
        task=task_view(about, scope.task),
        crew=crew_view(about.crew),
    )
