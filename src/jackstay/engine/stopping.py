"""Cancelling a run by its id, whoever drives it: this process at once, another one through the journal."""

from __future__ import annotations

import contextlib

from jackstay.core.records import TERMINAL, RunEnd, RunRow
from jackstay.engine.asked import find_run
from jackstay.engine.kickoff import take_up
from jackstay.engine.runtime import Runtime, current_runtime
from jackstay.errors import AlreadyRunning


def cancel(run: str) -> bool:
    """Asks a run to stop: nothing more of it starts, requests in flight are closed, its caller gets `RunCancelled`.

    `run`: its id, an unambiguous beginning of it, or its run key. From any thread. A run of another process hears of it
    within a second; a run that nobody drives any more is marked as cancelled. Returns False if it had ended already;
    returns before it has stopped. Raises `NotFoundError`.
    """
    runtime = current_runtime()
    return runtime.engine_loop.submit(lambda: cancel_run(runtime, run)).future.result()


async def cancel_run(runtime: Runtime, wanted: str) -> bool:
    row = await find_run(runtime, wanted)
    if row.status in TERMINAL:
        return False
    if runtime.leases.cancel(row.id):
        return True
    if not await runtime.journal.request_cancel(row.id):
        return False
    # The items of a batch have leases of their own, and nobody to hear of it if the batch has nobody.
    for each in [row, *await runtime.off_loop(runtime.journal.children, row.id)]:
        await _end_if_undriven(runtime, each)
    return True


async def _end_if_undriven(runtime: Runtime, row: RunRow) -> None:
    lease = await runtime.off_loop(runtime.journal.lease, row.id)
    if row.status in TERMINAL or (lease is not None and lease.live):
        return
    with contextlib.suppress(AlreadyRunning):  # somebody was faster, and will see what was asked
        run = await take_up(runtime, row.id)
        await run.end(RunEnd("cancelled", run.now()))
