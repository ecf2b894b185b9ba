"""What observers are told. Events are news: the engine never reads them, the journal is the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

EventName = Literal[
    "run_started",
    "run_resumed",
    "run_finished",
    "run_failed",
    "run_cancelled",
    "run_waiting",
    "crew_started",
    "crew_finished",
    "crew_failed",
    "batch_started",
    "batch_progress",
    "batch_finished",
    "task_started",
    "task_finished",
    "task_failed",
    "task_skipped",
    "method_started",
    "method_finished",
    "method_failed",
    "model_call_started",
    "model_call_finished",
    "model_call_failed",
    "tool_started",
    "tool_finished",
    "tool_failed",
    "guardrail_started",
    "guardrail_passed",
    "guardrail_rejected",
    "retry",
    "fallback",
    "limit_wait",
    "budget_wait",
    "budget_exceeded",
    "wait_asked",
    "wait_answered",
    "reused",
    "warning",
]

ListenersEvent = Literal[
    "kickoff_started", "kickoff_finished", "kickoff_failed", "method_paused", "model_piece", "tool_failure"
]
"""What only listeners of the process are told: see `engine/telling.py`."""


# (Not frozen, which would make it take three times as long to make: a kickoff has a dozen.)
@dataclass(slots=True)
class Event:
    """One piece of news about a run, for all who listen: nobody changes it. `data` holds plain values; its keys carry units (`cost_usd`, `duration_s`)."""

    name: EventName | ListenersEvent
    run_id: str
    path: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
