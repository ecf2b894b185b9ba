"""Renewing the leases of the runs that this process drives, and hearing what other processes ask of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackstay.errors import LeaseLost, RunCancelled, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime

RENEW_S = 3.0
"""A third of the shortest lease time."""
LISTEN_S = 0.5
"""How often it is looked up whether another process has asked a run to stop: one read for all runs."""

Tasks = Callable[[], Iterable[asyncio.Task[Any]]]


class LeaseKeeper:
    """Lives on the engine loop; its task runs while there is a run to keep."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[str, tuple[Run, Tasks]] = {}
        self._task: asyncio.Task[None] | None = None

    def keep(self, run: Run, tasks: Tasks) -> None:
        """`tasks` are what is cancelled when the run has to stop: its driver, or the kickoffs of a script."""
        self._runs[run.id] = (run, tasks)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def let_go(self, run: Run) -> None:
        self._runs.pop(run.id, None)

    @property
    def count(self) -> int:
        return len(self._runs)

    def cancel(self, run_id: str) -> bool:
        """Stops a run that this process drives, with the items of a batch; False if it does not drive it."""
        why = RunCancelled(f"run {run_id} was cancelled")
        for run, _ in self._runs.values():
            if run.row.parent_run == run_id:
                run.stop = run.stop or why  # interrupted by the batch's own cancel, they would not know why
        return self._stop(run_id, why)

    def stop(self) -> None:
        self._runs.clear()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        while self._runs:
            await asyncio.sleep(LISTEN_S)
            # A run that is not in the database yet has no lease there to be renewed.
            kept = {run_id: run for run_id, (run, _) in self._runs.items() if run.writer.visible}
            if not kept:
                continue
            try:
                if loop.time() >= renew_at:
                    renew_at = loop.time() + RENEW_S
                    await self._renew(kept)
                asked_to_stop = await self._runtime.off_loop(self._runtime.journal.cancel_requested, list(kept))
            except StorageUnavailable:
                continue  # the next step's own write will say so to the run
            for run_id in asked_to_stop:
                self.cancel(run_id)

    async def _renew(self, kept: Mapping[str, Run]) -> None:
        held = await self._runtime.journal.renew(
            [run.lease for run in kept.values()], {run.id: run.activity for run in kept.values() if run.activity}
        )
        for run_id in kept.keys() - held:
            self._stop(run_id, LeaseLost(f"run {run_id} has been taken over by another process"))

    def _stop(self, run_id: str, why: BaseException) -> bool:
        """Nothing of the run starts any more, and what is in flight is interrupted. False if it has ended."""
        run, tasks = self._runs.get(run_id, (None, None))
        if run is None or tasks is None:
            return False
        run.stop = run.stop or why
        for task in tuple(tasks()):
            task.cancel()
        return True
