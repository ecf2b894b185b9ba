"""Calling users' functions: `def` in the pool, `async def` on the home loop, both with their scope in the context."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from jackstay.engine.deadlines import GRACE_S
from jackstay.engine.loop import Job
from jackstay.engine.scope import Scope, entered
from jackstay.engine.telling import no_home
from jackstay.errors import RunCancelled, RunSignal

if TYPE_CHECKING:
    from jackstay.engine.home import Home
    from jackstay.engine.runtime import Runtime

STOP_WAIT_S = 5.0
STACK_FRAMES = 10
"""Innermost frames of an abandoned function that are reported."""


class UserExit(RunSignal):
    """User code raised `SystemExit`, `KeyboardInterrupt` or the like: carried past the event loops (which would end on the
    original) and raised again, as it was, for the caller."""

    code = "exit"

    def __init__(self, original: BaseException) -> None:
        super().__init__(repr(original))
        self.original = original


async def call_user(scope: Scope, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The function's result; an awaitable result is awaited on the home loop. Exceptions come as they were raised.

    At the scope's deadline, and at a cancel, a coroutine is cancelled; a synchronous function cannot be, and is
    abandoned: nobody waits for it any more, and what it starts later is refused.
    """
    # What user code may depend on has to be on disk before it starts.
    await scope.run.writer.flush()
    scope.run.check(scope)
    lent = scope.lent()
    try:
        return await _call(lent, function, *args, **kwargs)
    finally:
        if lent.children:
            await _stop_left_over(lent, function)


