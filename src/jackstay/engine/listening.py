"""Who hears the pieces of a streamed answer, and whether anything was shown: that cannot be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackstay.models.provider import Delta, Listener


class Listening:
    """A listener of one call, over all its attempts."""

    def __init__(self, tell: Listener) -> None:
        self._tell = tell
        self.heard = False

    def __call__(self, delta: Delta) -> None:
        self.heard = True
        self._tell(delta)

    def restart(self) -> None:
        """The answer comes anew (engine rule 19)."""
        if self.heard:
            from jackstay.models.provider import Delta  # with it come the types of the wire

            self._tell(Delta("restart", ""))
