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
from jackstay.engine.home import Home
from jackstay.engine.kickoff import Kickoff, Outcome, end_failed, new_run, start
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import current_scope
from jackstay.errors import InputsError, RunSignal


def start_batch(
    runtime: Runtime, name: str, kickoffs: Sequence[Kickoff], *, concurrency: int
) -> Callable[[Home], Coroutine[Any, Any, list[Outcome | Exception]]]:
    """The items' outcomes in their order; an item's exception stands in its place."""
    if concurrency < 1:
        raise InputsError(f"concurrency={concurrency}: at least one item has to run at a time")

    async def work(home: Home) -> list[Outcome | Exception]:
        nested = current_scope() is not None or (runtime.session is not None and runtime.session.scope is not None)
        if nested:
            return await _all(kickoffs, concurrency, lambda kickoff: start(runtime, home, kickoff))
        return await _batch_run(runtime, home, name, kickoffs, concurrency)

    return work


async def _batch_run(
    runtime: Runtime, home: Home, name: str, kickoffs: Sequence[Kickoff], concurrency: int
) -> list[Outcome | Exception]:
    batch = new_run(runtime, _batch_kickoff(name, kickoffs))
    runtime.leases.keep(batch, asyncio.current_task())
    try:
        await batch.writer.begin()
        outcomes = await _all(
            kickoffs, concurrency, lambda kickoff: start(runtime, home, replace(kickoff, parent_run=batch.id))
        )
    except (Exception, asyncio.CancelledError, RunSignal) as error:
        runtime.leases.let_go(batch)
        await end_failed(batch, error)
        raise
    runtime.leases.let_go(batch)
    await _end(batch, outcomes)
    return outcomes


async def _end(batch: Run, outcomes: list[Outcome | Exception]) -> None:
    failed = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    ids = [None if isinstance(outcome, Exception) else outcome.run_id for outcome in outcomes]
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
) -> list[Outcome | Exception]:
    slots = asyncio.Semaphore(concurrency)

    async def guarded(kickoff: Kickoff) -> Outcome | Exception:
        async with slots:
            try:
                return await one(kickoff)
            except Exception as error:  # noqa: BLE001 - an item's failure is its result; a stop passes through
                return error

    return list(await asyncio.gather(*(guarded(kickoff) for kickoff in kickoffs)))


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
