"""Time as the engine sees it; tests put their own in."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime


class Clock:
    """Wall time (aware UTC), monotonic seconds, sleeping, and the draw for jitter."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def draw(self) -> float:
        return random.random()  # spreads retries; guards nothing
