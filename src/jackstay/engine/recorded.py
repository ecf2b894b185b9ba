"""What earlier processes, or the run that this one replays, have recorded: looked up by path and by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.core.replay import RecordedKickoff, kickoff_in

Unusable = Literal["changed", "opaque"]


class Recorded:
    """Of one run; lives on the engine loop. A kickoff whose definition has changed has another path than before: its
    steps are then looked up in the place of the earlier one (`in_place_of`)."""

    def __init__(self) -> None:
        self._rows: dict[str, StepRow] = {}
        self._last_seq: dict[str, int] = {}
        self._kickoffs: list[RecordedKickoff] = []
        self._taken: set[str] = set()
        self._places: dict[str, str] = {}
        """Scopes of kickoffs of today, and in whose place they stand."""

    # --- taking in -------------------------------------------------------------------------------------------------

    def add(self, row: StepRow) -> None:
        """A row of an earlier process, or a copied one. Of a path the highest revision answers."""
        known = self._rows.get(row.path)
        if known is None or row.rev > known.rev:
            self._rows[row.path] = row
        path = row.path
        while path:
            path = parent_of(path)
            self._last_seq[path] = max(self._last_seq.get(path, 0), row.seq)
        kickoff = kickoff_in(row)
        if kickoff is not None:
            self._kickoffs.append(kickoff)
            if kickoff.continues:
                self._places[kickoff.path] = kickoff.continues
                self._taken.add(kickoff.continues)

    # --- looking up ------------------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Of a run that is new."""
        return not self._rows

    def find(self, path: str, args_hash: str) -> StepRow | Unusable | None:
        """The row that answers: a success, or a failure that user code has already gone on from. Else why the row
        that is there does not; None: there is none, or its step is simply executed again."""
        row = self.newest(path)
        if row is None:
            return None
        if row.args_hash != args_hash:
            return "changed"
        match row.status:
            case "succeeded":
                return row
            case "failed":
                return row if self._is_gone_on_from(row) else None
            case "opaque":
                return "opaque"
            case _:
                return None

    def _is_gone_on_from(self, row: StepRow) -> bool:
        # Only such failures are copied into another run.
        return row.origin_run_id not in (None, row.run_id) or self._last_seq.get(parent_of(row.path), 0) > row.seq

    def failed(self, path: str, args_hash: str) -> StepRow | None:
        """The failure of this very call, whether anything has gone on from it or not."""
        row = self.newest(path)
        return row if row is not None and row.status == "failed" and row.args_hash == args_hash else None

    def is_tip(self, row: StepRow) -> bool:
        """A failure that nothing has gone on from."""
        return not self._is_gone_on_from(row)

    def newest(self, path: str) -> StepRow | None:
        """Whatever stands at this step's place."""
        if not self._rows:
            return None
        return self._rows.get(path) or self._rows.get(self.earlier(path))

    def under(self, path: str, kind: str, *, depth: int = 1) -> list[StepRow]:
        """The newest rows of that kind directly inside a scope (or so many levels below), in order of completion, at
        their paths of today."""
        found = {row.path: row for row in self._rows.values() if row.kind == kind and _above(row.path, depth) == path}
        earlier = self.earlier(path)
        if earlier != path:
            for row in self.under(earlier, kind, depth=depth):
                today = path + row.path[len(earlier) :]
                found.setdefault(today, replace(row, path=today))
        return sorted(found.values(), key=lambda row: row.seq)

    def next_rev(self, path: str) -> int:
        row = self._rows.get(path)
        return 1 if row is None else row.rev + 1

    def earlier(self, path: str) -> str:
        """The path at which this step stood in an earlier kickoff's place; the path itself if there is none."""
        scope = path if self._places else ""
        while scope:
            place = self._places.get(scope)
            if place is not None:
                return place + path[len(scope) :]
            scope = parent_of(scope)
        return path

    # --- kickoffs whose definition has changed -----------------------------------------------------------------------

    def candidates(self, path: str, kickoff: RecordedKickoff, overrides: Mapping[str, Any]) -> list[RecordedKickoff]:
        """Earlier kickoffs that this one may continue under another definition: of the same name and with the same
        inputs (but for those that were given anew), in the same scope, in the order in which they began.

        Exactly equal kickoffs have equal paths and are found by themselves: then there is none.
        """
        if path in self._rows or path in self._last_seq:
            self._taken.add(path)
            return []
        scope, name = self.earlier(parent_of(path)), (kickoff.kind, kickoff.name)
        return [
            earlier
            for earlier in self._kickoffs
            if parent_of(earlier.path) == scope
            and earlier.path not in self._taken
            and (earlier.kind, earlier.name) == name
            and {**earlier.inputs, **overrides} == dict(kickoff.inputs)
        ]

    def put_in_place(self, path: str, earlier: RecordedKickoff) -> None:
        """It only reads what the earlier one has, which, should it come too, still finds its own."""
        self._taken.add(earlier.path)
        self._places[path] = earlier.path


def _above(path: str, levels: int) -> str:
    for _ in range(levels):
        path = parent_of(path)
    return path
