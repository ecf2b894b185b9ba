"""What ties a program's kickoffs together: a script that is itself a run, or the runs of one process."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.records import RunRow
from jackstay.engine.scope import Scope, current_scope


def identity(kind: str, name: str, fingerprint: str, inputs: Any) -> str:
    """What makes two kickoffs the same question: the definition and the inputs."""
    return digest([kind, name, fingerprint, inputs])


@dataclass
class Session:
    """`scope`: kickoffs are steps of this script's run. `earlier`: kickoffs of the same identity go on with, or
    answer from, these runs of an earlier process, in the order in which they were made."""

    id: str
    scope: Scope | None = None
    earlier: dict[str, deque[str]] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    """Given on the command line: they win over what the program passes to its top-level kickoffs."""

    def inputs_for_kickoff(self) -> dict[str, Any]:
        """The command line's inputs, for a kickoff that is not inside another one."""
        scope = current_scope()
        return self.inputs if scope is None or scope is self.scope else {}

    def remember(self, rows: Iterable[RunRow]) -> None:
        for row in sorted(rows, key=lambda r: r.id):
            inputs = json.loads(row.inputs) if row.inputs else {}
            key = identity(row.kind, row.name, row.fingerprint or "", inputs)
            self.earlier.setdefault(key, deque()).append(row.id)

    def take_earlier(self, key: str) -> str | None:
        waiting = self.earlier.get(key)
        return waiting.popleft() if waiting else None
