"""The pytest plugin of Jackstay: fixtures with a Runtime of their own, and a check that nothing was left behind.

A project asks for it in its `conftest.py`: `pytest_plugins = ["jackstay.testing.plugin"]`. It is no entry point, which
pytest would load in every run of everybody who has Jackstay installed. Nothing of ours is imported until a test asks
for a fixture.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jackstay import Runtime

MakeRuntime = Callable[..., "Runtime"]

_NOT_INHERITED = ("JACKSTAY_DATABASE_URL", "JACKSTAY_DURABILITY", "JACKSTAY_RUN_KEY")
"""They would take a test's runs to the developer's own database, or make them answer for one another."""

_OURS = ("jackstay-engine", "jackstay-journal", "jackstay-kickoff")
"""Threads that end with their Runtime. Idle `jackstay-user` threads end by themselves; busy ones are looked for."""

_SETTLE_S = 2.0
"""How long something may take to end after the test."""


@pytest.fixture
def jackstay_runtime(jackstay_make_runtime: MakeRuntime) -> Runtime:
    """The current `Runtime` of the test: its journal is a new SQLite file in the test's folder for temporary files.

    After the test it is closed, and the test fails if a run was left unfinished, a reservation open, a task, thread or
    function running.
    """
    return jackstay_make_runtime()


@pytest.fixture
def jackstay_make_runtime(tmp_path: Path) -> Iterator[MakeRuntime]:
    """Makes such Runtimes: `jackstay_make_runtime(environ={…}, retry=…)` with any argument of `Runtime`. `environ` is
    added to the process's; the last one made is the current one. A second call with the same `folder` opens the same
    journal, as another process would."""
    opened: list[Any] = []

    def make(*, environ: Mapping[str, str] | None = None, folder: Path | None = None, **given: Any) -> Runtime:
        context = own_runtime(folder or tmp_path, environ=environ, **given)
        runtime = context.__enter__()
        opened.append(context)
        return runtime

    yield make
    problems: list[str] = []
    for context in reversed(opened):
        try:
            context.__exit__(None, None, None)
        except LeftBehind as left:
            problems.append(str(left))
    if problems:
        pytest.fail("; ".join(problems), pytrace=False)


class LeftBehind(AssertionError):
    """Something of Jackstay's still runs, or is still claimed, although the code that started it is done."""


@contextmanager
def own_runtime(folder: Path, *, environ: Mapping[str, str] | None = None, **given: Any) -> Iterator[Runtime]:
    """A current `Runtime` whose journal is in `folder`; closed at the end. Raises `LeftBehind`."""
    from jackstay.engine.runtime import Runtime  # not loaded by a pytest run that does not use the fixture

    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'jackstay.db'}"
    # Under `pytest -s` nobody at the terminal is asked either: the run waits, as it does elsewhere.
    settings = {"JACKSTAY_DATABASE_URL": url, **inherited, "JACKSTAY_CONSOLE": "off", **(environ or {})}
    before = set(threading.enumerate())
    with Runtime(folder=folder, environ=settings, **given) as runtime:
        yield runtime
        left = leaks(runtime)
    left += _threads_left(before)
    if left:
        raise LeftBehind(f"Jackstay was left with {', '.join(left)}")


def leaks(runtime: Runtime) -> list[str]:
    """What a Runtime still does or holds, in words; empty when all that was started on it has ended."""
    return [*_functions_left(runtime), *_tasks_left(runtime), *_rows_left(runtime)]


def _rows_left(runtime: Runtime) -> Iterator[str]:
    from jackstay.core.records import RunFilter  # as above

    if runtime._journal is None:
        return
    journal = runtime.journal
    for run in journal.runs(RunFilter(limit=10_000)):
        lease = journal.lease(run.id)
        if lease is not None and lease.owner is not None and lease.live:
            yield f"the unreleased lease of {run.kind} run {run.id} ({run.status})"
        for reservation in journal.reservations(run.id):
            if reservation.state == "open":
                yield f"the open reservation {run.id}:{reservation.path} (attempt {reservation.attempt})"


def _functions_left(runtime: Runtime) -> Iterator[str]:
    deadline = time.monotonic() + _SETTLE_S
    while (left := runtime.pool.unfinished()) and time.monotonic() < deadline:
        time.sleep(0.01)
    if left:
        yield f"{left} synchronous function(s) running"


def _tasks_left(runtime: Runtime) -> Iterator[str]:
    loop = runtime.engine_loop
    if loop._thread is None:
        return

    async def look() -> list[str]:
        me, deadline = asyncio.current_task(), asyncio.get_running_loop().time() + _SETTLE_S
        while True:
            names = [_name(task) for task in asyncio.all_tasks() if task is not me and not _is_housekeeping(task)]
            if not names or asyncio.get_running_loop().time() > deadline:
                return names
            await asyncio.sleep(0.01)

    for name in loop.submit(look).future.result(2 * _SETTLE_S):
        yield f"the task {name}"


def _is_housekeeping(task: asyncio.Task[Any]) -> bool:
    # It sleeps on for a moment after its last run has ended, so that a next run finds it.
    return _name(task).startswith("LeaseKeeper.")


def _name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or repr(coroutine)


def _threads_left(before: set[threading.Thread]) -> list[str]:
    mine = [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith(_OURS)]
    for thread in mine:
        thread.join(_SETTLE_S)
    return [f"the thread {thread.name}" for thread in mine if thread.is_alive()]
