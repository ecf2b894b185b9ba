"""The state of a run as people are told it: the recorded status, and whether anybody still drives the run."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from jackstay.core.ids import SHORT
from jackstay.core.records import LeaseState, RunRow

State = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled", "interrupted"]

STYLES: dict[State, str] = {
    "queued": "blue",
    "running": "blue",
    "waiting": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "yellow",
}


def state_of(run: RunRow, lease: LeaseState | None) -> State:
    """`interrupted` is derived (engine rule 25): stopped half-way, or said to be running while nobody drives it."""
    if run.reason == "interrupted" or (run.status == "running" and (lease is None or not lease.live)):
        return "interrupted"
    return run.status


def shortest(run_id: str, others: list[str]) -> str:
    """The beginning of an id that is no other's, at least as long as ids are shown."""
    length = SHORT
    while length < len(run_id) and any(other != run_id and other.startswith(run_id[:length]) for other in others):
        length += 1
    return run_id[:length].rstrip("-") if length < len(run_id) else run_id


def duration_s(run: RunRow, now: datetime) -> float | None:
    """From the start to the end, or until now; None before the start."""
    if run.started_at is None:
        return None
    return ((run.finished_at or now) - run.started_at).total_seconds()
