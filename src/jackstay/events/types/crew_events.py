"""Kickoffs of crews."""

from __future__ import annotations

from typing import Any

from jackstay.events.base_events import BaseEvent


class CrewBaseEvent(BaseEvent):
    """`crew` is a view with its name, not the object."""

    crew_name: str | None
    crew: Any = None


class CrewKickoffStartedEvent(CrewBaseEvent):
    type: str = "crew_kickoff_started"
    inputs: dict[str, Any] | None


class CrewKickoffCompletedEvent(CrewBaseEvent):
    type: str = "crew_kickoff_completed"
    output: Any
    total_tokens: int = 0


class CrewKickoffFailedEvent(CrewBaseEvent):
    type: str = "crew_kickoff_failed"
    error: str
