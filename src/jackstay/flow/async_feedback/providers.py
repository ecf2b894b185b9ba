"""Asking at the console, whatever the standard input is."""

from __future__ import annotations

from typing import Any, ClassVar

from jackstay.core.feedback import PendingFeedbackContext, shown
from jackstay.core.waits import Asked
from jackstay.engine import console
from jackstay.errors import HumanFeedbackPending


class ConsoleProvider:
    """Prints and reads a line. `verbose=False`: the output that the question is of is not printed. At the end of the input
    a flow pauses, and `ask` gives None."""

    asks_at_console: ClassVar[bool] = True

    def __init__(self, verbose: bool = True) -> None:
        self.verbose = verbose

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        output = shown(context.method_output) if self.verbose else ""
        options = tuple(context.emit or ())
        said = console.ask(Asked("feedback", context.message, output, options, context.default_outcome))
        if said is None:
            raise HumanFeedbackPending(context)
        return said.text or ""

    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> str | None:
        said = console.ask(Asked("input", message))
        return None if said is None else said.text
