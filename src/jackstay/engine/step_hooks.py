"""Hooks around a crew's tasks and a flow's methods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jackstay.core.interception import InterceptionPoint, StepContext, agent_view, crew_view, task_view
from jackstay.core.results import TaskResult
from jackstay.core.specs import TaskSpec
from jackstay.engine.hooks import Interception, intercepted
from jackstay.engine.scope import Scope
from jackstay.errors import OutputError


async def before_task(scope: Scope, task: TaskSpec, context: str) -> str:
    """The context that the task is given. Raises `HookAborted`."""
    shown = _shown(scope, "task", task.name or task.key, context)
    left = await _text(scope, InterceptionPoint.PRE_STEP, shown)
    return context if left is None else left


async def after_task(scope: Scope, task: TaskSpec, result: TaskResult) -> TaskResult:
    """The result, with the text that the hooks leave. Raises `HookAborted`, `OutputError` for a text that does not fit the
    task's output."""
    shown = _shown(scope, "task", task.name or task.key, result.raw)
    shown.output = result.raw
    left = await _text(scope, InterceptionPoint.POST_STEP, shown)
    if left is None:
        return result
    if task.output is None:
        return replace(result, raw=left, form="raw", value=None, data=None)
    try:
        value = task.output.parse(left)
    except ValueError as error:
        raise OutputError(
            f"a post_step hook has left a text for task '{task.name or task.key}' that does not fit "
            f"{task.output.schema.name}: {error}; leave what fits"
        ) from error
    return replace(result, raw=left, form=task.output.form, value=value, data=task.output.dump(value))


async def around_method(scope: Scope, point: InterceptionPoint, method: str, payload: Any) -> None:
    """Hooks may look, and forbid; not change. Raises `HookAborted`."""
    at = Interception(scope, point, method)
    await intercepted(at, _shown(scope, "flow_method", method, payload), left=lambda: method)


async def _text(scope: Scope, point: InterceptionPoint, shown: StepContext) -> str | None:
    def take(said: Any) -> None:
        shown.payload = said if isinstance(said, str) else shown.payload

    left = await intercepted(Interception(scope, point, shown.payload), shown, take=take, left=lambda: shown.payload)
    return None if left is None else str(left)


def _shown(scope: Scope, kind: str, name: str, payload: Any) -> StepContext:
    about = scope.about
    return StepContext(
        payload,
        agent_view(about, scope.agent),
        task_view(about, scope.task),
        crew_view(about.crew),
        crew_view(about.flow),
        kind=kind,
        step_name=name,
    )
