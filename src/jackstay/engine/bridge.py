"""The one way from a caller's thread or loop to the engine loop and back."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jackstay.engine.home import CLOSE_WAIT_S, CallerHome, Home, PrivateHome
from jackstay.engine.loop import Job
from jackstay.engine.telling import no_home
from jackstay.engine.user_code import UserExit
from jackstay.errors import DeadlineExceeded

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Home], Coroutine[Any, Any, T]]
STOP_WAIT_S = 5.0
"""How long a cancelled caller waits for its run to have stopped."""
LOOK_S = 0.2
"""How often a blocked task looks whether it was cancelled."""

_warned_blocking = threading.Event()


def run_sync(runtime: Runtime, work: Work[T], *, name: str = "kickoff") -> T:
    """Runs engine work for a caller who blocks. On a thread whose loop is running, a helper thread is the home, and one
    warning says so: `name` is the function's."""
    home, blocks_a_loop = PrivateHome(), loop_is_running()
    if blocks_a_loop:
        _warn_once(name)
    context = contextvars.copy_context()
    if blocks_a_loop:
        context.run(no_home)  # what was to run on that loop would wait for it for ever
    job = context.run(runtime.engine_loop.job, lambda: work(home))
    close_wait_s = CLOSE_WAIT_S
    try:
        job.begin()
        with runtime.pool.slot_given_back():
            if blocks_a_loop:
                _serve_on_helper(home, job)
            else:
                home.serve(job.future)
        return job.future.result()
    except (KeyboardInterrupt, asyncio.CancelledError):
        # Ctrl-C comes to the main thread, wherever that is just now; the run goes on until it is told.
        job.cancel()
        if blocks_a_loop:
            wait([job.future], STOP_WAIT_S)
        else:
            home.serve_stopping(job.future, STOP_WAIT_S)
        raise
    except UserExit as error:
        raise error.original from None
    except DeadlineExceeded:
        close_wait_s = 0.0  # what goes on now has had its time when the engine cancelled it
        raise
    finally:
        if not blocks_a_loop:
            home.close(close_wait_s)


def run_beside(runtime: Runtime, work: Work[T], presented: Callable[[T], R]) -> Future[R]:
    """Runs engine work for a caller who goes on meanwhile: a thread of its own is the home. What comes of it is `presented`
    there."""
    outcome, context = _Outcome[R](runtime), contextvars.copy_context()
    outcome.set_running_or_notify_cancel()  # it cannot be taken back any more

    def drive() -> None:
        try:
            result = presented(context.run(run_sync, runtime, work))
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=drive, name="jackstay-beside", daemon=True).start()
    return outcome


class _Outcome(Future[T]):
    """Who waits for it on a thread of the pool gives the place back meanwhile (engine rule 2)."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._pool = runtime.pool

    def result(self, timeout: float | None = None) -> T:
        with self._pool.slot_given_back():
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        with self._pool.slot_given_back():
            return super().exception(timeout)


async def run_async(runtime: Runtime, work: Work[T]) -> T:
    """Runs engine work for a caller who awaits; the caller's loop is the home of the run's asynchronous user code."""
    home = CallerHome(asyncio.get_running_loop())
    job = runtime.engine_loop.submit(lambda: work(home))
    waiting = asyncio.wrap_future(job.future)
    try:
        # A tool may have a loop of its own in its pool thread (`asyncio.run` in a `def`): that thread waits, too.
        with runtime.pool.slot_given_back():
            return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not waiting.done():
            job.cancel()
            # The run is told, and given time to write what it has; only then is the cancel passed on.
            await asyncio.wait([waiting], timeout=STOP_WAIT_S)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()
        raise
    except UserExit as error:
        raise error.original from None


def in_the_end(awaitable: Awaitable[T]) -> T | Awaitable[T]:
    """What user code's own awaitable comes to, for a caller who blocks, outside any run. Where a loop is running, which
    would stand still, the awaitable itself: the caller awaits it."""
    if loop_is_running():
        return awaitable
    home = PrivateHome()
    try:
        job = home.run(lambda: _awaited(awaitable), contextvars.copy_context())
        home.serve(job.future)
        return cast("T", job.future.result())
    finally:
        home.close()


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _warn_once(name: str) -> None:
    if _warned_blocking.is_set():
        return
    _warned_blocking.set()
    warnings.warn(
        f"{name}() was called while this thread's event loop is running, which stands still until it returns; "
        f"use 'await a{name}()' there",
        RuntimeWarning,
        stacklevel=4,
    )


def _serve_on_helper(home: PrivateHome, job: Job[Any]) -> None:
    """Returns when the job is done, or when the calling task was cancelled.

    `asyncio.run` turns Ctrl-C into a cancel of its main task, which a blocked loop cannot deliver: so the blocked task
    looks for itself.
    """
    served = Future[None]()

    def on_helper() -> None:
        try:
            home.serve(job.future)
            home.close()
        finally:
            served.set_result(None)

    threading.Thread(target=on_helper, name="jackstay-kickoff", daemon=True).start()
    task = asyncio.current_task()
    cancels = task.cancelling() if task is not None else 0
    while not wait([served], timeout=None if task is None else LOOK_S).done:
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError


def loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
