"""`kickoff_for_each`: one run per item under a batch run, a given number at a time, failures kept apart."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.ids import SHORT
from jackstay.core.records import RunEnd, RunStatus
from jackstay.engine.asked import Kickoff
from jackstay.engine.ending import end_failed, why_ended
from jackstay.engine.home import Home
from jackstay.engine.kickoff import Outcome, current_task, new_run, start, take_up
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.together import together
from jackstay.errors import InputsError, RunCancelled, RunSignal

Ended = Outcome | Exception | RunCancelled
"""How an item has ended: with its outcome, a failure, or a cancel of its own run."""


def start_batch(
    runtime: Runtime, name: str, kickoffs: Sequence[Kickoff], *, concurrency: int
) -> Callable[[Home], Coroutine[Any, Any, list[Ended]]]:
    """The items' outcomes in their order; an item's exception stands in its place."""
    if concurrency < 1:
        raise InputsError(f"concurrency={concurrency}: at least one item has to run at a time")

    async def work(home: Home) -> list[Ended]:
        runtime.check_settings()
        nested = current_scope() is not None or (runtime.session is not None and runtime.session.scope is not None)
        if nested:
            return await _all(kickoffs, concurrency, lambda kickoff: start(runtime, home, kickoff))
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
    try:
        await batch.writer.begin(batch.row)
        outcomes = await _all(
            kickoffs, concurrency, lambda kickoff: start(runtime, home, replace(kickoff, parent_run=batch.id))
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
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    ids = [None if isinstance(outcome, BaseException) else outcome.run_id for outcome in outcomes]
    output = canonical_json({"runs": ids, "failed": len(failed)})
    if failed:
        logging.getLogger("jackstay").warning(
            "%d of %d items failed (the first: %s); 'jackstay show %s' lists them",
            len(failed),
            len(outcomes),
            failed[0],
            batch.id[:SHORT],
        )
    status: RunStatus = "failed" if failed else "succeeded"
    await batch.end(RunEnd(status, batch.now(), reason="error" if failed else None, output=output))


async def _all(
    kickoffs: Sequence[Kickoff], concurrency: int, one: Callable[[Kickoff], Awaitable[Outcome]]
) -> list[Ended]:
    slots = asyncio.Semaphore(concurrency)

    async def guarded(kickoff: Kickoff) -> Ended:
        async with slots:
            try:
                return await one(kickoff)
            except Exception as error:  # noqa: BLE001 - an item's failure is its result; a stop passes through
                return error
            except RunCancelled as stop:
                # An item that was cancelled on its own account: a cancel of the whole batch comes as `CancelledError`.
                return stop

    return await together([guarded(kickoff) for kickoff in kickoffs])


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
    )
