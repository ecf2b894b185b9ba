"""Asking people somewhere else than at the console, and what a paused flow leaves behind. CrewAI's names."""

from jackstay.flow.async_feedback.providers import ConsoleProvider
from jackstay.flow.async_feedback.types import HumanFeedbackPending, HumanFeedbackProvider, PendingFeedbackContext

__all__ = ["ConsoleProvider", "HumanFeedbackPending", "HumanFeedbackProvider", "PendingFeedbackContext"]
