"""The protocol of who answers `Flow.ask`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass
class InputResponse:
    """An answer with a provider's own data beside it; `ask` returns the text."""

    text: str | None
    metadata: dict[str, Any] | None = None


@runtime_checkable
class InputProvider(Protocol):
    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> Any:
        """A text, an `InputResponse`, or None; `def` or `async def`."""
        ...
