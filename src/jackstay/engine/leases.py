"""Renewing the leases of the runs that this process drives, and hearing what other processes ask of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jackstay.errors import LeaseLost, RunCancelled, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime

RENEW_S = 3.0
"""A third of the shortest lease time."""


class LeaseKeeper:
    """Lives on the engine loop; its task runs while there is a run to keep."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[str, tuple[Run, asyncio.Task[object] | None]] = {}
        self._task: asyncio.Task[None] | None = None

    def keep(self, run: Run, task: asyncio.Task[object] | None) -> None:
        """`task` is what is cancelled when the lease is lost; None for a script, which hears of it at its next step."""
        self._runs[run.id] = (run, task)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._renew())

    def let_go(self, run: Run) -> None:
        self._runs.pop(run.id, None)

    def stop(self) -> None:
        self._runs.clear()

    async def _renew(self) -> None:
        while self._runs:
            await asyncio.sleep(RENEW_S)
            # A run that is not in the database yet has no lease there to be renewed.
            kept = {run_id: kept for run_id, kept in self._runs.items() if kept[0].writer.visible}
            if not kept:
                continue
            try:
                held = await self._runtime.journal.renew(
                    [run.lease for run, _ in kept.values()],
                    {run.id: run.activity for run, _ in kept.values() if run.activity},
                )
                asked_to_stop = await self._runtime.off_loop(self._runtime.journal.cancel_requested, list(kept))
            except StorageUnavailable:
                continue  # the next step's own write will say so to the run
            for run_id in kept:
                if run_id not in held:
                    self._stop(run_id, LeaseLost(f"run {run_id} has been taken over by another process"))
                elif run_id in asked_to_stop:
                    self._stop(run_id, RunCancelled(f"run {run_id} was cancelled from outside"))

    def _stop(self, run_id: str, why: BaseException) -> None:
        """Nothing of the run starts any more, and what is in flight is interrupted. Nothing to do if it has ended."""
        run, task = self._runs.get(run_id, (None, None))
        if run is not None:
            run.stop = run.stop or why
        if task is not None:
            task.cancel()
