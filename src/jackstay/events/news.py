"""What the engine tells, as the makers of public events are given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jackstay.core.events import Event
from jackstay.core.interception import agent_view, task_view
from jackstay.engine.run import Run
from jackstay.engine.scope import Scope
from jackstay.events.base_events import BaseEvent

Made = tuple[type[BaseEvent], Callable[[], Mapping[str, Any]]]
"""An event's class and its fields, made only if somebody listens."""


@dataclass(frozen=True, slots=True)
class News:
    run: Run
    event: Event
    about: Any
    """The engine's objects: which ones, the place in the engine says that tells it."""


def whose_of(scope: Scope) -> dict[str, Any]:
    return {"agent": agent_view(scope.about, scope.agent), "task": task_view(scope.about, scope.task)}


def names(scope: Scope) -> dict[str, Any]:
    return {"agent_role": scope.agent, "task_name": scope.task}
