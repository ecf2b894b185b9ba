"""Results of tools that may answer equal calls of the same run (`cache_ttl_s`): found by tool and arguments."""

from __future__ import annotations

import json
from datetime import datetime

from jackstay.core.canonical import digest
from jackstay.core.messages import ToolCall
from jackstay.core.progress import normal_arguments
from jackstay.core.records import StepRow
from jackstay.core.specs import ToolDef

KEPT, CACHED = "kept", "cached"
"""Words in the flags of a tool's row: it may answer others; it was answered by another."""


def key_of(tool: ToolDef, call: ToolCall) -> str:
    """Not only the name: two agents may each have a tool that is called so."""
    return digest([tool.spec.to_json(), normal_arguments(call.arguments)])


class ToolCache:
    """Of one run, filled from its rows; a replay's copied rows count too, as old as they are."""

    def __init__(self) -> None:
        self._kept: dict[str, StepRow] = {}

    def note(self, row: StepRow) -> None:
        if row.status == "succeeded" and KEPT in (row.flags or "").split(","):
            self._kept[json.loads(row.request or "{}")["cache"]] = row

    def find(self, key: str, ttl_s: float, now: datetime) -> str | None:
        """The text of a result that is no older than that."""
        row = self._kept.get(key)
        if row is None or (now - row.finished_at).total_seconds() > ttl_s:
            return None
        text: str = json.loads(row.result or "{}")["text"]
        return text
