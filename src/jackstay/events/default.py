"""The process's event bus."""

from __future__ import annotations

from jackstay.events.bus import EventBus
from jackstay.events.translate import translate

event_bus = EventBus(translate)
