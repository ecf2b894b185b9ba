"""For programs that configure logging themselves: where in a run a record was made, and lines of JSON.

`JACKSTAY_LOG` and `JACKSTAY_LOG_FILE` need none of this.
"""

from __future__ import annotations

import logging
from typing import Any

from jackstay.core.recognition import WITHHELD
from jackstay.engine.context import context_here
from jackstay.engine.runtime import runtime_if_any

__all__ = ["RunContext", "json_formatter"]


class RunContext(logging.Filter):
    """Gives records made inside a run `run_id`, `path`, `crew`, `flow`, `task`, `agent`, `trace_id` and `span_id`; outside of
    one they are None, so that a format may name them. Add it to a handler: `handler.addFilter(RunContext())`."""

    NAMES = ("run_id", "path", "crew", "flow", "task", "agent", "trace_id", "span_id")

    def filter(self, record: logging.LogRecord) -> bool:
        found = context_here()
        for name in self.NAMES:
            if not hasattr(record, name):
                setattr(record, name, found.get(name))
        return True


def json_formatter() -> logging.Formatter:
    """A formatter that writes one JSON object per record, secrets and personal data masked, the `extra` of the record as
    keys of their own."""
    from jackstay.observe.log_sinks import json_formatter as made  # with it comes structlog

    return made(_masked)


def _masked(value: Any) -> Any:
    runtime = runtime_if_any()
    if runtime is None:
        return value
    masking = runtime.masked.now
    if masking.recognition is not None and runtime.engine_loop.is_here:  # where runs are driven: no time to look at it
        return dict.fromkeys(value, WITHHELD)
    return masking.whole(value)
