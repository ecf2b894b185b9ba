"""What all events have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field


def _now() -> datetime:
    return datetime.now(UTC)


def _id() -> str:
    return str(uuid4())


class BaseEvent(BaseModel):
    """An event. Subclass it, with a `type` of your own, for events that you emit.

    `run_id` and `path` say where it happened; ids and `emission_sequence` are of this process and differ when a run is
    resumed.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    timestamp: datetime = Field(default_factory=_now)
    type: str
    source_fingerprint: str | None = None
    source_type: str | None = None
    fingerprint_metadata: dict[str, Any] | None = None
    task_id: str | None = None
    task_name: str | None = None
    agent_id: str | None = None
    agent_role: str | None = None
    event_id: str = Field(default_factory=_id)
    parent_event_id: str | None = None
    """The event that began what this one happened in."""
    previous_event_id: str | None = None
    """The run's event before this one."""
    triggered_by_event_id: str | None = None
    started_event_id: str | None = None
    """Of an event that ends something: the one that began it."""
    emission_sequence: int | None = None
    """Counts the run's events, from 1."""
    run_id: str | None = None
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values; what JSON does not have is given as its text."""
        body: dict[str, Any] = self.model_dump(mode="json", fallback=str)
        return body
