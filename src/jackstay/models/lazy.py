"""Names that are imported when they are first called: the routing table must not load an SDK to be read."""

from __future__ import annotations

import asyncio
import gc
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def lazily(target: str) -> Callable[..., Any]:
    """The function `package.module:name`, imported at its first call."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return load(target)(*args, **kwargs)

    call.__name__ = target
    return call


def load(target: str) -> Any:
    """The object `package.module:name`."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Around the import of a large library: nothing that it makes is garbage, and looking for some takes a fifth of
    the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def in_thread(work: Callable[[], T]) -> T:
    """Runs `work` beside the loop. The first import of an SDK takes a second or more, which must not stop lease
    renewal and other requests. A daemon thread of its own, because asyncio's default pool keeps a stuck program open.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            with without_collecting():
                result: T | None = work()
            error = None
        except BaseException as exc:  # noqa: BLE001 - handed to the waiting coroutine, whatever it is
            result, error = None, exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop was closed while an SDK was loading: nobody waits any more

    threading.Thread(target=run, name="jackstay-connect", daemon=True).start()
    return await done
