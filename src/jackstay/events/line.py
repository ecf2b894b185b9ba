"""The events of one run that wait to be handed on, and how they hang together: which began what, which came before."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from jackstay.core.paths import parent_of
from jackstay.engine.home import Home
from jackstay.events.base_events import BaseEvent

_ENDS = ("_completed", "_finished", "_failed", "_error")


@dataclass(frozen=True, slots=True)
class Told:
    source: Any
    event: BaseEvent
    home: Home | None
    done: Future[None] | None


class Line:
    """Of one run; lives on the engine loop."""

    def __init__(self) -> None:
        self.waiting: deque[Told] = deque()
        self.task: asyncio.Task[None] | None = None
        self._count = 0
        self._last: str | None = None
        self._began: dict[tuple[str, str], str] = {}
        """The events that began what has not ended, by path and kind."""
        self._open: dict[str, str] = {}

    def add(self, told: Told) -> None:
        event, path = told.event, told.event.path or ""
        self._count += 1
        event.emission_sequence, event.previous_event_id = self._count, self._last
        self._last = event.event_id
        what, _, how = event.type.rpartition("_")
        if how == "started":
            event.parent_event_id = self._around(path)
            self._began[(path, what)] = self._open[path] = event.event_id
        elif event.type.endswith(_ENDS):
            event.started_event_id = self._began.pop((path, what), None)
            left = [began for (where, _), began in self._began.items() if where == path]
            self._open.pop(path, None)
            if left:
                self._open[path] = left[-1]
            event.parent_event_id = self._around(path)
        else:
            event.parent_event_id = self._around(path)
        self.waiting.append(told)

    def next(self) -> Told:
        return self.waiting.popleft()

    def _around(self, path: str) -> str | None:
        """The innermost begin around this path."""
        while True:
            if path in self._open:
                return self._open[path]
            if not path:
                return None
            path = parent_of(path)
