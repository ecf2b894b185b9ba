"""`kickoff_for_each`: one run per item under a batch run, a given number at a time, failures kept apart."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.content import least
from jackstay.core.events import EventName
from jackstay.core.ids import SHORT
from jackstay.core.records import RunEnd, RunStatus
from jackstay.core.usage import NO_BILL, Bill
from jackstay.engine.asked import Kickoff
from jackstay.engine.ending import end_failed, why_ended
from jackstay.engine.home import Home
from jackstay.engine.kickoff import Outcome, current_task, new_run, start, take_up
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.telling import caught_up
from jackstay.engine.together import together
from jackstay.errors import InputsError, RunCancelled, RunSignal


@dataclass(frozen=True, slots=True)
class Failed:
    """An item that has no outcome: what was raised (a failure, or a cancel of its own run), where, at what cost."""

    error: Exception | RunCancelled
    run_id: str
    path: str
    bill: Bill


Ended = Outcome | Failed
"""How an item has ended."""


def start_batch(
    runtime: Runtime, name: str, kickoffs: Sequence[Kickoff], *, concurrency: int
) -> Callable[[Home], Coroutine[Any, Any, list[Ended]]]:
    """The items' outcomes in their order; a failure stands in its item's place. One warning in the log counts them."""
    if concurrency < 1:
        raise InputsError(f"concurrency={concurrency}: give how many items run at a time, 1 or more")

    async def work(home: Home) -> list[Ended]:
        await runtime.be_ready()
        around = current_scope() or (runtime.session.scope if runtime.session is not None else None)
        if around is not None:
            course = _Course(around.run, around.path, name, len(kickoffs))
            outcomes = await _all(kickoffs, concurrency, lambda kickoff: start(runtime, home, kickoff), course)
            _warn_of_failures(outcomes, batch=None)
            return outcomes
        return await _batch_run(runtime, home, name, kickoffs, concurrency)

    return work


async def _batch_run(
    runtime: Runtime, home: Home, name: str, kickoffs: Sequence[Kickoff], concurrency: int
) -> list[Ended]:
    asked = _batch_kickoff(name, kickoffs)
    session = runtime.session
    earlier = session.take_earlier(asked.identity) if session is not None and session.replay is None else None
    if earlier is not None and earlier.status != "succeeded":
        batch = await take_up(runtime, earlier.id, asked)
    else:
        batch = new_run(runtime, asked)
    runtime.leases.keep(batch, current_task())
    runtime.tracing.begin(batch)
    runtime.metering.begin(batch)
    if batch.trace is not None:
        batch.trace.enter("")  # its items are runs of their own, in its trace
    try:
        await batch.writer.begin(batch.row)
        outcomes = await _all(
            kickoffs,
            concurrency,
            lambda kickoff: start(runtime, home, replace(kickoff, parent_run=batch.id)),
            _Course(batch, "", name, len(kickoffs)),
        )
        batch.check()  # its last item may have taken the batch's cancel for its own
    except (Exception, asyncio.CancelledError, RunSignal) as error:
        runtime.leases.let_go(batch)
        why = why_ended(Scope(batch, "", home), error)
        await end_failed(batch, why)
        if why is error:
            raise
        raise why from None
    runtime.leases.let_go(batch)
    await _end(batch, outcomes)
    return outcomes


async def _end(batch: Run, outcomes: list[Ended]) -> None:
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    ids = [None if isinstance(outcome, Failed) else outcome.run_id for outcome in outcomes]
    output = canonical_json({"runs": ids, "failed": len(failed)})
    _warn_of_failures(outcomes, batch=batch.id, gone=batch.content != "full")
    status: RunStatus = "failed" if failed else "succeeded"
    await batch.end(RunEnd(status, batch.now(), reason="error" if failed else None, output=output))
    await caught_up(batch)


def _warn_of_failures(outcomes: Sequence[Ended], *, batch: str | None, gone: bool = False) -> None:
    """Once for all of them. `batch`: the run under which they are runs of their own; else they are part of their caller's
    run, and what the program did about them is part of its record."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if not failed:
        return
    first = failed[0]
    if batch is not None:
        again = f"to try them again: jackstay resume {batch[:SHORT]}"
        then = "what they said was not kept: they cannot be resumed" if gone else again
    else:
        then = f"jackstay show {first.run_id[:SHORT]} lists them" if first.run_id else "none of them has begun"
    _log().warning("%d of %d items failed (the first: %s); %s", len(failed), len(outcomes), first.error, then)


class _Course:
    """How far a batch is, for those who look on."""

    def __init__(self, run: Run, path: str, name: str, items: int) -> None:
        self._run, self._path = run, path
        self._name, self._items = name, items
        self._done = self._failed = self._running = 0
        if items:
            self._tell("batch_started")

    def begun(self) -> None:
        self._running += 1
        self._tell("batch_progress")

    def ended(self, outcome: Ended) -> None:
        self._running -= 1
        self._done += 1
        self._failed += isinstance(outcome, Failed)
        self._tell("batch_finished" if self._done == self._items else "batch_progress")

    def _tell(self, name: EventName) -> None:
        figures = {"items": self._items, "done": self._done, "failed": self._failed, "running": self._running}
        self._run.tell(name, self._path, batch=self._name, **figures)


async def _all(
    kickoffs: Sequence[Kickoff],
    concurrency: int,
    one: Callable[[Kickoff], Awaitable[Outcome]],
    course: _Course,
) -> list[Ended]:
    # Its waiters are let in in their order: with one slot, an item begins when the one before has ended altogether.
    slots = asyncio.Semaphore(concurrency)

    async def guarded(kickoff: Kickoff) -> Ended:
        entered: list[Scope] = []
        async with slots:
            course.begun()
            ended: Ended
            try:
                ended = await one(_noting(kickoff, entered))
            except (Exception, RunCancelled) as error:  # noqa: BLE001 - an item's failure is its result; a stop passes through
                # `RunCancelled`: on its own account; a cancel of the whole batch comes as `CancelledError`.
                ended = _failed(error, entered)
            course.ended(ended)
            return ended

    return await together([guarded(kickoff) for kickoff in kickoffs])


def _noting(kickoff: Kickoff, entered: list[Scope]) -> Kickoff:
    """The kickoff, noting the scope that it runs in: what a failed one has cost is known there."""

    async def body(scope: Scope) -> Any:
        entered.append(scope)
        return await kickoff.body(scope)

    return replace(kickoff, body=body)


def _failed(error: Exception | RunCancelled, entered: list[Scope]) -> Failed:
    if not entered:  # it never began, or its failure was read from the record
        return Failed(error, getattr(error, "run_id", None) or "", "", NO_BILL)
    scope = entered[-1]
    return Failed(error, scope.run.id, scope.path, scope.run.bills.own(scope.path))


def _log() -> logging.Logger:
    return logging.getLogger("jackstay")


def _batch_kickoff(name: str, kickoffs: Sequence[Kickoff]) -> Kickoff:
    async def nothing(_: Any) -> None:
        return None

    return Kickoff(
        kind="batch",
        name=name,
        inputs={"items": [dict(kickoff.inputs) for kickoff in kickoffs]},
        fingerprint=digest(sorted({kickoff.fingerprint for kickoff in kickoffs})),
        body=nothing,
        encode=canonical_json,
        decode=json.loads,
        entry=kickoffs[0].entry if kickoffs else {},
        content=least(*(kickoff.content for kickoff in kickoffs)),
    )
