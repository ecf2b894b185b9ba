"""The one way from a caller's thread or loop to the engine loop and back."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from jackstay.engine.home import CallerHome, Home, PrivateHome

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime

T = TypeVar("T")
Work = Callable[[Home], Coroutine[Any, Any, T]]
STOP_WAIT_S = 5.0
"""How long a cancelled caller waits for its run to have stopped."""

_warned_blocking = threading.Event()


def run_sync(runtime: Runtime, work: Work[T]) -> T:
    """Runs engine work for a caller who blocks. On a thread whose loop is running, a helper thread is the home."""
    if not _loop_is_running():
        return _run_here(runtime, work)
    if not _warned_blocking.is_set():
        _warned_blocking.set()
        warnings.warn(
            "kickoff() was called while this thread's event loop is running, which stands still until it returns; "
            "use 'await akickoff()' there",
            RuntimeWarning,
            stacklevel=3,
        )
    context, answer = contextvars.copy_context(), Future[T]()

    def on_helper() -> None:
        try:
            answer.set_result(context.run(_run_here, runtime, work))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            answer.set_exception(error)

    threading.Thread(target=on_helper, name="jackstay-kickoff", daemon=True).start()
    with runtime.pool.slot_given_back():
        return answer.result()


async def run_async(runtime: Runtime, work: Work[T]) -> T:
    """Runs engine work for a caller who awaits; the caller's loop is the home of the run's asynchronous user code."""
    home = CallerHome(asyncio.get_running_loop())
    job = runtime.engine_loop.submit(lambda: work(home))
    waiting = asyncio.wrap_future(job.future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not waiting.done():
            job.cancel()
            # The run is told, and given time to write what it has; only then is the cancel passed on.
            await asyncio.wait([waiting], timeout=STOP_WAIT_S)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()
        raise


def _run_here(runtime: Runtime, work: Work[T]) -> T:
    home = PrivateHome()
    try:
        job = runtime.engine_loop.submit(lambda: work(home))
        try:
            with runtime.pool.slot_given_back():
                home.serve(job.future)
        except KeyboardInterrupt:
            job.cancel()
            home.serve_stopping(job.future, STOP_WAIT_S)
            raise
        return job.future.result()
    finally:
        home.close()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
