"""Calling users' functions: `def` in the pool, `async def` on the home loop, both with their scope in the context."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from typing import Any

from jackstay.engine.scope import Scope, entered
from jackstay.errors import RunSignal

STOP_WAIT_S = 5.0


class UserExit(RunSignal):
    """User code raised `SystemExit` or `KeyboardInterrupt`: carried past the event loops (which would end on the
    original) and raised again, as it was, for the caller."""

    code = "exit"

    def __init__(self, original: BaseException) -> None:
        super().__init__(repr(original))
        self.original = original


async def call_user(scope: Scope, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The function's result; an awaitable result is awaited on the home loop. Exceptions come as they were raised."""
    # What user code may depend on has to be on disk before it starts.
    await scope.run.writer.flush()
    scope.run.check(scope)
    try:
        return await _call(scope, function, *args, **kwargs)
    finally:
        await _stop_left_over(scope, function)


async def _call(scope: Scope, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    context = contextvars.copy_context()
    context.run(entered, scope)
    if inspect.iscoroutinefunction(function):
        return await _on_home(scope, lambda: function(*args, **kwargs), context)
    result = await _in_pool(scope, lambda: function(*args, **kwargs), context)
    return await _on_home(scope, lambda: result, context) if inspect.isawaitable(result) else result


async def _in_pool(scope: Scope, call: Callable[[], Any], context: contextvars.Context) -> Any:
    future = scope.run.runtime.pool.submit(lambda: context.run(_guarded, call))
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        if not future.done():
            scope.run.tell("warning", scope.path, text="a synchronous function was abandoned: the run has been stopped")
        raise


async def _on_home(scope: Scope, call: Callable[[], Any], context: contextvars.Context) -> Any:
    job = scope.home.run(lambda: _guarded_async(call), context)
    waiting = asyncio.wrap_future(job.future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not waiting.done():
            job.cancel()
            await asyncio.wait([waiting], timeout=STOP_WAIT_S)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()
        raise


def _guarded(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (SystemExit, KeyboardInterrupt) as exit_:
        raise UserExit(exit_) from None
    except StopIteration as error:
        # A future cannot carry a StopIteration; asyncio would hang on it.
        raise RuntimeError(f"user code raised {error!r}") from error


async def _guarded_async(call: Callable[[], Any]) -> Any:
    try:
        return await call()
    except (SystemExit, KeyboardInterrupt) as exit_:
        raise UserExit(exit_) from None


async def _stop_left_over(scope: Scope, function: Callable[..., Any]) -> None:
    """Kickoffs and model calls that the function started and did not await end with it: nobody would see their result,
    and they would go on spending."""
    left = [task for task in scope.children if not task.done()]
    if not left:
        return
    name = getattr(function, "__qualname__", repr(function))
    scope.run.tell(
        "warning", scope.path, text=f"{name} returned without awaiting {len(left)} kickoffs; they are cancelled"
    )
    for task in left:
        task.cancel()
    await asyncio.wait(left, timeout=STOP_WAIT_S)


def carry(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with this code's context, for a thread or executor of the user's own: a kickoff or model call in it
    then belongs to the run around. (Tasks and `asyncio.to_thread` carry it by themselves.)"""
    context = contextvars.copy_context()

    def carried(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)

    return carried
