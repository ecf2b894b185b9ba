"""What the journal costs: python bench/bench_journal.py [--json]

The floor is a bare insert in SQLite's WAL mode, committed one by one, measured in turns with the journal so that the
machine's mood hits both alike. Figures are medians of several rounds. PostgreSQL is measured if the tests' server can
be started (with fsync on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import sqlalchemy

from jackstay.core.records import Lease, RunRow, StepRow, Write
from jackstay.journal import Journal, from_url, open_journal, upgrade
from tests.postgres import find_binaries, running

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER = json.dumps({"text": "x" * 300, "model": "gpt-4.1-mini", "finish_reason": "stop"})
ROUNDS = 5


def a_step(run_id: str, number: int) -> StepRow:
    return StepRow(
        run_id,
        f"research#1/llm#{number}",
        "llm",
        "gpt-4.1-mini",
        "succeeded",
        "0" * 64,
        NOW,
        NOW,
        result=ANSWER,
        agent="Analyst",
        task="research",
        model="gpt-4.1-mini",
        input_tokens=900,
        output_tokens=120,
        cost_pico=1_000_000,
    )


def bare_insert_us(folder: Path, count: int) -> float:
    """One small row, one commit: what SQLite itself takes."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")
        connection.execute("create table if not exists t (id integer primary key, body text)")
        begin = time.perf_counter()
        for _ in range(count):
            connection.execute("insert into t (body) values (?)", (ANSWER,))
        return (time.perf_counter() - begin) / count * 1e6


async def alone_us(journal: Journal, count: int, round_no: int) -> float:
    """One coroutine writes step after step and waits for each."""
    lease = await journal.create_run(RunRow(f"alone-{round_no}", "crew", "bench", NOW))
    begin = time.perf_counter()
    for number in range(count):
        await journal.write(Write(lease, steps=(a_step(lease.run_id, number),)))
    return (time.perf_counter() - begin) / count * 1e6


async def together_per_s(journal: Journal, runs: int, count: int, round_no: int) -> float:
    """Many runs at once in one process, each waiting for its own steps."""

    async def drive(lease: Lease) -> None:
        for number in range(count):
            await journal.write(Write(lease, steps=(a_step(lease.run_id, number),)))

    leases = [await journal.create_run(RunRow(f"many-{round_no}-{n}", "crew", "bench", NOW)) for n in range(runs)]
    begin = time.perf_counter()
    await asyncio.gather(*map(drive, leases))
    return runs * count / (time.perf_counter() - begin)


def one_process(url: str, number: int, steps: int, ready: Any) -> None:
    journal = open_journal(from_url(url))
    lease = journal.create_run(RunRow(f"process-{number}", "crew", "bench", NOW)).result(60)
    ready.wait()
    for count in range(steps):
        journal.write(Write(lease, steps=(a_step(lease.run_id, count),))).result(60)
    journal.close()


def processes_per_s(url: str, processes: int, steps: int) -> float:
    """Processes that write to one database, each step awaited. Raises if any of them had an error."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes + 1)
    workers = [context.Process(target=one_process, args=(url, n, steps, ready)) for n in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - begin
    if any(worker.exitcode for worker in workers):
        raise SystemExit(f"a writing process failed: exit codes {[worker.exitcode for worker in workers]}")
    return processes * steps / took


def measure(url: str, prefix: str, floor: Any) -> dict[str, float]:
    journal = open_journal(from_url(url))
    floors, alone, ratios, together = [], [], [], []
    for round_no in range(ROUNDS):
        floors.append(floor(2000))
        alone.append(asyncio.run(alone_us(journal, 1000, round_no)))
        ratios.append(alone[-1] / floors[-1])
        together.append(asyncio.run(together_per_s(journal, 100, 50, round_no)))
    journal.close()
    return {
        f"{prefix}_bare_insert_us": statistics.median(floors),
        f"{prefix}_step_us": statistics.median(alone),
        f"{prefix}_step_ratio": statistics.median(ratios),
        f"{prefix}_100_runs_steps_per_s": statistics.median(together),
        f"{prefix}_16_processes_steps_per_s": processes_per_s(url, 16, 1000),
    }


def sqlite_figures() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return measure(f"sqlite:///{folder / 'journal.db'}", "sqlite", lambda count: bare_insert_us(folder, count))


def postgres_figures() -> dict[str, float]:
    import psycopg

    with running(f"bench-{os.getpid()}", fsync=True) as server, server.database() as name:
        upgrade(from_url(server.url(name)))
        server.execute("create table bare (id bigserial primary key, body text)", name)

        def floor(count: int) -> float:
            with psycopg.connect(server.url(name), autocommit=True) as connection:
                begin = time.perf_counter()
                for _ in range(count // 10):
                    connection.execute("insert into bare (body) values (%s)", (ANSWER,))
                return (time.perf_counter() - begin) / (count // 10) * 1e6

        return measure(server.url(name), "postgresql", floor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures as one JSON object")
    asked = parser.parse_args()
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, SQLAlchemy {sqlalchemy.__version__}",
        **sqlite_figures(),
        **(postgres_figures() if find_binaries() else {}),
    }
    if asked.json:
        print(json.dumps(figures))
        return
    print(f"The journal, {figures['date']}: {figures['machine']}; {figures['versions']}")
    for database in ("sqlite", "postgresql"):
        if f"{database}_step_us" not in figures:
            print("  PostgreSQL: not measured, no server found")
            continue
        print(f"  {database}")
        print(f"    bare insert, committed           {figures[f'{database}_bare_insert_us']:>10,.1f} µs")
        print(
            f"    journaled step, awaited alone    {figures[f'{database}_step_us']:>10,.1f} µs"
            f"   = {figures[f'{database}_step_ratio']:.1f} × the bare insert"
        )
        print(f"    100 runs in one process          {figures[f'{database}_100_runs_steps_per_s']:>10,.0f} steps/s")
        print(f"    16 processes × 1,000 steps       {figures[f'{database}_16_processes_steps_per_s']:>10,.0f} steps/s")


if __name__ == "__main__":
    main()