async def _call(scope: Scope, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    context = contextvars.copy_context()
    context.run(entered, scope)
    if scope.run.trace is not None:
        context.run(scope.run.trace.enter, scope.path)
    name = _name_of(function)
    if inspect.iscoroutinefunction(function):
        return await _on_home(scope, name, lambda: function(*args, **kwargs), context)
    result = await _in_pool(scope, name, lambda: function(*args, **kwargs), context)
    return await _on_home(scope, name, lambda: result, context) if inspect.isawaitable(result) else result


async def tell_user(runtime: Runtime, home: Home, function: Callable[..., Any], *args: Any) -> None:
    """Calls an observer: outside of every run, so that nothing that it does is part of one. What it raises is raised."""
    context = contextvars.copy_context()
    context.run(entered, None)
    context.run(no_home)
    if inspect.iscoroutinefunction(function):
        await asyncio.wrap_future(home.run(lambda: _guarded_async(lambda: function(*args)), context).future)
        return
    called = runtime.pool.submit(lambda: context.run(guarded, lambda: function(*args)))
    result = await asyncio.wrap_future(called)
    if inspect.isawaitable(result):
        await asyncio.wrap_future(home.run(lambda: _guarded_async(lambda: result), context).future)


async def _in_pool(scope: Scope, name: str, call: Callable[[], Any], context: contextvars.Context) -> Any:
    pool = scope.run.runtime.pool
    future = pool.submit(lambda: context.run(guarded, call))
    try:
        if await _in_time(scope, future):
            return future.result()
    except asyncio.CancelledError:
        try:
            await _end_with_children(scope, name, future)
        finally:
            _abandon(scope, name, _where(pool.abandon(future)))
        raise
    raise _out_of_time(scope, _abandon(scope, name, _where(pool.abandon(future))))


async def _on_home(scope: Scope, name: str, call: Callable[[], Any], context: contextvars.Context) -> Any:
    job = scope.home.run(lambda: _guarded_async(call), context)
    try:
        if await _in_time(scope, job.future):
            return job.future.result()
    except asyncio.CancelledError:
        await _stop_job(scope, name, job, STOP_WAIT_S)
        raise
    raise _out_of_time(scope, await _stop_job(scope, name, job, GRACE_S))


def _end_of(scope: Scope, future: Future[Any]) -> asyncio.Future[None]:
    """Done on the engine loop when the function has ended on its thread. A cancel of it cancels nothing there, as one of
    `wrap_future` would."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tell = scope.run.runtime.engine_loop.set_done
    future.add_done_callback(lambda _: tell(ended))
    return ended


async def _within(scope: Scope, future: Future[Any], timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_end_of(scope, future), timeout_s)


async def _in_time(scope: Scope, future: Future[Any]) -> bool:
    """Whether the function has ended before the scope's deadline. What it has started in the run ends then by itself,
    so it gets a moment to pass that error on: it says better what took the time."""
    left_s = scope.time_left_s()
    if left_s is None:
        await _end_of(scope, future)
        return True
    await _within(scope, future, max(0.0, left_s))
    if not future.done() and any(not task.done() for task in scope.children):
        await _within(scope, future, GRACE_S)
    return future.done()


async def _end_with_children(scope: Scope, name: str, future: Future[Any]) -> None:
    """At a cancel: a function that only waits for what it has started in the run ends with that, and is not abandoned."""
    left = [task for task in scope.children if not task.done()]
    if not left:
        return
    _close(scope, name)
    for task in left:
        task.cancel()
    await _within(scope, future, GRACE_S)


async def _stop_job(scope: Scope, name: str, job: Job[Any], timeout_s: float) -> str | None:
    """Cancels a coroutine. What is said of it, if it goes on all the same."""
    if job.future.done():
        return None
    job.cancel()
    await _within(scope, job.future, timeout_s)
    return None if job.future.done() else _abandon(scope, name, "it did not end when it was cancelled")


def _where(stack: traceback.StackSummary | None) -> str | None:
    if stack is None:
        return None
    # The frames below the call are the pool's and ours.
    ours = max((index for index, frame in enumerate(stack) if frame.filename == __file__), default=-1)
    lines = traceback.format_list(list(stack)[ours + 1 :][-STACK_FRAMES:])
    return f"its thread stood at:\n{''.join(lines).rstrip()}"


def _abandon(scope: Scope, name: str, where: str | None) -> str | None:
    """Reports a function that goes on though nobody waits for it any more, and closes the run to it. `where` None: it
    has ended, or never began."""
    run = scope.run
    _close(scope, name)
    if where is None:
        return None
    said = f"{name} was abandoned and may go on in the background, where it can start nothing more in its run; {where}"
    run.abandoned.append(said)
    run.tell("warning", scope.path, text=said)
    return said


def _close(scope: Scope, name: str) -> None:
    """What the function starts from now on is refused."""
    scope.stop = scope.run.stopped(scope) or RunCancelled(f"{name} was abandoned when its run was cancelled")


def _out_of_time(scope: Scope, said: str | None) -> BaseException:
    assert scope.stop is not None or said is None
    error = scope.run.stopped(scope)
    assert error is not None  # that is why we are here
    if said is not None and said not in getattr(error, "__notes__", ()):
        error.add_note(said)
    return error


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def guarded(call: Callable[[], Any]) -> Any:
    """Calls user code; what would end a thread or a loop is raised as something that they can carry."""
    try:
        return call()
    except StopIteration as error:
        # A future cannot carry a StopIteration; asyncio would hang on it.
        raise RuntimeError(f"user code raised {error!r}") from error
    except (Exception, RunSignal, asyncio.CancelledError):
        raise
    except BaseException as exit_:  # noqa: BLE001 - whatever it is, it is not for the thread or the loop
        raise UserExit(exit_) from None


async def _guarded_async(call: Callable[[], Any]) -> Any:
    try:
        return await call()
    except (Exception, RunSignal, asyncio.CancelledError, GeneratorExit):  # the last one closes a coroutine
        raise
    except BaseException as exit_:  # noqa: BLE001 - whatever it is, it is not for the thread or the loop
        raise UserExit(exit_) from None


async def _stop_left_over(scope: Scope, function: Callable[..., Any]) -> None:
    """Kickoffs and model calls that the function started and did not await end with it: nobody would see their result,
    and they would go on spending."""
    left = [task for task in scope.children if not task.done()]
    if not left:
        return
    over = scope.run.stopped(scope) is not None
    if not over:
        text = f"{_name_of(function)} returned without awaiting {len(left)} kickoffs; they are cancelled"
        scope.run.tell("warning", scope.path, text=text)
    for task in left:
        task.cancel()
    await asyncio.wait(left, timeout=GRACE_S if over else STOP_WAIT_S)


def carry(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with this code's context, for a thread or executor of the user's own: a kickoff or model call in it
    then belongs to the run around. (Tasks and `asyncio.to_thread` carry it by themselves.)"""
    context = contextvars.copy_context()

    def carried(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)

    return carried
