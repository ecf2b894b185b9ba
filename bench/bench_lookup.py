"""Lookup of a recorded step: by path and hash, and with the hash of its question computed, at any length of the
conversation. Limits: 10 µs, and 40 µs with the hash."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder
from jackstay import Runtime
from jackstay.core.canonical import digest
from jackstay.core.messages import Conversation, Message, Question
from jackstay.core.paths import numbered
from jackstay.core.records import Lease, RunRow, StepRow, Takeover
from jackstay.engine.run import Run

STEPS, REPEATS, ROUNDS = 10_000, 2_000, 7


def recorded_run(runtime: Runtime, args_hash: str) -> Run:
    now = datetime.now(UTC)
    row = RunRow("run", "crew", "bench", now)
    steps = tuple(
        StepRow("run", numbered("task#1", "llm", n), "llm", "llm", "succeeded", args_hash, now, now, seq=n, result="{}")
        for n in range(1, STEPS + 1)
    )
    run = Run(runtime, row, lease=Lease("run", 1), is_new=False)
    run.load(Takeover(Lease("run", 2), row, steps, ()), steps)
    return run


def microseconds(action: Callable[[], object]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(REPEATS):
            action()
        rounds.append((time.perf_counter() - started) / REPEATS * 1e6)
    return statistics.median(rounds)


def main() -> int:
    new = Message("user", "One more question about the same subject, of an ordinary length of some eighty letters.")
    with scratch_folder(), Runtime() as runtime:
        rows = []
        for length in (4, 100, 1000, 4000):
            past = Conversation.of([Message("user", f"message {n} " + "x" * 200) for n in range(length)])
            settings = digest(Question(("gpt-4o-mini",), past).settings())
            args_hash = Question(("gpt-4o-mini",), past.add(new)).hash(settings)
            run = recorded_run(runtime, args_hash)
            path = numbered("task#1", "llm", STEPS // 2)
            assert run.find(path, args_hash) is not None
            plain = microseconds(lambda run=run, path=path, h=args_hash: run.find(path, h))  # type: ignore[misc]

            def hashed(run: Run = run, path: str = path, past: Conversation = past, settings: str = settings) -> object:
                return run.find(path, Question(("gpt-4o-mini",), past.add(new)).hash(settings))

            rows.append((length, plain, microseconds(hashed)))
    print(heading(f"lookup of a recorded step among {STEPS}"))
    print("  messages   lookup µs (limit 10)   with hash µs (limit 40)")
    for length, plain, with_hash in rows:
        print(f"  {length:8} {plain:16.2f} {with_hash:23.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
