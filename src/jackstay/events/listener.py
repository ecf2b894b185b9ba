"""Listeners as classes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jackstay.events.bus import EventBus
from jackstay.events.default import event_bus


class BaseEventListener(ABC):
    """Registers its handlers when it is made: `MyListener()`."""

    verbose: bool = False

    def __init__(self) -> None:
        self.setup_listeners(event_bus)

    @abstractmethod
    def setup_listeners(self, event_bus: EventBus) -> None:
        """Registers handlers: `@event_bus.on(TaskCompletedEvent)` above a function of `(source, event)`."""
