"""A kickoff's body between its hooks, and what listeners are told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jackstay.core.failures import text_of
from jackstay.core.interception import (
    About,
    ExecutionEndContext,
    ExecutionStartContext,
    InputContext,
    InterceptionPoint,
    OutputContext,
    crew_view,
)
from jackstay.engine.asked import Kickoff
from jackstay.engine.hooks import Interception, intercepted, notify
from jackstay.engine.scope import Scope
from jackstay.errors import RunSignal


def about_kickoff(kickoff: Kickoff) -> About:
    """Whose work the kickoff's scope is."""
    return About(
        crew=kickoff.name if kickoff.kind == "crew" else None, flow=kickoff.name if kickoff.kind == "flow" else None
    )


async def performed(scope: Scope, kickoff: Kickoff) -> Any:
    """The body's result. Raises `HookAborted` if a hook forbids the kickoff, and what the body raises."""
    run, path = scope.run, scope.path
    began_s = run.runtime.clock.monotonic()
    run.news("kickoff_started", path, kickoff)
    try:
        await _may_begin(scope, kickoff)
        result = await kickoff.body(scope)
    except (Exception, asyncio.CancelledError, RunSignal) as error:
        run.news("kickoff_failed", path, (kickoff, error))
        if isinstance(error, Exception):
            await _ended(scope, status="failed", error=text_of(error) or type(error).__name__)
        raise
    await _ended(scope, output=result)
    run.news("kickoff_finished", path, (kickoff, result, run.runtime.clock.monotonic() - began_s))
    return result


async def _may_begin(scope: Scope, kickoff: Kickoff) -> None:
    inputs = dict(kickoff.inputs)
    context = ExecutionStartContext(inputs, **_whose(scope), inputs=dict(inputs))
    at = Interception(scope, InterceptionPoint.EXECUTION_START, inputs)
    await intercepted(at, context, left=lambda: inputs)


async def _ended(scope: Scope, **how: Any) -> None:
    context = ExecutionEndContext(how.get("output"), **_whose(scope), **how)
    await notify(scope, InterceptionPoint.EXECUTION_END, context)


# --- inputs and output -------------------------------------------------------------------------------------------------


async def left_of(
    scope: Scope, point: InterceptionPoint, payload: Any, *, shown: Any, encode: Callable[[Any], Any]
) -> Any:
    """What the hooks leave of the inputs or the output, as `encode` makes JSON data of it; None: nothing has changed.
    `shown`: the same data of the payload as it is. Raises `HookAborted`, and what `encode` raises."""
    kind = InputContext if point is InterceptionPoint.INPUT else OutputContext
    context = kind(payload, **_whose(scope))

    def take(said: Any) -> None:
        context.payload = said

    return await intercepted(
        Interception(scope, point, shown), context, take=take, left=lambda: encode(context.payload)
    )


def _whose(scope: Scope) -> dict[str, Any]:
    return {"crew": crew_view(scope.about.crew), "flow": crew_view(scope.about.flow)}
