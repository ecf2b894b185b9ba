"""Whether a disk is quick enough for those who must not wait for one."""

from __future__ import annotations

SLOW_S, LEFT_ALONE_S = 0.02, 5.0
"""A disk that takes so long for a little is left to a thread for so long."""


class Quickness:
    """Of one disk. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._from_s = 0.0

    def is_at(self, now_s: float) -> bool:
        return now_s >= self._from_s

    def note(self, began_s: float, ended_s: float) -> None:
        """How long a write took."""
        if ended_s - began_s > SLOW_S:
            self._from_s = ended_s + LEFT_ALONE_S
