"""The protocol of who asks people about flows' methods, and what they are given and raise."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from jackstay.core.feedback import PendingFeedbackContext
from jackstay.errors import HumanFeedbackPending

__all__ = ["HumanFeedbackPending", "HumanFeedbackProvider", "PendingFeedbackContext"]


@runtime_checkable
class HumanFeedbackProvider(Protocol):
    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> Any:
        """The person's words (`def` or `async def`), or raises `HumanFeedbackPending(context)`: the flow pauses until they
        come some other way. Called at least once for a question, and not again while the run waits for its answer."""
        ...
