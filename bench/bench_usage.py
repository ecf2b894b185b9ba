"""What `jackstay usage` takes over a million steps: python bench/bench_usage.py [--steps N] [--json]

The steps are those of 30 days, two thirds of them model calls, in runs of crews in flows with tools. Each grouping is asked for
several times for the last day, then once for all of them. Limit: p95 of 100 ms with `--since 24h`. PostgreSQL is
measured if the tests' server can be started.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import sqlalchemy

from bench.harness import heading
from jackstay.core.records import RunRow, StepRow
from jackstay.journal import GROUPINGS, By, Journal, UsageFilter, from_url, open_journal, schema, total, upgrade
from jackstay.journal.rows import RUNS, STEPS, Codec
from tests.postgres import find_binaries, running

DAYS, ROUNDS, PER_RUN = 30, 40, 60
END = datetime(2026, 3, 31, tzinfo=UTC)
ANSWER = json.dumps({"text": "x" * 300, "model": "gpt-4.1-mini", "finish_reason": "stop"})
MODELS = ("gpt-4.1-mini", "gpt-4o", "anthropic/claude-sonnet-4-5", "ollama/llama3")


def steps_of(run_id: str, began: datetime) -> Iterator[StepRow]:
    """Ten tasks in two crews: two turns and a call inside a tool each, and what encloses them."""
    for number in range(PER_RUN // 6):
        crew = f"go#1/crew_{number % 2}~0123456789#1"
        task, at = f"{crew}/task_{number}#1", began + timedelta(seconds=number)
        calls = (f"{task}/llm#1", f"{task}/tool:dig#1/llm~0123456789#1", f"{task}/llm#2")
        for path in calls:
            yield a_step(run_id, path, "llm", "llm", at, number)
        yield a_step(run_id, f"{task}/tool:dig#1", "tool", "dig", at, number)
        yield a_step(run_id, task, "task", f"task_{number}", at, number)
        # Retried and answered by another model once in a hundred: those take a look at their reservations.
        yield a_step(run_id, f"{task}/llm#3", "llm", "llm", at, number, tried="[]" if number == 7 else None)
    for number in range(2):
        yield a_step(run_id, f"go#1/crew_{number}~0123456789#1", "crew", f"Crew {number}", began, number)


def a_step(run_id: str, path: str, kind: Any, name: str, at: datetime, number: int, **more: Any) -> StepRow:
    call = kind == "llm"
    used: dict[str, Any] = {
        "model": MODELS[number % len(MODELS)], "provider": "openai", "input_tokens": 900, "cached_tokens": 300,
        "output_tokens": 120, "cost_pico": 1_000_000, "flags": "streamed", "price_version": "genai-prices 0.0.1 x/y",
        "request": '{"settings":"' + "0" * 64 + '"}', "request_ref": "0" * 64,
    } if call else {}  # fmt: skip
    agent, task = f"Agent {number % 5}", f"task_{number}"
    return StepRow(
        run_id, path, kind, name, "succeeded", "0" * 64, at, at + timedelta(seconds=1), result=ANSWER, agent=agent,
        task=task, duration_us=1_000_000, **used, **more,
    )  # fmt: skip


def fill(url: str, steps: int) -> None:
    """Past the writer, which would take minutes; in the order of time, as they would be written."""
    location = from_url(url)
    upgrade(location)
    engine = sqlalchemy.create_engine(location.url)
    runs = steps // PER_RUN
    with engine.begin() as connection:
        for first in range(0, runs, 500):
            ids = range(first, min(first + 500, runs))
            began = {n: END - timedelta(days=DAYS) * (1 - n / runs) for n in ids}
            rows = [
                RunRow(f"{n:032x}", "flow", f"Flow {n % 3}", began[n], "succeeded", finished_at=began[n]) for n in ids
            ]
            connection.execute(schema.run.insert(), [as_row(RUNS, row) for row in rows])
            made = [step for n in ids for step in steps_of(f"{n:032x}", began[n])]
            connection.execute(schema.step.insert(), [as_row(STEPS, row) for row in made])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sqlalchemy.text("vacuum analyze"))
    engine.dispose()


def as_row(codec: Codec[Any], value: Any) -> dict[str, Any]:
    return dict(zip(codec.names, codec.encode(codec.values(value), {}), strict=True))


def measure(url: str) -> dict[By, dict[str, float]]:
    journal = open_journal(from_url(url))
    found = {by: _one(journal, by) for by in GROUPINGS}
    journal.close()
    return found


def _one(journal: Journal, by: Any) -> dict[str, float]:
    day = UsageFilter(by, since=END - timedelta(days=1))
    times = [_ms(journal, day)[0] for _ in range(ROUNDS)]
    whole_ms, calls = _ms(journal, UsageFilter(by))
    cut = statistics.quantiles(times, n=20)
    return {"p50_ms": statistics.median(times), "p95_ms": cut[-1], "all_ms": whole_ms, "calls": calls}


def _ms(journal: Journal, wanted: UsageFilter) -> tuple[float, int]:
    began = time.perf_counter()
    rows = journal.usage(wanted)
    return (time.perf_counter() - began) * 1e3, total(rows).calls


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=1_000_000)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="jackstay-bench-") as folder:
        url = f"sqlite:///{folder}/journal.db"
        fill(url, given.steps)
        report["sqlite"] = measure(url)
    if find_binaries() is not None:
        with running(f"bench-{os.getpid()}") as server, server.database() as name:
            fill(server.url(name), given.steps)
            report["postgresql"] = measure(server.url(name))
    if given.json:
        print(json.dumps(report, indent=2))
        return 0
    print(heading(f"usage over {given.steps:,} steps of {DAYS} days", "sqlalchemy"))
    for place, groups in report.items():
        print(f"  {place:12} --since 24h: p50 ms   p95 ms (limit 100)   all {DAYS} days: ms      calls")
        for by, times in groups.items():
            print(
                f"    --by {by:8} {times['p50_ms']:20.1f} {times['p95_ms']:20.1f} {times['all_ms']:22.0f} {times['calls']:11,}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
