"""A prefork server: it forks three workers, after an import or after kickoffs of its own, and all of them work on.

MODE `warm`: the parent has kicked off a crew before it forks. MODE `live`: one of its runs is under way meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import Any

from jackstay.engine.runtime import current_runtime
from jackstay.testing import FaultPoints
from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of

WORKERS = 3


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the parent and each worker got, and what the parent's journal holds."""
    mode, begun, gate = os.environ["MODE"], threading.Event(), threading.Event()

    @tool
    def hold(topic: str) -> str:
        """Waits until the workers are done."""
        begun.set()
        gate.wait(60)
        return "held"

    live: list[str] = []
    held = threading.Thread(target=lambda: live.append(crew_of(hold).kickoff({"topic": "live"}).raw))
    if mode == "warm":
        assert crew_of().kickoff({"topic": "first"}).raw == "first"
    if mode == "live":
        held.start()
        begun.wait(60)
    pipes = [_worker(number) for number in range(WORKERS)]
    beside = crew_of().kickoff({"topic": "beside"}).raw
    workers = [json.loads(os.fdopen(end).read()) for _, end in pipes]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in pipes]
    if mode == "live":
        gate.set()
        held.join(60)
    after = crew_of().kickoff({"topic": "after"}).raw
    return {"workers": workers, "statuses": statuses, "parent": [*live, beside, after], "left": _left()}


def _worker(number: int) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        with os.fdopen(write, "w") as pipe:
            pipe.write(json.dumps(_serve(number)))
        current_runtime().close()
    finally:
        os._exit(0)


def _serve(number: int) -> list[str]:
    async def at_once() -> list[str]:
        outputs = await asyncio.gather(*(crew_of().akickoff({"topic": f"w{number}-{n}"}) for n in range(4)))
        return [output.raw for output in outputs]

    return [crew_of().kickoff({"topic": f"w{number}"}).raw, *asyncio.run(at_once())]


def _left() -> list[str]:
    from jackstay.core.records import RunFilter

    journal = current_runtime().journal
    runs = journal.runs(RunFilter(limit=1000))
    leased = [run.id for run in runs if (lease := journal.lease(run.id)) is not None and lease.owner]
    reserved = [r.path for run in runs for r in journal.reservations(run.id) if r.state != "settled"]
    return [*leased, *reserved, *(run.id for run in runs if run.status != "succeeded")]
