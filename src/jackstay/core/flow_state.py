"""A flow's state as its rows tell it: the state at the beginning, and what each method has changed. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.records import StepRow

_LONGEST_BYTES = 256
"""An id that is longer is told by its hash: databases limit what an index may hold."""


def address(state_id: str) -> str:
    """What says of which state a flow's first row is (`StepRow.request`)."""
    short = len(state_id.encode("utf-8", "surrogatepass")) <= _LONGEST_BYTES and state_id.isprintable()
    return canonical_json(state_id if short else digest(state_id))


class StateRecord:
    """The fields as JSON data (`core.values`), as far as rows have been taken in."""

    def __init__(self, fields: Mapping[str, Any] | None = None) -> None:
        self.fields: dict[str, Any] = dict(fields or {})

    def take(self, body: Mapping[str, Any]) -> None:
        """What a method's row says (the JSON of its result)."""
        self.fields |= body.get("state", {})
        for name in body.get("removed", ()):
            self.fields.pop(name, None)


def fold(rows: Iterable[StepRow]) -> dict[str, Any]:
    """The state behind these rows of one flow, in the order of their completion."""
    record = StateRecord()
    for row in rows:
        body = json.loads(row.result or "{}")
        if row.kind == "input" and row.name == "state":
            record = StateRecord(body)
        elif row.kind == "method" and row.status in ("succeeded", "opaque"):
            record.take(body)
    return record.fields
