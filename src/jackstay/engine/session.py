"""What ties a program's kickoffs together: a script that is itself a run, or the runs of one process."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jackstay.core.canonical import digest
from jackstay.core.records import RunRow
from jackstay.engine.scope import Scope, current_scope

if TYPE_CHECKING:
    from jackstay.engine.replaying import Replay


def identity(kind: str, name: str, fingerprint: str, inputs: Any) -> str:
    """What makes two kickoffs the same question: the definition and the inputs."""
    return digest([kind, name, fingerprint, inputs])


@dataclass
class Session:
    """`scope`: kickoffs are steps of this script's run. `earlier`: kickoffs of the same identity go on with, or
    answer from, these runs of an earlier process, in the order in which they were made."""

    id: str
    scope: Scope | None = None
    earlier: dict[str, deque[RunRow]] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    """Given on the command line: they win over what the program passes to its top-level kickoffs."""
    strict: bool = False
    """Runs that are gone on with are refused what their record does not answer because something has changed."""
    replay: Replay | None = None
    """The program is started again to replay this run of an earlier process."""
    reached: bool = False
    """The kickoff of the run that is replayed has come."""

    def inputs_for_kickoff(self) -> dict[str, Any]:
        """The command line's inputs, for a kickoff that is not inside another one."""
        scope = current_scope()
        return self.inputs if scope is None or scope is self.scope else {}

    def remember(self, rows: Iterable[RunRow]) -> None:
        for row in sorted(rows, key=lambda r: r.forked_from or r.id):
            key = identity(row.kind, row.name, row.fingerprint or "", self._inputs(row))
            self.earlier.setdefault(key, deque()).append(row)

    def take_earlier(self, key: str) -> RunRow | None:
        waiting = self.earlier.get(key)
        return waiting.popleft() if waiting else None

    def with_other_definition(self, kind: str, name: str, inputs: dict[str, Any]) -> list[RunRow]:
        """Runs of the earlier process that nothing has gone on with yet, of that name and with these inputs."""
        waiting = sorted((row for rows in self.earlier.values() for row in rows), key=lambda row: row.id)
        return [row for row in waiting if (row.kind, row.name) == (kind, name) and self._inputs(row) == inputs]

    def take(self, row: RunRow) -> None:
        for rows in self.earlier.values():
            if row in rows:
                rows.remove(row)

    def _inputs(self, row: RunRow) -> dict[str, Any]:
        recorded = json.loads(row.inputs) if row.inputs else {}
        # The items of a batch are not the program's own inputs.
        return recorded if row.kind == "batch" else {**recorded, **self.inputs}
