"""A stub and a runtime of its own for every test, and nothing left behind at its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from jackstay import Runtime
from jackstay.testing import Stub
from tests.e2e.ledger import HurriedClock, Ledger
from tests.postgres import postgres_database, postgres_server

__all__ = ["postgres_database", "postgres_server"]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def clock() -> HurriedClock:
    return HurriedClock()


@pytest.fixture
def make_runtime(stub, clock, tmp_path) -> Iterator[Callable[..., Runtime]]:
    """Makes the current runtime; checked at the end: no task, no reservation, no lease, no thread is left."""
    made: list[Runtime] = []
    threads = set(threading.enumerate())

    def make(**options: object) -> Runtime:
        environ = {**stub.environ(), "HOME": str(tmp_path)}
        runtime = Runtime(**{"environ": environ, "folder": tmp_path, "clock": clock, **options})
        made.append(runtime.__enter__())
        return runtime

    yield make
    for runtime in reversed(made):
        try:
            check_nothing_left(runtime)
        finally:
            runtime.close()
    left = {thread for thread in set(threading.enumerate()) - threads if not thread.daemon}
    assert not left, left


@pytest.fixture
def runtime(make_runtime) -> Runtime:
    made: Runtime = make_runtime()
    return made


def check_nothing_left(runtime: Runtime) -> None:
    """The engine rests, every reservation is settled, every lease given back."""
    let_engine_rest(runtime)
    assert _engine_tasks(runtime) == []
    ledger = Ledger.of(runtime)
    assert ledger.open == []
    assert [run for run in ledger.runs if run.status == "running"] == []
    held = [lease for run in ledger.runs if (lease := runtime.journal.lease(run.id)) is not None and lease.owner]
    assert held == []


def let_engine_rest(runtime: Runtime) -> None:
    """What the journal has to be told of the last answers is in it, and a connection that a cancelled call began to
    make is made (the next call takes it: `Wire._connection`)."""

    async def rest() -> None:
        tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith(("limit ", "connect "))]
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    runtime.engine_loop.submit(rest).future.result(10)


def _engine_tasks(runtime: Runtime) -> list[str]:
    async def names() -> list[str]:
        for _ in range(10):  # what the loop itself has begun (closing an asynchronous generator) ends in its next turns
            await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        # The renewal sleeps on for a few seconds and then sees that there is nothing to renew; a fallback's SDK that is
        # being loaded is loaded to the end.
        return [repr(task) for task in others if "LeaseKeeper" not in repr(task) and "_prepared" not in repr(task)]

    return runtime.engine_loop.submit(names).future.result(10)
