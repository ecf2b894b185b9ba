"""A program as a run: what it kicks off are steps of it; resumed, it is started again as that run (engine rule 29)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json, digest
from jackstay.core.records import RunEnd, RunFilter, RunRow
from jackstay.core.replay import target_of
from jackstay.engine.asked import Kickoff
from jackstay.engine.ending import end_failed, tell_end, why_ended
from jackstay.engine.kickoff import begin, budgets_of, take_up
from jackstay.engine.replaying import Replay
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.engine.session import Session
from jackstay.engine.telling import caught_up
from jackstay.engine.user_code import STOP_WAIT_S
from jackstay.errors import RunCancelled

T = TypeVar("T")
SESSION_RUNS = 100_000
"""More than a program is likely to have made."""


@contextmanager
def script_run(
    runtime: Runtime,
    name: str,
    *,
    entry: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    resume: str | None = None,
    replay: Replay | None = None,
    strict: bool = False,
    run_key: str | None = None,
    budget: Budget | None = None,
    deadline_s: float | None = None,
) -> Iterator[Run]:
    """Inside the block every kickoff of this process, from any thread, is a step of the script's run.

    `resume`: the id of the script's earlier run; kickoffs that had finished return what they returned then. `replay`: a
    new run that begins with what another one has recorded. `strict`: refuses what would be asked anew. `run_key` names a new run. `budget`: what everything in it may spend together. `deadline_s`: after so many seconds nothing more
    starts, and what is in flight ends. The block's exception is the run's end and is raised on.
    """
    runtime.check_settings()
    runtime.masked.load()
    session = runtime.session = Session(runtime.session_id, inputs=dict(inputs or {}), strict=strict)
    script = replace(_script(name, entry, inputs or {}, run_key, budget), replay=replay)
    try:
        run = _on_engine(runtime, _begin(runtime, script, resume))
    except BaseException:
        runtime.session = None
        raise
    # A private home is never asked for: each kickoff decides on its own.
    scope = Scope(run, "", _NoHome()).bound(deadline_s=deadline_s, budgets=budgets_of(run, script, ""))
    session.id, session.scope = run.row.session_id or run.id, scope
    try:
        yield run
    except BaseException as error:
        left_well = isinstance(error, SystemExit) and error.code in (None, 0)
        _on_engine(runtime, _end(scope, None if left_well else error))
        raise
    else:
        _on_engine(runtime, _end(scope, None))
    finally:
        # Not sooner: what other threads kick off while the run ends is refused, and does not become a run of its own.
        runtime.session = None


@contextmanager
def started_again(
    runtime: Runtime,
    row: RunRow,
    *,
    replay: Replay | None = None,
    inputs: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> Iterator[Session]:
    """Inside the block the process is the one that made `row`, started again: kickoffs of the same definition and
    inputs go on with the runs of that session, or return what those had returned. `replay`: one of them is replayed, by
    a new run, and only those that have finished answer. `inputs`, `strict`: see `script_run`."""
    session = Session(row.session_id or row.id, inputs=dict(inputs or {}), strict=strict, replay=replay)
    wanted = RunFilter(limit=SESSION_RUNS, session_id=row.session_id)
    rows = [runtime.masked.revealed(each) for each in (runtime.journal.runs(wanted) if row.session_id else [row])]
    session.remember(_standing(rows, row))
    runtime.session = session
    try:
        yield session
    finally:
        runtime.session = None


def _standing(rows: Sequence[RunRow], row: RunRow) -> list[RunRow]:
    """The session's runs as the program makes them. What goes on with a finished run after a change stands in its place,
    and so does a replay if it is the one that is gone on with; else it is none of the program's."""
    by_id = {each.id: each for each in rows}
    sources = set()
    for each in (row, *(each for each in rows if each.forked_from and not target_of(each))):
        source = each.forked_from
        while source in by_id:
            sources.add(source)
            source = by_id[source].forked_from
    return [
        each
        for each in rows
        if each.id == row.id or (each.id not in sources and (each.forked_from is None or not target_of(each)))
    ]


async def _begin(runtime: Runtime, script: Kickoff, resume: str | None) -> Run:
    if resume is not None:
        run = await take_up(runtime, resume, script)
    else:
        run = await begin(runtime, script)
        await run.writer.begin(run.row)
    runtime.leases.keep(run, lambda: _kickoffs_of(runtime))
    runtime.tracing.begin(run)
    runtime.metering.begin(run)
    news = {"kind": "script", "name": script.name, "inputs": dict(script.inputs)}
    if replay_of := run.row.forked_from if script.replay is not None else None:
        news["replay_of"] = replay_of
    run.tell("run_started" if resume is None else "run_resumed", "", **news)
    return run


def _kickoffs_of(runtime: Runtime) -> set[asyncio.Task[Any]]:
    """What the script is at inside the run. Its own code hears of a stop from them, or at its next kickoff."""
    scope = runtime.session.scope if runtime.session is not None else None
    return scope.children if scope is not None else set()


async def _end(scope: Scope, error: BaseException | None) -> None:
    run = scope.run
    if error is None:
        # The program caught the stop, or did not notice its limit.
        error = run.stop = run.stopped(scope)
    elif isinstance(error, Exception):
        error = why_ended(scope, error)
    await _stop_kickoffs(scope)
    run.runtime.leases.let_go(run)
    if error is None:
        await run.end(RunEnd("succeeded", run.now()))
    else:
        await end_failed(run, asyncio.CancelledError() if isinstance(error, KeyboardInterrupt) else error)
    tell_end(run, error)
    await caught_up(run)


async def _stop_kickoffs(scope: Scope) -> None:
    """Those of the program's other threads: they would spend what no run shows, and hold the process open."""
    scope.stop = RunCancelled(f"run {scope.run.id} is over: its program has ended")
    left = [task for task in scope.children if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=STOP_WAIT_S)


def _script(
    name: str, entry: Mapping[str, Any], inputs: Mapping[str, Any], run_key: str | None, budget: Budget | None
) -> Kickoff:
    async def nothing(_: Scope) -> None:
        return None

    return Kickoff(
        kind="script",
        name=name,
        inputs=inputs,
        fingerprint=digest(["script", name]),
        body=nothing,
        encode=canonical_json,
        decode=json.loads,
        budget=budget,
        run_key=run_key,
        entry=entry,
    )


class _NoHome:
    def run(self, start: Any, context: Any) -> Any:
        raise AssertionError("a script's own scope runs no user code; its kickoffs bring their home")


def _on_engine(runtime: Runtime, work: Coroutine[Any, Any, T]) -> T:
    return runtime.engine_loop.submit(lambda: work).future.result()
