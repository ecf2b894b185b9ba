"""What tools of a run had set out to do to the world, and what a person has said of calls whose end nobody knows."""

from __future__ import annotations

import json
from collections.abc import Iterable

from jackstay.core.intents import NEEDS_DECISION, NOT_CALLED, Decided
from jackstay.core.records import Intent, StepRow, Wait
from jackstay.engine.recorded import Recorded


class Acts:
    """What tools of a run had set out to do when earlier processes drove it, and what was said of it since."""

    def __init__(self) -> None:
        self._intents: dict[str, Intent] = {}
        self._decided: dict[tuple[str, int], Decided] = {}
        self._asked: set[tuple[str, int]] = set()

    def load(self, intents: Iterable[Intent], waits: Iterable[Wait]) -> None:
        for intent in intents:  # of a path the highest revision counts
            known = self._intents.get(intent.path)
            if known is None or intent.rev > known.rev:
                self._intents[intent.path] = intent
        for wait in waits:
            if wait.kind != NEEDS_DECISION:
                continue
            path, rev = json.loads(wait.payload or "{}")["intent"]
            self._asked.add((path, rev))
            if wait.answer is not None:
                self._decided[path, rev] = Decided.from_json(wait.answer)

    def unsettled(self, path: str, recorded: Recorded) -> Intent | None:
        """The intent whose call has no end on record."""
        intent = self._intents.get(path) or self._intents.get(recorded.earlier(path))
        if intent is None:
            return None
        row = recorded.newest(path)
        return None if row is not None and row.rev >= intent.rev and _is_settled(row) else intent

    def last_rev(self, path: str) -> int:
        intent = self._intents.get(path)
        return 0 if intent is None else intent.rev

    def decided(self, intent: Intent) -> Decided | None:
        return self._decided.get((intent.path, intent.rev))

    def is_asked(self, intent: Intent) -> bool:
        """The person has been asked already, and not answered."""
        return (intent.path, intent.rev) in self._asked


def _is_settled(row: StepRow) -> bool:
    # Interrupted, it may have acted all the same.
    return row.status in ("succeeded", "failed") or NOT_CALLED in (row.flags or "").split(",")
