"""What a turn in the limiter costs: python bench/bench_limiter.py

In the process without a limit, and with one that nobody has to wait for, on SQLite and PostgreSQL. The floor, measured in
turns with them, is the least that a shared limit could cost: one transaction of one update, through the same writer.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.harness import heading
from jackstay import Runtime
from jackstay.core.limits import Limit
from jackstay.journal import from_url, upgrade
from jackstay.journal.write_connection import WriteConnection
from tests.postgres import find_binaries, running

ROUNDS = 5
NO_WAIT = 10**9
"""Per minute: nobody ever waits."""
LIMITS = {
    "requests": Limit("requests", requests_per_min=NO_WAIT),
    "requests and tokens": Limit("both", requests_per_min=NO_WAIT, tokens_per_min=NO_WAIT),
    "requests, tokens, concurrent": Limit("all", NO_WAIT, NO_WAIT, 1000),
}


async def microseconds(times: int, once: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    for _ in range(times):
        await once()
    return (time.perf_counter() - started) / times * 1e6


async def microseconds_together(times: int, once: Callable[[], Awaitable[object]]) -> float:
    """Of a hundred at a time, per call."""
    started = time.perf_counter()
    for _ in range(times // 100):
        await asyncio.gather(*(once() for _ in range(100)))
    return (time.perf_counter() - started) / times * 1e6


def _bare_update(connection: WriteConnection) -> None:
    connection.execute("update limiter set minute = minute + 1 where name = 'requests'")


async def figures(runtime: Runtime, times: int) -> list[tuple[str, float, float]]:
    async def floor() -> None:
        await runtime.journal._writer.call(_bare_update)

    def turning(*limits: Limit) -> Callable[[], Awaitable[object]]:
        async def turn() -> None:
            async with runtime.limiter.turn(limits, run_id="run", tokens=500) as turn:
                turn.used(480)

        return turn

    measured = {"no limit": turning(), "floor: one update": floor}
    measured |= {name: turning(limit) for name, limit in LIMITS.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in measured}
    for _ in range(ROUNDS):
        for name, once in measured.items():
            found[name].append((await microseconds(times, once), await microseconds_together(times, once)))
    return [(name, *(statistics.median(column) for column in zip(*rows, strict=True))) for name, rows in found.items()]


def report(database_url: str, times: int) -> None:
    with Runtime(database_url=database_url) as runtime:
        rows = runtime.engine_loop.submit(lambda: figures(runtime, times)).future.result()
    print(f"  {database_url.partition(':')[0]:32} one by one   100 at once, per call (µs)")
    for name, alone, together in rows:
        print(f"    {name:30} {alone:10.1f} {together:12.1f}")


def main() -> int:
    print(heading("a turn in the limiter"))
    with tempfile.TemporaryDirectory() as folder:
        report(f"sqlite:///{Path(folder) / 'journal.db'}", 500)
        if find_binaries() is not None:
            with running(f"bench-{os.getpid()}", fsync=True) as server, server.database() as name:
                upgrade(from_url(server.url(name)))
                report(server.url(name), 500)
    return 0


if __name__ == "__main__":
    sys.exit(main())
