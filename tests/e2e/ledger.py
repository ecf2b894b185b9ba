"""What a journal holds after a test, for the laws that are checked against the stub's own count."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jackstay import Runtime
from jackstay.core.records import Reservation, RunFilter, RunRow, StepRow
from jackstay.engine.clock import Clock


class HurriedClock(Clock):
    """Does not wait: a sleep is over at once, and remembered; the clock has moved on by it."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.slept_s)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Ledger:
    """All runs of a journal with their steps and reservations."""

    runs: list[RunRow]
    steps: list[StepRow]
    reservations: list[Reservation]

    @classmethod
    def of(cls, runtime: Runtime) -> Ledger:
        journal = runtime.journal
        runs = journal.runs(RunFilter(limit=10_000))
        steps = [step for run in runs for step in journal.steps(run.id, latest_only=False)]
        return cls(runs, steps, [one for run in runs for one in journal.reservations(run.id)])

    @property
    def calls(self) -> list[StepRow]:
        return [step for step in self.steps if step.kind == "llm"]

    @property
    def counted(self) -> int:
        """Requests that the journal knows of: attempts of recorded calls, and what was lost."""
        return sum(call.attempts for call in self.calls) + sum(1 for r in self.reservations if r.state == "lost")

    @property
    def open(self) -> list[Reservation]:
        return [one for one in self.reservations if one.state == "open"]
